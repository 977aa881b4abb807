//! Search: everything one may read is found, and nothing else, not even in counts.

use crate::support::{Person, Server, new_id};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The answer to a search; further parameters stand behind `&`.
async fn search(person: &Person, query: &str) -> (u16, Value) {
    let (query, rest) = query.split_once('&').unwrap_or((query, ""));
    let query: String = url_encoded(query);
    person.get(&format!("/api/search?query={query}&{rest}")).await
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The texts that are found.
async fn found(person: &Person, query: &str) -> Vec<String> {
    let (status, body) = search(person, query).await;
    assert_eq!(status, 200, "{query}: {body}");
    let results = body["results"].as_array().unwrap().iter();
    results.map(|result| result["event"]["kind"]["message"]["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn words_are_found_as_soon_as_they_are_accepted() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let id = ada.makes_group("Walks", &[&ben]).await;
    for text in
        ["Green tea is ready", "the café closes", "a greenhouse", "今天天气很好", "東京タワー", "don't **panic**"]
    {
        ada.posts(&id, text).await;
    }
    for (query, expected) in [
        ("green", &["a greenhouse", "Green tea is ready"][..]),
        ("green ", &["Green tea is ready"]),
        ("TEA green", &["Green tea is ready"]),
        ("\"green tea\"", &["Green tea is ready"]),
        ("\"tea green\"", &[]),
        ("CAFE", &["the café closes"]),
        ("天气", &["今天天气很好"]),
        ("气天", &[]),
        ("京タ", &["東京タワー"]),
        ("don't", &["don't **panic**"]),
        ("panic", &["don't **panic**"]),
        ("tea OR panic", &[]),
        ("text:tea", &[]),
        ("c1", &[]),
    ] {
        assert_eq!(found(&ben, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn words_are_found_in_any_spelling_of_any_script_and_so_are_emoji() {
    let server = Server::start();
    let ada = server.sign_up_at("ada", "Zoë O'Brien").await;
    let id = ada.makes_group("Łódź café", &[]).await;
    let texts = [
        ("ο δρόμος", "ΔΡΟΜΟΣ"),
        ("مُحَمَّد", "محمد"),
        ("Łódź", "lodz"),
        ("Işık geldi", "isik geldi"),
        ("Işık gitti", "ışık git"),
        ("\u{1109}\u{1165}\u{110b}\u{116e}\u{11af}\u{110b}\u{1166}\u{1109}\u{1165}", "서울에서"),
        ("か\u{3099}くせい", "がくせい"),
        ("１０時 ＡＢＣ商事", "10時 abc"),
        ("ﾊﾝｶｸ", "ハンカク"),
        ("party 🎉 time", "🎉"),
        ("party 🎊 tune", "\"party tune\""),
        ("👍🏽 done", "👍"),
        ("Donau\u{ad}dampfschiff", "donaudampfschiff"),
        ("super\u{200b}califragil", "supercalifragil"),
        ("v1.20.3", "1.20.3"),
        ("**bo**ld", "bold "),
        ("schöne Straße", "strasse"),
        ("क़लम", "कलम"),
        ("שָׁלוֹם", "שלום"),
        ("ёлка", "елка"),
        ("wow‼️", "‼"),
    ];
    for (text, _) in texts {
        ada.posts(&id, text).await;
    }
    for (text, query) in texts {
        assert_eq!(found(&ada, query).await, [text], "{query}");
        assert!(found(&ada, text).await.contains(&text.to_owned()), "{text}");
    }
    for query in ["from:zoe lodz", "from:brien lodz", "from:\"zoe o’brien\" lodz", "in:lodz łódź", "in:CAFÉ lodz"]
    {
        assert_eq!(found(&ada, query).await, ["Łódź"], "{query}");
    }
    for nothing in ["かくせい", "서우", "🎉🎊", "time🎊", "ové"] {
        assert_eq!(found(&ada, nothing).await, Vec::<String>::new(), "{nothing}");
    }
}

#[tokio::test]
async fn nothing_is_found_of_what_one_may_not_read() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let secret = ada.makes_group("Secret", &[&ben]).await;
    ada.posts(&secret, "the treasure is here").await;
    let (_, nothing) = search(&cy, "nothingatall").await;
    for query in ["treasure", "treasure from:ada", "from:ada", "treasure in:secret"] {
        assert_eq!(search(&cy, query).await.1, nothing, "{query}");
    }
    assert_eq!(search(&cy, &format!("treasure&conversation={secret}")).await.1, nothing);
    assert_eq!(found(&ben, "treasure").await.len(), 1);
    // Who leaves finds nothing of it any more, and who comes finds what they can read.
    let member = |person: &Person| format!("/api/conversations/{secret}/members/{}", person.id);
    assert_eq!(ben.request(Method::DELETE, &member(&ben), None).await.0, 204);
    assert_eq!(search(&ben, "treasure").await.1, nothing);
    assert_eq!(ada.request(Method::PUT, &member(&cy), None).await.0, 204);
    assert_eq!(found(&cy, "treasure").await.len(), 1);
}

#[tokio::test]
async fn answer_to_a_search_never_leaves_before_the_first_step() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let group = ada.makes_group("Plans", &[]).await;
    for _ in 0..3 {
        ada.posts(&group, "layoffs").await;
    }
    // Words of one's own, of somebody else, of nobody; by somebody; in a conversation.
    for (person, query) in
        [(&ada, "layoffs "), (&ben, "layoffs "), (&ben, "nothing"), (&ben, "layoffs from:ada"), (&ada, "in:plans lay")]
    {
        for _ in 0..5 {
            let begun = Instant::now();
            assert_eq!(search(person, query).await.0, 200);
            assert!(begun.elapsed() >= Duration::from_millis(20), "{query}");
        }
    }
}

#[tokio::test]
async fn filters_narrow_it_down() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up_at("ada", "Ada Lovelace").await, server.sign_up("Ben").await);
    let (walks, talks) = (ada.makes_group("Walks", &[&ben]).await, ada.makes_group("Talks", &[&ben]).await);
    ada.posts(&walks, "rain today").await;
    ben.posts(&walks, "rain https://example.org/rain").await;
    ben.posts(&talks, "rain again").await;
    for (query, expected) in [
        ("rain from:ada", &["rain today"][..]),
        ("rain from:\"ada lovelace\"", &["rain today"]),
        ("from:lovelace", &["rain today"]),
        ("rain from:nobody", &[]),
        ("rain in:talk", &["rain again"]),
        ("rain has:link", &["rain https://example.org/rain"]),
        ("has:link", &["rain https://example.org/rain"]),
        ("rain has:file", &[]),
        ("rain after:2020-01-01 before:2021-01-01", &[]),
        ("rain after:2020-01-01 in:talks", &["rain again"]),
    ] {
        assert_eq!(found(&ada, query).await, expected, "{query}");
    }
    assert_eq!(found(&ada, &format!("rain&conversation={talks}")).await, ["rain again"]);
    for bad in ["", "in:walks", "has:wings", "before:tomorrow", ":)"] {
        let (status, body) = search(&ada, bad).await;
        assert_eq!((status, &body["error"]["field"]), (422, &json!("query")), "{bad}");
    }
}

#[tokio::test]
async fn a_changed_message_is_found_by_its_new_text_and_a_deleted_one_not_at_all() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let id = ada.makes_group("Walks", &[]).await;
    let (first, second) = (ada.posts(&id, "the first draft").await, ada.posts(&id, "the second draft").await);
    assert_eq!(found(&ada, "draft").await.len(), 2);
    let mut socket = ada.connect().await;
    for command in [
        json!({"type": "edit", "id": new_id(), "conversation": id, "target": first, "content": "the final text"}),
        json!({"type": "delete", "id": new_id(), "conversation": id, "target": second}),
    ] {
        socket.send(command).await;
        socket.until(|frame| matches!(frame, shared::frame::ServerFrame::Accepted(_)).then_some(())).await;
    }
    assert_eq!(found(&ada, "draft").await, Vec::<String>::new());
    // Not even in the file.
    for file in ["search.db", "search.db-wal"] {
        let bytes = std::fs::read(server.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(5).any(|window| window == b"draft"), "{file}");
    }
    assert_eq!(found(&ada, "final").await, ["the final text"]);
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let id = ada.makes_group("Walks", &[]).await;
    for number in 0..25 {
        ada.posts(&id, &format!("drop {number}")).await;
    }
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let (_, body) = search(&ada, &format!("drop&limit=10{before}")).await;
        let results = body["results"].as_array().unwrap();
        assert!(!results.is_empty());
        seen.extend(results.iter().map(|result| result["event"]["seq"].as_u64().unwrap()));
        before = format!("&before={}", results.last().unwrap()["event"]["at"]);
        if body["more"] == false {
            break;
        }
    }
    let mut expected: Vec<_> = (2..27).collect();
    expected.reverse();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_index_is_made_anew_when_it_is_lost_or_damaged() {
    let mut server = Server::start();
    let mut ada = server.sign_up("Ada").await;
    let id = ada.makes_group("Walks", &[]).await;
    ada.posts(&id, "needle").await;
    assert_eq!(found(&ada, "needle").await, ["needle"]);
    for damage in [None, Some(vec![7; 20_000])] {
        let (_, _, folder) = server.terminate();
        let index = folder.path().join("search.db");
        match damage {
            None => std::fs::remove_file(&index).unwrap(),
            Some(bytes) => std::fs::write(&index, bytes).unwrap(),
        }
        server = Server::start_on(folder, &[]);
        ada.moved_to(&server.origin);
        assert_eq!(found(&ada, "needle").await, ["needle"]);
    }
}

#[tokio::test]
async fn times_beyond_any_clock_are_after_everything() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let id = ada.makes_group("Walks", &[]).await;
    ada.posts(&id, "tea").await;
    for before in [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 53] {
        assert_eq!(found(&ada, &format!("tea&before={before}")).await, ["tea"], "{before}");
    }
}
