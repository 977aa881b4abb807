//! What one person may cost all others, above their browsers, tokens, sockets and connections.

use crate::support::{Person, Server, new_id};
use crate::support_raw::{Raw, TEXT, frame, until};
use backend::ledger::toll::Payer;
use backend::server::router::{ROUTES, TOLLS};
use reqwest::{Method, header};
use serde_json::{Value, json};
use shared::frame::{ClientFrame, ServerFrame};

/// So little that a few requests use it up, and so slow that a slow machine gives little back.
const POOR: &[&str] = &[
    "--request-burst=30",
    "--requests-in-10-s=1",
    "--send-burst=1",
    "--sends-in-10-s=1",
    "--token-send-burst=1",
    "--token-sends-in-10-s=1",
];

/// The statuses of one request made again and again, until it is refused as too much.
async fn until_limited(server: &Server, method: &str, path: &str, cookie: &str) -> Vec<u16> {
    let method: Method = method.parse().unwrap();
    let http = server.http();
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 1_000 {
        let request = http.request(method.clone(), format!("{}{path}", server.origin));
        let request = request.header(header::ORIGIN, &server.origin).header(header::COOKIE, cookie);
        let answer = request.header(header::CONTENT_TYPE, "application/json").body("{}").send().await.unwrap();
        statuses.push(answer.status().as_u16());
        if statuses.last() == Some(&429) {
            assert!(answer.headers()[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() > 0, "{path}");
            assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "rate_limited", "{path}");
        }
    }
    statuses
}

#[tokio::test]
async fn every_route_takes_from_its_person_or_its_address() {
    let server = Server::start_with(POOR, &[]);
    let ada = server.sign_up("Ada").await;
    assert_eq!(until_limited(&server, "GET", "/api/session", &ada.cookie).await.last(), Some(&429));
    for ((method, path), toll) in ROUTES.iter().zip(TOLLS) {
        assert!(toll.units > 0, "{method} {path} costs nothing");
        let cookie = if toll.payer == Payer::Person { &ada.cookie } else { "" };
        let path = path.replace("{id}", &new_id().to_string()).replace("{user}", &ada.id.to_string());
        let statuses = if path == "/ws" {
            vec![handshakes(&server, &ada).await]
        } else {
            until_limited(&server, method, &path, cookie).await
        };
        assert_eq!(statuses.last(), Some(&429), "{method} {path} takes nothing: {statuses:?}");
    }
    assert_eq!(until_limited(&server, "GET", "/", "").await.last(), Some(&429), "the page's files");
}

/// The status of handshakes made one after the other, once it is another than 101.
async fn handshakes(server: &Server, person: &Person) -> u16 {
    for _ in 0..1_000 {
        let mut raw = Raw::connect(server).await;
        raw.send(crate::support_raw::handshake(server, &person.cookie, "")).await;
        let status = raw.answer().await.status;
        if status != 101 {
            return status;
        }
    }
    101
}

#[tokio::test]
async fn every_frame_takes_from_its_person_over_all_sockets() {
    let conversation = new_id();
    let up_to = json!({"conversation": conversation, "seq": 1});
    let rows: Vec<(&str, Value)> = vec![
        ("send", json!({"to": "everyone", "content": "x"})),
        ("edit", json!({"conversation": conversation, "target": 1, "content": "x"})),
        ("delete", json!({"conversation": conversation, "target": 1})),
        ("react", json!({"conversation": conversation, "target": 1, "emoji": "x", "on": true})),
        ("delivered", up_to.clone()),
        ("read", up_to),
        ("typing", json!({"conversation": conversation})),
        ("resume", json!({"epoch": "x", "cursors": {}})),
        ("ping", json!({})),
        ("no such frame", json!({})),
    ];
    let types: Vec<_> = rows.iter().map(|(kind, _)| *kind).take(rows.len() - 1).collect();
    assert_eq!(types, ClientFrame::TYPES, "every frame has a row");
    // The one who uses up what there is, and another socket of theirs.
    let server = Server::start_with(POOR, &[]);
    let ada = server.sign_up("Ada").await;
    let (mut a, mut other) = (ada.connect().await, ada.connect().await);
    drain(&mut a).await;
    for (kind, mut sent) in rows {
        let id = new_id();
        sent["type"] = json!(kind);
        if ["send", "edit", "delete", "react"].contains(&kind) {
            sent["id"] = json!(id);
        }
        // Time has given something back: it is used up, and asked again.
        let mut code = String::new();
        for _ in 0..50 {
            other.send(sent.clone()).await;
            code = match other.next().await {
                ServerFrame::Rejected(rejected) => {
                    assert_eq!(rejected.id, id);
                    assert!(
                        rejected.rejection.retry_after_ms.is_some()
                            || rejected.rejection.code.as_str() != "rate_limited"
                    );
                    rejected.rejection.code.to_string()
                }
                ServerFrame::Error(error) => error.code.to_string(),
                _ => continue,
            };
            if code == "rate_limited" {
                break;
            }
        }
        assert_eq!(code, "rate_limited", "{kind} takes nothing");
    }
}

/// Pings until nothing is left of what a person may send.
async fn drain(socket: &mut crate::support::Socket) {
    loop {
        socket.send(json!({"type": "ping"})).await;
        if let ServerFrame::Error(error) = socket.next().await {
            assert_eq!(error.code.as_str(), "rate_limited");
            return;
        }
    }
}

#[tokio::test]
async fn socket_that_goes_on_although_its_person_may_not_is_closed() {
    let server = Server::start_with(POOR, &[]);
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let refused = format!("{{\"type\":\"no such frame\",\"x\":\"{}\"}}", "x".repeat(60_000));
    for _ in 0..20 {
        if a.try_send_text(refused.clone()).await.is_err() {
            break;
        }
    }
    let (code, before) = a.closed().await;
    assert_eq!(code, 4429);
    let is_limited =
        |frame: &ServerFrame| matches!(frame, ServerFrame::Error(error) if error.code.as_str() == "rate_limited");
    assert!(before.iter().any(is_limited), "it was told before");
    // Another person has their own.
    b.send(json!({"type": "ping"})).await;
    assert!(matches!(b.next().await, ServerFrame::Pong(_)));
}

#[tokio::test]
async fn tokens_of_one_person_send_no_more_than_four_of_them() {
    let server = Server::start_with(&["--token-send-burst=5", "--token-sends-in-10-s=1"], &[]);
    let ada = server.sign_up("Ada").await;
    let group = ada.makes_group("Group", &[]).await;
    let mut accepted = 0;
    for number in 0..8 {
        let body = json!({"name": number.to_string(), "currentPassword": "correct horse"});
        let (status, made) = ada.request(Method::POST, "/api/tokens", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        for _ in 0..8 {
            let answer = server
                .http()
                .post(format!("{}/api/conversations/{group}/messages", server.origin))
                .bearer_auth(made["token"].as_str().unwrap())
                .json(&json!({"id": new_id(), "content": "x"}))
                .send();
            accepted += usize::from(answer.await.unwrap().status() == 201);
        }
    }
    // Eight tokens for themselves may send 40; a slow machine gives a few back.
    assert!((20..35).contains(&accepted), "{accepted}");
    assert_eq!(ada.posts(&group, "by hand").await, accepted as u64 + 2, "the browser has its own");
}

#[tokio::test]
async fn connections_of_one_person_are_counted_after_they_have_signed_in() {
    let server = Server::start_with(&["--connections-per-user=5", "--connections-per-address=8"], &[]);
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let get = |person: &Person| format!("GET /api/session HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", person.cookie);
    let mut open = Vec::new();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        let mut connection = Raw::connect(&server).await;
        connection.send(get(&ada)).await;
        statuses.push(connection.answer().await.status);
        open.push(connection);
    }
    // Those that the server has not seen end since signing up count as hers.
    let good = statuses.iter().filter(|status| **status == 200).count();
    assert!((3..=5).contains(&good) && statuses[6] == 429, "{statuses:?}");
    let mut connection = Raw::connect(&server).await;
    connection.send(get(&ben)).await;
    assert_eq!(connection.answer().await.status, 200, "another person at the same address");
    // One that is hers already goes on, and when one ends there is a place.
    open[0].send(get(&ada)).await;
    assert_eq!(open[0].answer().await.status, 200);
    open.clear();
    assert_eq!(ada.get("/api/session").await.0, 200);
}

#[tokio::test]
async fn signed_in_connections_beyond_a_persons_own_count_for_their_address() {
    let server = Server::start_with(&["--connections-per-address-in-all=2"], &[]);
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut open = Vec::new();
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let mut raw = Raw::connect(&server).await;
        raw.send(crate::support_raw::handshake(&server, &ada.cookie, "")).await;
        statuses.push(raw.answer().await.status);
        open.push(raw);
    }
    // Eight are her own; the connections of signing up may still be open, too.
    let good = statuses.iter().filter(|status| **status == 101).count();
    assert!((8..=10).contains(&good) && statuses[11] == 429, "{statuses:?}");
    assert!(open[0].is_served().await, "those inside stay");
    let mut his = Raw::socket(&server, &ben).await;
    assert!(his.is_served().await, "another person at the same address has his own");
}

#[tokio::test]
async fn silent_connections_of_a_stranger_keep_no_neighbour_out() {
    let server = Server::start_with(&["--connections-per-address=4"], &[]);
    let ada = server.sign_up("Ada").await;
    let from = [127, 0, 0, 9];
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(Raw::connect_from(&server, from).await.unwrap());
    }
    until("the oldest at the door have been closed", || server.connections() < 30).await;
    // The control: there is no place left for whoever shows no session.
    let mut stranger = Raw::connect_from(&server, from).await.unwrap();
    stranger.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = stranger.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"));
    let mut socket = Raw::connect_from(&server, from).await.unwrap();
    socket.send(crate::support_raw::handshake(&server, &ada.cookie, "")).await;
    assert_eq!(socket.answer().await.status, 101);
    let mut request = Raw::connect_from(&server, from).await.unwrap();
    request.send(format!("GET /api/session HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", ada.cookie)).await;
    assert_eq!(request.answer().await.status, 200);
    // And nobody sends her away again.
    for _ in 0..40 {
        silent.push(Raw::connect_from(&server, from).await.unwrap());
    }
    assert!(socket.is_served().await);
}

#[tokio::test]
async fn neighbours_of_an_emptied_address_go_on() {
    let server = Server::start_with(POOR, &[]);
    let ada = server.sign_up("Ada").await;
    // A stranger at her address asks without a session, and then with made-up ones.
    assert_eq!(until_limited(&server, "GET", "/healthz", "").await.last(), Some(&429));
    let made_up = format!("confab={}", "7".repeat(64));
    let looked_up = until_limited(&server, "GET", "/api/session", &made_up).await;
    // Thirty units are kept for look-ups, of which one that finds nothing takes five.
    assert!(looked_up.len() < 50 && looked_up.iter().rev().skip(1).all(|status| *status == 401), "{looked_up:?}");
    let get = |path: &str| server.http().get(format!("{}{path}", server.origin)).header(header::COOKIE, &ada.cookie);
    for path in ["/api/session", "/healthz", "/"] {
        let status = get(path).send().await.unwrap().status().as_u16();
        assert_ne!(status, 429, "{path} of a neighbour");
    }
    let mut raw = Raw::connect(&server).await;
    raw.send(crate::support_raw::handshake(&server, &ada.cookie, "")).await;
    assert_eq!(raw.answer().await.status, 101);
    // The control: the address has nothing left.
    for cookie in ["", made_up.as_str()] {
        assert!(until_limited(&server, "GET", "/api/session", cookie).await.len() < 50, "{cookie}");
    }
}

#[tokio::test]
async fn answers_that_are_not_read_are_bounded_for_each_person() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let group = ada.makes_group("Group", &[&ben]).await;
    for _ in 0..100 {
        ada.posts(&group, &"\u{1}x".repeat(8_190)).await;
    }
    let get = |person: &Person| {
        format!(
            "GET /api/conversations/{group}/events?limit=100 HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n",
            person.cookie
        )
    };
    let mut open = Vec::new();
    let mut statuses = Vec::new();
    for _ in 0..60 {
        let mut connection = Raw::connect_narrow(&server).await;
        connection.send(get(&ada)).await;
        statuses.push(connection.status().await);
        open.push(connection);
    }
    let good = statuses.iter().filter(|status| **status == 200).count();
    assert!(good >= 2 && statuses.contains(&429), "{statuses:?}");
    // The control: who reads is told everything, however often.
    for _ in 0..20 {
        assert_eq!(ben.get(&format!("/api/conversations/{group}/events?limit=100")).await.0, 200);
    }
    drop(open);
    until("the connections have ended", || server.connections() < 30).await;
    assert_eq!(ada.get(&format!("/api/conversations/{group}/events?limit=100")).await.0, 200);
}

#[tokio::test]
async fn typing_is_told_by_person_and_not_by_socket() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let group = ada.makes_group("Group", &[&ben]).await;
    let mut b = ben.connect().await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        let mut socket = ada.connect().await;
        socket.send(json!({"type": "typing", "conversation": group})).await;
        socket.sees().await;
        sockets.push(socket);
    }
    // Behind this nothing is on its way: a message of hers comes after what she typed before.
    b.until(|frame| matches!(frame, ServerFrame::Typing(_)).then_some(())).await;
    let id = sockets[0].says(json!({"conversation": group}), "x").await;
    sockets[0].accepted(id).await;
    let more = b.sees().await.into_iter().filter(|frame| matches!(frame, ServerFrame::Typing(_))).count();
    assert_eq!(more, 0);
}

#[tokio::test]
async fn address_makes_ten_accounts_unless_it_may_make_more() {
    for (arguments, made) in [(&[][..], 10), (&["--sign-ups-in-15-min=12"], 12), (&["--sign-ups-in-a-day=3"], 3)] {
        let server = Server::start_with(arguments, &[]);
        let mut statuses = Vec::new();
        for number in 0..=made {
            let body = json!({
                "email": format!("person{number}@example.org"),
                "displayName": "Person",
                "password": "correct horse",
            });
            statuses.push(server.post("/api/accounts", None, &body).await.status().as_u16());
        }
        assert_eq!(statuses[..made], vec![201; made], "{arguments:?}");
        assert_eq!(statuses[made], 429, "{arguments:?}");
    }
}

#[tokio::test]
async fn frames_refused_for_their_content_cost_more_than_good_ones() {
    let server = Server::start_with(POOR, &[]);
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut counts = Vec::new();
    for (person, text) in [(&ada, json!({"type": "ping"})), (&ben, json!({"type": "no such frame"}))] {
        let mut raw = Raw::socket(&server, person).await;
        let mut count = 0;
        loop {
            raw.send(frame(TEXT, text.to_string())).await;
            let (_, payload) = raw.next_frame().await.unwrap();
            if String::from_utf8(payload).unwrap().contains("rate_limited") {
                break;
            }
            count += 1;
        }
        counts.push(count);
    }
    // Of 30 units a handshake takes 10.
    assert!(counts[0] >= 20 && counts[1] <= 8 && counts[1] >= 4, "{counts:?}");
}

/// Puts this person into so many groups of their own. The server is started anew with these settings.
async fn in_many_groups(people: &mut [Person], server: Server, count: u32, arguments: &[&str]) -> Server {
    let folder = server.terminate().2;
    let database = rusqlite::Connection::open(folder.path().join("confab.db")).unwrap();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO conversation (id, kind, created_at) SELECT randomblob(16), 'group', 1 FROM n";
    database.execute(sql, [count]).unwrap();
    let sql =
        "INSERT INTO member (conversation, user, joined_at) SELECT key, ?1, 1 FROM conversation WHERE kind = 'group'";
    database.execute(sql, [people[0].id.as_bytes()]).unwrap();
    drop(database);
    let server = Server::start_on(folder, arguments);
    people.iter_mut().for_each(|person| person.moved_to(&server.origin));
    server
}

#[tokio::test]
async fn search_costs_by_what_is_looked_at() {
    let server = Server::start();
    let mut people = [server.sign_up("Ada").await, server.sign_up("Ben").await];
    let poor = ["--request-burst=300", "--requests-in-10-s=1"];
    let _server = in_many_groups(&mut people, server, 3_000, &poor).await;
    let [ada, ben] = &people;
    // 3,000 are looked at and asked for: 240 units beside the request's ten.
    assert_eq!(ada.get("/api/search?query=tea").await.0, 200);
    let (status, answer) = ada.get("/api/search?query=tea").await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!("rate_limited")));
    assert_eq!(ada.get("/api/session").await.0, 200, "what costs little still goes");
    // The control: for somebody in few conversations it is little.
    for _ in 0..20 {
        assert_eq!(ben.get("/api/search?query=tea").await.0, 200);
    }
}

#[tokio::test]
async fn replays_of_one_person_wait_for_their_turn_over_all_sockets() {
    let server = Server::start();
    let (mut ada, mut ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut writer = ben.connect().await;
    let mut place = None;
    for _ in 0..50 {
        let id = writer.says(json!({"user": ada.id}), &"x".repeat(16_000)).await;
        place = Some(writer.accepted(id).await.0);
    }
    let place = place.unwrap();
    let server = server.restart(&[&["--request-burst=45"][..], &POOR[1..]].concat());
    [&mut ada, &mut ben].into_iter().for_each(|person| person.moved_to(&server.origin));
    let resume = async |socket: &mut crate::support::Socket| {
        let epoch = socket.welcome.as_ref().unwrap().epoch.clone();
        socket.send(json!({"type": "resume", "epoch": epoch, "cursors": {place.to_string(): 0}})).await;
    };
    // 45 units are nine pages, and the messages are three: of four replays one has to wait.
    let mut sockets = [ada.connect().await, ada.connect().await];
    for socket in &mut sockets {
        resume(socket).await;
        socket.until(|frame| matches!(frame, ServerFrame::Resumed(_)).then_some(())).await;
    }
    let [one, other] = &mut sockets;
    resume(one).await;
    resume(other).await;
    let mut events = 0;
    for socket in [one, other] {
        for _ in 0..5 {
            socket.send(json!({"type": "ping"})).await;
            loop {
                match socket.next().await {
                    ServerFrame::Pong(_) => break,
                    ServerFrame::Event(_) => events += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(events < 100, "{events}");
    // The control: another person's replay is whole.
    let mut b = ben.connect().await;
    resume(&mut b).await;
    b.until(|frame| matches!(frame, ServerFrame::Resumed(_)).then_some(())).await;
}

/// Enough for Ada's 30 messages of 16 KB, and slow to come back.
const LONG_MESSAGES: &[&str] =
    &["--request-burst=400", "--requests-in-10-s=1", "--sends-in-10-s=1", "--token-sends-in-10-s=1"];

#[tokio::test]
async fn large_pages_of_history_take_from_their_person_by_their_bytes() {
    let server = Server::start_with(LONG_MESSAGES, &[]);
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let group = ada.makes_group("long", &[&ben, &cy]).await;
    for _ in 0..30 {
        ada.posts(&group, &"x".repeat(16_000)).await;
    }
    let path = |limit| format!("/api/conversations/{group}/events?limit={limit}");
    let large = until_limited(&server, "GET", &path(100), &ben.cookie).await.len();
    let small = until_limited(&server, "GET", &path(1), &cy.cookie).await.len();
    // Of 400 units a page costs 5, and one of all messages 29 more.
    assert!(small >= 60 && (8..=20).contains(&large), "{large} large and {small} small ones");
}
