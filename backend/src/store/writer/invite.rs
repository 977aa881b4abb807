//! Who may put whom into a conversation, and how many people in which time.
//!
//! The writer asks before anybody becomes a member through somebody else: when a group or channel is made, when a first
//! message makes a group, when somebody is brought in. Who joins or comes back by themselves is not asked about. Where people
//! put only those they know into groups, others are asked first (`group_request.rs`).

use super::batch::State;
use super::job::Effect;
use crate::rate::{self, Limiter};
use crate::store::Error;
use crate::store::sqlite::{account, audience};
use foldhash::HashSet;
use shared::code::{Code, Rejection};
use shared::ids::UserId;
use std::time::Instant;

/// Units taken of people's rates in the transaction under way. They go back if that fails.
pub(super) type Taken = Vec<(UserId, u32)>;

/// The rules; without any, everybody may put everybody into groups.
#[derive(Debug, Default)]
pub struct Invites {
    /// Whether people put only those into groups with whom they have talked.
    pub is_known_only: bool,
    /// The burst, and the limiter it belongs to: one token for each member.
    pub rate: Option<(u32, Limiter<UserId>)>,
}

/// Conversation that people are put into.
#[derive(Debug, Clone, Copy)]
pub(super) enum Destination {
    /// Made by a message to a set of people. It is for exactly these people: none of them can be asked first.
    Set,
    /// A group or channel that is being made.
    New,
    /// The group or channel with this key.
    Conversation(i64),
}

impl State {
    /// Counts the people whom `user` is about to put into a conversation, and gives those of them who are asked first; or
    /// gives the refusal: then nobody may be put in or asked.
    pub(super) fn invite(
        &mut self,
        user: UserId,
        members: &[UserId],
        into: Destination,
    ) -> Result<Result<Vec<UserId>, Effect>, Error> {
        let others = || members.iter().copied().filter(|member| *member != user);
        let strangers = if self.invites.is_known_only { self.strangers(user, others())? } else { Vec::new() };
        if !strangers.is_empty() {
            let refusal = match into {
                Destination::Set => {
                    let text = "You have not talked with all of these people. Make a group of them: then they are asked \
                                whether they want to come in";
                    Some(Effect::Refused(Rejection::new(Code::Forbidden, text).field("to.users")))
                }
                Destination::New => self.refuse_to_ask(user, None, &strangers)?,
                Destination::Conversation(key) => self.refuse_to_ask(user, Some(key), &strangers)?,
            };
            if let Some(refusal) = refusal {
                return Ok(Err(refusal));
            }
        }
        let Some((burst, limiter)) = &self.invites.rate else { return Ok(Ok(strangers)) };
        let count = u32::try_from(others().count()).unwrap_or(u32::MAX);
        if count > *burst {
            let text =
                format!("You can put at most {burst} people into a conversation at once. Bring the others in later");
            return Ok(Err(Effect::Refused(Rejection::new(Code::Forbidden, text))));
        }
        let refuse = |wait| {
            let text = "You have put many people into conversations. Please wait before you bring in more";
            // A millisecond more: part of one is not told.
            Effect::Refused(rate::refusal(text, wait + std::time::Duration::from_millis(1)))
        };
        if let Err(wait) = limiter.take_many(user, count, Instant::now()) {
            return Ok(Err(refuse(wait)));
        }
        self.invited.push((user, count));
        Ok(Ok(strangers))
    }

    /// The transaction in which people were made members has failed: nobody has become one.
    pub(super) fn give_invites_back(&mut self) {
        for (user, count) in self.invited.drain(..) {
            if let Some((_, limiter)) = &self.invites.rate {
                limiter.give_back_many(&user, count);
            }
        }
    }

    /// Returns those of these people with whom somebody has never talked: neither in the direct conversation, which is one look,
    /// nor as contacts are found (at most some 20,000 rows).
    fn strangers(&self, user: UserId, others: impl Iterator<Item = UserId>) -> Result<Vec<UserId>, Error> {
        let mut strangers = Vec::new();
        let mut contacts: Option<HashSet<UserId>> = None;
        for other in others {
            if audience::have_talked_directly(&self.database, user, other)? {
                continue;
            }
            let contacts = match &mut contacts {
                Some(contacts) => contacts,
                None => {
                    contacts.insert(account::contacts(&self.database, user)?.into_iter().map(|(id, _)| id).collect())
                }
            };
            if !contacts.contains(&other) {
                strangers.push(other);
            }
        }
        Ok(strangers)
    }
}
