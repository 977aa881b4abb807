//! A data folder with people, conversations and messages in it, made in seconds: the backend makes the database, the
//! rows go straight into it.
//!
//! Person 0, 1, 2 … are the same in every folder: [`user`], [`cookie`] and the rest say what they are known by, so
//! nothing has to be handed from whoever seeds to whoever connects. Nobody can sign in with a password; the sessions
//! are there already.
//!
//! ```text
//! let mut seed = Seed::new(folder)?;
//! seed.people(200)?;
//! let pairs = seed.directs((0..100).map(|n| (2 * n, 2 * n + 1)))?;
//! seed.messages(&pairs, 100_000)?;
//! seed.finish()?;
//! ```

use anyhow::{Context, Result};
use backend::store::{Store, writer};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use shared::ids::{CommandId, ConversationId, SessionId, Timestamp, UserId};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Messages of one conversation that stand together in the log.
const RUN: u64 = 8;
/// Rows between two looks at the clock.
const ROWS_AT_ONCE: u64 = 10_000;
/// How often whoever waits is told how far it is.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Bytes of text in each message.
pub const TEXT_BYTES: usize = 100;
/// When people were made; what they do later comes after it.
pub const BIRTH_MS: u64 = 1_790_000_000_000;

/// Who a person is.
pub fn user(person: usize) -> UserId {
    UserId::v7(birth(person), scattered(b"user", person))
}

/// The session a person has.
pub fn session(person: usize) -> SessionId {
    SessionId::v7(birth(person), scattered(b"session", person))
}

/// The conversation that was made after so many others.
pub fn conversation(number: usize) -> ConversationId {
    ConversationId::v7(birth(number), scattered(b"conversation", number))
}

/// The session's secret, as 64 hexadecimal digits.
pub fn secret(person: usize) -> String {
    hex(&secret_bytes(person))
}

/// The `Cookie` header a person's browser sends over http.
pub fn cookie(person: usize) -> String {
    format!("confab={}", secret(person))
}

/// The secret of a person's API token, as 64 hexadecimal digits.
pub fn token(person: usize, number: usize) -> String {
    hex(&token_bytes(person, number))
}

/// A conversation with its key in the database.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    key: i64,
    members: Vec<usize>,
    seq: u64,
}

/// A data folder being filled.
#[derive(Debug)]
pub struct Seed {
    database: Connection,
    people: usize,
    conversations: usize,
    commands: usize,
    now_ms: u64,
}

impl Seed {
    /// A new data folder with nobody in it.
    ///
    /// # Errors
    /// When the folder or its database cannot be made, or holds something already.
    pub fn new(folder: &Path) -> Result<Self> {
        let (outcomes, _) = tokio::sync::mpsc::channel::<Vec<writer::Outcome<()>>>(1);
        let (_, writer) = Store::open(folder, 1, outcomes)?;
        writer.close();
        let database = Connection::open(folder.join("confab.db"))?;
        let count: i64 = database.query_row("SELECT count(*) FROM user", [], |row| row.get(0))?;
        anyhow::ensure!(count == 0, "{} is not empty", folder.display());
        // What is lost with the power here is made again.
        database.pragma_update(None, "journal_mode", "OFF")?;
        database.pragma_update(None, "synchronous", "OFF")?;
        database.pragma_update(None, "cache_size", -1_000_000)?;
        // Whatever is written here refers to what was written before.
        database.pragma_update(None, "foreign_keys", false)?;
        database.execute_batch("BEGIN")?;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?;
        Ok(Self { database, people: 0, conversations: 0, commands: 0, now_ms })
    }

    /// Makes so many more people, each with a session.
    ///
    /// # Errors
    /// When the database fails.
    pub fn people(&mut self, count: usize) -> Result<()> {
        let mut account = self.database.prepare_cached(
            "INSERT INTO user (id, email, email_key, display_name, name_key, name_fold, name_exact, password_hash, created_at)
             VALUES (?1, ?2, ?2, ?3, ?4, ?4, ?4, '', ?5)",
        )?;
        let mut signed_in = self.database.prepare_cached(
            "INSERT INTO session (id, token_hash, user, created_at, last_seen_at, user_agent, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?4, 'bench', ?4 + 90 * 86400000)",
        )?;
        let mut member = self.database.prepare_cached(
            "INSERT INTO member (conversation, user, joined_at)
             SELECT key, ?1, ?2 FROM conversation WHERE kind = 'everyone'",
        )?;
        for person in self.people..self.people + count {
            let id = user(person);
            let name = format!("Person {person}");
            let email = format!("person-{person}@bench.example");
            account.execute(params![id.as_bytes(), email, name, name.to_lowercase(), self.now_ms.cast_signed()])?;
            let hash: [u8; 32] = Sha256::digest(secret_bytes(person)).into();
            signed_in.execute(params![session(person).as_bytes(), hash, id.as_bytes(), self.now_ms.cast_signed()])?;
            member.execute(params![id.as_bytes(), self.now_ms.cast_signed()])?;
        }
        drop((account, signed_in, member));
        self.people += count;
        Ok(())
    }

    /// Makes so many API tokens for a person.
    ///
    /// # Errors
    /// When the database fails.
    pub fn tokens(&mut self, person: usize, count: usize) -> Result<()> {
        let mut token = self.database.prepare_cached(
            "INSERT INTO session (id, token_hash, user, created_at, last_seen_at, user_agent, expires_at, name)
             VALUES (?1, ?2, ?3, ?4, ?4, '', ?4 + 90 * 86400000, 'bench')",
        )?;
        for number in 0..count {
            let secret = token_bytes(person, number);
            let id = SessionId::v7(birth(person), *secret.first_chunk().expect("a hash is longer"));
            let hash: [u8; 32] = Sha256::digest(secret).into();
            token.execute(params![id.as_bytes(), hash, user(person).as_bytes(), self.now_ms.cast_signed()])?;
        }
        Ok(())
    }

    /// Makes a direct conversation for each pair.
    ///
    /// # Errors
    /// When the database fails, or a pair is there already.
    pub fn directs(&mut self, pairs: impl IntoIterator<Item = (usize, usize)>) -> Result<Vec<Conversation>> {
        pairs.into_iter().map(|(one, other)| self.conversation("direct", vec![one, other])).collect()
    }

    /// Makes a group of these people; the first of them owns it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn group(&mut self, members: impl IntoIterator<Item = usize>) -> Result<Conversation> {
        self.conversation("group", members.into_iter().collect())
    }

    fn conversation(&mut self, kind: &str, members: Vec<usize>) -> Result<Conversation> {
        anyhow::ensure!(members.iter().all(|person| *person < self.people), "these people are not there yet");
        let number = self.conversations;
        self.conversations += 1;
        let id = conversation(number);
        let mut ids: Vec<_> = members.iter().map(|person| user(*person)).collect();
        ids.sort_unstable();
        // The server finds the conversation of a set of people by this.
        let set = (kind == "direct").then(|| {
            let mut hash = Sha256::new();
            ids.iter().for_each(|id| hash.update(id.as_bytes()));
            <[u8; 32]>::from(hash.finalize())
        });
        let at = self.now_ms.cast_signed();
        self.database
            .prepare_cached("INSERT INTO conversation (id, kind, member_set, created_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id.as_bytes(), kind, set, at])?;
        let key = self.database.last_insert_rowid();
        let mut member = self
            .database
            .prepare_cached("INSERT INTO member (conversation, user, joined_at, role) VALUES (?1, ?2, ?3, ?4)")?;
        for (place, person) in members.iter().enumerate() {
            let role = if place == 0 && kind == "group" { "owner" } else { "member" };
            member.execute(params![key, user(*person).as_bytes(), at, role])?;
        }
        drop(member);
        Ok(Conversation { id, key, members, seq: 0 })
    }

    /// Writes so many messages of [`TEXT_BYTES`] bytes, spread evenly over these conversations, their members in
    /// turn. Everybody has read all of them. To be called once: indexes are left out until all rows are there.
    ///
    /// # Errors
    /// When the database fails.
    pub fn messages(&mut self, conversations: &mut [Conversation], count: u64) -> Result<()> {
        let text = "x".repeat(TEXT_BYTES);
        self.messages_of(conversations, count, |_| text.clone())
    }

    /// The same with texts of one's own, by the number of the message; they are put into JSON as they are.
    ///
    /// # Errors
    /// When the database fails.
    pub fn messages_of(
        &mut self,
        conversations: &mut [Conversation],
        count: u64,
        text: impl Fn(u64) -> String,
    ) -> Result<()> {
        anyhow::ensure!(!conversations.is_empty(), "messages need a conversation");
        let indexes = self.take_indexes()?;
        let mut event = self.database.prepare_cached(
            "INSERT INTO event (conversation, seq, at, sender, kind, message_count, command, fingerprint)
             VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?6, ?7)",
        )?;
        let at = self.now_ms.cast_signed();
        let each = count / conversations.len() as u64;
        let rest = count % conversations.len() as u64;
        let mut last_positions = vec![0; conversations.len()];
        let (mut left, mut said) = (count, Instant::now());
        while left > 0 {
            for (number, conversation) in conversations.iter_mut().enumerate() {
                let wanted = each + u64::from((number as u64) < rest) - conversation.seq;
                for _ in 0..wanted.min(RUN) {
                    conversation.seq += 1;
                    let sender = conversation.members[conversation.seq as usize % conversation.members.len()];
                    let (sender, seq) = (user(sender), conversation.seq.cast_signed());
                    let id = CommandId::v7(birth(self.commands), scattered(b"command", self.commands));
                    let kind = format!("{{\"message\":{{\"id\":\"{id}\",\"content\":\"{}\"}}}}", text(count - left));
                    event.execute(params![
                        conversation.key,
                        seq,
                        at,
                        sender.as_bytes(),
                        kind,
                        id.as_bytes(),
                        [7_u8; 16]
                    ])?;
                    self.commands += 1;
                    left -= 1;
                    if left.is_multiple_of(ROWS_AT_ONCE) && said.elapsed() > SAY_EVERY {
                        said = Instant::now();
                        eprintln!("  {} of {count} messages are written", count - left);
                    }
                }
                if wanted > 0 {
                    last_positions[number] = self.database.last_insert_rowid();
                }
            }
        }
        drop(event);
        for sql in indexes {
            self.database.execute_batch(&sql)?;
        }
        let mut last = self.database.prepare_cached(
            "UPDATE conversation SET last_seq = ?2, message_count = ?2, last_position = ?3 WHERE key = ?1",
        )?;
        let mut read = self.database.prepare_cached(
            "UPDATE member SET delivered_seq = ?2, read_seq = ?2, read_count = ?2 WHERE conversation = ?1",
        )?;
        for (conversation, position) in conversations.iter().zip(last_positions) {
            last.execute(params![conversation.key, conversation.seq.cast_signed(), position])?;
            read.execute(params![conversation.key, conversation.seq.cast_signed()])?;
        }
        Ok(())
    }

    /// Takes the indexes of the log away and gives the statements that make them again: sorting all rows once is much
    /// cheaper than putting each in its place.
    fn take_indexes(&self) -> Result<Vec<String>> {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'event' AND sql NOT NULL";
        let mut found = self.database.prepare(sql)?;
        let indexes: Vec<(String, String)> =
            found.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        for (name, _) in &indexes {
            self.database.execute_batch(&format!("DROP INDEX {name}"))?;
        }
        Ok(indexes.into_iter().map(|(_, sql)| sql).collect())
    }

    /// Writes it all out; a server can be started on the folder now.
    ///
    /// # Errors
    /// When the database fails.
    pub fn finish(self) -> Result<()> {
        self.database.execute_batch("COMMIT")?;
        self.database.close().map_err(|(_, error)| error).context("The database cannot be closed")
    }
}

fn birth(number: usize) -> Timestamp {
    Timestamp::from_millis(BIRTH_MS + number as u64)
}

fn secret_bytes(person: usize) -> [u8; 32] {
    hash(b"secret", person)
}

fn token_bytes(person: usize, number: usize) -> [u8; 32] {
    hash(&[b"token".as_slice(), &number.to_be_bytes()].concat(), person)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn scattered(what: &[u8], number: usize) -> [u8; 10] {
    *hash(what, number).first_chunk().expect("a hash is longer")
}

fn hash(what: &[u8], number: usize) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(what);
    hash.update(number.to_be_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_folder_opens_and_holds_what_was_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut seed = Seed::new(folder.path()).expect("a new folder");
        seed.people(10).expect("people");
        let mut all = seed.directs([(0, 1), (2, 3)]).expect("pairs");
        all.push(seed.group(0..10).expect("a group"));
        seed.messages(&mut all, 100).expect("messages");
        seed.finish().expect("written");
        // Opening looks at every page, and for gaps in every log.
        let (outcomes, _) = tokio::sync::mpsc::channel::<Vec<writer::Outcome<()>>>(1);
        let (store, writer) = Store::open(folder.path(), 1, outcomes).expect("it opens");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let hash = Sha256::digest(secret_bytes(3)).into();
        let found =
            runtime.block_on(store.session(hash, Timestamp::from_millis(0))).expect("reads").expect("a session");
        assert_eq!((found.id, found.user.id), (session(3), user(3)));
        let list = runtime.block_on(store.conversations(user(0), None, 10)).expect("reads").conversations;
        let counts: Vec<_> = list.iter().map(|summary| (summary.last_seq.get(), summary.unread)).collect();
        assert_eq!(counts, [(33, 0), (34, 0), (0, 0)], "the group, the pair, and everyone");
        writer.close();
    }
}
