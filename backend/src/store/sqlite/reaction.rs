//! How reactions stand.

use super::row::{self, Sql};
use crate::store::Error;
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::event::{Event, EventKind};
use shared::ids::{Seq, Timestamp, UserId};
use shared::limits::REACTION_USERS_MAX;
use shared::reaction::{Reaction, is_same};
use std::collections::HashMap;

/// Reactions that were taken back, remembered for each message.
const TAKEN_BACK_MAX: u32 = 100;

/// Whether somebody's reaction is set, by which event, and since when; `None` if it never was.
pub(in crate::store) fn find(
    database: &Connection,
    conversation: i64,
    target: Seq,
    emoji: &str,
    user: UserId,
) -> Result<Option<(bool, Seq, Timestamp)>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT is_on, seq, at FROM reaction WHERE conversation = ?1 AND target = ?2 AND emoji = ?3 AND user = ?4",
    )?;
    Ok(statement
        .query_row(params![conversation, Sql(target), emoji, Sql(user)], |found| {
            Ok((found.get("is_on")?, row::get(found, "seq")?, row::get(found, "at")?))
        })
        .optional()?)
}

/// The kind of reaction to a message that comes after another in the table's order.
const NEXT_KIND: &str = "SELECT emoji FROM reaction WHERE conversation = ?1 AND target = ?2 AND emoji > ?3 AND is_on ORDER BY emoji LIMIT 1";

/// The spelling in which a sign stands among the reactions to a message, so that it is one reaction there; one that `user`
/// has given before others. As it is written where it is new. Steps from kind to kind, as [`has_room`] does.
pub(in crate::store) fn spelling(
    database: &Connection,
    conversation: i64,
    target: Seq,
    emoji: &str,
    user: UserId,
    most: usize,
) -> Result<String, Error> {
    let mut next = database.prepare_cached(NEXT_KIND)?;
    let (mut last, mut known) = (String::new(), None);
    // Messages from before may have a few more kinds: spellings of one sign counted as several.
    for _ in 0..most {
        let found = next.query_row(params![conversation, Sql(target), last], |found| found.get::<_, String>(0));
        let Some(kind) = found.optional()? else { break };
        if is_same(&kind, emoji) {
            if matches!(find(database, conversation, target, &kind, user)?, Some((true, ..))) {
                return Ok(kind);
            }
            known.get_or_insert_with(|| kind.clone());
        }
        last = kind;
    }
    Ok(known.unwrap_or_else(|| emoji.to_owned()))
}

/// Whether one more kind of reaction fits, or this kind is there already. Steps from kind to kind in the table's own order,
/// so that it costs at most `most` steps and the reactions taken back ([`TAKEN_BACK_MAX`]), however many people react.
pub(in crate::store) fn has_room(
    database: &Connection,
    conversation: i64,
    target: Seq,
    emoji: &str,
    most: usize,
) -> Result<bool, Error> {
    let mut next = database.prepare_cached(NEXT_KIND)?;
    let mut last = String::new();
    for _ in 0..most {
        let found = next.query_row(params![conversation, Sql(target), last], |found| found.get::<_, String>(0));
        match found.optional()? {
            Some(kind) if kind == emoji => return Ok(true),
            Some(kind) => last = kind,
            None => return Ok(true),
        }
    }
    // As many as there may be were found; this one may be a later one of them.
    let mut is_there = database.prepare_cached(
        "SELECT 1 FROM reaction WHERE conversation = ?1 AND target = ?2 AND emoji = ?3 AND is_on LIMIT 1",
    )?;
    Ok(is_there.exists(params![conversation, Sql(target), emoji])?)
}

#[expect(clippy::too_many_arguments, reason = "they are the row's columns")]
pub(in crate::store) fn set(
    database: &Connection,
    conversation: i64,
    target: Seq,
    emoji: &str,
    user: UserId,
    is_on: bool,
    seq: Seq,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached(
            "INSERT INTO reaction (conversation, target, emoji, user, is_on, seq, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET is_on = excluded.is_on, seq = excluded.seq, at = excluded.at",
        )?
        .execute(params![conversation, Sql(target), emoji, Sql(user), is_on, Sql(seq), Sql(at)])?;
    if !is_on {
        // What was taken back is remembered for its answer; ever new ones do not pile up.
        database
            .prepare_cached(
                "DELETE FROM reaction INDEXED BY reaction_taken_back
                 WHERE conversation = ?1 AND target = ?2 AND is_on = 0 AND seq <= (
                   SELECT seq FROM reaction INDEXED BY reaction_taken_back
                   WHERE conversation = ?1 AND target = ?2 AND is_on = 0
                   ORDER BY seq DESC LIMIT 1 OFFSET ?3)",
            )?
            .execute(params![conversation, Sql(target), TAKEN_BACK_MAX])?;
    }
    Ok(())
}

/// A deleted message has no reactions.
pub(in crate::store) fn clear(database: &Connection, conversation: i64, target: Seq) -> Result<(), Error> {
    database
        .prepare_cached("DELETE FROM reaction WHERE conversation = ?1 AND target = ?2")?
        .execute(params![conversation, Sql(target)])?;
    Ok(())
}

/// Adds what [`spans`] found to the messages among these events of one log.
pub(in crate::store) fn fold(events: &mut [Event], conversation: i64, found: &mut HashMap<(i64, Seq), Vec<Reaction>>) {
    for event in events {
        if let EventKind::Message(message) = &mut event.kind
            && let Some(reactions) = found.remove(&(conversation, event.seq))
        {
            message.reactions = reactions;
        }
    }
}

/// The reactions of the messages in these spans, a JSON list of `[conversation, first, last]`: by
/// message, in the order in which each kind was first given, and its people in the order they gave
/// it: the first [`REACTION_USERS_MAX`] of them, the last of whom gives way to the reader. The others are counted.
pub(in crate::store) fn spans(
    database: &Connection,
    spans: &str,
    reader: UserId,
) -> Result<HashMap<(i64, Seq), Vec<Reaction>>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT conversation, target, emoji, user FROM json_each(?1) AS span
         JOIN reaction ON conversation = span.value ->> 0 AND target BETWEEN span.value ->> 1 AND span.value ->> 2
         WHERE is_on ORDER BY conversation, target, seq",
    )?;
    let found = |found: &Row<'_>| {
        let message = (found.get("conversation")?, row::get(found, "target")?);
        Ok((message, found.get::<_, String>("emoji")?, row::get(found, "user")?))
    };
    let mut folded: HashMap<(i64, Seq), Vec<Reaction>> = HashMap::new();
    for next in statement.query_map([spans], found)? {
        let (message, emoji, user): ((i64, Seq), String, UserId) = next?;
        let reactions = folded.entry(message).or_default();
        // Reactions from before may have two spellings of one sign, each of them by one person.
        match reactions.iter_mut().find(|reaction| is_same(&reaction.emoji, &emoji)) {
            Some(reaction) if reaction.users.contains(&user) => {}
            Some(reaction) if reaction.users.len() < REACTION_USERS_MAX => reaction.users.push(user),
            Some(reaction) => {
                reaction.more += 1;
                if user == reader {
                    reaction.users[REACTION_USERS_MAX - 1] = reader;
                }
            }
            None => reactions.push(Reaction { emoji, users: vec![user], more: 0 }),
        }
    }
    Ok(folded)
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;
    use crate::clock;

    const MOST: usize = 3;

    #[test]
    fn a_sign_in_two_spellings_is_one_reaction_and_each_person_counts_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open::open(folder.path()).expect("opens").connection;
        let key = super::super::conversation::find_everyone(&database).expect("it is there");
        let [ada, ben] = [(); 2].map(|()| clock::id(UserId::v7));
        let target = Seq::FIRST;
        let spelled = |emoji: &str, user| spelling(&database, key, target, emoji, user, MOST).expect("reads");
        assert_eq!(spelled("👍", ada), "👍", "new: as it is written");
        // As a program from before left them.
        for (number, (emoji, user)) in
            [("❤\u{fe0f}", ada), ("👍", ada), ("👍\u{fe0f}", ada), ("👍\u{fe0f}", ben)].into_iter().enumerate()
        {
            let seq = Seq::new(number as u64 + 2).expect("from 1");
            set(&database, key, target, emoji, user, true, seq, clock::now()).expect("set");
        }
        assert_eq!((spelled("❤", ben).as_str(), spelled("👍", ben).as_str()), ("❤\u{fe0f}", "👍\u{fe0f}"));
        let found = spans(&database, &format!("[[{key},1,1]]"), ada).expect("reads");
        let stands: Vec<_> = found[&(key, target)].iter().map(|of| (of.emoji.as_str(), of.users.clone())).collect();
        assert_eq!(stands, [("❤\u{fe0f}", vec![ada]), ("👍", vec![ada, ben])]);
    }

    #[test]
    fn room_for_reactions_is_found_in_so_many_steps_however_many_people_react() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open::open(folder.path()).expect("opens").connection;
        let key = super::super::conversation::find_everyone(&database).expect("it is there");
        let target = Seq::FIRST;
        let mut seq = target;
        let mut give = |emoji: &str, is_on: bool, count: usize| {
            for _ in 0..count {
                seq = shared::ids::Cursor::from(seq).next();
                let user = clock::id(UserId::v7);
                set(&database, key, target, emoji, user, is_on, seq, clock::now()).expect("set");
            }
        };
        let has_room = |emoji: &str| has_room(&database, key, target, emoji, MOST).expect("reads");
        assert!(has_room("a"));
        give("b", true, 1);
        give("d", true, 1);
        give("c", false, 2);
        assert!(["a", "b", "c", "z"].into_iter().all(has_room), "what was taken back takes no room");
        give("c", true, 1);
        assert_eq!(["a", "b", "c", "d", "z"].map(has_room), [false, true, true, true, false]);
        // Two thousand people more cost no step more: SQLite counts what it does.
        let steps = |give: &mut dyn FnMut()| {
            give();
            let mut statement = database.prepare(NEXT_KIND).expect("prepares");
            let mut rows = statement.query(params![key, Sql(target), "b"]).expect("asks");
            assert!(rows.next().expect("reads").is_some());
            drop(rows);
            statement.get_status(rusqlite::StatementStatus::VmStep)
        };
        let before = steps(&mut || {});
        let after = steps(&mut || give("b", true, 2_000));
        assert!(after <= before + 5, "{before} and then {after}");
        // Reactions taken back that are remembered are found without going over the others.
        give("b", false, TAKEN_BACK_MAX as usize + 9);
        let kept: u32 = database
            .query_row("SELECT count(*) FROM reaction WHERE is_on = 0", [], |found| found.get(0))
            .expect("a count");
        assert_eq!(kept, TAKEN_BACK_MAX);
    }
}
