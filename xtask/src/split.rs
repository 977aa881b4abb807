//! Cutting the page's WebAssembly into parts: what the first screen needs, and what is fetched when it is first wanted
//! (`frontend/src/later.rs`).
//!
//! Trunk has built and linked the page; here what it linked is cut, bound to the browser, made small, and put in place
//! of trunk's. All files of one build lie in a folder named by their content: they refer to each other by plain
//! names, and parts of two builds never meet.

use crate::page;
use crate::process::{root, run};
use crate::setup::Tools;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// What was found to give the smallest files (bench/NOTES.md).
const OPTIMISE: [&str; 5] = ["--flatten", "--rereloop", "-Oz", "--converge", "--strip-producers"];
/// The name under which the parts' loader is imported by what was linked.
const LOADER: &str = "./__wasm_split.______________________.js";

/// Puts the parts into `dist` in place of the whole.
pub(crate) fn split(tools: &Tools, dist: &Path) -> Result<()> {
    let linked = root().join("target/wasm32-unknown-unknown/page/frontend.wasm");
    let linked = fs::read(&linked).with_context(|| format!("{} cannot be read", linked.display()))?;
    let parts = root().join("target/parts");
    let _ = fs::remove_dir_all(&parts);
    fs::create_dir_all(&parts)?;
    let main = root().join("target/parts-main.wasm");

    let mut options = wasm_split_cli_support::Options::new(&linked);
    options.output_dir = &parts;
    options.main_out_path = &main;
    options.main_module = "./frontend.js";
    options.link_name = LOADER;
    let cut = wasm_split_cli_support::transform(options).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    ensure!(!cut.split_modules.is_empty(), "nothing was cut out of the page");

    let mut bind = tools.command("wasm-bindgen");
    bind.args(["--target", "web", "--keep-lld-exports", "--no-typescript", "--out-name", "frontend", "--out-dir"]);
    run(bind.arg(&parts).arg(&main))?;
    for file in page::files(&parts)? {
        if file.extension().is_some_and(|end| end == "wasm") {
            run(tools.command("wasm-opt").args(OPTIMISE).arg("-o").arg(&file).arg(&file))?;
        }
    }
    put(&parts, dist)
}

/// Moves the parts into a folder of `dist` and has the page start from there.
fn put(parts: &Path, dist: &Path) -> Result<()> {
    let files = page::files(parts)?;
    let folder = format!("frontend-{}", page::fingerprint(parts, &files)?);
    let index = dist.join("index.html");
    let mut html = fs::read_to_string(&index)?;
    for (attribute, name) in [("data-js", "frontend.js"), ("data-wasm", "frontend_bg.wasm")] {
        let path = value(&html, attribute).with_context(|| format!("index.html has no {attribute}"))?.to_owned();
        fs::remove_file(dist.join(path.trim_start_matches('/')))?;
        // Everywhere: the page may be told to fetch it early, too.
        html = html.replace(&path, &format!("/{folder}/{name}"));
    }
    let loader = fs::read_to_string(parts.join(LOADER))?;
    let at_first = page::at_first(&loader).context("the loader of parts is not as it was")?;
    let names = files.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned()));
    let names = names.filter(|name| name.ends_with(".wasm") && name != "frontend_bg.wasm");
    // Who is not signed in needs these next; the rest is fetched when the page is there (boot.js).
    let (soon, later): (Vec<_>, Vec<_>) = names.partition(|name| at_first.contains(&format!("{name}.br")));
    let link =
        |name: &String| format!(r#"<link rel="prefetch" href="/{folder}/{name}" as="fetch" crossorigin="anonymous">"#);
    let later: Vec<_> = later.iter().map(|name| format!("/{folder}/{name}")).collect();
    // Only a page that is built to be released stays in browsers.
    let told = format!("data-worker=\"/worker.js\" data-parts=\"{}\" data-js=", later.join(" "));
    html = html.replace("data-js=", &told);
    html = html.replace("</head>", &format!("{}</head>", soon.iter().map(link).collect::<String>()));
    fs::write(index, html)?;
    // Not renamed: the two may be on different file systems.
    for file in files {
        let copy = dist.join(&folder).join(file.strip_prefix(parts)?);
        fs::create_dir_all(copy.parent().unwrap_or(dist))?;
        fs::copy(&file, copy)?;
    }
    Ok(fs::remove_dir_all(parts)?)
}

/// What an attribute of the page's script says.
fn value<'a>(html: &'a str, attribute: &str) -> Option<&'a str> {
    html.split_once(&format!("{attribute}=\""))?.1.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_starts_from_the_folder_of_the_parts() {
        let folder = root().join("target/tmp/split-test");
        let _ = fs::remove_dir_all(&folder);
        let (parts, dist) = (folder.join("parts"), folder.join("dist"));
        fs::create_dir_all(&parts).expect("a folder");
        fs::create_dir_all(&dist).expect("a folder");
        fs::write(parts.join("frontend.js"), "x").expect("written");
        for part in ["split_entrance.wasm", "chunk_1.wasm", "split_more.wasm"] {
            fs::write(parts.join(part), part).expect("written");
        }
        let loader = "export const __wasm_split_load_entrance = x(y(() => { }, [__chunk_1]));";
        fs::write(parts.join(LOADER), loader).expect("written");
        fs::write(dist.join("a-1.js"), "old").expect("written");
        fs::write(dist.join("a-1.wasm"), "old").expect("written");
        fs::write(
            dist.join("index.html"),
            "<head></head><script data-js=\"/a-1.js\" data-wasm=\"/a-1.wasm\"></script>",
        )
        .expect("written");
        put(&parts, &dist).expect("put");
        let html = fs::read_to_string(dist.join("index.html")).expect("read");
        let path = value(&html, "data-js").expect("an address");
        assert_eq!(fs::read_to_string(dist.join(path.trim_start_matches('/'))).expect("read"), "x");
        assert!(value(&html, "data-wasm").is_some_and(|path| path.ends_with("/frontend_bg.wasm")));
        let soon: Vec<_> = html.split("<link ").skip(1).collect();
        assert!(soon.len() == 2 && soon[0].contains("/chunk_1.wasm") && soon[1].contains("/split_entrance.wasm"));
        assert!(value(&html, "data-parts").is_some_and(|parts| parts.ends_with("/split_more.wasm")));
        assert!(!dist.join("a-1.js").exists() && !dist.join("a-1.wasm").exists());
    }
}
