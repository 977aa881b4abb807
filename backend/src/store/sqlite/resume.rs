//! What somebody has missed, of many conversations at once.
//!
//! However many conversations are asked for, a page of the answer takes three statements: where the
//! reader stands and what there is, the events, and their reactions.

use super::{event, reaction, row};
use crate::store::{Error, Missed, MissedPage, size};
use rusqlite::{Connection, params};
use shared::event::Event;
use shared::ids::{ConversationId, Cursor, UserId};
use shared::limits::{EVENTS_BYTES_MAX, REPLAY_MAX};
use std::collections::HashMap;

/// Bytes of events in one page, about.
const PAGE_BYTES: usize = 256 * 1024;
/// Events in one page.
const PAGE_EVENTS: u64 = 500;

/// The next page of what comes after these cursors, in their order, inside a transaction. Conversations that the page does
/// not reach are left out of it; they are to be asked for again.
pub(in crate::store) fn page(
    transaction: &Connection,
    user: UserId,
    cursors: &[(ConversationId, Cursor)],
) -> Result<MissedPage, Error> {
    let known = standing(transaction, user, cursors)?;
    let mut page = MissedPage::default();
    let mut wanted = Vec::new();
    for (conversation, cursor) in cursors {
        match known.get(conversation) {
            Some((_, last_seq)) if *cursor == *last_seq => {
                page.conversations.push((*conversation, Missed::Nothing));
            }
            Some((key, last_seq)) if *cursor < *last_seq && last_seq.get() - cursor.get() <= REPLAY_MAX => {
                wanted.push((*conversation, *key, *cursor, *last_seq));
            }
            // Too far back, in the future, not theirs, or not there.
            _ => page.conversations.push((*conversation, Missed::Unknown)),
        }
    }
    if wanted.is_empty() {
        return Ok(page);
    }
    events(transaction, user, &wanted, &mut page)?;
    Ok(page)
}

/// Which of these conversations are theirs, and how far each goes.
fn standing(
    database: &Connection,
    user: UserId,
    cursors: &[(ConversationId, Cursor)],
) -> Result<HashMap<ConversationId, (i64, Cursor)>, Error> {
    let ids: Vec<_> = cursors.iter().map(|(id, _)| id).collect();
    let mut statement = database.prepare_cached(
        "SELECT conversation.id, conversation.key, last_seq FROM json_each(?1) AS asked
         JOIN conversation ON conversation.id = unhex(asked.value, '-')
         JOIN member ON member.conversation = conversation.key AND member.user = ?2",
    )?;
    let rows = statement.query_map(params![row::json(&ids)?, row::Sql(user)], |found| {
        Ok((row::get(found, "id")?, (found.get("key")?, row::get(found, "last_seq")?)))
    })?;
    Ok(row::all(rows)?.into_iter().collect())
}

/// A stretch of one log to be read: after a cursor, up to and including a number.
struct Stretch {
    conversation: ConversationId,
    key: i64,
    after: Cursor,
    up_to: u64,
    /// Where the log ends.
    last_seq: Cursor,
}

/// Reads what fits into a page. Logs have no gaps, so how many events there are is known before.
fn events(
    database: &Connection,
    user: UserId,
    wanted: &[(ConversationId, i64, Cursor, Cursor)],
    page: &mut MissedPage,
) -> Result<(), Error> {
    let mut room = PAGE_EVENTS;
    let mut stretches = Vec::new();
    for (conversation, key, after, last_seq) in wanted.iter().copied() {
        if room == 0 {
            break;
        }
        let count = (last_seq.get() - after.get()).min(room);
        room -= count;
        stretches.push(Stretch { conversation, key, after, up_to: after.get() + count, last_seq });
    }
    let asked: Vec<_> = stretches.iter().map(|one| (one.key, one.after.get(), one.up_to)).collect();
    // The order is made of the index alone: sorting whole rows would read all of them for the few that fit.
    let mut statement = database.prepare_cached(
        "SELECT number, event.seq, at, sender, kind FROM (
           SELECT asked.key AS number, position AS place FROM json_each(?1) AS asked
           CROSS JOIN event ON event.conversation = asked.value ->> 0
             AND event.seq > asked.value ->> 1 AND event.seq <= asked.value ->> 2
           ORDER BY asked.key, seq LIMIT ?2
         ) AS found CROSS JOIN event ON event.position = found.place",
    )?;
    let mut rows = statement.query(params![row::json(&asked)?, PAGE_EVENTS.cast_signed()])?;
    let mut bytes = 0;
    let mut lists: Vec<Vec<Event>> = Vec::new();
    while bytes < PAGE_BYTES
        && let Some(found) = rows.next()?
    {
        let number = usize::try_from(found.get::<_, i64>("number")?).unwrap_or(usize::MAX);
        let Some(stretch) = stretches.get(number) else { continue };
        bytes += found.get::<_, String>("kind")?.len() + 256;
        lists.resize_with(number + 1, Vec::new);
        lists[number].push(event::read(found, stretch.conversation)?);
    }
    drop(rows);
    let spans: Vec<_> = stretches
        .iter()
        .zip(&lists)
        .filter_map(|(stretch, list)| Some((stretch.key, list.first()?.seq.get(), list.last()?.seq.get())))
        .collect();
    let mut folded = reaction::spans(database, &row::json(&spans)?, user)?;
    let mut bytes = 0;
    for (Stretch { conversation, key, last_seq, .. }, mut list) in stretches.into_iter().zip(lists) {
        reaction::fold(&mut list, key, &mut folded);
        // With their reactions they may be many times as large.
        if bytes >= EVENTS_BYTES_MAX {
            break;
        }
        list.truncate(size::fitting(&list, EVENTS_BYTES_MAX - bytes.min(EVENTS_BYTES_MAX), size::event));
        bytes += list.iter().map(size::event).sum::<usize>();
        let is_whole = list.last().is_some_and(|event| Cursor::from(event.seq) == last_seq);
        page.conversations.push((conversation, if is_whole { Missed::All(list) } else { Missed::Some(list) }));
    }
    Ok(())
}
