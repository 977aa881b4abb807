//! A copy of the project with all mutants in it, each behind its switch.

use super::list::{Edit, How, Mutant};
use super::{SWITCH, page};
use crate::process::{output, root};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The module that reads the switch, in `shared`, which every other crate of the product knows. A browser has no
/// environment: there the page says which mutant is on, before anything asks.
const MODULE: &str = r#"//! Which mutant is on.

use std::sync::OnceLock;

static NAME: OnceLock<Option<String>> = OnceLock::new();

/// Whether this one is on.
pub fn is_on(name: &str) -> bool {
    NAME.get_or_init(|| std::env::var("SWITCH").ok()).as_deref() == Some(name)
}

/// Turns one on, where there is no environment.
pub fn turn_on(name: &str) {
    let _ = NAME.set(Some(name.to_owned()));
}
"#;

/// The root files of the other crates, where `crate::mutant` has to be found.
const CRATES: &[&str] =
    &["backend/src/lib.rs", "backend/src/main.rs", "client/src/lib.rs", "frontend/src/lib.rs", "frontend/src/main.rs"];

/// What cargo reads of the project itself, because the copy lies in it. Read twice, flags would stand there twice, and
/// nothing that is compiled already would fit.
const ABOVE: &str = ".cargo/";

/// The copy's folder.
pub(super) fn folder() -> PathBuf {
    root().join("target/mutants/tree")
}

/// Makes the copy, or brings it up to date; what is right already keeps its time, so that little is built again.
pub(super) fn make<'a>(mutants: impl Iterator<Item = &'a Mutant>) -> Result<()> {
    let mut edited = edited(mutants)?;
    edited.insert("shared/src/mutant.rs".to_owned(), MODULE.replace("SWITCH", SWITCH));
    append(&mut edited, "shared/src/lib.rs", "\npub mod mutant;\n")?;
    for path in CRATES.iter().filter(|path| root().join(path).exists()) {
        append(&mut edited, path, "\n#[allow(unused_imports)]\nuse shared::mutant;\n")?;
    }
    let files = output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])
        .context("git does not say which files the project has")?;
    let mut there = HashSet::new();
    let files = files.lines().filter(|path| !path.starts_with(ABOVE)).map(str::to_owned);
    for path in files.chain(["shared/src/mutant.rs".to_owned()]) {
        let wanted = match edited.remove(&path) {
            Some(text) => text.into_bytes(),
            // A file that was deleted and not committed is in git's list, too.
            None => match fs::read(root().join(&path)) {
                Ok(bytes) => bytes,
                Err(_) => continue,
            },
        };
        let target = folder().join(&path);
        if fs::read(&target).ok().as_deref() != Some(&wanted) {
            fs::create_dir_all(target.parent().unwrap_or(&target))?;
            fs::write(&target, wanted)?;
        }
        there.insert(target);
    }
    remove_others(&folder(), &there)
}

/// Whether every edit finds its place.
pub(super) fn check<'a>(mutants: impl Iterator<Item = &'a Mutant>) -> Result<()> {
    edited(mutants).map(drop)
}

/// The files that mutants change, with all of them in.
fn edited<'a>(mutants: impl Iterator<Item = &'a Mutant>) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut wrong = Vec::new();
    let switch = page::switch()?;
    let edits = mutants.filter_map(|mutant| match &mutant.how {
        How::Edits(edits) => Some((mutant.name.as_str(), edits.as_slice())),
        How::Control => None,
    });
    for (name, edits) in std::iter::once(("the switch", switch.as_slice())).chain(edits) {
        for Edit { file, find, replace } in edits {
            let text = text_of(&mut files, file)?;
            match text.matches(find.as_str()).count() {
                1 => *text = text.replacen(find.as_str(), replace, 1),
                count => wrong
                    .push(format!("{}: what it changes stands {count} times in {file}, and not once:\n{find}", name)),
            }
        }
    }
    if !wrong.is_empty() {
        bail!("mutants that do not fit the code any more:\n{}", wrong.join("\n"));
    }
    Ok(files)
}

fn append(files: &mut BTreeMap<String, String>, path: &str, what: &str) -> Result<()> {
    text_of(files, path)?.push_str(what);
    Ok(())
}

fn text_of<'a>(files: &'a mut BTreeMap<String, String>, path: &str) -> Result<&'a mut String> {
    if !files.contains_key(path) {
        let text = fs::read_to_string(root().join(path)).with_context(|| format!("{path} cannot be read"))?;
        files.insert(path.to_owned(), text);
    }
    files.get_mut(path).context("it was put there")
}

/// Removes what an earlier copy had and this one has not, but for what a build of the page leaves there.
fn remove_others(folder: &Path, there: &HashSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with("dist") {
                remove_others(&path, there)?;
            }
        } else if !there.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
