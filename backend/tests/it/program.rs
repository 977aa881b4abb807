//! The program on the command line.

use crate::support::{Server, command};
use std::process::Output;

fn text(output: &Output) -> (bool, String, String) {
    let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), string(&output.stdout), string(&output.stderr))
}

#[test]
fn it_shows_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).args(["--print-config"]).env("CONFAB_SEND_BURST", "7").output().unwrap();
    let (is_good, shown, _) = text(&output);
    assert!(is_good);
    assert!(shown.contains("send-burst = 7") && shown.contains("listen = \"127.0.0.1:0\""), "{shown}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "and touches nothing");
}

#[test]
fn a_setting_it_does_not_understand_ends_it_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("confab.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let output = command(folder.path()).arg("--config").arg(&file).output().unwrap();
    let (is_good, _, said) = text(&output);
    assert!(!is_good && said.contains("lisen") && said.contains("settings file"), "{said}");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let server = Server::start();
    let output = command(server.data()).output().unwrap();
    let (is_good, _, said) = text(&output);
    assert!(!is_good && said.contains("Another Confab server is using the data folder"), "{said}");
}

#[test]
fn a_port_in_use_is_said() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let address = server.origin.strip_prefix("http://").unwrap();
    let program = env!("CARGO_BIN_EXE_confab");
    let output =
        std::process::Command::new(program).args(["--listen", address, "--data"]).arg(folder.path()).output().unwrap();
    let (is_good, _, said) = text(&output);
    assert!(!is_good && said.contains("Cannot listen on") && said.contains("--listen"), "{said}");
}
