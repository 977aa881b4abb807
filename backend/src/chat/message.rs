//! Messages: what is checked before they are queued to be stored.
//!
//! Checked here is what needs no look into the database; who may write where is decided in the
//! transaction that stores the message, so that nothing can change in between.

use super::deliver::Asker;
use crate::app::App;
use crate::registry::Socket;
use crate::store::writer::{NewMessage, Recipients};
use crate::store::{self};
use shared::code::{Code, Rejected, Rejection};
use shared::frame::ServerFrame;
use shared::ids::{CommandId, ConversationId, UserId};
use shared::limits::MEMBERS_MAX;
use shared::message::{Accepted, PostMessage, Send, Target};
use std::time::Instant;
use tokio::sync::oneshot;

/// A `send` frame. The answer comes through the socket's queue, after the commit.
pub fn send(app: &App, socket: &Socket, send: Send) {
    let id = send.id;
    let queued =
        check(app, socket.user, send).and_then(|message| queue(app, Asker::Socket(socket.id), socket.user, message));
    if let Err(rejection) = queued {
        super::answer(socket, &ServerFrame::Rejected(Rejected { id, rejection }));
    }
}

/// A message over HTTP: the same path, the answer is waited for. The second part tells whether it had
/// been stored before.
///
/// # Errors
/// The refusal, the same as on a socket.
pub async fn post(
    app: &App,
    user: UserId,
    conversation: ConversationId,
    body: PostMessage,
) -> Result<(Accepted, bool), Rejection> {
    let PostMessage { id, content, reply_to, attachments } = body;
    let to = Target::Conversation(conversation);
    let message = check(app, user, Send { id, to, content, reply_to, attachments })?;
    let (reply, answer) = oneshot::channel();
    queue(app, Asker::Caller(reply), user, message)?;
    answer.await.unwrap_or_else(|_| Err(Rejection::internal()))
}

fn queue(app: &App, asker: Asker, user: UserId, message: NewMessage) -> Result<(), Rejection> {
    app.writer.send(asker, user, message).map_err(|error| refusal(&error))
}

/// What somebody is told when their command could not even be queued.
pub(super) fn refusal(error: &store::Error) -> Rejection {
    error.rejection()
}

fn check(app: &App, user: UserId, send: Send) -> Result<NewMessage, Rejection> {
    let Send { id, to, content, reply_to, attachments } = send;
    let content = checked_content(content, app.config.content_bytes as usize)?;
    if !attachments.is_empty() {
        let rejection = Rejection::new(Code::BadReference, "There is no uploaded file with this id");
        return Err(rejection.field("attachments"));
    }
    let to = recipients(user, to)?;
    if app.config.rate_limits == crate::config::Switch::On {
        app.rates.sends.take(user, Instant::now()).map_err(|wait| too_fast(wait.as_millis() + 1))?;
    }
    Ok(NewMessage { id, to, content, reply_to })
}

fn too_fast(wait_ms: u128) -> Rejection {
    let wait_ms = u64::try_from(wait_ms).unwrap_or(u64::MAX).max(1);
    Rejection::new(Code::RateLimited, "You are sending very fast. Please wait a moment").retry_after_ms(wait_ms)
}

/// Trims in place: nearly every message has nothing to trim and is not copied.
fn checked_content(content: String, bytes_max: usize) -> Result<String, Rejection> {
    let trimmed = shared::text::content(&content, bytes_max)?;
    if trimmed.len() == content.len() { Ok(content) } else { Ok(trimmed.to_owned()) }
}

/// Whom a message is for, as a set with the sender in it.
fn recipients(sender: UserId, to: Target) -> Result<Recipients, Rejection> {
    let mut members = match to {
        Target::Everyone => return Ok(Recipients::Everyone),
        Target::Conversation(id) => return Ok(Recipients::Conversation(id)),
        Target::User(user) => vec![user],
        Target::Users(users) => {
            if users.iter().all(|user| *user == sender) {
                let message = "Name at least one other person to write to";
                return Err(Rejection::new(Code::BadField, message).field("to.users"));
            }
            users
        }
    };
    members.push(sender);
    members.sort_unstable();
    members.dedup();
    if members.len() > MEMBERS_MAX {
        let message = format!("A group has at most {MEMBERS_MAX} members, this one would have {}", members.len());
        return Err(Rejection::new(Code::BadField, message).field("to.users"));
    }
    Ok(Recipients::Set(members))
}

/// The `accepted` frame, without going through the frame enum: it is sent for every message.
pub(super) fn accepted_frame(accepted: &Accepted) -> String {
    let Accepted { id, conversation, seq, at } = accepted;
    let at = at.as_millis();
    format!(r#"{{"type":"accepted","id":"{id}","conversation":"{conversation}","seq":{seq},"at":{at}}}"#)
}

/// The `event` frame around a `kind` that is JSON already.
pub(super) fn event_frame(accepted: &Accepted, sender: UserId, kind: &str) -> String {
    let Accepted { conversation, seq, at, .. } = accepted;
    let at = at.as_millis();
    format!(
        r#"{{"type":"event","conversation":"{conversation}","seq":{seq},"at":{at},"sender":"{sender}","kind":{kind}}}"#
    )
}

/// The id a refusal is about, if it is about a command.
pub(super) fn refused_frame(command: Option<CommandId>, rejection: Rejection) -> ServerFrame {
    match command {
        Some(id) => ServerFrame::Rejected(Rejected { id, rejection }),
        None => ServerFrame::Error(super::error_frame(rejection)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use shared::event::{Event, EventKind};
    use shared::ids::{Seq, Timestamp};
    use shared::message::Message;

    fn user() -> UserId {
        clock::id(UserId::v7)
    }

    #[test]
    fn a_set_of_people_is_the_same_in_any_order() {
        let (ada, ben, cy) = (user(), user(), user());
        let set = |users: &[UserId]| recipients(ada, Target::Users(users.to_vec())).expect("a set");
        assert_eq!(set(&[ben, cy]), set(&[cy, ben, ben, ada]));
        assert_eq!(set(&[ben]), recipients(ada, Target::User(ben)).expect("a person"));
        assert_eq!(recipients(ada, Target::User(ada)), Ok(Recipients::Set(vec![ada])));
    }

    #[test]
    fn a_set_has_somebody_else_in_it_and_an_end() {
        let ada = user();
        for users in [vec![], vec![ada], vec![ada, ada], (0..1_000).map(|_| user()).collect()] {
            assert_eq!(recipients(ada, Target::Users(users)).expect_err("refused").code, Code::BadField);
        }
        let users = (0..999).map(|_| user()).collect();
        assert!(recipients(ada, Target::Users(users)).is_ok());
    }

    #[test]
    fn frames_written_by_hand_are_the_contracts() {
        let accepted = Accepted {
            id: clock::id(CommandId::v7),
            conversation: clock::id(ConversationId::v7),
            seq: Seq::FIRST,
            at: Timestamp::from_millis(1_790_000_000_000),
        };
        assert_eq!(accepted_frame(&accepted), ServerFrame::Accepted(accepted).encode());
        let kind = EventKind::Message(Message::new(accepted.id, "\"<&>\\ \u{1f600}\n".into(), None));
        let json = serde_json::to_string(&kind).expect("JSON");
        let (conversation, sender) = (accepted.conversation, user());
        let event = Event { conversation, seq: accepted.seq, at: accepted.at, sender, kind };
        assert_eq!(event_frame(&accepted, sender, &json), ServerFrame::Event(event).encode());
    }
}
