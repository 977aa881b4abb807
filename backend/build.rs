//! Makes cargo look again when the page was built: its files are compiled into the released program, and their names
//! change with their content. A program with debug assertions reads them when they are asked for.

fn main() {
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed=../dist");
    }
    println!("cargo:rerun-if-changed=migrations");
}
