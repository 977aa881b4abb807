//! What somebody may not read changes no answer that they get: not what is found, nor how much, nor in which order.
//!
//! Two data folders have the same people and the same conversations of Eve; one of them also has what others have said
//! elsewhere, before, between and after that, in conversations of the same names, by people of the same names, with all
//! the words she looks for, by clocks that were wrong. Into some of these conversations she is asked: these, their members
//! and her requests are in both, and what was said in them is not. All that Eve asks is answered alike, byte for byte.

use crate::faults::dice::Dice;
use crate::support::{Person, Server};
use backend::clock;
use client::search::further;
use rusqlite::{Connection, Statement, params};
use serde_json::{Value, json};
use shared::event::EventKind;
use shared::ids::{CommandId, ConversationId, Seq, Timestamp, UserId};
use shared::message::{Deleted, Edited, Message};
use shared::search::SearchResults;
use std::collections::HashMap;
use std::path::Path;
use tempfile::TempDir;

/// What is said and looked for.
const WORDS: [&str; 6] = ["tea", "rain", "layoffs", "merger", "walking", "https://example.org/tea"];
/// What conversations are called.
const NAMES: [&str; 3] = ["Walks", "Talks", "Project"];
/// The server's clock when all begins, in milliseconds: 26 November 2026, a minute before midnight.
const BEGIN: u64 = 1_795_737_540_000;
/// Messages that Eve may read.
const SEEN: usize = 300;
/// What others say elsewhere in between, and after all that: more than any bound that there ever was.
const BETWEEN: usize = 600;
const AFTER: usize = 5_200;
/// Groups that Eve is asked into.
const ASKED: usize = 4;
/// People of one name, more than one question to the index has room for.
const NAMESAKES: usize = 600;

/// A conversation. The first of a plan is the one that everybody is in.
struct Place {
    id: ConversationId,
    name: Option<&'static str>,
    members: Vec<UserId>,
    is_seen: bool,
    /// Eve is asked into it: she is told its name and how many are there, and reads nothing of it.
    is_asked: bool,
}

/// An event of a log, as it stands in the end.
struct Entry {
    place: usize,
    seq: u64,
    at: u64,
    sender: UserId,
    kind: EventKind,
    target: Option<u64>,
}

/// All that happens.
#[derive(Default)]
struct Plan {
    places: Vec<Place>,
    entries: Vec<Entry>,
    /// How many events each log has.
    lengths: Vec<u64>,
    /// The messages of each that are not deleted, as places in `entries`.
    messages: Vec<Vec<usize>>,
}

impl Plan {
    fn push_place(&mut self, dice: &mut Dice, members: Vec<UserId>, is_seen: bool) {
        let name = NAMES.get(dice.below(NAMES.len() + 1)).copied();
        self.places.push(Place { id: clock::id(ConversationId::v7), name, members, is_seen, is_asked: false });
        self.lengths.push(0);
        self.messages.push(Vec::new());
    }

    fn push(&mut self, place: usize, at: u64, sender: UserId, kind: EventKind, target: Option<u64>) {
        self.lengths[place] += 1;
        self.entries.push(Entry { place, seq: self.lengths[place], at, sender, kind, target });
    }

    /// Somebody says something, or changes or deletes what was said before.
    fn say(&mut self, dice: &mut Dice, place: usize, at: u64, sender: UserId, text: String) {
        let old = match self.messages[place].len() {
            0 => None,
            count => Some(dice.below(4 * count)).filter(|old| *old < count / 4),
        };
        let Some(old) = old else {
            self.messages[place].push(self.entries.len());
            let message = Message::new(clock::id(CommandId::v7), text, None);
            return self.push(place, at, sender, EventKind::Message(message), None);
        };
        let entry = self.messages[place][old];
        let is_deleted = dice.below(2) == 0;
        if is_deleted {
            self.messages[place].remove(old);
        }
        let Entry { seq, kind, sender: writer, .. } = &mut self.entries[entry];
        let EventKind::Message(message) = kind else { panic!("it is a message") };
        let (target, writer) = (Seq::new(*seq).unwrap(), *writer);
        message.content = if is_deleted { String::new() } else { text.clone() };
        *if is_deleted { &mut message.deleted_at } else { &mut message.edited_at } = Some(Timestamp::from_millis(at));
        let note = match is_deleted {
            true => EventKind::Deleted(Deleted { target }),
            false => {
                EventKind::Edited(Edited { target, content: text, mentions: Vec::new(), mention_names: Vec::new() })
            }
        };
        self.push(place, at, writer, note, Some(target.get()));
    }

    /// The messages with a word that Eve may read, the newest first.
    fn with(&self, word: &str, may: impl Fn(&Entry) -> bool) -> Vec<(ConversationId, u64)> {
        let has = |entry: &&Entry| {
            let text = entry.kind.as_message().map_or("", |message| &message.content);
            self.places[entry.place].is_seen && text.split([' ', '/']).any(|other| other == word) && may(entry)
        };
        let mut found: Vec<_> = self.entries.iter().filter(has).collect();
        found.reverse();
        found.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        found.into_iter().map(|entry| (self.places[entry.place].id, entry.seq)).collect()
    }
}

/// The people of a story.
struct People {
    eve: Person,
    ada: UserId,
    ben: UserId,
    /// They share nothing with Eve but the conversation that everybody is in.
    cy: UserId,
    /// People called "Ada 000" and so on.
    namesakes: Vec<UserId>,
}

/// What happens to Eve, who is in so many conversations, and elsewhere.
fn plan(dice: &mut Dice, people: &People, conversations: usize) -> Plan {
    let People { eve, ada, ben, cy, namesakes } = people;
    let last = *namesakes.last().unwrap();
    let mut plan = Plan::default();
    plan.push_place(dice, Vec::new(), true);
    let (mut seen, mut unseen) = (vec![0], Vec::new());
    for number in 1..conversations + 40 {
        let is_seen = number < conversations;
        if is_seen { &mut seen } else { &mut unseen }.push(number);
        let members = match (is_seen, dice.below(3)) {
            (true, 0) => vec![eve.id, *ada],
            (true, 1) => vec![eve.id, *ada, *ben],
            (true, _) => vec![eve.id, last],
            (false, 0) => vec![*ada, *ben],
            (false, 1) => vec![*cy, namesakes[0]],
            (false, _) => vec![*ada, *cy, last],
        };
        plan.push_place(dice, members, is_seen);
    }
    plan.places.iter_mut().filter(|place| !place.is_seen).take(ASKED).for_each(|place| place.is_asked = true);
    let mut clock = BEGIN;
    let elsewhere = |plan: &mut Plan, dice: &mut Dice, clock: u64| {
        let place = unseen[dice.below(unseen.len())];
        let sender = plan.places[place].members[dice.below(2)];
        let at = match dice.below(40) {
            0 => clock - 90_000_000,
            1 => clock + 90_000_000,
            _ => clock,
        };
        plan.say(dice, place, at, sender, WORDS.join(" "));
    };
    for number in 0..SEEN {
        // Many say something in the same millisecond, and sometimes the clock is set back.
        clock = if dice.below(60) == 0 { clock - 20 } else { clock + dice.below(3) as u64 };
        if number == SEEN / 2 {
            // Midnight.
            clock += 120_000;
        }
        let place = seen[dice.below(seen.len())];
        let sender = match plan.places[place].members.len() {
            0 => [eve.id, *ada, last][dice.below(3)],
            count => plan.places[place].members[dice.below(count)],
        };
        let words: Vec<_> = (0..=dice.below(3)).map(|_| WORDS[dice.below(WORDS.len())]).collect();
        plan.say(dice, place, clock, sender, format!("{} {number}", words.join(" ")));
        for _ in 0..dice.below(2 * BETWEEN / SEEN + 1) {
            elsewhere(&mut plan, dice, clock);
        }
    }
    for _ in 0..AFTER {
        elsewhere(&mut plan, dice, clock);
    }
    plan
}

/// Writes what happens into a stopped server's database, with or without what Eve may not read.
fn write(folder: &Path, people: &People, plan: &Plan, has_unseen: bool) {
    let mut database = Connection::open(folder.join("confab.db")).unwrap();
    let transaction = database.transaction().unwrap();
    let everyone: (i64, Vec<u8>) = transaction
        .query_row("SELECT key, id FROM conversation WHERE kind = 'everyone'", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(everyone.1, plan.places[0].id.as_bytes());
    let (eve, others) = (people.eve.id, &people.namesakes);
    let mut keys = HashMap::from([(0, everyone.0)]);
    let prepare = |sql: &str| -> Statement<'_> { transaction.prepare(sql).unwrap() };
    let mut conversation =
        prepare("INSERT INTO conversation (id, kind, name, created_at) VALUES (?1, 'group', ?2, ?3) RETURNING key");
    let mut member = prepare("INSERT INTO member (conversation, user, joined_at) VALUES (?1, ?2, ?3)");
    // Those of others stand among those of Eve, so that no key is the same in both.
    let mut order: Vec<_> = (1..plan.places.len()).collect();
    order.sort_by_key(|number| plan.places[*number].id.as_bytes()[15]);
    let mut ask = prepare("INSERT INTO group_request (user, conversation, asker, at) VALUES (?1, ?2, ?3, ?4)");
    for number in order {
        let Place { id, name, members, is_seen, is_asked } = &plan.places[number];
        if *is_seen || *is_asked || has_unseen {
            let key: i64 =
                conversation.query_row(params![id.as_bytes(), name, BEGIN as i64], |row| row.get(0)).unwrap();
            keys.insert(number, key);
            for user in members {
                member.execute(params![key, user.as_bytes(), BEGIN as i64]).unwrap();
            }
            // Others are asked as well, which is nothing of hers.
            let asked = if *is_asked { Some(eve) } else { others.get(number).filter(|_| !is_seen).copied() };
            if let Some(asked) = asked {
                ask.execute(params![asked.as_bytes(), key, members[0].as_bytes(), BEGIN as i64]).unwrap();
            }
        }
    }
    let mut event = prepare(
        "INSERT INTO event (position, conversation, seq, at, sender, kind, target, message_count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    );
    let mut end =
        prepare("UPDATE conversation SET last_seq = ?2, message_count = ?3, last_position = ?4 WHERE key = ?1");
    let (mut position, mut counts) = (0_i64, HashMap::new());
    for entry in &plan.entries {
        let Some(key) = keys.get(&entry.place).filter(|_| plan.places[entry.place].is_seen || has_unseen) else {
            continue;
        };
        position += 1;
        let count = counts.entry(entry.place).or_insert(0_i64);
        *count += i64::from(matches!(entry.kind, EventKind::Message(_)));
        let kind = serde_json::to_string(&entry.kind).unwrap();
        let (seq, target) = (entry.seq as i64, entry.target.map(|target| target as i64));
        event
            .execute(params![position, key, seq, entry.at as i64, entry.sender.as_bytes(), kind, target, *count])
            .unwrap();
        end.execute(params![key, seq, *count, position]).unwrap();
    }
    drop((conversation, member, ask, event, end));
    transaction.commit().unwrap();
}

/// Accounts of one name, in the conversation that everybody is in.
fn add_namesakes(folder: &Path) -> Vec<UserId> {
    let mut database = Connection::open(folder.join("confab.db")).unwrap();
    let transaction = database.transaction().unwrap();
    let mut ids = Vec::new();
    for number in 0..NAMESAKES {
        let id = clock::id(UserId::v7);
        let mail = format!("ada{number}@example.org");
        transaction
            .execute(
                "INSERT INTO user (id, email, email_key, display_name, name_key, name_fold, name_exact, password_hash, created_at)
                 VALUES (?1, ?2, ?2, ?3, lower(?3), lower(?3), lower(?3), '', 1)",
                params![id.as_bytes(), mail, format!("Ada {number:03}")],
            )
            .unwrap();
        ids.push(id);
    }
    transaction
        .execute(
            "INSERT OR IGNORE INTO member (conversation, user, joined_at)
             SELECT key, user.id, 1 FROM conversation, user WHERE kind = 'everyone'",
            [],
        )
        .unwrap();
    transaction.commit().unwrap();
    ids
}

fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// All that Eve asks, and the answers.
async fn answers(eve: &Person, people: &People, plan: &Plan) -> Vec<(String, String)> {
    let seen: Vec<_> = plan.places.iter().filter(|place| place.is_seen).map(|place| place.id).take(4).collect();
    let unseen = plan.places.iter().rfind(|place| !place.is_seen).unwrap().id;
    let asked = plan.places.iter().find(|place| place.is_asked).unwrap().id;
    let search = |query: &str, rest: &str| {
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("/api/search?query={query}{rest}")
    };
    // Of somebody who is in very many, an unoptimised server needs a second for each: then a few have to do.
    let is_large = plan.places.len() > 1_000;
    let rests: &[&str] =
        if is_large { &["&limit=3"] } else { &["", "&limit=1", "&limit=3", "&limit=100", "&limit=10&skip=10"] };
    let mut paths = Vec::new();
    for query in [
        "tea",
        "tea ",
        "lay",
        "layoffs ",
        "\"tea rain\"",
        "rain merger",
        "nothing",
        "from:ada",
        "tea from:ada",
        "from:\"ada 599\"",
        "from:ben",
        "tea from:cy",
        "from:eve rain",
        "tea in:walks",
        "rain in:talks",
        "tea in:ben",
        "tea in:everyone",
        "tea in:ada",
        "has:link",
        "has:file",
        "tea has:link from:ada in:project",
        "tea before:2026-11-27",
        "tea after:2026-11-27",
        "rain after:2026-11-26 before:2026-11-27",
        "merger after:2027-01-01",
    ]
    .into_iter()
    .step_by(if is_large { 3 } else { 1 })
    {
        for rest in rests {
            paths.push(search(query, rest));
        }
    }
    for step in 0..if is_large { 1 } else { 10 } {
        paths.push(search("tea", &format!("&limit=10&before={}", BEGIN + step * 50)));
        paths.push(search("tea", &format!("&limit=10&before={}", BEGIN + 120_000 + step * 50)));
    }
    paths.push(search("tea", &format!("&conversation={unseen}")));
    paths.push("/api/group-requests".into());
    for id in seen.into_iter().chain([unseen, asked]) {
        paths.push(search("tea", &format!("&conversation={id}")));
        for rest in
            ["", "/events", "/events?before=9", "/events?around=5", "/receipts", "/members?limit=100", "/departure"]
        {
            paths.push(format!("/api/conversations/{id}{rest}"));
        }
        paths.push(format!("/api/conversations/{id}/events?at={}", BEGIN + 100));
    }
    let ids: Vec<_> = [people.ada, people.ben, people.cy, people.namesakes[0]].iter().map(UserId::to_string).collect();
    paths.push(format!("/api/users?ids={}", ids.join(",")));
    paths.extend(["/api/users", "/api/users?search=ada&limit=100", "/api/channels"].map(str::to_owned));
    let mut answers = Vec::new();
    for path in paths {
        let (status, body) = eve.get_bytes(&path).await;
        answers.push((path, format!("{status} {body}")));
    }
    let mut path = "/api/conversations?limit=100".to_owned();
    for _ in 0..12 {
        let (_, body) = eve.get_bytes(&path).await;
        let list: Value = serde_json::from_str(&body).unwrap();
        answers.push((path, body));
        let Some(last) = list["conversations"].as_array().unwrap().last().filter(|_| list["more"] == true) else {
            break;
        };
        path = format!("/api/conversations?limit=100&before={}", last["id"].as_str().unwrap());
    }
    let welcome = eve.connect().await.welcome.unwrap();
    assert_eq!(welcome.group_requests, ASKED as u64);
    let first = json!([welcome.conversations, welcome.more, welcome.presence, welcome.group_requests]);
    answers.push(("welcome".into(), first.to_string()));
    answers
}

/// All that a search finds, page by page, as the page asks for them.
async fn pages(eve: &Person, query: &str, limit: usize) -> Vec<(ConversationId, u64)> {
    let mut known = Vec::new();
    loop {
        let from = further(&known).map(|from| format!("&before={}&skip={}", from.before.as_millis(), from.skip));
        let path = format!("/api/search?query={query}&limit={limit}{}", from.unwrap_or_default());
        let (status, page) = eve.get(&path).await;
        assert_eq!(status, 200, "{page}");
        let SearchResults { results, more } = serde_json::from_value(page).unwrap();
        known.extend(results);
        if !more {
            return known.into_iter().map(|result| (result.conversation, result.event.seq.get())).collect();
        }
    }
}

/// The people whom a message of Eve's names.
async fn mentions(eve: &Person, plan: &Plan) -> String {
    let place = plan.places.iter().rfind(|place| place.is_seen).unwrap().id;
    let seq = eve.posts(&place.to_string(), "@Ada @Ben @Cy @\"Ada 599\" @\"Ada 000\"").await;
    let (_, page) = eve.get(&format!("/api/conversations/{place}/events?after={}", seq - 1)).await;
    page["events"][0]["kind"]["message"]["mentions"].to_string()
}

/// Tells the story twice, without and with what Eve may not read, and gives what differs for her or is not found.
async fn differences(conversations: usize, environment: &[(&str, &str)]) -> Vec<String> {
    let mut dice = Dice::new();
    let server = Server::start();
    let (eve, ada) = (server.sign_up("Eve").await, server.sign_up_at("ada", "Ada").await.id);
    let (ben, cy) = (server.sign_up("Ben").await.id, server.sign_up("Cy").await.id);
    let (_, list) = eve.get("/api/conversations").await;
    let everyone: ConversationId = list["conversations"][0]["id"].as_str().unwrap().parse().unwrap();
    let folder = server.terminate().2;
    let people = People { eve, ada, ben, cy, namesakes: add_namesakes(folder.path()) };
    let mut plan = plan(&mut dice, &people, conversations);
    plan.places[0].id = everyone;
    let other = copy(folder.path());
    write(folder.path(), &people, &plan, false);
    write(other.path(), &people, &plan, true);
    let mut told = Vec::new();
    for folder in [folder, other] {
        let server = Server::start_on_with(folder, environment);
        let mut eve = people.eve.clone();
        eve.moved_to(&server.origin);
        let mut told_here = answers(&eve, &people, &plan).await;
        let is_large = conversations > 1_000;
        let whole: &[_] = if is_large { &[("tea", 30)] } else { &[("tea", 7), ("layoffs", 2), ("rain", 100)] };
        for &(word, limit) in whole {
            let found = pages(&eve, &format!("{word}%20"), limit).await;
            let is_whole = found == plan.with(word, |_| true);
            told_here.push((format!("all with {word}, {limit} at a time"), format!("{is_whole} {found:?}")));
        }
        let last = *people.namesakes.last().unwrap();
        let found = pages(&eve, "tea%20from:ada", 100).await;
        let is_whole = found == plan.with("tea", |entry| entry.sender == ada || entry.sender == last);
        told_here.push(("all of everybody called Ada".into(), format!("{is_whole} {found:?}")));
        told_here.push(("mentions".into(), mentions(&eve, &plan).await));
        told.push(told_here);
    }
    let (with, without) = (told.pop().unwrap(), told.pop().unwrap());
    assert_eq!(with.len(), without.len());
    let mut wrong = Vec::new();
    for ((what, one), (_, other)) in without.into_iter().zip(with) {
        // All that she may read is found, too.
        if one != other || what.starts_with("all ") && !one.starts_with("true [(") {
            wrong.push(format!("{what}:\n  {one}\n  {other}"));
        }
    }
    wrong
}

#[tokio::test]
async fn answers_to_somebody_in_few_conversations_do_not_depend_on_what_they_may_not_read() {
    for conversations in [1, 2, 60] {
        assert_eq!(differences(conversations, &[]).await, Vec::<String>::new(), "{conversations}");
    }
}

#[tokio::test]
async fn answers_to_somebody_in_501_conversations_do_not_depend_on_what_they_may_not_read() {
    assert_eq!(differences(501, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn answers_to_somebody_in_10001_conversations_do_not_depend_on_what_they_may_not_read() {
    assert_eq!(differences(10_001, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn control_a_search_of_all_conversations_that_drops_what_may_not_be_read_is_noticed() {
    assert!(!differences(501, &[("CONFAB_FAULT", "search_everywhere")]).await.is_empty());
}
