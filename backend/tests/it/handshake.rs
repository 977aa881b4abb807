//! The way in: what is asked of a request before anything answers it, and what a handshake must be.

use crate::support::{PATIENCE, Person, Server};
use crate::support_raw::{Answer, Bystanders, Raw, TEXT, frame, handshake};

/// The answer to these bytes on a connection of its own.
async fn asked(server: &Server, bytes: impl AsRef<[u8]>) -> Answer {
    let mut connection = Raw::connect(server).await;
    connection.send(bytes).await;
    connection.answer().await
}

/// Somebody's handshake with one header line changed, or taken out.
fn changed(server: &Server, person: &Person, name: &str, line: &str) -> String {
    let whole = handshake(server, &person.cookie, "");
    let lines = whole.split_inclusive("\r\n").map(|old| if old.starts_with(name) { line } else { old });
    lines.collect()
}

#[tokio::test]
async fn what_is_no_handshake_is_told_so() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut others = Bystanders::of(&server).await;
    let table = [
        ("GET", "HEAD /ws HTTP/1.1\r\n", 405),
        ("GET", "POST /ws HTTP/1.1\r\n", 405),
        ("GET", "GET /ws HTTP/1.0\r\n", 400),
        ("GET", "GET /ws?token=0123456789abcdef HTTP/1.1\r\n", 400),
        ("GET", "GET //ws HTTP/1.1\r\n", 404),
        ("GET", "GET /ws/ HTTP/1.1\r\n", 404),
        ("GET", "GET /ws/%2e%2e HTTP/1.1\r\n", 404),
        ("GET", "GET /%77s/%00 HTTP/1.1\r\n", 404),
        ("GET", "GET /w\0s HTTP/1.1\r\n", 400),
        ("GET", "GET http://127.0.0.1/ws HTTP/1.1\r\n", 400),
        ("Connection", "", 400),
        ("Connection", "Connection: keep-alive\r\n", 400),
        ("Connection", "Connection: upgrades\r\n", 400),
        ("Upgrade", "", 400),
        ("Upgrade", "Upgrade: h2c\r\n", 400),
        ("Sec-WebSocket-Version", "", 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8\r\n", 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8\r\n", 426),
        ("Sec-WebSocket-Key", "", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: \r\n", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: not base64 at all!!!!!!==\r\n", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: x\r\n", 400),
        ("Upgrade", "Upgrade: websocket\r\nContent-Length: 5\r\n", 400),
        ("Upgrade", "Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Cookie", "", 401),
        ("Cookie", "Cookie: confab=0000\r\n", 401),
        ("Origin", "", 403),
        ("Origin", "Origin: null\r\n", 403),
        ("Origin", "Origin: http://evil.example\r\n", 403),
        ("Origin", "Origin: https://127.0.0.1\r\n", 403),
        ("Upgrade", "Upgrade: websocket\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("Host", "", 400),
        ("Host", "Host: evil.example\r\n", 421),
    ];
    for (name, line, status) in table {
        let mut connection = Raw::connect(&server).await;
        connection.send(changed(&server, &ada, name, line)).await;
        let is_head = line.starts_with("HEAD");
        let answer = if is_head { head_only(&mut connection).await } else { connection.answer().await };
        assert_eq!(answer.status, status, "{line:?} for {name}: {}", answer.body);
        let version = answer.header("sec-websocket-version");
        assert_eq!(version, (status == 426).then_some("13"), "{line:?}");
        // The HTTP layer itself refuses a NUL, without words.
        assert!(is_head || line.contains('\0') || !answer.code().is_empty(), "{answer:?}");
    }
    others.are_served().await;
}

/// An answer to HEAD tells a length and sends nothing of it.
async fn head_only(connection: &mut Raw) -> Answer {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(tokio::io::AsyncReadExt::read_u8(&mut connection.stream).await.unwrap());
    }
    Answer::of_head(String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn a_handshake_gets_what_it_can_have_and_no_more() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let spaces = format!("Sec-WebSocket-Protocol: {}chat.v1\r\n", " ,".repeat(6_000));
    let table = [
        ("Sec-WebSocket-Protocol: chat.v1\r\n", Some("chat.v1")),
        ("Sec-WebSocket-Protocol: other.v9, chat.v1\r\n", Some("chat.v1")),
        ("Sec-WebSocket-Protocol: other.v9\r\nSec-WebSocket-Protocol: chat.v1\r\n", Some("chat.v1")),
        (spaces.as_str(), Some("chat.v1")),
        ("Sec-WebSocket-Protocol: other.v9\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", None),
        ("", None),
    ];
    for (line, protocol) in table {
        let answer = asked(&server, handshake(&server, &ada.cookie, line)).await;
        assert_eq!(answer.status, 101, "{line:.60}");
        // The pair of RFC 6455 section 1.3.
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.header("sec-websocket-protocol"), protocol, "{line:.60}");
        assert_eq!(answer.header("sec-websocket-extensions"), None);
    }
    let mixed = handshake(&server, &ada.cookie, "").replace("Connection: Upgrade", "Connection: keep-alive, uPgRaDe");
    assert_eq!(asked(&server, mixed.replace("Upgrade: websocket", "Upgrade: WebSocket")).await.status, 101);
}

#[tokio::test]
async fn frames_sent_together_with_the_handshake_are_read() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let ping = frame(TEXT, r#"{"type":"ping","nonce":"early"}"#);
    for cut in [0, 1, 3, ping.len()] {
        let mut connection = Raw::connect(&server).await;
        connection.send([handshake(&server, &ada.cookie, "").as_bytes(), &ping[..cut]].concat()).await;
        assert_eq!(connection.answer().await.status, 101);
        let (_, welcome) = connection.next_frame().await.unwrap();
        assert!(welcome.starts_with(b"{\"type\":\"welcome\""), "first of all, whatever was sent before");
        connection.send(&ping[cut..]).await;
        let (_, pong) = connection.next_frame().await.unwrap();
        assert!(String::from_utf8(pong).unwrap().contains("early"), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_token_in_a_query_is_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Server::start_logging(&["--log", "trace"], &log);
    let ada = server.sign_up("Ada").await;
    let token = ada.cookie.split_once('=').unwrap().1;
    let line = format!("GET /ws?token={token} HTTP/1.1\r\n");
    assert_eq!(asked(&server, changed(&server, &ada, "GET", &line)).await.status, 400);
    assert_eq!(asked(&server, changed(&server, &ada, "Cookie", "")).await.status, 401);
    server.terminate();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("account.created") && !log.contains(token));
}

#[tokio::test]
async fn only_methods_that_are_understood_are_taken() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let (host, origin) = (server.address(), &server.origin);
    for request in ["TRACE / ", "TRACE /api/session ", "FOO / ", "get / ", "CONNECT example.org:443 ", "PROPFIND /ws "]
    {
        let answer = asked(&server, format!("{request}HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{request}");
        assert!(answer.header("allow").unwrap().contains("GET"), "{request}");
        assert!(!answer.body.contains(&host.to_string()), "nothing is echoed");
    }
    // A proxy's old trick: a harmless method that means another one.
    let override_with = |method: &str| {
        format!(
            "POST /api/session HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: {}\r\nContent-Length: 0\r\n\
             X-HTTP-Method-Override: {method}\r\nX-Method-Override: {method}\r\n\r\n",
            ada.cookie
        )
    };
    assert_eq!(asked(&server, override_with("DELETE")).await.status, 415, "it is a POST without JSON");
    assert_eq!(ada.get("/api/session").await.0, 200, "and nobody was signed out");
}

#[tokio::test]
async fn another_site_cannot_change_anything_whatever_it_sends() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let (host, own) = (server.address(), server.origin.clone());
    let foreign = [
        "Origin: http://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        String::new(),
        format!("Origin: {own}\r\nOrigin: {own}\r\n"),
        format!("Origin: {own}\r\nSec-Fetch-Site: cross-site\r\n"),
    ];
    for from in &foreign {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"] {
                for path in ["/api/session", "/api/conversations/x/messages", "/api/nothing", "/"] {
                    let answer = asked(
                        &server,
                        format!(
                            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{from}Cookie: {}\r\nContent-Type: {kind}\r\n\
                             Content-Length: 2\r\n\r\n{{}}",
                            ada.cookie
                        ),
                    );
                    assert_eq!(answer.await.status, 403, "{method} {path} {kind} {from}");
                }
            }
        }
    }
    // The control: the same from our own page is heard.
    let own = format!(
        "POST /api/session HTTP/1.1\r\nHost: {host}\r\nOrigin: {own}\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(asked(&server, own).await.status, 415);
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_told_what_to_do() {
    let server = Server::start_with(&["--allow-host", "chat.example.org", "--allow-origin", "http://x.org"], &[]);
    let get = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "chat.example.org.evil.example"] {
        for path in ["/", "/api/session", "/ws", "/nothing"] {
            let answer = asked(&server, get(path, host)).await;
            assert_eq!(answer.status, 421, "{host}{path}");
            assert!(answer.body.contains("--allow-host"), "{}", answer.body);
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(asked(&server, get(path, host)).await.status, 200, "{host}{path}");
        }
    }
    for host in
        ["chat.example.org", "CHAT.example.org:8080", "x.org", "localhost", "[::1]:80", "raspberrypi", "pi.local"]
    {
        assert_eq!(asked(&server, get("/api/session", host)).await.status, 401, "{host}");
    }
    for host in ["", "a b", "a\r\nHost: b", "user@localhost"] {
        assert_eq!(asked(&server, get("/api/session", host)).await.status, 400, "{host:?}");
    }
    assert_eq!(asked(&server, "GET /healthz HTTP/1.0\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_reached_by_https_says_that_it_always_is() {
    for (url, said) in [("https://chat.example.org", Some("max-age=31536000")), ("http://chat.example.org", None)] {
        let server = Server::start_with(&["--public-url", url], &[]);
        for path in ["/", "/api/session", "/healthz"] {
            let answer = asked(&server, format!("GET {path} HTTP/1.1\r\nHost: chat.example.org\r\n\r\n")).await;
            assert_eq!(answer.header("strict-transport-security"), said, "{url}{path}");
        }
    }
}

#[tokio::test]
async fn heads_have_a_size() {
    let server = Server::start();
    let mut others = Bystanders::of(&server).await;
    let host = server.address();
    let many = |count: usize| (0..count).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
    let long = |bytes: usize| format!("x: {}\r\n", "y".repeat(bytes));
    let table = [
        (many(101), 431),
        (many(5_000), 431),
        (long(32 << 10), 431),
        (long(1_000).repeat(64), 431),
        (many(40), 200),
        (long(8 << 10), 200),
    ];
    for (headers, status) in table {
        let mut connection = Raw::connect(&server).await;
        // The answer may come, and the line end, before all is sent.
        connection.try_send(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n")).await;
        assert_eq!(connection.try_answer().await.map(|answer| answer.status), Some(status), "{headers:.30}");
    }
    others.are_served().await;
}

#[tokio::test]
async fn a_head_byte_by_byte_costs_what_its_bytes_cost() {
    // Reading everything again with each byte would cost the square of the length.
    async fn ticks_for(server: &Server, bytes: usize) -> u64 {
        let before = server.processor_ticks();
        for _ in 0..4 {
            let mut connection = Raw::connect(server).await;
            connection.stream.set_nodelay(true).unwrap();
            let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nx: {}", "y".repeat(bytes));
            for byte in head.bytes() {
                if !connection.try_send([byte]).await {
                    break;
                }
            }
        }
        server.processor_ticks() - before
    }
    let server = Server::start();
    let mut others = Bystanders::of(&server).await;
    let short = ticks_for(&server, 2_000).await;
    let long = ticks_for(&server, 60_000).await;
    // What is read of it is at most 16 KiB: eight times as much, by the square sixty-four times.
    assert!(long <= 24 * short.max(2), "{short} → {long}");
    others.are_served().await;
}

#[tokio::test]
async fn an_address_has_so_many_places_until_it_signs_in() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Each has been answered, so each has been counted.
    let from = [127, 0, 0, 9];
    let mut all = Vec::new();
    for _ in 0..64 {
        let mut connection = Raw::connect_from(&server, from).await.unwrap();
        connection.send(get).await;
        assert_eq!(connection.answer().await.status, 200);
        all.push(connection);
    }
    let mut one_too_many = Raw::connect_from(&server, from).await.unwrap();
    one_too_many.try_send(get).await;
    let answer = one_too_many.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    let mut elsewhere = Raw::connect_from(&server, [127, 0, 0, 10]).await.unwrap();
    elsewhere.send(get).await;
    assert_eq!(elsewhere.answer().await.status, 200, "another address has its own");
    // One of them signs in: it is somebody's now, and its place is free.
    let first = all.remove(0);
    let _socket = first.upgraded(&server, &ada).await;
    let mut connection = Raw::connect_from(&server, from).await.unwrap();
    connection.send(get).await;
    assert_eq!(connection.answer().await.status, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_has_its_own_places() {
    let arguments = ["--trusted-proxy", "127.0.0.1", "--connections-per-address", "1"];
    let server = Server::start_with(&arguments, &[]);
    // A request that takes its place for a while: its body is on its way.
    let (host, origin) = (server.address(), server.origin.clone());
    let slow = |chain: &str| {
        format!(
            "POST /api/session HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nX-Forwarded-For: {chain}\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut first = Raw::connect(&server).await;
    first.send(slow("198.51.100.1, 203.0.113.7")).await;
    // The server asks for the body, so the request is being read.
    assert_eq!(first.answer().await.status, 100);
    let get = |chain: &str| format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {chain}\r\n\r\n");
    for (chain, status) in [
        ("203.0.113.7", 429),
        ("203.0.113.8, 203.0.113.7", 429),
        ("203.0.113.7, 127.0.0.1", 429),
        ("203.0.113.7, 203.0.113.8", 200),
        ("198.51.100.1", 200),
    ] {
        assert_eq!(asked(&server, get(chain)).await.status, status, "{chain}");
    }
    first.send("{}").await;
    assert_eq!(first.answer().await.status, 422);
    assert_eq!(asked(&server, get("203.0.113.7")).await.status, 200, "the place is free again");
    drop(first);

    // The control: without the setting the header is anybody's, and means nothing.
    let server = Server::start_with(&arguments[2..], &[]);
    let mut first = Raw::connect(&server).await;
    first.send(get("203.0.113.7")).await;
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(asked(&server, get("203.0.113.8")).await.status, 429);
}

#[tokio::test]
async fn wrong_passwords_are_counted_for_the_address_behind_the_proxy() {
    // One more may be tried each minute and a half: this takes less, however long a password takes here.
    let arguments = ["--trusted-proxy", "127.0.0.1", "--address-failures-in-15-min", "10"];
    let server = Server::start_with(&arguments, &[]);
    let guess = |number: usize, chain: &str| {
        server
            .http()
            .post(format!("{}/api/session", server.origin))
            .header("origin", &server.origin)
            .header("x-forwarded-for", chain)
            .json(&serde_json::json!({"email": format!("nobody{number}@example.org"), "password": "wrong horse"}))
            .send()
    };
    let mut statuses = Vec::new();
    // Ten, and ten more for accounts at which nobody has guessed before.
    for number in 0..21 {
        statuses.push(guess(number, &format!("10.0.0.{number}, 203.0.113.7")).await.unwrap().status().as_u16());
    }
    assert_eq!((statuses[0], statuses[19], statuses[20]), (401, 401, 429));
    assert_eq!(guess(200, "203.0.113.8").await.unwrap().status(), 401);
}

#[tokio::test]
async fn the_65th_socket_of_one_person_sends_the_oldest_away() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut sockets = Vec::new();
    for _ in 0..64 {
        sockets.push(Raw::socket(&server, &ada).await);
    }
    assert!(sockets[0].is_served().await, "64 are fine");
    let _one_too_many = Raw::socket(&server, &ada).await;
    assert_eq!(sockets[0].closed().await, Some(4409));
    assert!(sockets[1].is_served().await);
}

#[tokio::test]
async fn answers_about_somebody_are_kept_by_nobody() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let host = server.address();
    for path in ["/api/session", "/api/users", "/api/conversations", "/ws"] {
        for cookie in [ada.cookie.as_str(), ""] {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {}\r\nCookie: {cookie}\r\n\r\n", server.origin);
            let answer = asked(&server, request).await;
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            assert_eq!(answer.header("vary"), Some("Cookie"), "{path}");
            assert_eq!(answer.header("etag"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn with_memory_nearly_full_no_socket_comes_in_and_those_inside_stay() {
    // Memory is nearly full once this file is there, and people are inside by then.
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    let server = Server::start_with(&["--rate-limits", "off"], &[("CONFAB_MEMORY_FULL_FILE", full.to_str().unwrap())]);
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut inside = Bystanders::of(&server).await;
    let mut quiet = Raw::socket(&server, &ben).await;
    std::fs::write(&full, "").unwrap();
    let handshake_of = |person: &Person| handshake(&server, &person.cookie, "");
    // It is looked at each second.
    tokio::time::timeout(PATIENCE, async { while asked(&server, handshake_of(&ada)).await.status != 503 {} })
        .await
        .expect("it is noticed");
    for _ in 0..3 {
        inside.are_served().await;
        assert!(quiet.is_served().await);
        assert_eq!(asked(&server, handshake_of(&ada)).await.status, 503);
    }
    std::fs::remove_file(&full).unwrap();
    tokio::time::timeout(PATIENCE, async { while asked(&server, handshake_of(&ada)).await.status != 101 {} })
        .await
        .expect("there is room again");
    inside.are_served().await;
    assert!(quiet.is_served().await);

    let server = Server::start_with(&[], &[]);
    let mut ada = server.sign_up("Ada").await;
    let server = server.restart(&["--memory-limit-mib", "1"]);
    ada.moved_to(&server.origin);
    let answer = asked(&server, handshake(&server, &ada.cookie, "")).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    for (path, status) in [
        ("/api/conversations", 503),
        ("/api/search?query=x", 503),
        ("/api/openapi.json", 503),
        ("/api/session", 200),
        ("/healthz", 200),
        ("/readyz", 200),
    ] {
        assert_eq!(ada.get(path).await.0, status, "{path}");
    }
    // The control: with room there is no refusal.
    let server = Server::start_with(&["--memory-limit-mib", "100000"], &[]);
    let ada = server.sign_up("Ada").await;
    assert_eq!(asked(&server, handshake(&server, &ada.cookie, "")).await.status, 101);
}

#[tokio::test]
async fn a_crowd_waits_for_its_turn_or_is_asked_to_come_back() {
    let arguments = ["--rate-limits", "off", "--welcomes-at-once", "1"];
    let server = Server::start_with(&arguments, &[("CONFAB_FAULT", "slow_welcome")]);
    let ada = server.sign_up("Ada").await;
    let mut coming = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (address, request) = (server.address(), handshake(&server, &ada.cookie, ""));
        coming.spawn(async move {
            let mut connection = Raw { stream: tokio::net::TcpStream::connect(address).await.unwrap() };
            connection.send(request).await;
            let answer = connection.answer().await;
            // Those who came in stay until all have been answered.
            (answer.status, answer.header("retry-after").map(str::to_owned), connection)
        });
    }
    let answers = coming.join_all().await;
    let welcome = answers.iter().filter(|(status, ..)| *status == 101).count();
    let later = answers.iter().filter(|(status, wait, _)| *status == 503 && wait.is_some()).count();
    assert!(welcome >= 1 && later >= 1 && welcome + later == 5, "{welcome} came in, {later} wait");
    // Meanwhile everything else answers.
    assert_eq!(ada.get("/api/conversations").await.0, 200);
    tokio::time::timeout(3 * PATIENCE, async {
        while asked(&server, handshake(&server, &ada.cookie, "")).await.status != 101 {}
    })
    .await
    .expect("later there is a turn");
}
