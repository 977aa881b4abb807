//! Browsers that are told of messages while the page is closed, and how far that has come in the log.

use super::conversation;
use super::row::{self, Sql};
use crate::store::push::{Endpoint, Notice, Portion, Span};
use crate::store::{Error, kind_of};
use rusqlite::{Connection, OptionalExtension, params};
use shared::conversation::ConversationKind;
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, SessionId, Timestamp, UserId};
use shared::message::Message;
use shared::push::PushNotice;

/// The beginning of a message that is pushed, in bytes.
const BODY_BYTES_MAX: usize = 400;

/// What the server signs with; made with these bytes if it is not there yet.
pub(in crate::store) fn signer(database: &Connection, new: [u8; 32]) -> Result<[u8; 32], Error> {
    database
        .prepare_cached(
            "INSERT INTO push_state (one, signer, position) VALUES (1, ?1, (SELECT coalesce(max(position), 0) FROM event))
             ON CONFLICT DO NOTHING",
        )?
        .execute([new])?;
    Ok(database.prepare_cached("SELECT signer FROM push_state")?.query_row([], |found| found.get(0))?)
}

/// Puts the place of a session's browser down, in place of any other of this browser or session.
pub(in crate::store) fn subscribe(
    database: &Connection,
    session: SessionId,
    user: UserId,
    endpoint: &Endpoint,
    at: Timestamp,
) -> Result<(), Error> {
    // Nothing that was said before is told.
    if !any(database)? {
        database
            .prepare_cached("UPDATE push_state SET position = (SELECT coalesce(max(position), 0) FROM event)")?
            .execute([])?;
    }
    database
        .prepare_cached(
            "INSERT OR REPLACE INTO push_subscription (session, user, endpoint, public_key, secret, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![Sql(session), Sql(user), endpoint.url, endpoint.public_key, endpoint.secret, Sql(at)])?;
    Ok(())
}

pub(in crate::store) fn unsubscribe(database: &Connection, session: SessionId) -> Result<(), Error> {
    database.prepare_cached("DELETE FROM push_subscription WHERE session = ?1")?.execute([Sql(session)])?;
    Ok(())
}

/// The push service knows this place no more.
pub(in crate::store) fn forget(database: &Connection, url: &str) -> Result<(), Error> {
    database.prepare_cached("DELETE FROM push_subscription WHERE endpoint = ?1")?.execute([url])?;
    Ok(())
}

pub(in crate::store) fn any(database: &Connection) -> Result<bool, Error> {
    Ok(database.prepare_cached("SELECT 1 FROM push_subscription")?.exists([])?)
}

/// What the server signs with and the last event that was seen to; `None`: nobody has wanted to be told yet.
pub(in crate::store) fn state(database: &Connection) -> Result<Option<([u8; 32], i64)>, Error> {
    let mut statement = database.prepare_cached("SELECT signer, position FROM push_state")?;
    Ok(statement.query_row([], |found| Ok((found.get(0)?, found.get(1)?))).optional()?)
}

pub(in crate::store) fn set_position(database: &Connection, position: i64) -> Result<(), Error> {
    database.prepare_cached("UPDATE push_state SET position = max(position, ?1)")?.execute([position])?;
    Ok(())
}

/// Whom the messages after this position are to be pushed to, as far as the log can say, up to the event with which there
/// are `most` or more.
pub(in crate::store) fn notices(database: &Connection, after: i64, span: Span, most: usize) -> Result<Portion, Error> {
    let transaction = database.unchecked_transaction()?;
    let mut statement = transaction.prepare_cached(
        "SELECT event.position, event.seq, event.at, event.sender, event.kind, conversation.key, conversation.id,
           conversation.kind AS conversation_kind, conversation.name, user.display_name
         FROM event JOIN conversation ON conversation.key = event.conversation JOIN user ON user.id = event.sender
         WHERE event.position > ?1 ORDER BY event.position LIMIT 500",
    )?;
    let mut rows = statement.query([after])?;
    let mut portion = Portion::default();
    while let Some(found) = rows.next()? {
        let at: Timestamp = row::get(found, "at")?;
        portion.is_early = span.until < at && at <= span.now;
        if portion.is_early || portion.notices.len() >= most {
            break;
        }
        portion.last = Some(found.get("position")?);
        let kind: Result<EventKind, _> = serde_json::from_str(&found.get::<_, String>("kind")?);
        // What cannot be read cannot be told.
        let Ok(kind) = kind else { continue };
        let Some(message) = kind.as_message().filter(|message| message.deleted_at.is_none() && at >= span.since) else {
            continue;
        };
        let conversation: ConversationId = row::get(found, "id")?;
        let place = kind_of(&found.get::<_, String>("conversation_kind")?)?;
        let (seq, sender) = (row::get(found, "seq")?, row::get(found, "sender")?);
        let title = title(&found.get::<_, String>("display_name")?, place, found.get("name")?);
        let notice = PushNotice { conversation, seq, title, body: body(message) };
        let event = Event { conversation, seq, at, sender, kind: kind.clone() };
        let to = Told { key: found.get("key")?, place, not_before: span.not_before, now: span.now };
        recipients(&transaction, &to, &event, &notice, &mut portion.notices)?;
    }
    Ok(portion)
}

/// Who may be told of an event.
struct Told {
    /// Of which conversation.
    key: i64,
    place: ConversationKind,
    /// Of which sessions: not silent since before this, and not ended by now.
    not_before: Timestamp,
    now: Timestamp,
}

fn recipients(
    database: &Connection,
    to: &Told,
    event: &Event,
    notice: &PushNotice,
    notices: &mut Vec<Notice>,
) -> Result<(), Error> {
    // Where everybody is, those who want to be told are few; elsewhere those who are there.
    let from = match to.place {
        ConversationKind::Everyone => {
            "push_subscription CROSS JOIN member ON member.conversation = ?1 AND member.user = push_subscription.user"
        }
        _ => "member CROSS JOIN push_subscription ON push_subscription.user = member.user",
    };
    let mut statement = database.prepare_cached(&format!(
        "SELECT push_subscription.user, endpoint, public_key, secret, member.preferences, delivered_seq
         FROM {from} JOIN session ON session.id = push_subscription.session
         WHERE member.conversation = ?1 AND member.user <> ?2 AND read_seq < ?3 AND last_seen_at >= ?4
           AND session.expires_at > ?5"
    ))?;
    let mut rows =
        statement.query(params![to.key, Sql(event.sender), Sql(event.seq), Sql(to.not_before), Sql(to.now)])?;
    while let Some(found) = rows.next()? {
        let user = row::get(found, "user")?;
        let wanted = shared::alert::is_wanted(event, user, &conversation::preferences_of(found)?, event.at);
        let delivered: i64 = found.get("delivered_seq")?;
        let is_delivered = u64::try_from(delivered).is_ok_and(|delivered| delivered >= event.seq.get());
        if wanted {
            notices.push(Notice {
                user,
                endpoint: Endpoint {
                    url: found.get("endpoint")?,
                    public_key: found.get("public_key")?,
                    secret: found.get("secret")?,
                },
                // What arrives in the conversation everybody is in is told by nobody.
                is_delivered: (to.place != ConversationKind::Everyone).then_some(is_delivered),
                notice: notice.clone(),
            });
        }
    }
    Ok(())
}

fn title(sender: &str, place: ConversationKind, name: Option<String>) -> String {
    match (place, name) {
        (ConversationKind::Direct, _) | (ConversationKind::Group, None) => sender.to_owned(),
        (ConversationKind::Everyone, None) => format!("{sender} · Everyone"),
        (_, Some(name)) => format!("{sender} · {name}"),
        (ConversationKind::Channel, None) => sender.to_owned(),
    }
}

/// The text without its marks, or what the first file is called.
fn body(message: &Message) -> String {
    if let ([first, ..], "") = (&message.attachments[..], message.content.as_str()) {
        return format!("📎 {}", first.name);
    }
    let mut text = shared::markdown::plain(&message.content);
    let end = text.floor_char_boundary(BODY_BYTES_MAX);
    if end < text.len() {
        text.truncate(end);
        text.push('…');
    }
    text
}
