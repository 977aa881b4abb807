//! The script that keeps the page in the browser: told what the page is made of, once it is built.

use crate::page::{files, fingerprint};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// Its name, in the sources and in `dist`.
const WORKER: &str = "worker.js";

/// Writes the script of a project's folder into its `dist`, where the page's files are already.
pub(crate) fn write(project: &Path, dist: &Path) -> Result<()> {
    let source = fs::read_to_string(project.join(WORKER)).with_context(|| format!("{WORKER} cannot be read"))?;
    let mut kept = files(dist)?;
    kept.retain(|file| is_of_the_page(file));
    let digests =
        kept.iter().map(|file| Ok((address(dist, file)?, digest(&fs::read(file)?)))).collect::<Result<Vec<_>>>()?;
    fs::write(dist.join(WORKER), filled(&source, &fingerprint(dist, &kept)?, &digests)?)?;
    Ok(())
}

/// Not what is made of the others, nor the script itself.
fn is_of_the_page(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    !(name.starts_with('.') || name == WORKER || name.ends_with(".br") || name.ends_with(".gz"))
}

fn address(dist: &Path, file: &Path) -> Result<String> {
    Ok(format!("/{}", file.strip_prefix(dist)?.to_str().context("a name that is no text")?))
}

/// As browsers want it (Subresource Integrity, section 3.1).
fn digest(data: &[u8]) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(data)))
}

/// The script with its empty constants filled in.
fn filled(source: &str, build: &str, digests: &[(String, String)]) -> Result<String> {
    let files: Vec<_> = digests.iter().map(|(path, digest)| format!("  [\"{path}\", \"{digest}\"],\n")).collect();
    let routes: Vec<_> = shared::page::ROUTES.iter().map(|route| format!("\"{route}\"")).collect();
    let constants = [
        ("const BUILD = \"\";", format!("const BUILD = \"{build}\";")),
        ("const FILES = [];", format!("const FILES = [\n{}];", files.concat())),
        ("const ROUTES = [];", format!("const ROUTES = [{}];", routes.join(", "))),
    ];
    let mut script = source.to_owned();
    for (empty, full) in constants {
        ensure!(script.contains(empty), "{WORKER} has no `{empty}`");
        script = script.replace(empty, &full);
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::root;

    #[test]
    fn the_script_is_told_what_the_page_is_made_of() {
        let source = fs::read_to_string(root().join(WORKER)).expect("it is there");
        let script = filled(&source, "b1", &[("/x.js".into(), digest(b"x"))]).expect("filled");
        assert!(script.contains("const BUILD = \"b1\";"));
        assert!(script.contains("[\"/x.js\", \"sha256-LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=\"]"));
        assert!(script.contains("const ROUTES = [\"\", \"signin\""));
        assert!(filled("nothing", "b1", &[]).is_err());
    }

    #[test]
    fn what_is_made_of_the_page_is_not_of_it() {
        let is = |name: &str| is_of_the_page(Path::new(name));
        assert!(is("dist/index.html") && is("dist/frontend-1/frontend_bg.wasm") && is("dist/icon-192.png"));
        assert!(!is("dist/worker.js") && !is("dist/boot.js.br") && !is("dist/icon.svg.gz") && !is("dist/.built-from"));
    }
}
