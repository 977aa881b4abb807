//! Building the page: style sheets, WebAssembly, compressed forms, and how large it may be.

use crate::process::{command, root, run, say};
use crate::setup::Tools;
use crate::{split, worker};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What is loaded of the page's WebAssembly before somebody sees their conversations, or signs in, may have so many
/// bytes with brotli.
const FIRST_BROTLI_MAX: u64 = 300_000;
/// And all of it: nobody waits for the rest, but each new part is looked at once this is full.
const WHOLE_BROTLI_MAX: u64 = 490_000;
/// What loads the parts, and knows which pieces each of them needs.
const LOADER: &str = "__wasm_split.______________________.js";
/// What the page is made of.
const SOURCES: [&str; 14] = [
    "index.html",
    "boot.js",
    "worker.js",
    "Trunk.toml",
    "Cargo.toml",
    "Cargo.lock",
    "styles",
    "shared/Cargo.toml",
    "shared/src",
    "client",
    "frontend",
    "xtask/src/page.rs",
    "xtask/src/split.rs",
    "xtask/src/worker.rs",
];

/// Builds the release page into `dist/`, unless what is there was built from the same sources.
pub(crate) fn build(tools: &Tools) -> Result<()> {
    let dist = root().join("dist");
    let stamp = dist.join(".built-from");
    let sources = fingerprint(&root(), &sources()?)?;
    if fs::read_to_string(&stamp).is_ok_and(|built_from| built_from == sources) {
        return Ok(());
    }
    say("Fetching what the page is built from");
    run(&mut command("cargo", &["fetch", "--quiet", "--locked", "--target", "wasm32-unknown-unknown"]))?;
    say("Building the page (the first time about 4 minutes on two cores)");
    // Offline: everything is here, and a tool of another version must not be fetched instead.
    run(&mut tools.trunk(&["build", "--release", "--offline", "--locked", "--features", "split"])?)?;
    say("Cutting the page into parts");
    split::split(tools, &dist)?;
    worker::write(&root(), &dist)?;
    say("Compressing the page");
    for file in files(&dist)? {
        compress(&file)?;
    }
    fs::write(stamp, sources)?;
    Ok(())
}

/// Builds the page as it is developed, with its gallery, and gives the folder.
pub(crate) fn gallery(tools: &Tools) -> Result<PathBuf> {
    let folder = root().join("target/gallery");
    say("Building the development page (the first time about 3 minutes on two cores)");
    run(tools.trunk(&["build", "--offline", "--locked", "--dist"])?.arg(&folder))?;
    Ok(folder)
}

/// Fails if the page has grown too large.
pub(crate) fn check_size() -> Result<()> {
    let (mut first, mut whole) = (0, 0);
    let dist = files(&root().join("dist"))?;
    let loader = dist.iter().find(|file| file.ends_with(LOADER)).context("dist/ has no loader of parts")?;
    let at_first = at_first(&fs::read_to_string(loader)?).context("the loader of parts is not as it was")?;
    for file in dist.iter().filter(|file| file.to_string_lossy().ends_with(".wasm.br")) {
        let bytes = fs::metadata(file)?.len();
        whole += bytes;
        first += if at_first.iter().any(|part| file.ends_with(part)) { bytes } else { 0 };
    }
    ensure!(first > 0 && first < whole, "dist/ has not the parts it should have");
    for (what, bytes, max) in [("first", first, FIRST_BROTLI_MAX), ("in all", whole, WHOLE_BROTLI_MAX)] {
        println!("the page's WebAssembly, {what}: {bytes} bytes with brotli, of {max} allowed");
        ensure!(bytes <= max, "the page's WebAssembly is {} bytes too large", bytes - max);
    }
    Ok(())
}

/// The files that are loaded before somebody signs in, which is more than before somebody sees their conversations.
pub(crate) fn at_first(loader: &str) -> Option<Vec<String>> {
    let (_, entrance) = loader.split_once("__wasm_split_load_entrance")?;
    let (_, needed) = entrance.split_once(", [")?;
    let (needed, _) = needed.split_once(']')?;
    let pieces = needed.split(',').filter_map(|piece| piece.trim().strip_prefix("__"));
    let mut files: Vec<_> = pieces.map(|piece| format!("{piece}.wasm.br")).collect();
    files.extend(["frontend_bg.wasm.br".to_owned(), "split_entrance.wasm.br".to_owned()]);
    Some(files)
}

/// Makes what trunk copies beside the page, outside of what it watches: the style sheet and the table of emoji.
pub(crate) fn assets() -> Result<()> {
    assets_of(&root())
}

/// The same in another copy of the project.
pub(crate) fn assets_of(project: &Path) -> Result<()> {
    css(project)?;
    write_if_new(&project.join("target/assets"), "emoji.txt", &emoji())
}

/// Every emoji, a line each: itself, its name, its short names, and its five skin tones if it has them, with tabs in
/// between. A line without a tab begins a group.
fn emoji() -> String {
    let mut table = String::new();
    for group in emojis::Group::iter() {
        table.push_str(&format!("{group:?}\n"));
        for emoji in group.emojis() {
            let shortcodes: Vec<_> = emoji.shortcodes().collect();
            let tones: Vec<_> = emoji.skin_tones().into_iter().flatten().map(emojis::Emoji::as_str).collect();
            // Those of two people have each pair of tones.
            let tones = if tones.len() == 6 { tones[1..].join(" ") } else { String::new() };
            table.push_str(&format!("{}\t{}\t{}\t{tones}\n", emoji.as_str(), emoji.name(), shortcodes.join(" ")));
        }
    }
    table
}

/// Joins the style sheets, in the order of their names.
fn css(project: &Path) -> Result<()> {
    let mut sheets: Vec<_> = files(&project.join("styles"))?;
    sheets.retain(|sheet| sheet.extension().is_some_and(|end| end == "css"));
    sheets.sort();
    let mut joined = String::new();
    for sheet in sheets {
        joined.push_str(&fs::read_to_string(sheet)?);
    }
    write_if_new(&project.join("target/styles"), "confab.css", &joined)
}

/// An untouched file does not wake trunk.
fn write_if_new(folder: &Path, name: &str, text: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    let file = folder.join(name);
    if !fs::read_to_string(&file).is_ok_and(|known| known == text) {
        fs::write(file, text)?;
    }
    Ok(())
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What the page is made of, file by file.
fn sources() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for source in SOURCES {
        let path = root().join(source);
        if path.is_dir() { sources.append(&mut files(&path)?) } else { sources.push(path) }
    }
    Ok(sources)
}

/// Sixteen digits that tell these files of a folder, their names and what is in them, from others.
pub(crate) fn fingerprint(folder: &Path, files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.strip_prefix(folder)?.hash(&mut hasher);
        fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Writes the compressed forms beside a file, where they are smaller.
fn compress(file: &Path) -> Result<()> {
    const COMPRESSED: [&str; 7] = ["html", "js", "css", "wasm", "svg", "txt", "webmanifest"];
    let end = file.extension().map(|end| end.to_string_lossy().into_owned()).unwrap_or_default();
    if !COMPRESSED.contains(&end.as_str()) {
        return Ok(());
    }
    let data = fs::read(file)?;
    let mut smaller = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 24, ..Default::default() };
    brotli::BrotliCompress(&mut data.as_slice(), &mut smaller, &parameters)?;
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&data)?;
        encoder.finish()?
    };
    for (bytes, end) in [(smaller, "br"), (gzip, "gz")] {
        if bytes.len() < data.len() {
            fs::write(format!("{}.{end}", file.display()), bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_at_first_is_what_the_loader_says() {
        let loader = "export const __wasm_split_load_more = x(y(() => { }, [__chunk_5, __chunk_6]));
            export const __wasm_split_load_entrance = x(y(() => { }, [__chunk_6, __chunk_7]));";
        let expected = ["chunk_6.wasm.br", "chunk_7.wasm.br", "frontend_bg.wasm.br", "split_entrance.wasm.br"];
        assert_eq!(at_first(loader).expect("it is read"), expected);
        assert_eq!(at_first("something else"), None);
    }
}
