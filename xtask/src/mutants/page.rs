//! The page with all mutants in it, the server that has it inside, and how the page learns which mutant is on
//! (`xtask/mutants/switch.toml`).
//!
//! The page is built as it is developed, which takes a few minutes less than a release and has the gallery; the script
//! that keeps it in browsers, which only released pages have, is added.

use super::list::Edit;
use super::tree;
use crate::page::{assets_of, files};
use crate::process::{root, run, say};
use crate::{setup, worker};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The package of the tests in browsers.
pub(super) const PACKAGE: &str = "journeys";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    edit: Vec<Edit>,
}

/// What is changed in the copy, whatever mutants there are.
pub(super) fn switch() -> Result<Vec<Edit>> {
    let path = "xtask/mutants/switch.toml";
    let text = fs::read_to_string(root().join(path)).with_context(|| format!("{path} cannot be read"))?;
    let switch: Switch = toml::from_str(&text).context(path)?;
    Ok(switch.edit)
}

/// Builds the page of the copy and its server, into this folder of cargo's. Gives what tests in browsers are told.
pub(super) fn build(target: &Path) -> Result<Vec<(String, String)>> {
    let tree = tree::folder();
    let tools = setup::for_page()?;
    let mut told = setup::for_tests()?;
    say("The page, with all mutants in it");
    assets_of(&tree)?;
    let mut trunk = tools.trunk(&["build", "--offline", "--locked", "--dist", "target/gallery"])?;
    // What the page is made of is compiled there already, for the gallery.
    run(trunk.current_dir(&tree).env("CARGO_TARGET_DIR", root().join("target")))?;
    let gallery = tree.join("target/gallery");
    put(&tree, &gallery, &tree.join("dist"))?;
    say("The server, with all mutants in it");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--package", "backend"]).current_dir(&tree).env("CARGO_TARGET_DIR", target);
    run(&mut cargo)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    told.push(("CONFAB_GALLERY".into(), text(&gallery)));
    // A server that is not built to be released reads the page where it lies.
    told.push(("CONFAB_BIN".into(), text(&target.join("debug/confab"))));
    Ok(told)
}

/// Puts the page where its server looks for it, with the script that keeps it.
fn put(tree: &Path, built: &Path, dist: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(dist);
    for file in files(built)? {
        let copy = dist.join(file.strip_prefix(built)?);
        fs::create_dir_all(copy.parent().unwrap_or(dist))?;
        fs::copy(&file, copy)?;
    }
    let index = dist.join("index.html");
    let html = fs::read_to_string(&index)?;
    fs::write(index, html.replace("data-js=", "data-worker=\"/worker.js\" data-parts=\"\" data-js="))?;
    worker::write(tree, dist)
}
