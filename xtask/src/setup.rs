//! Installs what is missing. Each tool is looked for first, its version checked; what is installed
//! goes beside cargo's own programs, under `confab-tools`, and changes nothing else on the machine.
//!
//! The order of ways to a wasm target: there already → rustup → Debian's own compiler and library
//! source → a sentence that says what to do.

use crate::process::{command, output, root, run, run_for, say};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const TARGET: &str = "wasm32-unknown-unknown";
/// Later ones need a later compiler than the one this project asks for.
const TRUNK: &str = "0.21.14";
/// Checks licences and where crates come from.
const DENY: &str = "0.20.2";
/// Firefox's driver.
const GECKODRIVER: &str = "0.37.1";
/// The number is also in `Trunk.toml` and in `xtask/npm/package.json`: older ones leave a broken page without an error.
const WASM_OPT: &str = "132";

/// Where the page's tools are, and how to call the compiler for it.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    trunk: PathBuf,
    folders: Vec<PathBuf>,
    environment: Vec<(String, String)>,
}

impl Tools {
    /// One of the programs beside trunk.
    pub(crate) fn command(&self, name: &str) -> Command {
        let own = self.folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file());
        let mut command = Command::new(own.unwrap_or_else(|| PathBuf::from(name)));
        command.current_dir(root());
        command
    }

    /// Trunk, with everything it needs in reach.
    pub(crate) fn trunk(&self, arguments: &[&str]) -> Result<Command> {
        let mut trunk = command(&self.trunk.to_string_lossy(), arguments);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.folders.iter().cloned().chain(std::env::split_paths(&path));
        trunk.env("PATH", std::env::join_paths(folders)?);
        trunk.envs(self.environment.iter().cloned());
        // Trunk understands no other spelling of these two.
        for name in ["NO_COLOR", "TRUNK_OFFLINE"] {
            if std::env::var_os(name).is_some() {
                trunk.env(name, "true");
            }
        }
        Ok(trunk)
    }
}

/// What building the page needs.
pub(crate) fn for_page() -> Result<Tools> {
    let environment = wasm_target()?;
    let trunk = cargo_tool(
        "trunk",
        TRUNK,
        &["install", "--locked", "trunk", "--version", TRUNK],
        "about 7 minutes on two cores",
    )?;
    let bindgen_version = locked("wasm-bindgen")?;
    // Without --locked: the lock file of this version names a crate that has been withdrawn. The version itself is the
    // one that Cargo.lock names, and the registry's checksum is checked either way.
    let bindgen = cargo_tool(
        "wasm-bindgen",
        &bindgen_version,
        &["install", "wasm-bindgen-cli", "--version", &bindgen_version],
        "about 3 minutes on two cores",
    )?;
    let wasm_opt = wasm_opt()?;
    let folders = [&trunk, &bindgen, &wasm_opt]
        .into_iter()
        .filter_map(|tool| tool.parent())
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(Path::to_owned)
        .collect();
    Ok(Tools { trunk, folders, environment })
}

/// The program that checks licences and sources.
pub(crate) fn for_licences() -> Result<PathBuf> {
    let install = ["install", "--locked", "cargo-deny", "--version", DENY];
    cargo_tool("cargo-deny", DENY, &install, "about 6 minutes on two cores")
}

/// What the browser tests need: three engines with their drivers, and what looks for barriers. Gives what the tests are
/// told of it.
pub(crate) fn for_tests() -> Result<Vec<(String, String)>> {
    let has = |program: &str| output(program, &["--version"]).is_some();
    if !has("chromium") || !has("chromedriver") {
        say("Installing Chromium and its driver for the browser tests");
        // The font is for the pictures the tests keep: without it every emoji is a box.
        apt(&["chromium", "chromium-driver", "fonts-noto-color-emoji"])
            .context("Please install Chromium and chromedriver, so that both are in PATH, and try again")?;
    }
    if !has("firefox") && !has("firefox-esr") {
        say("Installing Firefox for the browser tests");
        apt(&["firefox-esr"]).context("Please install Firefox, so that it is in PATH, and try again")?;
    }
    if !is_in_path("WebKitWebDriver") || !is_in_path("Xvfb") {
        say("Installing WebKit's driver for the browser tests");
        apt(&["webkit2gtk-driver", "xvfb"])
            .context("Please install WebKitWebDriver and Xvfb, so that both are in PATH, and try again")?;
    }
    let install = ["install", "--locked", "geckodriver", "--version", GECKODRIVER];
    let geckodriver = cargo_tool("geckodriver", GECKODRIVER, &install, "about 3 minutes on two cores")?;
    let modules = npm_modules()?;
    let (axe, lighthouse) = (modules.join("axe-core/axe.min.js"), modules.join("lighthouse/cli/index.js"));
    let told = [("CONFAB_AXE", axe), ("CONFAB_GECKODRIVER", geckodriver), ("CONFAB_LIGHTHOUSE", lighthouse)];
    Ok(told.into_iter().map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned())).collect())
}

/// CommonMark's specification with its examples, which the reader of marks is held against. It is only fetched: its licence
/// is another than this project's.
pub(crate) fn for_examples() -> Result<PathBuf> {
    Ok(npm_modules()?.join("commonmark-spec/spec.txt"))
}

/// Whether there is a program of this name. (This one tells no version.)
fn is_in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The folder of npm's packages: those that `xtask/npm/` names, with the checksums in its lock file. None of them runs a
/// program of its own when it is installed. To take another version: change `package.json` there, then
/// `npm install --package-lock-only --omit-lockfile-registry-resolved=true`, so that the lock names no registry.
/// Its `overrides` are for what others ask for as `latest`: `npm ci` would refuse the lock on the day of the next one.
fn npm_modules() -> Result<PathBuf> {
    let folder = home()?.join("npm");
    let modules = folder.join("node_modules");
    let wanted = root().join("xtask/npm");
    let lock = |folder: &Path| std::fs::read(folder.join("package-lock.json"));
    let wanted_lock = lock(&wanted).context("xtask/npm/package-lock.json cannot be read")?;
    // npm writes the second file when all is there.
    let is_there = modules.join(".package-lock.json").is_file();
    if !is_there || lock(&folder).ok().as_ref() != Some(&wanted_lock) {
        say("Installing wasm-opt, axe-core, Lighthouse and CommonMark's examples with npm");
        std::fs::create_dir_all(&folder)?;
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(wanted.join(name), folder.join(name))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        if let Err(error) = run(&mut npm) {
            // What is half there is not taken for whole the next time.
            let _ = std::fs::remove_dir_all(&folder);
            return Err(
                error.context("npm's packages could not be installed. Please install Node with npm and try again")
            );
        }
    }
    Ok(modules)
}

/// Where this project's tools are installed.
fn home() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    Ok(cargo.context("neither CARGO_HOME nor HOME is set")?.join("confab-tools"))
}

/// The version of a crate in Cargo.lock.
fn locked(name: &str) -> Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let entry = format!("name = \"{name}\"\nversion = \"");
    let after = lock.split_once(&entry).map(|(_, after)| after);
    let version = after.and_then(|after| after.split('"').next());
    version.map(str::to_owned).with_context(|| format!("Cargo.lock does not name {name}"))
}

/// A tool that cargo can build: ours, one in PATH of the right version, or a new one.
fn cargo_tool(name: &str, version: &str, install: &[&str], takes: &str) -> Result<PathBuf> {
    let home = home()?;
    for candidate in [home.join("bin").join(name), PathBuf::from(name)] {
        if output(&candidate, &["--version"]).is_some_and(|said| says(&said, version)) {
            return Ok(candidate);
        }
    }
    say(&format!("Installing {name} {version}: once on this machine, {takes}"));
    let by_hand = format!("Please install it by hand (cargo {}) and try again", install.join(" "));
    let mut cargo = command("cargo", install);
    cargo.arg("--root").arg(&home);
    run(&mut cargo).with_context(|| format!("{name} {version} could not be installed. {by_hand}"))?;
    Ok(home.join("bin").join(name))
}

/// Whether `--version` names this version.
fn says(said: &str, version: &str) -> bool {
    said.split_whitespace().any(|word| word == version)
}

fn wasm_opt() -> Result<PathBuf> {
    let is_right = |program: &Path| output(program, &["--version"]).is_some_and(|said| says(&said, WASM_OPT));
    let in_path = PathBuf::from("wasm-opt");
    if is_right(&in_path) {
        return Ok(in_path);
    }
    let own = npm_modules()?.join(".bin/wasm-opt");
    if !is_right(&own) {
        bail!("wasm-opt of npm's is not version {WASM_OPT}. Please put wasm-opt {WASM_OPT} in PATH");
    }
    Ok(own)
}

/// Makes sure that there is a library for the page's target, and says how to call the compiler.
fn wasm_target() -> Result<Vec<(String, String)>> {
    // Set to try out one way: rustup or debian.
    let forced = std::env::var("CONFAB_WASM_TARGET").ok();
    let may = |way: &str| forced.as_deref().is_none_or(|forced| forced == way);
    if may("rustup") {
        if has_target(None) {
            return Ok(Vec::new());
        }
        say("Adding the WebAssembly target with rustup");
        let mut rustup = command("rustup", &["target", "add", TARGET]);
        match run_for(&mut rustup, Duration::from_secs(180)) {
            Ok(()) if has_target(None) => return Ok(Vec::new()),
            Ok(()) => println!("  rustup has added it, but the compiler in use is another one"),
            Err(error) => println!("  that did not work: {error:#}"),
        }
    }
    if may("debian") && Path::new("/usr/bin/apt-get").exists() {
        return debian_target();
    }
    bail!(
        "There is no Rust library for WebAssembly on this machine. Please run: rustup target add {TARGET} \
         (with another installation of Rust, install its {TARGET} standard library)"
    )
}

/// Whether a compiler has the target's library.
fn has_target(sysroot: Option<&Path>) -> bool {
    let folder = match sysroot {
        Some(sysroot) => sysroot.join("lib/rustlib").join(TARGET).join("lib"),
        None => match output("rustc", &["--print", "target-libdir", "--target", TARGET]) {
            Some(folder) => folder.into(),
            None => return false,
        },
    };
    std::fs::read_dir(folder)
        .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
}

/// Debian has a compiler and the source of its library, both of one version, kept for its browsers.
/// From these the target's library is built once; the page alone is then compiled by that compiler.
fn debian_target() -> Result<Vec<(String, String)>> {
    let compiler = debian_compiler().map_or_else(
        || {
            say("Installing Debian's own Rust compiler for the page");
            apt(&["rustc-web", "cargo-web", "rust-web-src"])?;
            debian_compiler().context("Debian's rustc-web was installed but is not where it was expected")
        },
        Ok,
    )?;
    let version = output(&compiler, &["--version"]).context("Debian's rustc does not answer")?;
    let version = version.split_whitespace().nth(1).unwrap_or("unknown").to_owned();
    let sysroot = home()?.join(format!("wasm-sysroot-{version}"));
    if !has_target(Some(&sysroot)) {
        say("Building the WebAssembly standard library from Debian's source: once on this machine, about a minute");
        build_library(&compiler, &sysroot).context(
            "The WebAssembly standard library could not be built. Please run: rustup target add wasm32-unknown-unknown",
        )?;
    }
    // Debian's compiler has no linker for this target; rustup's has.
    let own = output("rustc", &["--print", "sysroot"]).context("rustc does not answer")?;
    let linker = Path::new(&own).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    if !linker.exists() {
        bail!("There is no rust-lld in {own}. Please install Rust with rustup and try again");
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Ok(vec![
        ("RUSTC".into(), text(&compiler)),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".into(), text(&linker)),
        (
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS".into(),
            format!("--sysroot={} --cfg erase_components", text(&sysroot)),
        ),
    ])
}

fn debian_compiler() -> Option<PathBuf> {
    let listed = output("dpkg", &["-L", "rustc-web"])?;
    let is_compiler = |path: &&Path| path.file_name().is_some_and(|name| name == "rustc") && path.is_file();
    listed.lines().map(Path::new).find(is_compiler).map(Path::to_owned)
}

fn build_library(compiler: &Path, sysroot: &Path) -> Result<()> {
    let work = home()?.join("wasm-library");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(work.join("src"))?;
    std::fs::write(
        work.join("Cargo.toml"),
        "[package]\nname = \"library\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n",
    )?;
    std::fs::write(work.join("src/lib.rs"), "")?;
    // Without the bitcode a profile with lto = true cannot use the library.
    let mut cargo = Command::new(compiler.with_file_name("cargo"));
    cargo
        .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
        .current_dir(&work)
        .env("RUSTC", compiler)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN");
    run(&mut cargo)?;
    let into = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::create_dir_all(&into)?;
    for file in std::fs::read_dir(work.join("target").join(TARGET).join("release/deps"))?.flatten() {
        if file.path().extension().is_some_and(|end| end == "rlib") {
            std::fs::copy(file.path(), into.join(file.file_name()))?;
        }
    }
    Ok(())
}

/// Installs Debian packages.
fn apt(packages: &[&str]) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this is no Debian: {} cannot be installed for you", packages.join(" "));
    }
    let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    install.extend_from_slice(packages);
    if output("id", &["-u"]).is_none_or(|id| id != "0") {
        // What changes the machine for everybody on it is its owner's to start.
        bail!(
            "only root may install packages of the system. Please run: sudo apt-get update && sudo apt-get {}",
            install.join(" ")
        );
    }
    let apt = |arguments: &[&str]| {
        let mut command = command("apt-get", arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command)
    };
    apt(&["update", "--quiet"]).and_then(|()| apt(&install))
}
