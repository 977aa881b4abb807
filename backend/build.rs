//! Makes cargo look again when the page was built: its files are compiled into the program, and their
//! names change with their content.

fn main() {
    println!("cargo:rerun-if-changed=../dist");
    println!("cargo:rerun-if-changed=migrations");
}
