//! Files: chosen, dropped and pasted, on their way, there, seen, and gone again.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;
use thirtyfour::prelude::*;

/// Makes files in a folder: a picture of this width, drawn by the browser, and texts.
async fn make_picture(person: &Person, folder: &TempDir, name: &str, width: u32) -> String {
    let draw = "const [width, done] = arguments; const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [width, width / 2];
        const context = canvas.getContext('2d');
        const colours = context.createLinearGradient(0, 0, width, width / 2);
        colours.addColorStop(0, '#e0a'); colours.addColorStop(1, '#0ae');
        context.fillStyle = colours; context.fillRect(0, 0, width, width / 2);
        canvas.toBlob(async (blob) => done([...new Uint8Array(await blob.arrayBuffer())]));";
    let bytes = person.browser.execute_async(draw, vec![json!(width)]).await.unwrap();
    let bytes: Vec<u8> = serde_json::from_value(bytes.json().clone()).unwrap();
    make_file(folder.path(), name, &bytes)
}

fn make_file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

impl Person {
    async fn chooses(&self, files: &[&str]) {
        let input = self.browser.find(By::Css(".composer__files")).await.unwrap();
        input.send_keys(files.join("\n")).await.unwrap();
    }

    /// Waits until so many files are there and none is on its way.
    async fn has_in_tray(&self, count: usize) {
        let stages = "return [...document.querySelectorAll('.tray__item')].map((e) => e.dataset.stage)";
        eventually(&format!("{count} files are there"), || async {
            self.js(stages).await == json!(vec!["there"; count])
        })
        .await;
    }

    async fn sees_count(&self, css: &str, count: usize) {
        let script = format!("return document.querySelectorAll('{css}').length");
        eventually(&format!("{} sees {count} × {css}", self.name), || async {
            self.js(&script).await == json!(count)
        })
        .await;
    }

    async fn sees_picture(&self, css: &str) {
        let script =
            format!("const image = document.querySelector('{css}'); return image?.complete && image.naturalWidth > 0");
        eventually(&format!("{} sees {css}", self.name), || async { self.js(&script).await == json!(true) }).await;
    }
}

/// One second of a tone: 8,000 samples of eight bits (RIFF, Multimedia Programming Interface 1.0).
fn tone() -> Vec<u8> {
    let samples: Vec<u8> = (0..8_000_u32).map(|at| if at / 20 % 2 == 0 { 96 } else { 160 }).collect();
    let mut wave =
        b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0".to_vec();
    wave.extend(samples);
    wave
}

/// Two seconds of a film, recorded by the browser.
async fn film(person: &Person) -> Vec<u8> {
    let record = "const done = arguments[0]; const canvas = document.createElement('canvas'); canvas.width = canvas.height = 64;
        const context = canvas.getContext('2d'); let frame = 0;
        const drawing = setInterval(() => { context.fillStyle = ['#a40', '#04a'][frame++ % 2]; context.fillRect(0, 0, 64, 64) }, 50);
        const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm;codecs=vp8' });
        const parts = []; recorder.ondataavailable = (event) => parts.push(event.data);
        recorder.onstop = async () => { clearInterval(drawing); done([...new Uint8Array(await new Blob(parts).arrayBuffer())]) };
        recorder.start(); setTimeout(() => recorder.stop(), 2000);";
    let bytes = person.browser.execute_async(record, vec![]).await.unwrap();
    serde_json::from_value(bytes.json().clone()).unwrap()
}

#[tokio::test]
async fn sounds_and_films_are_played_where_they_were_sent() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let sound = make_file(folder.path(), "tone.wav", &tone());
    let film = make_file(folder.path(), "film.webm", &film(&ada).await);
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    ada.chooses(&[&sound, &film]).await;
    ada.has_in_tray(2).await;
    ada.says("Listen, and look").await;
    ben.sees("Listen, and look").await;
    for css in [".sound audio", ".film"] {
        ben.waits_for(css).await;
        let play = format!(
            "const done = arguments[0]; const media = document.querySelector('{css}'); media.muted = true;
            media.ontimeupdate = () => {{ if (media.currentTime > 0.2) done('plays') }};
            media.onerror = () => done(media.error.message); media.play().catch((error) => done(String(error)))"
        );
        let played = ben.browser.execute_async(&play, vec![]).await.unwrap();
        assert_eq!(played.json(), &json!("plays"), "{css}");
    }
    // A sound can be gone into: the server sends parts of it.
    let seek = "const done = arguments[0]; const media = document.querySelector('.sound audio'); media.pause();
        media.onseeked = () => done(media.currentTime); media.currentTime = 0.75";
    assert_eq!(ben.browser.execute_async(seek, vec![]).await.unwrap().json(), &json!(0.75));
    ben.picture("sound-and-film").await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn pictures_and_files_go_with_a_message_and_are_seen_by_the_other() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let folder = tempfile::tempdir().unwrap();
    ada.writes_to(&["Ben Okafor"], "Hello Ben").await;
    let first = make_picture(&ada, &folder, "sunrise.png", 1_600).await;
    let second = make_picture(&ada, &folder, "sunset.png", 300).await;
    let notes = make_file(folder.path(), "notes.txt", b"some notes");
    ada.chooses(&[&first, &second, &notes]).await;
    ada.has_in_tray(3).await;
    ada.picture("file-tray").await;
    ada.clicks("button[aria-label='Remove notes.txt']").await;
    ada.has_in_tray(2).await;
    ada.chooses(&[&notes]).await;
    ada.has_in_tray(3).await;
    ada.says("From last week").await;
    ada.sees_count(".tray__item", 0).await;
    ada.has_sent_all().await;
    ada.sees_picture(".picture__image").await;

    ben.opens("Ada Lovelace").await;
    ben.sees("From last week").await;
    ben.sees_count(".picture", 2).await;
    ben.sees_picture(".picture__image").await;
    assert_eq!(ben.shown(".file__name").await, "notes.txt");
    let file = ben.waits_for(".file").await;
    assert_eq!(file.attr("download").await.unwrap().as_deref(), Some("notes.txt"));
    let downloads = tempfile::tempdir().unwrap();
    let to = json!({"behavior": "allow", "downloadPath": downloads.path()});
    ben.browser.cdp().send_raw("Browser.setDownloadBehavior", to).await.unwrap();
    file.click().await.unwrap();
    let downloaded = downloads.path().join("notes.txt");
    eventually("it is downloaded", || async { std::fs::read(&downloaded).is_ok_and(|bytes| bytes == b"some notes") })
        .await;
    ben.sees("From last week").await;
    ben.picture("file-message").await;

    // As large as the window, by the keyboard: to the next, back, and away.
    ben.js("document.querySelector('.picture').focus()").await;
    ben.presses(Key::Enter).await;
    ben.sees_picture(".lightbox__image").await;
    assert_eq!(ben.shown(".lightbox__name").await, "sunrise.png");
    ben.picture("file-lightbox").await;
    ben.presses(Key::Right).await;
    eventually("the next is there", || async { ben.shown(".lightbox__name").await == "sunset.png" }).await;
    ben.presses(Key::Left).await;
    eventually("the first is there", || async { ben.shown(".lightbox__name").await == "sunrise.png" }).await;
    ben.presses(Key::Escape).await;
    ben.sees_count(".lightbox", 0).await;
    let focused = "return document.activeElement.className";
    eventually("the focus is back", || async { ben.js(focused).await == json!("picture") }).await;

    // After a reload, on a telephone, it is the same.
    ben.window(360, 740).await;
    ben.prefers("dark").await;
    ben.browser.refresh().await.unwrap();
    ben.sees_count(".picture", 2).await;
    ben.sees_picture(".picture__image").await;
    let wide = "return document.documentElement.scrollWidth > innerWidth";
    assert_eq!(ben.js(wide).await, json!(false), "nothing sticks out");
    ben.picture("file-message-360-dark").await;

    // A message may be files alone; the list says what it is.
    ada.chooses(&[&notes]).await;
    ada.has_in_tray(1).await;
    ada.clicks("button[aria-label='Send']:not([disabled])").await;
    ada.has_sent_all().await;
    ada.sees_count(".file", 2).await;
    assert!(ada.shown(".conversation").await.contains("📎 notes.txt"));
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn what_cannot_be_uploaded_says_why_and_is_tried_again() {
    let server = Server::start_with(&["--rate-limits", "off", "--attachment-bytes", "50000"]);
    let driver = Driver::start().await;
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let small = make_file(folder.path(), "small.bin", &[1; 20_000]);
    let large = make_file(folder.path(), "large.bin", &[1; 60_000]);
    ada.opens("Everyone").await;
    ada.chooses(&[&large]).await;
    eventually("it says why", || async { ada.shown(".tray__note--bad").await.contains("at most 50 kB") }).await;
    ada.clicks("button[aria-label='Remove large.bin']").await;
    ada.has_network(false).await;
    ada.chooses(&[&small]).await;
    ada.waits_for(".tray__item[data-stage='failed']").await;
    // What is written waits, and goes when the file is there.
    ada.says("with a file").await;
    eventually("it says that it waits", || async {
        ada.shown(".composer__note").await.contains("could not be uploaded")
    })
    .await;
    assert!(!ada.texts().await.contains(&"with a file".to_owned()));
    ada.has_network(true).await;
    ada.is_connected().await;
    ada.clicks_button("Try again").await;
    ada.sees("with a file").await;
    ada.has_sent_all().await;
    ada.sees_count(".file", 1).await;
    let many: Vec<_> = (0..12).map(|number| make_file(folder.path(), &format!("{number}.txt"), b"x")).collect();
    ada.chooses(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    ada.has_in_tray(10).await;
    assert_eq!(ada.shown(".composer__note").await, "A message carries 10 files at most");
    ada.leaves().await;
}

/// A GIF of two frames. Its codes have eight bits each, because the table of codes is cleared before it grows.
fn moving() -> Vec<u8> {
    const SIDE: u16 = 96;
    let side = SIDE.to_le_bytes();
    let mut gif = [&b"GIF89a"[..], &side, &side, &[0xf6, 0, 0]].concat();
    gif.extend((0..128_u8).flat_map(|shade| [shade * 2, 90, 255 - shade * 2]));
    for frame in 0..2_u16 {
        gif.extend([&b"\x21\xf9\x04\0\x32\0\0\0\x2c\0\0\0\0"[..], &side, &side, &[0, 7]].concat());
        let shades =
            (0..SIDE * SIDE).map(|at| ((at % SIDE + at / SIDE + frame * SIDE) % 128) as u8).collect::<Vec<_>>();
        for row in shades.chunks(100) {
            gif.extend([&[row.len() as u8 + 1, 0x80], row].concat());
        }
        gif.extend(b"\x01\x81\0");
    }
    gif.push(0x3b);
    gif
}

#[tokio::test]
async fn a_picture_that_moves_says_so_and_moves_when_it_is_opened() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let moving = make_file(folder.path(), "wave.gif", &moving());
    let still = make_picture(&ada, &folder, "still.png", 200).await;
    ada.opens("Everyone").await;
    ada.chooses(&[&moving, &still]).await;
    ada.has_in_tray(2).await;
    ada.says("Look").await;
    ada.has_sent_all().await;
    ada.sees_count(".picture", 2).await;
    let badges = "return [...document.querySelectorAll('.picture')].map((e) => e.innerText)";
    assert_eq!(ada.js(badges).await, json!(["GIF", ""]));
    ada.sees_picture(".picture:first-child img").await;
    for width in [1280, 360] {
        ada.window(width, 740).await;
        ada.meets_no_barrier(&format!("a picture that moves, {width}")).await;
        ada.picture(&format!("file-moves-{width}")).await;
    }
    ada.clicks("button[aria-label='Show picture wave.gif (GIF)']").await;
    ada.sees_picture(".lightbox__image").await;
    // The file itself is there, of which the browser knows the type.
    let kind =
        "return fetch(document.querySelector('.lightbox__image').src).then((e) => e.headers.get('content-type'))";
    assert_eq!(ada.js(kind).await, json!("image/gif"));
    ada.leaves().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_cleaned_is_sent_only_after_a_word() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let raw = make_file(folder.path(), "raw.dng", b"II*\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0");
    ada.opens("Everyone").await;
    ada.chooses(&[&raw]).await;
    ada.waits_for(".tray__item[data-stage='unclean']").await;
    assert!(ada.shown(".tray__note--bad").await.contains("where and when it was taken"));
    ada.picture("file-unclean").await;
    ada.says("with a raw picture").await;
    assert!(!ada.texts().await.contains(&"with a raw picture".to_owned()));
    ada.clicks_button("Send anyway").await;
    ada.sees("with a raw picture").await;
    ada.has_sent_all().await;
    ada.sees_count(".file", 1).await;
    ada.leaves().await;
}

#[tokio::test]
async fn files_are_dropped_and_pasted_and_a_long_text_becomes_one() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    let drag = "const data = new DataTransfer(); data.items.add(new File(['dropped'], 'dropped.txt'));
        const pane = document.querySelector('.pane');
        const event = (kind) => pane.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));";
    ada.js(&format!("{drag} event('dragover')")).await;
    ada.waits_for(".pane__drop").await;
    ada.picture("file-drop").await;
    ada.js(&format!("{drag} event('drop')")).await;
    ada.has_in_tray(1).await;
    ada.sees_count(".pane__drop", 0).await;
    ada.js("const data = new DataTransfer(); data.items.add(new File(['pasted'], 'pasted.txt'));
        document.querySelector('.composer__text').dispatchEvent(
            new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))")
        .await;
    ada.has_in_tray(2).await;
    ada.pastes(&"a long story ".repeat(1_500)).await;
    ada.clicks_button("Send as a file").await;
    ada.has_in_tray(3).await;
    assert_eq!(ada.shown(".tray__name").await, "dropped.txt|pasted.txt|text.txt");
    ada.clicks("button[aria-label='Send']:not([disabled])").await;
    ada.has_sent_all().await;
    ada.sees_count(".file", 3).await;

    // With the message go its files, and not only when the deletion can be undone no more.
    ada.js("document.querySelector('.message').focus()").await;
    ada.clicks("button[aria-label='Delete']").await;
    ada.waits_for(".message__text[data-deleted='true']").await;
    assert_eq!(ada.js("return document.querySelectorAll('.file').length").await, json!(0));
    ada.leaves().await;
}

#[tokio::test]
async fn a_folder_and_a_file_that_is_gone_say_so() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let file = make_file(folder.path(), "gone.txt", b"some text");
    std::fs::create_dir(folder.path().join("photographs")).unwrap();
    ada.opens("Everyone").await;
    let data = json!({"items": [], "files": [folder.path().join("photographs")], "dragOperationsMask": 1});
    for kind in ["dragEnter", "dragOver", "drop"] {
        let event = json!({"type": kind, "x": 700, "y": 300, "data": data});
        ada.browser.cdp().send_raw("Input.dispatchDragEvent", event).await.unwrap();
    }
    eventually("it says so", || async { ada.shown(".composer__note").await.starts_with("A folder cannot be sent") })
        .await;
    assert_eq!(ada.shown(".tray").await, "");
    ada.picture("file-folder").await;
    ada.says("without the folder").await;
    ada.sees("without the folder").await;
    eventually("it says so no more", || async { ada.shown(".composer__note").await.is_empty() }).await;

    ada.has_network(false).await;
    ada.chooses(&[&file]).await;
    eventually("the server is not there", || async {
        ada.shown(".tray__note--bad").await.starts_with("The server cannot be reached")
    })
    .await;
    std::fs::remove_file(&file).unwrap();
    ada.has_network(true).await;
    ada.is_connected().await;
    ada.clicks_button("Try again").await;
    eventually("the file is not there", || async {
        ada.shown(".tray__note--bad").await.starts_with("This file cannot be read")
    })
    .await;
    ada.leaves().await;
}

#[tokio::test]
async fn what_waits_for_its_file_is_sent_wherever_one_is_then_unless_one_writes_on() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let large = make_file(folder.path(), "large.bin", &[1; 150_000]);
    let slow =
        |bytes: i32| json!({"offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes});
    ada.browser.cdp().send_raw("Network.enable", json!({})).await.unwrap();
    ada.opens("Everyone").await;
    ada.browser.cdp().send_raw("Network.emulateNetworkConditions", slow(60_000)).await.unwrap();
    ada.chooses(&[&large]).await;
    ada.waits_for(".tray__item[data-stage='sending']").await;
    ada.says("goes by itself").await;
    eventually("it says that it waits", || async {
        ada.shown(".composer__note").await.contains("as soon as the files are there")
    })
    .await;
    ada.picture("file-waiting").await;
    ada.clicks("a[href='/settings']").await;
    ada.waits_for(".settings").await;
    eventually("it has been sent", || async { ada.shown(".conversation").await.contains("goes by itself") }).await;
    ada.opens("Everyone").await;
    ada.sees_count(".file", 1).await;

    ada.chooses(&[&large]).await;
    ada.waits_for(".tray__item[data-stage='sending']").await;
    ada.says("not finished").await;
    eventually("it waits", || async { !ada.shown(".composer__note").await.is_empty() }).await;
    ada.pastes(", I go on").await;
    ada.browser.cdp().send_raw("Network.emulateNetworkConditions", slow(-1)).await.unwrap();
    ada.has_in_tray(1).await;
    assert_eq!(ada.js("return document.querySelector('.composer__text').value").await, json!("not finished, I go on"));
    ada.presses(Key::Enter).await;
    ada.sees("not finished, I go on").await;
    ada.sees_count(".file", 2).await;
    ada.leaves().await;
}
