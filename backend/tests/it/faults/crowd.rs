//! People who write as fast as they can and others who watch, until the line is cut; and what both
//! know afterwards compared with what is stored.

use crate::support::{Person, Server, new_id};
use futures_util::{SinkExt, StreamExt};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use shared::conversation::ConversationKind;
use shared::frame::ServerFrame;
use shared::ids::CommandId;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

/// Commands each socket has under way.
const UNDER_WAY: usize = 8;

/// What people know.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What writers were told: command → seq.
    pub(super) accepted: HashMap<CommandId, u64>,
    /// What watchers saw: seq → command.
    pub(super) seen: BTreeMap<u64, CommandId>,
    /// What they should not have seen.
    pub(super) wrong: Vec<String>,
}

/// Some people, and what they know.
pub(super) struct Crowd {
    pub(super) people: Vec<Person>,
    pub(super) known: Arc<Mutex<Known>>,
    tasks: Vec<JoinHandle<()>>,
    /// Everything up to this seq was compared before.
    checked: HashMap<u64, CommandId>,
}

impl Crowd {
    pub(super) async fn sign_up(server: &Server, count: usize) -> Self {
        let mut people = Vec::new();
        for number in 0..count {
            people.push(server.sign_up(&format!("Person{number}")).await);
        }
        Self { people, known: Arc::default(), tasks: Vec::new(), checked: HashMap::new() }
    }

    pub(super) fn accepted(&self) -> usize {
        self.known.lock().unwrap().accepted.len()
    }

    /// Cookies stay good, the port is another one after each start.
    pub(super) fn moved_to(&mut self, server: &Server) {
        for person in &mut self.people {
            person.moved_to(&server.origin);
        }
    }

    /// `sockets` of them write, and one more of each of the first two watches.
    pub(super) fn write(&mut self, sockets: usize) {
        for number in 0..sockets {
            let person = self.people[number % self.people.len()].clone();
            self.tasks.push(tokio::spawn(write_until_cut(person, self.known.clone())));
        }
        for person in self.people.iter().take(2) {
            self.tasks.push(tokio::spawn(watch_until_cut(person.clone(), self.known.clone())));
        }
    }

    /// Waits until every line is cut.
    pub(super) async fn rest(&mut self) {
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }

    /// Compares what people know with what is stored, and looks at the database's pages.
    pub(super) fn compare(&mut self, data: &Path) -> Vec<String> {
        let database = Connection::open_with_flags(data.join("confab.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut wrong = super::damage(&database);
        let known = self.known.lock().unwrap();
        wrong.extend(known.wrong.iter().cloned());
        let first = self.checked.len() as u64;
        let stored = events(&database, first);
        for (place, (seq, id)) in (first + 1..).zip(&stored) {
            if *seq != place {
                wrong.push(format!("seq {seq} stands at place {place}"));
            }
            self.checked.insert(*seq, *id);
        }
        let count = database.query_row("SELECT count(*), count(DISTINCT kind) FROM event", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        let length = i64::try_from(self.checked.len()).unwrap();
        if count.as_ref().ok() != Some(&(length, length)) {
            wrong.push(format!("{length} events were read, each another one, and the database counts {count:?}"));
        }
        for (id, seq) in &known.accepted {
            if self.checked.get(seq) != Some(id) {
                wrong.push(format!("{id} was accepted as {seq}, where there is {:?}", self.checked.get(seq)));
            }
        }
        for (seq, id) in &known.seen {
            if self.checked.get(seq) != Some(id) {
                wrong.push(format!("{id} was seen as {seq}, where there is {:?}", self.checked.get(seq)));
            }
        }
        wrong
    }
}

/// The numbers and commands of the events of the conversation with everyone behind a seq, in the order of the
/// log.
pub(super) fn events(database: &Connection, after: u64) -> Vec<(u64, CommandId)> {
    let mut statement = database
        .prepare(
            "SELECT seq, event.command, json_extract(event.kind, '$.message.id') FROM event
             JOIN conversation ON conversation.key = event.conversation
             WHERE conversation.kind = 'everyone' AND seq > ?1 ORDER BY seq",
        )
        .unwrap();
    let rows = statement.query_map([i64::try_from(after).unwrap()], |row| {
        let (seq, command, id) = (row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?);
        let command = CommandId::from_bytes(command).expect("an id");
        assert!(id.is_none_or(|id| id == command.to_string()), "a message has its command's id");
        Ok((u64::try_from(seq).unwrap(), command))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Writes to everyone without waiting for answers, until the line is cut.
async fn write_until_cut(person: Person, known: Arc<Mutex<Known>>) {
    let Ok((mut socket, _)) = person.connect_raw().await else { return };
    let mut under_way = 0;
    loop {
        while under_way < UNDER_WAY {
            let id = new_id();
            let frame = json!({"type": "send", "id": id, "to": "everyone", "content": format!("to be kept: {id}")});
            if socket.stream.send(Message::text(frame.to_string())).await.is_err() {
                return;
            }
            under_way += 1;
        }
        match socket.stream.next().await {
            // Most frames are others' events; only answers are read whole.
            Some(Ok(Message::Text(text))) if text.starts_with(r#"{"type":"event""#) => {}
            Some(Ok(Message::Text(text))) => match ServerFrame::decode(&text) {
                Ok(Some(ServerFrame::Accepted(answer))) => {
                    known.lock().unwrap().accepted.insert(answer.id, answer.seq.get());
                    under_way -= 1;
                }
                Ok(Some(ServerFrame::Rejected(_))) => under_way -= 1,
                _ => {}
            },
            Some(Ok(_)) => {}
            _ => return,
        }
    }
}

/// Reads everything said to everyone, until the line is cut: no gap behind what `welcome` says, and
/// from the first event on each of them once and in order. (The first ones may be in `welcome` as well:
/// they were stored before it was read, and delivered after.)
async fn watch_until_cut(person: Person, known: Arc<Mutex<Known>>) {
    let Ok((mut socket, _)) = person.connect_raw().await else { return };
    let mut last = None;
    let mut is_first = true;
    while let Some(Ok(frame)) = socket.stream.next().await {
        let Message::Text(text) = frame else { continue };
        match ServerFrame::decode(&text) {
            Ok(Some(ServerFrame::Welcome(welcome))) => {
                let everyone = welcome.conversations.iter().find(|found| found.kind == ConversationKind::Everyone);
                last = everyone.map(|summary| summary.last_seq.get());
            }
            Ok(Some(ServerFrame::Event(event))) => {
                let (seq, id) = (event.seq.get(), event.kind.as_message().unwrap().id);
                let mut known = known.lock().unwrap();
                let may_repeat = std::mem::replace(&mut is_first, false);
                if last.is_none_or(|last| seq != last + 1 && !(may_repeat && seq <= last)) {
                    known.wrong.push(format!("{seq} was seen behind {last:?}"));
                }
                last = Some(seq);
                if known.seen.insert(seq, id).is_some_and(|before| before != id) {
                    known.wrong.push(format!("{seq} was seen as two messages"));
                }
            }
            // Too far behind: a page would load the conversation again.
            Ok(Some(ServerFrame::Resync(_))) => return,
            _ => {}
        }
    }
}
