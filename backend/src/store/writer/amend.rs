//! What is done to messages that exist: editing, deleting, reacting.
//!
//! An edit and a deletion change the message's own row, in the transaction that appends their event:
//! whatever is read later, history, replay or search, has the new text or none. A deleted text is in
//! no row any more, neither its message's nor its edits'.

use super::batch::State;
use super::head::New;
use super::job::{Action, Amendment, Effect, News, Place, Stored};
use super::send::{Fingerprint, conflict, print, to_json};
use crate::clock;
use crate::store::sqlite::{conversation, event, reaction};
use crate::store::{Error, access};
use shared::code::{Code, Rejection};
use shared::event::EventKind;
use shared::ids::{Seq, Timestamp, UserId};
use shared::limits::REACTIONS_MAX;
use shared::message::{Deleted, Edited, Message};
use shared::reaction::Reacted;

/// What an amendment comes to, once it is allowed.
enum Amended {
    /// An event has to say so.
    Event(EventKind),
    /// It is so already, since this event.
    Already(Place),
}

impl State {
    pub(super) fn amend(&mut self, user: UserId, amendment: &Amendment) -> Result<Effect, Error> {
        let print = fingerprint(amendment);
        // Asked first: a retry is answered like the first time, whatever has happened to the message
        // or the membership since.
        if let Some((stored, place)) = self.stored(user, amendment.id)? {
            return Ok(if stored == print { Effect::Repeated(place) } else { Effect::Refused(conflict()) });
        }
        let Some(key) = self.key_of_member(user, amendment.conversation)? else {
            return Ok(Effect::Refused(Rejection::not_found()));
        };
        let Amendment { id, target, .. } = *amendment;
        let Some((sender, message)) = event::message(&self.database, key, target)? else {
            return Ok(Effect::Refused(bad_reference()));
        };
        let at = clock::now();
        let amended = match &amendment.action {
            Action::Edit(content) => self.edit(key, target, user, sender, message, content, at)?,
            Action::Delete => self.delete(key, target, user, sender, message, at)?,
            Action::React { emoji, on } => self.react(key, target, user, &message, emoji, *on)?,
        };
        let kind = match amended {
            Err(rejection) => return Ok(Effect::Refused(rejection)),
            Ok(Amended::Already(place)) => {
                self.claim(user, id, place, key, &print)?;
                return Ok(Effect::Repeated(place));
            }
            Ok(Amended::Event(kind)) => kind,
        };
        let json = to_json(&kind)?;
        let new = New { sender: user, at, kind: &json, target: Some(target), is_message: false };
        let place = self.append(key, new)?;
        self.claim(user, id, place, key, &print)?;
        if let EventKind::Reacted(Reacted { emoji, on, .. }) = &kind {
            reaction::set(&self.database, key, target, emoji, user, *on, place.seq, at)?;
        }
        let audience = self.head(key)?.audience.clone();
        Ok(Effect::Stored(Stored { place, kind: json, audience, news: News::None }))
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is one moment's knowledge of one message")]
    fn edit(
        &self,
        key: i64,
        target: Seq,
        user: UserId,
        sender: UserId,
        mut message: Message,
        content: &str,
        at: Timestamp,
    ) -> Result<Result<Amended, Rejection>, Error> {
        if let Err(rejection) = access::may_edit(sender == user) {
            return Ok(Err(rejection));
        }
        if message.deleted_at.is_some() {
            return Ok(Err(bad_reference()));
        }
        content.clone_into(&mut message.content);
        message.edited_at = Some(at);
        event::set_kind(&self.database, key, target, &to_json(&EventKind::Message(message))?)?;
        let edited = Edited { target, content: content.to_owned(), mentions: Vec::new() };
        Ok(Ok(Amended::Event(EventKind::Edited(edited))))
    }

    fn delete(
        &self,
        key: i64,
        target: Seq,
        user: UserId,
        sender: UserId,
        message: Message,
        at: Timestamp,
    ) -> Result<Result<Amended, Rejection>, Error> {
        let role = conversation::role(&self.database, key, user)?;
        if let Err(rejection) = access::may_delete(sender == user, role) {
            return Ok(Err(rejection));
        }
        if message.deleted_at.is_some() {
            let place = event::deletion(&self.database, key, target)?;
            let conversation = message_conversation(self, key)?;
            return Ok(Ok(Amended::Already(match place {
                Some((seq, at)) => Place { conversation, seq, at },
                None => Place { conversation, seq: target, at },
            })));
        }
        let mut left = Message::new(message.id, String::new(), message.reply_to);
        left.deleted_at = Some(at);
        event::set_kind(&self.database, key, target, &to_json(&EventKind::Message(left))?)?;
        let edited = Edited { target, content: String::new(), mentions: Vec::new() };
        event::blank_edits(&self.database, key, target, &to_json(&EventKind::Edited(edited))?)?;
        reaction::clear(&self.database, key, target)?;
        Ok(Ok(Amended::Event(EventKind::Deleted(Deleted { target }))))
    }

    fn react(
        &self,
        key: i64,
        target: Seq,
        user: UserId,
        message: &Message,
        emoji: &str,
        on: bool,
    ) -> Result<Result<Amended, Rejection>, Error> {
        if message.deleted_at.is_some() {
            return Ok(Err(bad_reference()));
        }
        let conversation = message_conversation(self, key)?;
        match reaction::find(&self.database, key, target, emoji, user)? {
            Some((is_on, seq, at)) if is_on == on => {
                return Ok(Ok(Amended::Already(Place { conversation, seq, at })));
            }
            // Never set: the message itself is the last that happened.
            None if !on => {
                let at = event::at(&self.database, key, target)?;
                return Ok(Ok(Amended::Already(Place { conversation, seq: target, at })));
            }
            _ => {}
        }
        if on && !reaction::has_room(&self.database, key, target, emoji, REACTIONS_MAX)? {
            let text = format!("A message has at most {REACTIONS_MAX} different reactions");
            return Ok(Err(Rejection::new(Code::BadField, text).field("emoji")));
        }
        Ok(Ok(Amended::Event(EventKind::Reacted(Reacted { target, emoji: emoji.to_owned(), on }))))
    }
}

fn message_conversation(state: &State, key: i64) -> Result<shared::ids::ConversationId, Error> {
    state.heads.get(&key).map(|head| head.id).ok_or_else(|| Error::Corrupt("a head is missing".into()))
}

fn bad_reference() -> Rejection {
    Rejection::new(Code::BadReference, "There is no such message in this conversation").field("target")
}

fn fingerprint(amendment: &Amendment) -> Fingerprint {
    let Amendment { conversation, target, action, .. } = amendment;
    let target = target.get().to_be_bytes();
    let place: [&[u8]; 2] = [conversation.as_bytes(), &target];
    match action {
        Action::Edit(content) => print(&[b"edit", place[0], place[1], content.as_bytes()]),
        Action::Delete => print(&[b"delete", place[0], place[1]]),
        Action::React { emoji, on } => print(&[b"react", place[0], place[1], emoji.as_bytes(), &[u8::from(*on)]]),
    }
}
