//! What is done to messages that exist: editing, deleting, reacting.
//!
//! An edit and a deletion change the message's own row, in the transaction that appends their event:
//! whatever is read later, history, replay or search, has the new text or none. A deleted text is in
//! no row any more, neither its message's nor its edits'.

use super::batch::State;
use super::head::New;
use super::job::{Action, Amendment, Content, Effect, News, Place, Stored};
use super::send::{self, conflict, print, to_json};
use crate::clock;
use crate::store::sqlite::command::{self, Fingerprint};
use crate::store::sqlite::{attachment, conversation, event, reaction};
use crate::store::{Error, access};
use shared::code::{Code, Rejection};
use shared::event::EventKind;
use shared::ids::{ConversationId, Seq, Timestamp, UserId};
use shared::limits::{EDITS_MAX, REACTIONS_MAX};
use shared::message::{Deleted, Edited, Message};
use shared::reaction::Reacted;

/// What an amendment comes to.
enum Amended {
    /// An event has to say so.
    Event(EventKind),
    /// It is so already, since this event.
    Already(Seq, Timestamp),
    /// It may not be.
    Refused(Rejection),
}

/// The message that is to be amended, and by whom.
struct Subject {
    key: i64,
    conversation: ConversationId,
    target: Seq,
    message: Message,
    sender: UserId,
    /// When it was written.
    written_at: Timestamp,
    user: UserId,
    /// Whether they wrote it.
    is_own: bool,
    /// Now.
    at: Timestamp,
}

impl State {
    pub(super) fn amend(&mut self, user: UserId, amendment: &Amendment) -> Result<Effect, Error> {
        let print = fingerprint(amendment);
        // Asked first: a retry is answered like the first time, whatever has happened to the message
        // or the membership since.
        if let Some((stored, place)) = self.stored(user, amendment.id)? {
            return Ok(if stored == print || stored == without_text(amendment) {
                Effect::Repeated(place)
            } else {
                Effect::Refused(conflict())
            });
        }
        let Amendment { id, conversation, target, ref action } = *amendment;
        let Some(key) = self.key_of_member(user, conversation)? else {
            return Ok(Effect::Refused(Rejection::not_found()));
        };
        let Some((sender, written_at, message)) = event::message(&self.database, key, target)? else {
            return Ok(Effect::Refused(bad_reference()));
        };
        let at = clock::now();
        let subject =
            Subject { key, conversation, target, message, sender, written_at, user, is_own: sender == user, at };
        let amended = match action {
            Action::Edit(content) => self.edit(subject, content)?,
            Action::Delete => self.delete(subject)?,
            Action::React { emoji, on } => self.react(&subject, emoji, *on)?,
        };
        let kind = match amended {
            Amended::Refused(rejection) => return Ok(Effect::Refused(rejection)),
            Amended::Already(seq, at) => {
                let place = Place { conversation, seq, at };
                command::insert(&self.database, user, id, &print, key, place)?;
                self.forgotten.note([id]);
                return Ok(Effect::Repeated(place));
            }
            Amended::Event(kind) => kind,
        };
        let json = to_json(&kind)?;
        // A reaction stands in a table of its own. What has a target is looked through when the message is deleted, and
        // anybody can react again and again.
        let of = Some(target).filter(|_| !matches!(kind, EventKind::Reacted(_)));
        let new = New { sender: user, at, kind: &json, target: of, is_message: false, command: Some((id, print)) };
        let place = self.append(key, new)?;
        if let EventKind::Reacted(Reacted { emoji, on, .. }) = &kind {
            reaction::set(&self.database, key, target, emoji, user, *on, place.seq, at)?;
        }
        let audience = self.head(key)?.audience.clone();
        Ok(Effect::Stored(Stored { place, kind: json, audience, news: News::None, requests: Vec::new() }))
    }

    fn edit(&mut self, subject: Subject, content: &Content) -> Result<Amended, Error> {
        let Subject { key, target, mut message, is_own, at, .. } = subject;
        if let Err(rejection) = access::may_edit(is_own) {
            return Ok(Amended::Refused(rejection));
        }
        if message.deleted_at.is_some() {
            return Ok(Amended::Refused(bad_reference()));
        }
        // A deletion writes over all of them, in one transaction that everybody waits for.
        if event::count_about(&self.database, key, target)? >= EDITS_MAX {
            let text = format!("A message can be changed {EDITS_MAX} times. Write another one");
            return Ok(Amended::Refused(Rejection::new(Code::BadField, text).field("target")));
        }
        let (mentions, mention_names) = self.mentions(key, content)?;
        content.text().clone_into(&mut message.content);
        message.mentions.clone_from(&mentions);
        message.mention_names.clone_from(&mention_names);
        message.edited_at = Some(at);
        event::set_kind(&self.database, key, target, &to_json(&EventKind::Message(message))?)?;
        let edited = Edited { target, content: content.text().to_owned(), mentions, mention_names };
        Ok(Amended::Event(EventKind::Edited(edited)))
    }

    fn delete(&self, subject: Subject) -> Result<Amended, Error> {
        let Subject { key, conversation: place, target, message, sender, user, is_own, at, .. } = subject;
        let role = conversation::role(&self.database, key, user)?;
        if let Err(rejection) = access::may_delete(is_own, role) {
            return Ok(Amended::Refused(rejection));
        }
        if message.deleted_at.is_some() {
            let (seq, at) = event::deletion(&self.database, key, target)?.unwrap_or((target, at));
            return Ok(Amended::Already(seq, at));
        }
        let mut left = Message::new(message.id, String::new(), message.reply_to);
        left.deleted_at = Some(at);
        event::set_kind(&self.database, key, target, &to_json(&EventKind::Message(left))?)?;
        let edited = Edited { target, content: String::new(), mentions: Vec::new(), mention_names: Vec::new() };
        event::blank_edits(&self.database, key, target, &to_json(&EventKind::Edited(edited))?)?;
        // A fingerprint of the text would confirm a guess at it.
        let sent = send::without_text(&place, message.reply_to);
        command::blank(&self.database, key, target, (sender, message.id), &sent, &edit_without_text(&place, target))?;
        reaction::clear(&self.database, key, target)?;
        attachment::remove_of(&self.database, key, target, at)?;
        Ok(Amended::Event(EventKind::Deleted(Deleted { target })))
    }

    fn react(&self, subject: &Subject, emoji: &str, on: bool) -> Result<Amended, Error> {
        let Subject { key, target, ref message, written_at, user, .. } = *subject;
        if message.deleted_at.is_some() {
            return Ok(Amended::Refused(bad_reference()));
        }
        let emoji = &reaction::spelling(&self.database, key, target, emoji, user, REACTIONS_MAX)?;
        match reaction::find(&self.database, key, target, emoji, user)? {
            Some((is_on, seq, at)) if is_on == on => return Ok(Amended::Already(seq, at)),
            // Never set: the message itself is the last that happened.
            None if !on => return Ok(Amended::Already(target, written_at)),
            _ => {}
        }
        if on && !reaction::has_room(&self.database, key, target, emoji, REACTIONS_MAX)? {
            let text = format!("A message has at most {REACTIONS_MAX} different reactions");
            return Ok(Amended::Refused(Rejection::new(Code::BadField, text).field("emoji")));
        }
        Ok(Amended::Event(EventKind::Reacted(Reacted { target, emoji: emoji.to_owned(), on })))
    }
}

fn bad_reference() -> Rejection {
    Rejection::new(Code::BadReference, "There is no such message in this conversation").field("target")
}

/// The fingerprint of an amendment whose message was deleted.
fn without_text(amendment: &Amendment) -> Fingerprint {
    match amendment.action {
        Action::Edit(_) => edit_without_text(&amendment.conversation, amendment.target),
        // It has no text.
        Action::Delete | Action::React { .. } => fingerprint(amendment),
    }
}

/// This form is in people's databases: it must not change.
fn edit_without_text(conversation: &ConversationId, target: Seq) -> Fingerprint {
    print(&[b"edit without its text", conversation.as_bytes(), &target.get().to_be_bytes()])
}

fn fingerprint(amendment: &Amendment) -> Fingerprint {
    let Amendment { conversation, target, action, .. } = amendment;
    let target = target.get().to_be_bytes();
    let place: [&[u8]; 2] = [conversation.as_bytes(), &target];
    match action {
        Action::Edit(content) => print(&[b"edit", place[0], place[1], content.text().as_bytes()]),
        Action::Delete => print(&[b"delete", place[0], place[1]]),
        Action::React { emoji, on } => print(&[b"react", place[0], place[1], emoji.as_bytes(), &[u8::from(*on)]]),
    }
}
