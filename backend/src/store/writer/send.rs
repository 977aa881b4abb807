//! New messages: where they go, and their ids.

use super::batch::State;
use super::head::{New, Position};
use super::invite::Destination;
use super::job::{Audience, Content, Effect, NewMessage, News, Place, Recipients, Stored};
use crate::clock;
use crate::store::Error;
use crate::store::sqlite::command::{self, Fingerprint};
use crate::store::sqlite::conversation::{Face, NewConversation};
use crate::store::sqlite::{account, attachment, audience, conversation, event};
use sha2::{Digest, Sha256};
use shared::code::{Code, Rejection};
use shared::conversation::{ConversationKind, Preferences, Summary};
use shared::event::EventKind;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::limits::MENTIONS_MAX;
use shared::mention::Key;
use shared::message::{Message, SEEN_MEMBERS};

/// The conversation a message is for, with its summary if it is new; or what the sender is told
/// instead.
type Resolved = Result<(i64, Option<Box<Summary>>), Effect>;

impl State {
    pub(super) fn send(&mut self, user: UserId, message: NewMessage) -> Result<Effect, Error> {
        let at = clock::now();
        let (key, made) = match self.resolve(user, &message, at)? {
            Ok(found) => found,
            Err(effect) => return Ok(effect),
        };
        if let Some(target) = message.reply_to
            && !event::is_message(&self.database, key, target)?
        {
            return Ok(Effect::Refused(
                Rejection::new(Code::BadReference, "The message this replies to is not in this conversation")
                    .field("replyTo"),
            ));
        }
        let head = self.head(key)?;
        let prints = prints(&head.id, &message);
        if self.stored(user, message.id)?.is_some() {
            return self.repeated(user, message.id, Some(&prints));
        }
        let Some(attachments) = attachment::unsent(&self.database, user, &message.attachments)? else {
            return Ok(Effect::Refused(no_such_file()));
        };
        let NewMessage { id: command, content, reply_to, .. } = message;
        let (mentions, mention_names) = self.mentions(key, &content)?;
        let new = Message::new(command, content.into_text(), reply_to);
        let message = Message { mentions, mention_names, attachments, ..new };
        let kind = to_json(&EventKind::Message(message.clone()))?;
        let command = Some((command, prints[0]));
        let place = self.append(key, New { sender: user, at, kind: &kind, target: None, is_message: true, command })?;
        attachment::bind(&self.database, &message.attachments, key, place.seq)?;
        audience::note_writer(&self.database, key, user)?;
        // Writing moves one's own read position.
        let head = self.heads.get_mut(&key).ok_or_else(|| Error::Corrupt("a head is missing".into()))?;
        head.note_writer(user);
        let (audience, read_count) = (head.audience.clone(), head.message_count);
        self.positions
            .insert((key, user), Position { delivered: place.seq.into(), read: place.seq.into(), read_count });
        let news = made.map_or(News::None, News::Made);
        Ok(Effect::Stored(Stored { place, kind, audience, news, requests: Vec::new() }))
    }

    /// Finds the conversation a message is for, or makes it.
    fn resolve(&mut self, user: UserId, message: &NewMessage, at: Timestamp) -> Result<Resolved, Error> {
        if let Recipients::Set(members) = &message.to
            && let Some(effect) = self.repeated_to_set(user, message, members)?
        {
            return Ok(Err(effect));
        }
        let Some(key) = self.find(&message.to)? else {
            return match &message.to {
                Recipients::Set(members) => self.make(user, message, members, at),
                Recipients::Everyone | Recipients::Conversation(_) | Recipients::Group(..) => {
                    self.repeated(user, message.id, None).map(Err)
                }
            };
        };
        if self.is_member(key, user)? {
            let refusal = self.refuse_audience(key, &message.to)?;
            return Ok(match refusal {
                Some(refusal) if self.stored(user, message.id)?.is_none() => Err(Effect::Refused(refusal)),
                _ => Ok((key, None)),
            });
        }
        // Somebody who has left may still ask what came of a command from before.
        let prints = prints(&self.head(key)?.id, message);
        self.repeated(user, message.id, Some(&prints)).map(Err)
    }

    /// Why a new message would not reach the people it is for, if it would not.
    pub(super) fn refuse_audience(&mut self, key: i64, to: &Recipients) -> Result<Option<Rejection>, Error> {
        if self.is_over(key)? {
            let message = "This person has deleted their account: nobody would get the message";
            return Ok(Some(Rejection::new(Code::Forbidden, message).field("to")));
        }
        let Recipients::Group(_, seen) = to else { return Ok(None) };
        let is_as_seen = match &self.head(key)?.audience {
            Audience::Members(members) => **members == **seen,
            Audience::Everyone => false,
        };
        Ok((!is_as_seen).then(|| {
            let message =
                "Others are here than when this was written. Try again, and it goes to those who are here now";
            Rejection::new(Code::Conflict, message).field(SEEN_MEMBERS)
        }))
    }

    fn make(
        &mut self,
        user: UserId,
        message: &NewMessage,
        members: &[UserId],
        at: Timestamp,
    ) -> Result<Resolved, Error> {
        if message.reply_to.is_some() || !conversation::all_exist(&self.database, members)? {
            return Ok(Err(Effect::Refused(Rejection::not_found())));
        }
        // Whoever names a file that is not there makes no conversation.
        if attachment::unsent(&self.database, user, &message.attachments)?.is_none() {
            return Ok(Err(Effect::Refused(no_such_file())));
        }
        // Writing to one person is how one gets to know them.
        if members.len() > 2
            && let Err(refusal) = self.invite(user, members, Destination::Set)?
        {
            return Ok(Err(refusal));
        }
        let id = clock::id(ConversationId::v7);
        let set = conversation::member_set(members);
        let kind = if members.len() <= 2 { ConversationKind::Direct } else { ConversationKind::Group };
        let key = conversation::insert(
            &self.database,
            &NewConversation { id, kind, face: Face::default(), set: Some(&set), owner: user, members, at },
        )?;
        Ok(Ok((key, Some(self.first_summary(key, kind)?))))
    }

    /// The members a text names, and for each the text that does. Nobody else is looked for: a name tells nothing about who is not here.
    ///
    /// Namesakes elsewhere cost nothing: the members are gone over once (at most [`MEMBERS_MAX`](shared::limits::MEMBERS_MAX)),
    /// and in the conversation for everyone the first of each name are read from the index of names.
    pub(super) fn mentions(&mut self, key: i64, content: &Content) -> Result<(Vec<UserId>, Vec<String>), Error> {
        let Some(names) = content.names() else { return Ok((Vec::new(), Vec::new())) };
        if matches!(self.head(key)?.audience, Audience::Everyone) {
            let named = names.people(|name| account::named(&self.database, name, MENTIONS_MAX))?;
            return Ok(named.into_iter().map(|(user, name)| (user, name.to_owned())).unzip());
        }
        let members = conversation::members_named(&self.database, key, names.all())?;
        let meant = |name: &Key| {
            let namesakes = members.get(&name.fold).map_or(&[][..], Vec::as_slice);
            Ok::<_, Error>(name.meant(namesakes.iter().map(|(exact, user)| (exact.as_str(), *user))))
        };
        Ok(names.people(meant)?.into_iter().map(|(user, name)| (user, name.to_owned())).unzip())
    }

    /// How a conversation stands before its first event.
    pub(super) fn first_summary(&mut self, key: i64, kind: ConversationKind) -> Result<Box<Summary>, Error> {
        let Face { name, topic, is_public, avatar } = conversation::face(&self.database, key)?;
        let members = match kind {
            ConversationKind::Direct | ConversationKind::Group => {
                Some(conversation::first_members(&self.database, key)?)
            }
            ConversationKind::Channel | ConversationKind::Everyone => None,
        };
        let member_count = match kind {
            ConversationKind::Everyone => None,
            _ => Some(conversation::count_members(&self.database, key)?),
        };
        Ok(Box::new(Summary {
            id: self.head(key)?.id,
            kind,
            name,
            topic,
            public: is_public,
            avatar,
            members,
            member_count,
            last_seq: Cursor::START,
            read_seq: Cursor::START,
            unread: 0,
            last_event: None,
            preferences: Preferences::default(),
        }))
    }

    /// The answer to a command whose id was used before: the same as then if it is the same command.
    /// Without fingerprints to compare, the id being used at all is a conflict; an id never used is
    /// `not_found`.
    pub(super) fn repeated(
        &self,
        user: UserId,
        id: CommandId,
        prints: Option<&[Fingerprint; 2]>,
    ) -> Result<Effect, Error> {
        Ok(match (self.stored(user, id)?, prints) {
            (None, _) => Effect::Refused(Rejection::not_found()),
            (Some((stored, place)), Some(prints)) if prints.contains(&stored) => Effect::Repeated(place),
            (Some(_), _) => Effect::Refused(conflict()),
        })
    }

    /// The answer to a message for a set of people whose id was used before. That set may find another conversation
    /// by now, or none.
    fn repeated_to_set(&self, user: UserId, message: &NewMessage, members: &[UserId]) -> Result<Option<Effect>, Error> {
        let Some((print, place)) = self.stored(user, message.id)? else { return Ok(None) };
        let set = conversation::member_set(members);
        let is_same = print == fingerprint(&place.conversation, message)
            && audience::was_found_by(&self.database, place.conversation, &set)?;
        Ok(Some(if is_same { Effect::Repeated(place) } else { Effect::Refused(conflict()) }))
    }

    /// What came of the command that has used this id.
    pub(super) fn stored(&self, user: UserId, id: CommandId) -> Result<Option<(Fingerprint, Place)>, Error> {
        command::find(&self.database, user, id)
    }
}

/// The fingerprint of a command with these fields. Their lengths come first, so that no two commands
/// run together to the same bytes.
pub(super) fn print(fields: &[&[u8]]) -> Fingerprint {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    half(hash)
}

/// The fingerprints that a message may have: the first is its own, the other that of one whose text was deleted.
fn prints(conversation: &ConversationId, message: &NewMessage) -> [Fingerprint; 2] {
    [fingerprint(conversation, message), without_text(conversation, message.reply_to)]
}

/// The fingerprint of a message whose text was deleted. This form is in people's databases: it must not change.
pub(super) fn without_text(conversation: &ConversationId, reply_to: Option<Seq>) -> Fingerprint {
    print(&[b"send without its text", conversation.as_bytes(), &reply_to.map_or(0, Seq::get).to_be_bytes()])
}

/// This form is in people's databases: it must not change.
pub(super) fn fingerprint(conversation: &ConversationId, message: &NewMessage) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(b"send");
    hash.update(conversation.as_bytes());
    hash.update(message.reply_to.map_or(0, Seq::get).to_be_bytes());
    let content = message.content.text();
    hash.update((content.len() as u64).to_be_bytes());
    hash.update(content);
    for file in &message.attachments {
        hash.update(file.as_bytes());
    }
    half(hash)
}

fn half(hash: Sha256) -> Fingerprint {
    let whole: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

fn no_such_file() -> Rejection {
    let message = "One of these files is not there any more, or is in another message. Upload it again";
    Rejection::new(Code::BadReference, message).field("attachments")
}

pub(super) fn conflict() -> Rejection {
    Rejection::new(Code::Conflict, "This id was used before for another command. Make a new id").field("id")
}

pub(super) fn to_json(kind: &EventKind) -> Result<String, Error> {
    serde_json::to_string(kind).map_err(|error| Error::Corrupt(error.to_string()))
}
