//! Measures Confab.

mod page;
#[expect(dead_code, reason = "the scenarios come with the generator")]
mod seed;

fn main() {}
