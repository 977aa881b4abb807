//! Changes of conversations themselves: making, naming, coming and going.

use super::batch::State;
use super::head::{New, Position};
use super::invite::Destination;
use super::job::{Audience, Change, Description, Effect, News, Requests, Stored};
use super::send::to_json;
use crate::clock;
use crate::store::access;
use crate::store::attachment::no_picture;
use crate::store::sqlite::conversation::{self, Face, NewConversation};
use crate::store::sqlite::{attachment, audience, group_request};
use crate::store::{Error, Member, sqlite};
use shared::code::{Code, Rejection};
use shared::conversation::{ConversationKind, Created, Described, Membership, Renamed, Role, Summary};
use shared::event::EventKind;
use shared::ids::{ConversationId, UserId};
use shared::limits::MEMBERS_MAX;

impl State {
    pub(super) fn change(&mut self, user: UserId, change: Change) -> Result<Effect, Error> {
        match change {
            Change::Create { kind, name, topic, is_public, members } => {
                self.create(user, kind, Face { name, topic, is_public, avatar: None }, &members)
            }
            Change::Rename(id, name) => self.rename(user, id, name),
            Change::Describe(id, description) => self.describe(user, id, description),
            Change::Add(id, member) => self.add(user, id, member),
            Change::Remove(id, member) => self.remove(user, id, member),
            Change::Appoint(id, member, role) => self.appoint(user, id, member, role),
            Change::Decline(id) => self.decline(user, id),
        }
    }

    fn create(
        &mut self,
        user: UserId,
        kind: ConversationKind,
        face: Face,
        members: &[UserId],
    ) -> Result<Effect, Error> {
        if !conversation::all_exist(&self.database, members)? {
            let rejection = Rejection::new(Code::Invalid, "Not all of these people have an account here");
            return Ok(Effect::Refused(rejection.field("members")));
        }
        let asked = match self.invite(user, members, Destination::New)? {
            Ok(asked) => asked,
            Err(refusal) => return Ok(refusal),
        };
        let members: Vec<_> = members.iter().copied().filter(|member| !asked.contains(member)).collect();
        let at = clock::now();
        let id = clock::id(ConversationId::v7);
        let name = face.name.clone();
        let new = NewConversation { id, kind, face, set: None, owner: user, members: &members, at };
        let key = conversation::insert(&self.database, &new)?;
        audience::note_own_coming(&self.database, key, user)?;
        let summary = self.first_summary(key, kind)?;
        let requests = self.ask(user, key, &asked)?;
        let event = EventKind::Created(Created { kind, name, members, member_count: None }.bounded());
        self.store(user, key, &event, News::Made(summary), requests)
    }

    fn rename(&mut self, user: UserId, id: ConversationId, name: String) -> Result<Effect, Error> {
        let Some(key) = self.key_of_member(user, id)? else { return Ok(Effect::Refused(Rejection::not_found())) };
        if let Some(refusal) = self.refuse_fixed(key, "name")? {
            return Ok(refusal);
        }
        let face = conversation::face(&self.database, key)?;
        if face.name.as_ref() == Some(&name) {
            return Ok(Effect::Unchanged);
        }
        conversation::set_face(&self.database, key, &Face { name: Some(name.clone()), ..face })?;
        self.store(user, key, &EventKind::Renamed(Renamed { name }), News::None, Vec::new())
    }

    fn describe(&mut self, user: UserId, id: ConversationId, description: Description) -> Result<Effect, Error> {
        let Description { topic, is_public, avatar } = description;
        let Some(key) = self.key_of_member(user, id)? else { return Ok(Effect::Refused(Rejection::not_found())) };
        if (topic.is_some() || is_public.is_some())
            && let Err(rejection) = access::may_describe(self.head(key)?.kind)
        {
            return Ok(Effect::Refused(rejection.field(if topic.is_some() { "topic" } else { "public" })));
        }
        if let Some(refusal) = self.refuse_fixed(key, "avatar")? {
            return Ok(refusal);
        }
        let before = conversation::face(&self.database, key)?;
        let is_public = is_public.unwrap_or(before.is_public);
        if is_public != before.is_public
            && let Err(rejection) = access::may_open(conversation::role(&self.database, key, user)?)
        {
            return Ok(Effect::Refused(rejection));
        }
        let topic = topic.map_or(before.topic.clone(), |topic| Some(topic).filter(|topic| !topic.is_empty()));
        let avatar = avatar.unwrap_or(before.avatar);
        let face = Face { name: before.name.clone(), topic: topic.clone(), is_public, avatar };
        if face == before {
            return Ok(Effect::Unchanged);
        }
        if avatar != before.avatar {
            if let Some(picture) = avatar
                && !attachment::is_free_picture(&self.database, user, picture)?
            {
                return Ok(Effect::Refused(no_picture()));
            }
            attachment::set_picture(&self.database, key, avatar, clock::now())?;
        }
        conversation::set_face(&self.database, key, &face)?;
        let described = Described { topic, public: is_public, avatar };
        self.store(user, key, &EventKind::Described(described), News::None, Vec::new())
    }

    fn add(&mut self, user: UserId, id: ConversationId, member: UserId) -> Result<Effect, Error> {
        let key = match self.key_of_member(user, id)? {
            // Into a public channel everybody brings themselves, back to where they have left, and to where they are asked.
            None if user == member => self.key_open_to(user, id)?,
            key => key,
        };
        let Some(key) = key else { return Ok(Effect::Refused(Rejection::not_found())) };
        if let Some(refusal) = self.refuse_fixed(key, "members")? {
            return Ok(refusal);
        }
        let Audience::Members(members) = self.head(key)?.audience.clone() else { return Ok(Effect::Unchanged) };
        if members.binary_search(&member).is_ok() {
            return Ok(Effect::Unchanged);
        }
        if !conversation::all_exist(&self.database, &[member])? {
            return Ok(Effect::Refused(Rejection::not_found()));
        }
        if members.len() >= MEMBERS_MAX {
            let text = format!("A conversation has at most {MEMBERS_MAX} members");
            return Ok(Effect::Refused(Rejection::new(Code::Conflict, text)));
        }
        if user != member
            && let Some(may_return) = audience::departed(&self.database, key, member)?
        {
            let text = if may_return {
                "This person has left the conversation. Nobody else can bring them back; they can come back by themselves"
            } else {
                "This person has left the conversation and cannot come back. Make another one to talk with them"
            };
            return Ok(Effect::Refused(Rejection::new(Code::Conflict, text)));
        }
        if user != member {
            let asked = match self.invite(user, &[member], Destination::Conversation(key))? {
                Ok(asked) => asked,
                Err(refusal) => return Ok(refusal),
            };
            if !asked.is_empty() {
                return self.ask(user, key, &asked).map(Effect::Asked);
            }
        }
        // What was said before can be read, and is not unread.
        let head = self.head(key)?;
        let (last_seq, read_count) = (head.last_seq, head.message_count);
        // As it stood before: whoever comes is not among its members yet, the event that follows brings them in.
        let before = self.first_summary(key, self.heads[&key].kind)?;
        conversation::insert_member(&self.database, key, member, Role::Member, clock::now())?;
        if user == member {
            audience::note_own_coming(&self.database, key, member)?;
        }
        audience::forget_departure(&self.database, key, member)?;
        let requests = self.end_request(key, member)?;
        // Who comes back to where nobody is left looks after it.
        conversation::appoint_owner(&self.database, key)?;
        self.positions.insert((key, member), Position { delivered: last_seq, read: last_seq, read_count });
        let event = EventKind::Joined(Membership { user: member });
        let summary = Box::new(Summary {
            last_seq,
            read_seq: last_seq,
            last_event: sqlite::event::last(&self.database, Member { key, conversation: id, user: member })?,
            ..*before
        });
        self.reload_audience(key)?;
        self.store(user, key, &event, News::Joined(member, summary), requests)
    }

    fn remove(&mut self, user: UserId, id: ConversationId, member: UserId) -> Result<Effect, Error> {
        let Some(key) = self.key_of_member(user, id)? else { return Ok(Effect::Refused(Rejection::not_found())) };
        if let Some(refusal) = self.refuse_fixed(key, "members")? {
            return Ok(refusal);
        }
        let audience = self.head(key)?.audience.clone();
        if !audience.contains(member) {
            // Who may send nobody away is told that, whoever is meant.
            let own = conversation::role(&self.database, key, user)?;
            if let Err(refusal) = access::may_remove(false, own, Role::Member) {
                return Ok(Effect::Refused(refusal));
            }
            // Who has left may come back; who looks after the conversation can end that.
            let is_shut_out = audience::shut_out(&self.database, key, member)?;
            return Ok(if is_shut_out { Effect::Unchanged } else { Effect::Refused(Rejection::not_found()) });
        }
        let role = conversation::role(&self.database, key, member)?;
        let own = conversation::role(&self.database, key, user)?;
        if let Err(rejection) = access::may_remove(user == member, own, role) {
            return Ok(Effect::Refused(rejection));
        }
        conversation::delete_member(&self.database, key, member)?;
        if user == member {
            audience::depart(&self.database, key, member)?;
        }
        let requests = self.end_requests_of(key, member)?;
        if role == Role::Owner {
            conversation::appoint_owner(&self.database, key)?;
        }
        self.positions.remove(&(key, member));
        // Whoever goes hears of it, and of nothing after it.
        let event = EventKind::Left(Membership { user: member });
        let effect = self.store(user, key, &event, News::Left(member), requests)?;
        self.reload_audience(key)?;
        Ok(effect)
    }

    /// No event says so: what somebody may do is not part of what was said.
    fn appoint(&mut self, user: UserId, id: ConversationId, member: UserId, role: Role) -> Result<Effect, Error> {
        let Some(key) = self.key_of_member(user, id)? else { return Ok(Effect::Refused(Rejection::not_found())) };
        if let Some(refusal) = self.refuse_fixed(key, "role")? {
            return Ok(refusal);
        }
        let own = conversation::role(&self.database, key, user)?;
        if let Err(rejection) = access::may_appoint(user == member, own) {
            return Ok(Effect::Refused(rejection));
        }
        if !self.head(key)?.audience.contains(member) {
            return Ok(Effect::Refused(Rejection::not_found()));
        }
        conversation::set_role(&self.database, key, member, role)?;
        Ok(Effect::Unchanged)
    }

    /// The key of a conversation that this person is in.
    pub(super) fn key_of_member(&mut self, user: UserId, id: ConversationId) -> Result<Option<i64>, Error> {
        let Some(key) = self.key(id)? else { return Ok(None) };
        Ok(self.is_member(key, user)?.then_some(key))
    }

    /// The key of a conversation that somebody may enter by themselves: a public channel, one they have left, or one into
    /// which they are asked.
    fn key_open_to(&mut self, user: UserId, id: ConversationId) -> Result<Option<i64>, Error> {
        let Some(key) = self.key(id)? else { return Ok(None) };
        let is_open = conversation::face(&self.database, key)?.is_public
            || audience::departed(&self.database, key, user)? == Some(true)
            || group_request::exists(&self.database, key, user)?;
        Ok(is_open.then_some(key))
    }

    /// Direct conversations and the one for everyone are what they are.
    fn refuse_fixed(&mut self, key: i64, field: &str) -> Result<Option<Effect>, Error> {
        let kind = self.head(key)?.kind;
        Ok(access::may_change(kind).err().map(|rejection| Effect::Refused(rejection.field(field))))
    }

    fn store(
        &mut self,
        user: UserId,
        key: i64,
        kind: &EventKind,
        news: News,
        requests: Requests,
    ) -> Result<Effect, Error> {
        let json = to_json(kind)?;
        let new = New { sender: user, at: clock::now(), kind: &json, target: None, is_message: false, command: None };
        let place = self.append(key, new)?;
        let audience = self.head(key)?.audience.clone();
        Ok(Effect::Stored(Stored { place, kind: json, audience, news, requests }))
    }
}
