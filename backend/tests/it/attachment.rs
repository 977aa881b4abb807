//! Files: whatever comes in is stored as it is or refused, is shown only if that is safe, and only to whom it was sent.

use crate::support::{Person, Server, new_id};
use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::io::Cursor;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A small picture.
pub(crate) fn picture() -> Vec<u8> {
    picture_of(40, 20, ImageFormat::Png)
}

fn picture_of(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, Rgb([9, 99, 199])).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

impl Person {
    pub(crate) async fn uploads(&self, server: &Server, name: &str, bytes: impl Into<reqwest::Body>) -> (u16, Value) {
        let answer =
            self.ask(server, Method::POST, "/api/attachments").query(&[("name", name)]).body(bytes).send().await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Uploads what was refused, as it is.
    async fn uploads_unclean(&self, server: &Server, name: &str, bytes: Vec<u8>) -> (u16, Value) {
        let query = [("name", name), ("unclean", "true")];
        let answer = self.ask(server, Method::POST, "/api/attachments").query(&query).body(bytes).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Uploads what is taken; its id.
    async fn has_file(&self, server: &Server, name: &str, bytes: impl Into<reqwest::Body>) -> String {
        let (status, body) = self.uploads(server, name, bytes).await;
        assert_eq!(status, 201, "{body}");
        body["attachment"]["id"].as_str().unwrap().to_owned()
    }

    async fn fetches(&self, server: &Server, path: &str) -> reqwest::Response {
        self.ask(server, Method::GET, path).send().await.unwrap()
    }

    async fn sends_files(&self, conversation: &str, content: &str, files: &[&str]) -> (u16, Value) {
        let body = json!({"id": new_id(), "content": content, "attachments": files});
        self.request(Method::POST, &format!("/api/conversations/{conversation}/messages"), Some(body)).await
    }

    fn ask(&self, server: &Server, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = server.http().request(method, format!("{}{path}", server.origin));
        request.header(header::ORIGIN, &server.origin).header(header::COOKIE, &self.cookie)
    }
}

/// What the data folder holds of files, in bytes.
fn stored(server: &Server) -> Vec<u64> {
    let mut sizes = Vec::new();
    for shelf in std::fs::read_dir(server.data().join("attachments")).into_iter().flatten().flatten() {
        sizes.extend(std::fs::read_dir(shelf.path()).unwrap().flatten().map(|file| file.metadata().unwrap().len()));
    }
    sizes
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_and_its_message_names_it() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let group = ada.makes_group("Plans", &[&ben]).await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let id = ada.has_file(&server, "data.bin", bytes.clone()).await;
    let mut socket = ben.connect().await;
    let (status, body) = ada.sends_files(&group, "Look", &[&id]).await;
    assert_eq!(status, 201, "{body}");
    let message = socket
        .until(|frame| match frame {
            shared::frame::ServerFrame::Event(event) => event.kind.as_message().cloned(),
            _ => None,
        })
        .await;
    assert_eq!((message.attachments.len(), message.attachments[0].name.as_str()), (1, "data.bin"));
    assert_eq!((message.attachments[0].size, message.attachments[0].width), (300_000, None));
    let answer = ben.fetches(&server, &format!("/api/attachments/{id}")).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(answer.headers()[header::CONTENT_LENGTH], "300000");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "private, max-age=86400, immutable");
    assert_eq!(answer.headers()[header::VARY], "Cookie");
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    let log = ben.log(group.parse().unwrap()).await;
    assert_eq!(log.last().unwrap()["kind"]["message"]["attachments"][0]["id"], json!(id));
}

#[tokio::test]
async fn a_message_may_be_files_alone_and_a_retry_is_answered_the_same() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let group = ada.makes_group("Plans", &[]).await;
    let (one, two) = (ada.has_file(&server, "a", "1").await, ada.has_file(&server, "b", "2").await);
    let path = format!("/api/conversations/{group}/messages");
    let body = json!({"id": new_id(), "content": " ", "attachments": [one, two]});
    let first = ada.request(Method::POST, &path, Some(body.clone())).await;
    assert_eq!(first.0, 201, "{}", first.1);
    assert_eq!(ada.request(Method::POST, &path, Some(body.clone())).await, (200, first.1));
    let mut other = body;
    other["attachments"] = json!([one]);
    assert_eq!(ada.request(Method::POST, &path, Some(other)).await.0, 409);
    assert_eq!(ada.sends_files(&group, "", &[]).await.1["error"]["code"], "invalid");
}

#[tokio::test]
async fn a_message_names_only_files_of_its_sender_that_no_other_has() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let group = ada.makes_group("Plans", &[&ben]).await;
    let (bens, sent) = (ben.has_file(&server, "b", "b").await, ada.has_file(&server, "a", "a").await);
    assert_eq!(ada.sends_files(&group, "x", &[&sent]).await.0, 201);
    let unknown = new_id().to_string();
    for files in [[bens.as_str()], [sent.as_str()], [unknown.as_str()]] {
        assert_eq!(ada.sends_files(&group, "x", &files).await.1["error"]["code"], "invalid");
    }
    let many: Vec<_> = (0..11).map(|_| new_id().to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(ada.sends_files(&group, "x", &many).await.1["error"]["code"], "invalid");
    assert_eq!(ben.sends_files(&group, "x", &[&bens, &bens]).await.1["error"]["code"], "invalid");
    // A message that is refused makes no conversation.
    let mut socket = ada.connect().await;
    let refused =
        socket.asks(json!({"type": "send", "to": {"user": ben.id}, "content": "x", "attachments": [bens]})).await;
    assert_eq!(refused, Err("bad_reference".to_owned()));
    let (_, list) = ben.get("/api/conversations").await;
    assert_eq!(list["conversations"].as_array().unwrap().len(), 2, "the group and everyone");
}

#[tokio::test]
async fn a_file_is_for_those_it_was_sent_to_as_long_as_they_are_there() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let stranger = server.sign_up("Stranger").await;
    let group = ada.makes_group("Plans", &[&ben]).await;
    let id = ada.has_file(&server, "a.png", picture()).await;
    let path = format!("/api/attachments/{id}");
    let small = format!("{path}/thumbnail");
    let answers = async |person: &Person| {
        (
            person.fetches(&server, &path).await.status().as_u16(),
            person.fetches(&server, &small).await.status().as_u16(),
        )
    };
    assert_eq!(answers(&ada).await, (200, 200), "whose it is");
    assert_eq!(answers(&ben).await, (404, 404), "it is not sent");
    assert_eq!(ada.sends_files(&group, "x", &[&id]).await.0, 201);
    assert_eq!(ada.request(Method::DELETE, &path, None).await.0, 404, "it is sent");
    assert_eq!(answers(&ben).await, (200, 200));
    assert_eq!(answers(&stranger).await, (404, 404));
    let leave = format!("/api/conversations/{group}/members/{}", ben.id);
    assert_eq!(ben.request(Method::DELETE, &leave, None).await.0, 204);
    assert_eq!(answers(&ben).await, (404, 404), "they have left");
    assert_eq!(answers(&ada).await, (200, 200));
}

#[tokio::test]
async fn what_a_deleted_message_had_is_gone_from_the_disk_too() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let group = ada.makes_group("Plans", &[]).await;
    let id = ada.has_file(&server, "a.png", picture()).await;
    let (_, sent) = ada.sends_files(&group, "x", &[&id]).await;
    assert_eq!(stored(&server).len(), 2, "the file and its small form");
    let mut socket = ada.connect().await;
    socket.asks(json!({"type": "delete", "conversation": group, "target": sent["seq"]})).await.unwrap();
    assert_eq!(ada.fetches(&server, &format!("/api/attachments/{id}")).await.status(), 404);
    let log = ada.log(group.parse().unwrap()).await;
    assert!(log.iter().all(|event| event["kind"]["message"]["attachments"].is_null()));
    // A start sweeps at once.
    let server = server.restart(&[]);
    until(|| stored(&server).is_empty()).await;
}

#[tokio::test]
async fn what_is_never_sent_goes_after_a_while_and_what_was_sent_stays() {
    let server = Server::start_with(&["--rate-limits", "off", "--unsent-attachment-seconds", "1"], &[]);
    let ada = server.sign_up("Ada").await;
    let group = ada.makes_group("Plans", &[]).await;
    let sent = ada.has_file(&server, "a.txt", "sent").await;
    assert_eq!(ada.sends_files(&group, "x", &[&sent]).await.0, 201);
    let unsent = ada.has_file(&server, "b.txt", "not sent").await;
    until(|| stored(&server).len() == 1).await;
    assert_eq!(ada.fetches(&server, &format!("/api/attachments/{unsent}")).await.status(), 404);
    assert_eq!(ada.fetches(&server, &format!("/api/attachments/{sent}")).await.status(), 200);
    assert_eq!(ada.sends_files(&group, "x", &[&unsent]).await.1["error"]["code"], "invalid");
}

async fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < crate::support::PATIENCE, "it does not come to be");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_file_has_a_limit_and_an_empty_one_is_one() {
    let server = Server::start_with(&["--rate-limits", "off", "--attachment-bytes", "1000000"], &[]);
    let ada = server.sign_up("Ada").await;
    assert_eq!(ada.connect().await.welcome.unwrap().limits.attachment_bytes, 1_000_000);
    let (status, body) = ada.uploads(&server, "", "").await;
    assert_eq!((status, &body["attachment"]["size"], &body["attachment"]["name"]), (201, &json!(0), &json!("file")));
    let empty = format!("/api/attachments/{}", body["attachment"]["id"].as_str().unwrap());
    assert_eq!(ada.fetches(&server, &empty).await.bytes().await.unwrap().len(), 0);
    assert_eq!(ada.uploads(&server, "a", vec![0_u8; 1_000_000]).await.0, 201);
    let (status, body) = ada.uploads(&server, "a", vec![0_u8; 1_000_001]).await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("too_large")));
    // One that does not say how long it is.
    let chunks = (0..200).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 10_000]));
    let (status, _) = ada.uploads(&server, "a", reqwest::Body::wrap_stream(futures_util::stream::iter(chunks))).await;
    assert_eq!(status, 413);
    assert_eq!(stored(&server).into_iter().sum::<u64>(), 1_000_000, "nothing half is left");
}

#[tokio::test]
async fn one_that_is_cut_off_leaves_nothing() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let address = server.origin.strip_prefix("http://").unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /api/attachments?name=half HTTP/1.1\r\nHost: {address}\r\nOrigin: {}\r\nCookie: {}\r\n\
         Content-Length: 500000\r\n\r\n",
        server.origin, ada.cookie
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[1; 100_000]).await.unwrap();
    until(|| !stored(&server).is_empty()).await;
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // It is told so, or its connection is closed: there is nobody to tell.
    let _ = stream.read_to_end(&mut answer).await;
    until(|| stored(&server).is_empty()).await;
    assert_eq!(ada.uploads(&server, "whole", "whole").await.0, 201);
}

#[tokio::test]
async fn a_refused_file_is_read_to_its_end_so_that_its_sender_gets_the_answer() {
    for (setting, value, field) in
        [("--disk-reserve-mib", "1000000000000", "reserve"), ("--attachment-mib-per-user", "1", "quota")]
    {
        let server = Server::start_with(&[setting, value], &[]);
        let ada = server.sign_up("Ada").await;
        let address = server.origin.strip_prefix("http://").unwrap().to_owned();
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /api/attachments?name=large HTTP/1.1\r\nHost: {address}\r\nOrigin: {}\r\nCookie: {}\r\n\
             Connection: close\r\nContent-Length: 20000000\r\n\r\n",
            server.origin, ada.cookie
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // It reads no answer before it has sent everything.
        stream.write_all(&vec![7; 20_000_000]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 507 ") && answer.contains(&format!("\"{field}\"")), "{answer}");
        assert!(stored(&server).is_empty());
    }
}

#[tokio::test]
async fn what_could_run_in_a_browser_is_downloaded_and_sealed() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>";
    let html = "<!DOCTYPE html><script>alert(1)</script>";
    for (name, bytes, media_type) in [
        ("a.svg", svg, "text/plain; charset=utf-8"),
        ("a.html", html, "text/plain; charset=utf-8"),
        ("picture.png", html, "text/plain; charset=utf-8"),
        ("a.pdf", "%PDF-1.7\n/JS (app.alert(1))", "application/pdf"),
        (
            "a.xhtml",
            "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"/>",
            "text/plain; charset=utf-8",
        ),
        ("42.zip", "PK\x03\x04\x14\0\0\0", "application/zip"),
    ] {
        let id = ada.has_file(&server, name, bytes).await;
        let answer = ada.fetches(&server, &format!("/api/attachments/{id}")).await;
        let headers = answer.headers();
        assert_eq!(headers[header::CONTENT_TYPE], media_type, "{name}");
        assert!(headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment;"), "{name}");
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "sandbox; default-src 'none'", "{name}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{name}");
        assert_eq!(answer.bytes().await.unwrap(), bytes, "{name}: stored as it is");
        assert_eq!(ada.fetches(&server, &format!("/api/attachments/{id}/thumbnail")).await.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn a_picture_has_its_size_and_a_small_form() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    for (format, media_type) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Gif, "image/gif"),
        (ImageFormat::WebP, "image/webp"),
    ] {
        let (status, body) = ada.uploads(&server, "holiday", picture_of(1_000, 500, format)).await;
        assert_eq!(status, 201, "{body}");
        let attachment = &body["attachment"];
        assert_eq!((&attachment["width"], &attachment["height"]), (&json!(1_000), &json!(500)), "{format:?}");
        let path = format!("/api/attachments/{}", attachment["id"].as_str().unwrap());
        let whole = ada.fetches(&server, &path).await;
        assert_eq!(whole.headers()[header::CONTENT_TYPE], media_type);
        assert!(whole.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("inline;"));
        let small = ada.fetches(&server, &format!("{path}/thumbnail")).await;
        assert_eq!(small.headers()[header::CONTENT_TYPE], "image/jpeg", "{format:?}: nothing can be seen through it");
        let small = small.bytes().await.unwrap();
        assert_eq!(image::guess_format(&small).unwrap(), ImageFormat::Jpeg, "{format:?}");
        let small = image::load_from_memory(&small).unwrap();
        assert_eq!((small.width(), small.height()), (800, 400), "{format:?}");
    }
}

#[tokio::test]
async fn a_picture_of_several_frames_says_so_also_in_its_message() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut moves = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut moves);
    for shade in [0, 200] {
        encoder.encode_frame(image::Frame::new(RgbaImage::from_pixel(8, 8, Rgba([shade, 9, 9, 255])))).unwrap();
    }
    drop(encoder);
    let group = ada.makes_group("Plans", &[]).await;
    for (name, bytes, animated) in
        [("wave.gif", moves, json!(true)), ("still.gif", picture_of(8, 8, ImageFormat::Gif), Value::Null)]
    {
        let (status, body) = ada.uploads(&server, name, bytes).await;
        assert_eq!((status, &body["attachment"]["animated"]), (201, &animated), "{name}: {body}");
        let id = body["attachment"]["id"].as_str().unwrap();
        assert_eq!(ada.sends_files(&group, "", &[id]).await.0, 201);
        let (_, log) = ada.get(&format!("/api/conversations/{group}/events?limit=1")).await;
        assert_eq!(log["events"][0]["kind"]["message"]["attachments"][0]["animated"], animated, "{name}");
    }
}

#[tokio::test]
async fn a_picture_that_cannot_be_read_is_a_file_like_any_other() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let whole = picture_of(900, 900, ImageFormat::Png);
    let mut flood = picture();
    flood[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    // With a checksum that is right: it is the size that is refused.
    let sum = crc32fast::hash(&flood[12..29]);
    flood[29..33].copy_from_slice(&sum.to_be_bytes());
    let sides = image::ImageReader::with_format(Cursor::new(&flood), ImageFormat::Png).into_dimensions();
    assert_eq!(sides.unwrap(), (60_000, 60_000));
    let cut = whole[..whole.len() / 2].to_vec();
    for (name, bytes) in [("flood.png", flood), ("cut.png", cut)] {
        let (status, body) = ada.uploads(&server, name, bytes.clone()).await;
        assert_eq!(status, 201, "{name}: {body}");
        let attachment = &body["attachment"];
        assert!(attachment["width"].is_null(), "{name}: {attachment}");
        assert_eq!(attachment["mediaType"], "application/octet-stream", "{name}");
        let path = format!("/api/attachments/{}", attachment["id"].as_str().unwrap());
        assert_eq!(ada.fetches(&server, &path).await.bytes().await.unwrap(), bytes, "{name}");
        assert_eq!(ada.fetches(&server, &format!("{path}/thumbnail")).await.status(), 404, "{name}");
    }
    assert_eq!(ada.get("/healthz").await.0, 200);
}

/// Stands for a place that a camera wrote.
const PLACE: &[u8] = b"52.5200N";

fn has_place(bytes: &[u8]) -> bool {
    bytes.windows(PLACE.len()).any(|window| window == PLACE)
}

/// A PNG that says that it has so many pixels on each side, with a text that holds a place.
fn picture_with_a_place(side: u32) -> Vec<u8> {
    let mut bytes = picture();
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let sum = crc32fast::hash(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    let text = [b"tEXtPlace\0", PLACE].concat();
    let mut chunk = u32::try_from(text.len() - 4).unwrap().to_be_bytes().to_vec();
    chunk.extend_from_slice(&text);
    chunk.extend_from_slice(&crc32fast::hash(&text).to_be_bytes());
    bytes.splice(33..33, chunk);
    bytes
}

/// A JPEG of a camera that says that it has 9,000 × 6,000 pixels.
fn photograph_with_a_place() -> Vec<u8> {
    let mut bytes = picture_of(40, 20, ImageFormat::Jpeg);
    let frame = bytes.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x17, 0x70, 0x23, 0x28]);
    let mut block = b"\xff\xe1\0\x10Exif\0\0".to_vec();
    block.extend_from_slice(PLACE);
    bytes.splice(2..2, block);
    bytes.extend_from_slice(PLACE);
    bytes
}

#[tokio::test]
async fn a_picture_that_is_not_decoded_loses_its_metadata_too() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let whole = picture_with_a_place(20);
    let cut = whole[..whole.len() - 20].to_vec();
    for (name, bytes) in
        [("large.png", picture_with_a_place(60_000)), ("large.jpg", photograph_with_a_place()), ("cut.png", cut)]
    {
        assert!(has_place(&bytes), "{name}");
        let id = ada.has_file(&server, name, bytes.clone()).await;
        let answer = ada.fetches(&server, &format!("/api/attachments/{id}")).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/octet-stream", "{name}");
        let kept = answer.bytes().await.unwrap();
        assert!(!has_place(&kept) && kept.len() + 50 > bytes.len(), "{name}: {} of {}", kept.len(), bytes.len());
    }
}

#[tokio::test]
async fn what_cannot_be_cleaned_is_refused_unless_its_sender_wants_it() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let raw = [b"II*\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0", PLACE].concat();
    // A segment that ends where no other one begins, behind one that would be taken out.
    let damaged = [b"\xff\xd8\xff\xe1\0\x0a", PLACE, b"\xff\xe1\0\x03?here", PLACE].concat();
    // Says it is a GIF, and goes on with nonsense.
    let nonsense: Vec<u8> = b"GIF89a".iter().copied().chain((0..9_999_u32).map(|n| (n * 7 % 256) as u8)).collect();
    for (name, bytes) in [("raw.dng", raw), ("damaged.jpg", damaged), ("nonsense.gif", nonsense)] {
        let (status, body) = ada.uploads(&server, name, bytes.clone()).await;
        assert_eq!((status, &body["error"]["code"]), (422, &json!("unclean_file")), "{name}: {body}");
        assert!(body["error"]["message"].as_str().unwrap().contains("where and when"), "{name}: {body}");
        assert!(stored(&server).is_empty(), "{name}");
        let (status, body) = ada.uploads_unclean(&server, name, bytes.clone()).await;
        assert_eq!((status, &body["attachment"]["mediaType"]), (201, &json!("application/octet-stream")), "{body}");
        let path = format!("/api/attachments/{}", body["attachment"]["id"].as_str().unwrap());
        assert!(ada.fetches(&server, &path).await.bytes().await.unwrap() == bytes, "{name}: as it came");
        assert_eq!(ada.request(Method::DELETE, &path, None).await.0, 204);
        until(|| stored(&server).is_empty()).await;
    }
    // What can be cleaned is cleaned, whatever its sender wants.
    let (status, body) = ada.uploads_unclean(&server, "a.png", picture_with_a_place(20)).await;
    assert_eq!(status, 201, "{body}");
    let path = format!("/api/attachments/{}", body["attachment"]["id"].as_str().unwrap());
    assert!(!has_place(&ada.fetches(&server, &path).await.bytes().await.unwrap()));
}

/// A box of ISO/IEC 14496-12.
fn film_part(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap().to_be_bytes();
    [&length, &kind[..], content].concat()
}

#[tokio::test]
async fn a_film_loses_its_place_and_has_its_size() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    // 640 × 480, in numbers with 16 bits behind the point.
    let head = [&[0; 40][..], &[0, 1, 0, 0], &[0; 32], &[2, 0x80, 0, 0, 1, 0xe0, 0, 0]].concat();
    let media = film_part(b"mdia", &film_part(b"hdlr", b"\0\0\0\0\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    let track = film_part(b"trak", &[film_part(b"tkhd", &head), media].concat());
    let about = film_part(b"udta", &film_part(b"\xa9xyz", PLACE));
    for (brand, media_type) in [(b"isom", "video/mp4"), (b"qt  ", "video/quicktime")] {
        let film = [
            film_part(b"ftyp", &[&brand[..], &[0; 4], brand].concat()),
            film_part(b"moov", &[track.clone(), about.clone()].concat()),
            film_part(b"mdat", b"samples"),
        ]
        .concat();
        let (status, body) = ada.uploads(&server, "film", film.clone()).await;
        assert_eq!(status, 201, "{body}");
        let attachment = &body["attachment"];
        assert_eq!((&attachment["width"], &attachment["height"]), (&json!(640), &json!(480)), "{attachment}");
        assert_eq!(attachment["mediaType"], media_type);
        let path = format!("/api/attachments/{}", attachment["id"].as_str().unwrap());
        let answer = ada.fetches(&server, &path).await;
        assert!(answer.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("inline;"));
        let bytes = answer.bytes().await.unwrap();
        assert!(bytes.len() == film.len() && !has_place(&bytes) && bytes.ends_with(b"samples"));
        assert_eq!(ada.fetches(&server, &format!("{path}/thumbnail")).await.status(), 404);
        let avatar = json!({"avatar": attachment["id"]});
        assert_eq!(ada.request(Method::PATCH, "/api/account", Some(avatar)).await.0, 422, "it is no picture");
    }
}

#[tokio::test]
async fn a_range_that_makes_no_sense_is_answered_by_the_whole_file() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let id = ada.has_file(&server, "digits", "0123456789").await;
    for (range, status, bytes) in [
        ("bytes=2-5", 206, "2345"),
        ("bytes=8-", 206, "89"),
        ("bytes=-3", 206, "789"),
        ("bytes=9-1", 200, "0123456789"),
        ("lines=1-2", 200, "0123456789"),
        ("items=0-1", 200, "0123456789"),
        ("bytes=a-b", 200, "0123456789"),
        ("nonsense", 200, "0123456789"),
        ("bytes=1-2,4-5", 200, "0123456789"),
    ] {
        let request = ada.ask(&server, Method::GET, &format!("/api/attachments/{id}")).header(header::RANGE, range);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{range}");
        assert_eq!(answer.text().await.unwrap(), bytes, "{range}");
    }
    let beyond = ada.ask(&server, Method::GET, &format!("/api/attachments/{id}")).header(header::RANGE, "bytes=99-");
    assert_eq!(beyond.send().await.unwrap().status(), 416);
}

/// What the process that reads pictures manages to do of what it should not, with a fault that makes it try.
fn attempted(fault: &str) -> Vec<(String, bool)> {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("confab-probe-{}-{fault}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    let program = crate::support::command(std::path::Path::new(".")).get_program().to_owned();
    let mut picture = std::process::Command::new(program);
    picture.arg("picture").env("CONFAB_FAULT", fault).env("CONFAB_PROBE_SOCKET", &name);
    let output = picture.stdin(std::process::Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_process_that_reads_pictures_can_do_nothing_else() {
    let done: Vec<_> = attempted("picture_attempts").into_iter().filter(|(_, is_done)| *is_done).collect();
    assert_eq!(done, []);
}

#[test]
fn a_process_that_gives_nothing_up_is_caught() {
    // The control of the test above: each of the attempts works.
    let attempts = attempted("picture_attempts_unconfined");
    assert!(attempts.len() >= 10 && attempts.iter().all(|(_, is_done)| *is_done), "{attempts:?}");
}

/// A GIF of so many pictures of one pixel (GIF89a, sections 18 to 23).
fn film_of(pictures: usize) -> Vec<u8> {
    let mut film = b"GIF89a\x64\0\x64\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for _ in 0..pictures {
        film.extend(b"\x21\xf9\x04\0\x01\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
    }
    film.push(b';');
    film
}

#[tokio::test]
async fn of_ten_thousand_pictures_in_a_file_one_is_read() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let film = film_of(10_000);
    let (status, body) = ada.uploads(&server, "film.gif", film.clone()).await;
    assert_eq!(status, 201, "{body}");
    let attachment = &body["attachment"];
    assert_eq!((&attachment["width"], &attachment["height"]), (&json!(100), &json!(100)), "{attachment}");
    let path = format!("/api/attachments/{}", attachment["id"].as_str().unwrap());
    let small = ada.fetches(&server, &format!("{path}/thumbnail")).await;
    assert_eq!(small.status(), 200);
    assert!(small.bytes().await.unwrap().len() < 10_000, "it is one picture");
    assert_eq!(ada.fetches(&server, &path).await.bytes().await.unwrap().len(), film.len());
    assert_eq!(ada.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn names_are_cleaned_and_cannot_end_a_header() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    for (name, kept) in [
        ("../../x", "x"),
        ("a\0.png", "a.png"),
        ("\u{202e}gnp.exe", "gnp.exe"),
        ("CON", "CON"),
        (".gitignore", ".gitignore"),
        ("report.pdf\u{200b}", "report.pdf"),
        ("\"q\"\r\nSet-Cookie: a=b", "\"q\"Set-Cookie: a=b"),
    ] {
        let (status, body) = ada.uploads(&server, name, "x").await;
        assert_eq!((status, &body["attachment"]["name"]), (201, &json!(kept)), "{name:?}");
        let path = format!("/api/attachments/{}", body["attachment"]["id"].as_str().unwrap());
        let answer = ada.fetches(&server, &path).await;
        assert!(!answer.headers().contains_key(header::SET_COOKIE), "{name:?}");
        assert!(answer.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().contains("filename*=UTF-8''"));
    }
    let (_, body) = ada.uploads(&server, &format!("{}.png", "x".repeat(300)), "x").await;
    let name = body["attachment"]["name"].as_str().unwrap();
    assert!(name.len() == 128 && name.ends_with("x.png"), "{name}");
}

#[tokio::test]
async fn a_part_of_a_file_is_sent_when_it_is_asked_for() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let id = ada.has_file(&server, "a.txt", "0123456789").await;
    let path = format!("/api/attachments/{id}");
    let part = async |range: &str| {
        let answer = ada.ask(&server, Method::GET, &path).header(header::RANGE, range).send().await.unwrap();
        let place = answer.headers().get(header::CONTENT_RANGE).map(|value| value.to_str().unwrap().to_owned());
        (answer.status(), place.unwrap_or_default(), answer.text().await.unwrap())
    };
    let partial = StatusCode::PARTIAL_CONTENT;
    assert_eq!(part("bytes=2-4").await, (partial, "bytes 2-4/10".into(), "234".into()));
    assert_eq!(part("bytes=7-").await, (partial, "bytes 7-9/10".into(), "789".into()));
    assert_eq!(part("bytes=-1").await, (partial, "bytes 9-9/10".into(), "9".into()));
    assert_eq!(part("bytes=10-").await.0, StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn there_is_so_much_for_each_and_so_many_in_a_minute() {
    let server = Server::start_with(&["--attachment-mib-per-user", "1"], &[]);
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let kept = ada.has_file(&server, "a", vec![0_u8; 700_000]).await;
    let (status, body) = ada.uploads(&server, "b", vec![0_u8; 700_000]).await;
    assert_eq!((status, &body["error"]["code"]), (507, &json!("storage_full")), "{body}");
    assert_eq!(ben.uploads(&server, "b", vec![0_u8; 700_000]).await.0, 201, "it is for each");
    assert_eq!(ada.request(Method::DELETE, &format!("/api/attachments/{kept}"), None).await.0, 204);
    assert_eq!(ada.uploads(&server, "b", vec![0_u8; 700_000]).await.0, 201, "there is room again");
    until(|| stored(&server).len() == 2).await;
    let mut last = 0;
    // Some come back while a slow machine sends them.
    for _ in 0..1_000 {
        let answer = ben.ask(&server, Method::POST, "/api/attachments").body("").send().await.unwrap();
        last = answer.status().as_u16();
        if last == 429 {
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
            break;
        }
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn file_of_no_bytes_takes_4_kib_of_a_persons_room() {
    let server = Server::start_with(&["--rate-limits", "off", "--attachment-mib-per-user", "1"], &[]);
    let ada = server.sign_up("Ada").await;
    ada.has_file(&server, "most of it", vec![0_u8; 1_048_576 - 8 * 4_096]).await;
    for number in 0..8 {
        ada.has_file(&server, &number.to_string(), "").await;
    }
    let (status, body) = ada.uploads(&server, "one more", "").await;
    assert_eq!((status, &body["error"]["field"]), (507, &json!("quota")), "{body}");
}

/// Begins a file of a MiB, and does not go on.
async fn begins_a_file(server: &Server, person: &Person) -> TcpStream {
    let address = server.origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (origin, cookie) = (&server.origin, &person.cookie);
    let head = format!(
        "POST /api/attachments?name=begun HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n\
         Connection: close\r\nContent-Length: 1048576\r\n\r\nsome"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn many_files_that_do_not_come_keep_no_neighbour_out() {
    let server = Server::start();
    let incoming = || std::fs::read_dir(server.data().join("attachments/incoming")).into_iter().flatten().count();
    let mut begun = Vec::new();
    for number in 0..8 {
        let person = server.sign_up(&format!("Eve{number}")).await;
        for _ in 0..8 {
            begun.push(begins_a_file(&server, &person).await);
            until(|| incoming() == begun.len()).await;
        }
    }
    let ada = server.sign_up("Ada").await;
    ada.has_file(&server, "hers", "some").await;
    until(|| incoming() == 63).await;
    // The one whose place it was is read to its end and told so.
    let mut answer = String::new();
    let last = begun.last_mut().unwrap();
    last.write_all(&vec![0; 1_048_572]).await.unwrap();
    last.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"overloaded\""), "{answer}");
}

/// A picture that can be seen through, of about 190 KB, as is its small form.
fn seen_through() -> Vec<u8> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut bytes = Cursor::new(Vec::new());
    let image = RgbaImage::from_fn(220, 220, |_, _| Rgba([noise(), noise(), noise(), noise()]));
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test]
async fn small_forms_count_for_what_a_person_may_have() {
    let server = Server::start_with(&["--rate-limits", "off", "--attachment-mib-per-user", "1"], &[]);
    let ada = server.sign_up("Ada").await;
    let picture = seen_through();
    for _ in 0..2 {
        ada.has_file(&server, "a.png", picture.clone()).await;
    }
    let (status, body) = ada.uploads(&server, "a.png", picture.clone()).await;
    assert_eq!((status, &body["error"]["field"]), (507, &json!("quota")), "{body}");
    until(|| stored(&server).len() == 4).await;
    let all: u64 = stored(&server).into_iter().sum();
    assert!(
        all <= 1_048_576 && picture.len() * 5 < 1_048_576,
        "the pictures alone would leave room for two more: {all}"
    );
}

#[tokio::test]
async fn small_forms_from_before_they_were_counted_are_looked_up_after_a_start() {
    let server = Server::start();
    let mut ada = server.sign_up("Ada").await;
    let group = ada.makes_group("Plans", &[]).await;
    let (old, lost) =
        (ada.has_file(&server, "old.png", picture()).await, ada.has_file(&server, "lost.png", picture()).await);
    assert_eq!(ada.sends_files(&group, "x", &[&old, &lost]).await.0, 201);
    let folder = server.kill();
    // As an earlier version left it: a PNG for everything that was no JPEG.
    let small = |id: &str| folder.path().join(format!("attachments/{}/{id}.small", &id[34..]));
    std::fs::write(small(&old), seen_through()).unwrap();
    std::fs::remove_file(small(&lost)).unwrap();
    let database = rusqlite::Connection::open(folder.path().join("confab.db")).unwrap();
    let changed = database.execute("UPDATE attachment SET thumbnail = 'image/png', small_size = NULL", []).unwrap();
    assert_eq!(changed, 2);
    drop(database);
    let server = Server::start_on(folder, &["--attachment-mib-per-user", "1"]);
    ada.moved_to(&server.origin);
    let database = rusqlite::Connection::open(server.data().join("confab.db")).unwrap();
    let sizes = || -> Vec<Option<i64>> {
        let mut statement = database.prepare("SELECT small_size FROM attachment ORDER BY size, small_size").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    until(|| sizes().iter().all(Option::is_some)).await;
    let expected = i64::try_from(seen_through().len()).unwrap();
    assert_eq!(sizes(), [Some(0), Some(expected)]);
    let thumbnail = ada.fetches(&server, &format!("/api/attachments/{old}/thumbnail")).await;
    assert_eq!(thumbnail.headers()[header::CONTENT_TYPE], "image/png");
    assert_eq!(thumbnail.bytes().await.unwrap(), seen_through());
    assert_eq!(ada.uploads(&server, "b", vec![0_u8; 900_000]).await.0, 507, "it counts");
}

#[tokio::test]
async fn a_backup_has_people_s_files_with_it() {
    let server = Server::start();
    let mut ada = server.sign_up("Ada").await;
    let group = ada.makes_group("Plans", &[]).await;
    let id = ada.has_file(&server, "a.png", picture()).await;
    assert_eq!(ada.sends_files(&group, "x", &[&id]).await.0, 201);
    let folder = tempfile::tempdir().unwrap();
    let (copy, data) = (folder.path().join("copy"), folder.path().join("data"));
    let run = |command: &str, from: &[&std::path::Path]| {
        let program = std::process::Command::new(env!("CARGO_BIN_EXE_confab"));
        let mut program = program;
        let done =
            program.arg(command).arg("--data").arg(from[0]).arg(if command == "backup" { "--to" } else { "--from" });
        done.arg(from[1]).output().unwrap()
    };
    let made = run("backup", &[server.data(), &copy]);
    assert!(made.status.success(), "{made:?}");
    assert!(!run("backup", &[server.data(), &copy]).status.success(), "it replaces nothing");
    // Without the folder beside it a backup that names files is not restored, and says what to do.
    let (beside, away) = (folder.path().join("copy.attachments"), folder.path().join("away"));
    std::fs::rename(&beside, &away).unwrap();
    let refused = run("restore", &[&data, &copy]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("copy.attachments"));
    std::fs::rename(&away, &beside).unwrap();
    let restored = run("restore", &[&data, &copy]);
    assert!(restored.status.success(), "{restored:?}");
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        std::fs::rename(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    let other = Server::start_on(to, &[]);
    ada.moved_to(&other.origin);
    let path = format!("/api/attachments/{id}");
    let answer = ada.fetches(&other, &path).await;
    assert_eq!(answer.status(), 200);
    let kept = std::fs::read(server.data().join(format!("attachments/{}/{id}", &id[34..]))).unwrap();
    assert_eq!(answer.bytes().await.unwrap(), kept);
}

#[tokio::test]
async fn a_groups_picture_is_seen_by_its_members_and_the_one_before_goes() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let group = ada.makes_group("Plans", &[&ben]).await;
    let path = format!("/api/conversations/{group}");
    let mut socket = ben.connect().await;
    let first = ada.has_file(&server, "us.png", picture()).await;
    let (status, body) = ada.request(Method::PATCH, &path, Some(json!({"avatar": first}))).await;
    assert_eq!((status, &body["conversation"]["avatar"]), (200, &json!(first)), "{body}");
    let told = socket
        .until(|frame| match frame {
            shared::frame::ServerFrame::Event(event) => match event.kind {
                shared::event::EventKind::Described(described) => described.avatar,
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(told.to_string(), first);
    let small = |id: &str| format!("/api/attachments/{id}/thumbnail");
    assert_eq!(ben.fetches(&server, &small(&first)).await.status(), 200);
    assert_eq!(cy.fetches(&server, &small(&first)).await.status(), 404, "it is nobody else's");

    // Not what somebody else has uploaded, no text, no message's file, no picture of a person.
    let of_ben = ben.has_file(&server, "b.png", picture()).await;
    let sent = ada.has_file(&server, "sent.png", picture()).await;
    assert_eq!(ada.sends_files(&group, "x", &[&sent]).await.0, 201);
    let me = ada.has_file(&server, "me.png", picture()).await;
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(json!({"avatar": me}))).await.0, 200);
    for bad in [of_ben, ada.has_file(&server, "a.txt", "text").await, sent.clone(), me.clone(), first.clone() + "0"] {
        let (status, body) = ada.request(Method::PATCH, &path, Some(json!({"avatar": bad}))).await;
        assert!(matches!(status, 400 | 422), "{bad}: {body}");
    }
    let (_, list) = ada.get("/api/conversations").await;
    let everyone = list["conversations"].as_array().unwrap().iter().find(|one| one["kind"] == "everyone").unwrap();
    let everyone = format!("/api/conversations/{}", everyone["id"].as_str().unwrap());
    let second = ben.has_file(&server, "us2.png", picture()).await;
    assert_eq!(ben.request(Method::PATCH, &everyone, Some(json!({"avatar": second}))).await.0, 409);

    assert_eq!(ben.request(Method::PATCH, &path, Some(json!({"avatar": second}))).await.0, 200);
    assert_eq!(ben.fetches(&server, &small(&first)).await.status(), 404);
    assert_eq!(ben.fetches(&server, &small(&second)).await.status(), 200);
    assert_eq!(ben.fetches(&server, &small(&sent)).await.status(), 200, "the files of messages stay");
    let (_, body) = ada.request(Method::PATCH, &path, Some(json!({"avatar": null}))).await;
    assert_eq!(body["conversation"]["avatar"], Value::Null);
    assert_eq!(ben.fetches(&server, &small(&second)).await.status(), 404);
    assert_eq!(ada.fetches(&server, &small(&me)).await.status(), 200);
}

#[tokio::test]
async fn a_person_s_picture_is_seen_by_everybody_and_the_one_before_goes() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let stranger = server.sign_up("Stranger").await;
    ada.makes_group("Plans", &[&ben]).await;
    let mut socket = ben.connect().await;
    let first = ada.has_file(&server, "me.png", picture()).await;
    let (status, body) =
        ada.request(Method::PATCH, "/api/account", Some(json!({"avatar": first, "status": " At lunch "}))).await;
    assert_eq!((status, &body["user"]["avatar"], &body["user"]["status"]), (200, &json!(first), &json!("At lunch")));
    let told = socket
        .until(|frame| match frame {
            shared::frame::ServerFrame::Person(changed) => Some(changed.user),
            _ => None,
        })
        .await;
    assert_eq!(told.id, ada.id);
    assert_eq!((told.avatar.map(|id| id.to_string()), told.status.as_deref()), (Some(first.clone()), Some("At lunch")));
    let (_, found) = stranger.get(&format!("/api/users?ids={}", ada.id)).await;
    assert_eq!(found["users"][0]["avatar"], json!(first));
    let small = format!("/api/attachments/{first}/thumbnail");
    assert_eq!(stranger.fetches(&server, &small).await.status(), 200);
    let group = ada.makes_group("Other plans", &[]).await;
    assert_eq!(ada.sends_files(&group, "x", &[&first]).await.0, 422, "it is no file to send");

    let second = ada.has_file(&server, "me2.png", picture()).await;
    for bad in [
        json!(ben.has_file(&server, "b.png", picture()).await),
        json!(ada.has_file(&server, "a.txt", "text").await),
        json!(new_id()),
    ] {
        let (status, body) =
            ada.request(Method::PATCH, "/api/account", Some(json!({"avatar": bad, "displayName": "No"}))).await;
        assert_eq!((status, &body["error"]["field"]), (422, &json!("avatar")));
    }
    let (_, body) = ada.request(Method::PATCH, "/api/account", Some(json!({"avatar": second}))).await;
    assert_eq!(
        (&body["user"]["displayName"], &body["user"]["status"]),
        (&json!("Ada"), &json!("At lunch")),
        "the rest stays"
    );
    assert_eq!(stranger.fetches(&server, &small).await.status(), 404);
    let (_, body) = ada.request(Method::PATCH, "/api/account", Some(json!({"avatar": null, "status": ""}))).await;
    assert!(body["user"]["avatar"].is_null() && body["user"]["status"].is_null(), "{body}");
    assert_eq!(stranger.fetches(&server, &format!("/api/attachments/{second}/thumbnail")).await.status(), 404);
}
