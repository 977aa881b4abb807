//! Measures Confab.

mod page;

fn main() {}
