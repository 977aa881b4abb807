//! Messages: what is checked before they are queued to be stored.
//!
//! Checked here is what needs no look into the database; who may write where is decided in the
//! transaction that stores the message, so that nothing can change in between.

use super::deliver::{Answer, Asker};
use crate::app::App;
use crate::registry::Socket;
use crate::store::SessionRow;
use crate::store::writer::{Action, Amendment, Content, NewMessage, Place, Recipients};
use crate::store::{self};
use shared::code::{Code, Rejected, Rejection};
use shared::frame::ServerFrame;
use shared::ids::{AttachmentId, CommandId, ConversationId, Seq, Timestamp, UserId};
use shared::limits::MEMBERS_MAX;
use shared::message::{Accepted, Delete, Edit, PostMessage, SeenGroup, Send, Target};
use shared::reaction::{self, React};
use tokio::sync::oneshot;

/// A `send` frame. The answer comes through the socket's queue, after the commit.
pub fn send(app: &App, socket: &Socket, send: Send) {
    let id = send.id;
    let queued = take(app, socket).and_then(|()| {
        let message = check(app, socket.user, send)?;
        app.writer.send(Asker::Socket(socket.id), socket.user, message).map_err(|error| refusal(&error))
    });
    refuse(socket, id, queued);
}

/// An `edit` frame.
pub fn edit(app: &App, socket: &Socket, edit: Edit) {
    let Edit { id, conversation, target, content } = edit;
    amend(app, socket, id, || {
        let content = checked_content(content, app.config.content_bytes as usize)?;
        Ok(Amendment { id, conversation, target, action: Action::Edit(Content::new(content)) })
    });
}

/// A `delete` frame.
pub fn delete(app: &App, socket: &Socket, delete: Delete) {
    let Delete { id, conversation, target } = delete;
    amend(app, socket, id, || Ok(Amendment { id, conversation, target, action: Action::Delete }));
}

/// A `react` frame.
pub fn react(app: &App, socket: &Socket, react: React) {
    let React { id, conversation, target, emoji, on } = react;
    amend(app, socket, id, || {
        let emoji = reaction::emoji(&emoji)?;
        Ok(Amendment { id, conversation, target, action: Action::React { emoji, on } })
    });
}

/// Checks after the rate: a refused command costs no reading of its text.
fn amend(app: &App, socket: &Socket, id: CommandId, check: impl FnOnce() -> Result<Amendment, Rejection>) {
    let queued = take(app, socket).and_then(|()| {
        let amendment = check()?;
        app.writer.amend(Asker::Socket(socket.id), socket.user, amendment).map_err(|error| refusal(&error))
    });
    refuse(socket, id, queued);
}

/// Notes that a command comes, and takes it from what its person may send.
fn take(app: &App, socket: &Socket) -> Result<(), Rejection> {
    socket.write();
    app.rates.take_command(socket.user, socket.session, socket.kind)
}

fn refuse(socket: &Socket, id: CommandId, queued: Result<(), Rejection>) {
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
    session: &SessionRow,
    conversation: ConversationId,
    body: PostMessage,
) -> Result<(Accepted, bool), Rejection> {
    let PostMessage { id, content, reply_to, attachments } = body;
    let to = Target::Conversation(conversation);
    app.rates.take_command(session.user.id, session.id, session.kind)?;
    let message = check(app, session.user.id, Send { id, to, content, reply_to, attachments })?;
    let (reply, answer) = oneshot::channel();
    app.writer.send(Asker::Caller(reply), session.user.id, message).map_err(|error| refusal(&error))?;
    match answer.await.unwrap_or_else(|_| Err(Rejection::internal()))? {
        Answer::Stored(place) => Ok((place.accepted(id), false)),
        Answer::Repeated(place) => Ok((place.accepted(id), true)),
        Answer::Unchanged | Answer::Asked => Err(Rejection::internal()),
    }
}

/// What somebody is told when their command could not even be queued.
pub(super) fn refusal(error: &store::Error) -> Rejection {
    error.rejection()
}

fn check(app: &App, user: UserId, send: Send) -> Result<NewMessage, Rejection> {
    let Send { id, to, content, reply_to, attachments } = send;
    let has_files = !attachments.is_empty();
    // A file needs no words.
    let content = match content {
        content if has_files && shared::text::is_blank(&content) => String::new(),
        content => checked_content(content, app.config.content_bytes as usize)?,
    };
    check_files(&attachments, app.config.limits().attachments as usize)?;
    let to = recipients(user, to)?;
    // Last: reading the names is the dearest of the checks.
    Ok(NewMessage { id, to, content: Content::new(content), reply_to, attachments })
}

fn check_files(files: &[AttachmentId], most: usize) -> Result<(), Rejection> {
    let refuse = |message: String| Err(Rejection::new(Code::BadField, message).field("attachments"));
    if files.len() > most {
        return refuse(format!("A message carries at most {most} files, this one has {}", files.len()));
    }
    let is_twice = files.iter().enumerate().any(|(index, file)| files[..index].contains(file));
    if is_twice { refuse("The same file is named twice".into()) } else { Ok(()) }
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
        Target::Group(SeenGroup { conversation, mut members }) => {
            add_oneself(&mut members, sender);
            return Ok(Recipients::Group(conversation, members));
        }
        Target::User(user) => vec![user],
        Target::Users(users) => {
            if users.iter().all(|user| *user == sender) {
                let message = "Name at least one other person to write to";
                return Err(Rejection::new(Code::BadField, message).field("to.users"));
            }
            users
        }
    };
    add_oneself(&mut members, sender);
    if members.len() > MEMBERS_MAX {
        let message = format!("A group has at most {MEMBERS_MAX} members, this one would have {}", members.len());
        return Err(Rejection::new(Code::BadField, message).field("to.users"));
    }
    Ok(Recipients::Set(members))
}

/// Makes of a list of people a set with oneself in it: sorted, each once.
pub(super) fn add_oneself(members: &mut Vec<UserId>, me: UserId) {
    members.push(me);
    members.sort_unstable();
    members.dedup();
}

/// The `accepted` frame, without going through the frame enum: it is sent for every message.
pub(super) fn accepted_frame(accepted: &Accepted) -> String {
    let Accepted { id, conversation, seq, at } = accepted;
    let mut frame = String::with_capacity(192);
    frame.push_str(r#"{"type":"accepted","id":""#);
    id.push_to(&mut frame);
    frame.push_str(r#"","conversation":""#);
    conversation.push_to(&mut frame);
    push_place(&mut frame, *seq, *at);
    frame.push('}');
    frame
}

/// The `event` frame around a `kind` that is JSON already.
pub(super) fn event_frame(place: &Place, sender: UserId, kind: &str) -> String {
    let Place { conversation, seq, at } = place;
    let mut frame = String::with_capacity(192 + kind.len());
    frame.push_str(r#"{"type":"event","conversation":""#);
    conversation.push_to(&mut frame);
    push_place(&mut frame, *seq, *at);
    frame.push_str(r#","sender":""#);
    sender.push_to(&mut frame);
    frame.push_str(r#"","kind":"#);
    frame.push_str(kind);
    frame.push('}');
    frame
}

fn push_place(frame: &mut String, seq: Seq, at: Timestamp) {
    let mut digits = itoa::Buffer::new();
    frame.push_str(r#"","seq":"#);
    frame.push_str(digits.format(seq.get()));
    frame.push_str(r#","at":"#);
    frame.push_str(digits.format(at.as_millis()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use shared::event::{Event, EventKind};
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
        let place = Place { conversation, seq: accepted.seq, at: accepted.at };
        assert_eq!(event_frame(&place, sender, &json), ServerFrame::Event(event).encode());
    }
}
