//! Who may put whom into a conversation, and how many people in which time.
//!
//! The writer asks before anybody becomes a member through somebody else: when a group or channel is made, when a first
//! message makes a group, when somebody is brought in. Who joins or comes back by themselves is not asked about.

use super::batch::State;
use super::job::Effect;
use crate::rate::{self, Limiter};
use crate::store::Error;
use crate::store::sqlite::{account, audience};
use foldhash::HashSet;
use shared::code::{Code, Rejection};
use shared::ids::UserId;
use std::time::Instant;

/// What was taken of people's rates in the transaction under way. Goes back if that fails.
pub(super) type Taken = Vec<(UserId, u32)>;

/// The rules; without any, everybody may put everybody into groups.
#[derive(Debug, Default)]
pub struct Invites {
    /// Whether people put only those into groups with whom they have talked.
    pub is_known_only: bool,
    /// The burst, and the limiter it belongs to: one token for each member.
    pub rate: Option<(u32, Limiter<UserId>)>,
}

impl State {
    /// Counts the people whom `user` is about to make members, or gives the refusal: then nobody may become one.
    pub(super) fn invite(&mut self, user: UserId, members: &[UserId]) -> Result<Option<Effect>, Error> {
        let others = || members.iter().copied().filter(|member| *member != user);
        if self.invites.is_known_only && !self.knows_all(user, others())? {
            let text = "You can put only people into a conversation with whom you have talked. Write to each of them \
                        first; once they have answered, bring them in";
            return Ok(Some(Effect::Refused(Rejection::new(Code::Forbidden, text))));
        }
        let Some((burst, limiter)) = &self.invites.rate else { return Ok(None) };
        let count = u32::try_from(others().count()).unwrap_or(u32::MAX);
        if count > *burst {
            let text =
                format!("You can put at most {burst} people into a conversation at once. Bring the others in later");
            return Ok(Some(Effect::Refused(Rejection::new(Code::Forbidden, text))));
        }
        let refuse = |wait| {
            let text = "You have put many people into conversations. Please wait before you bring in more";
            // A millisecond more: part of one is not told.
            Effect::Refused(rate::refusal(text, wait + std::time::Duration::from_millis(1)))
        };
        if let Err(wait) = limiter.take_many(user, count, Instant::now()) {
            return Ok(Some(refuse(wait)));
        }
        self.invited.push((user, count));
        Ok(None)
    }

    /// The transaction in which people were made members has failed: nobody has become one.
    pub(super) fn give_invites_back(&mut self) {
        for (user, count) in self.invited.drain(..) {
            if let Some((_, limiter)) = &self.invites.rate {
                limiter.give_back_many(&user, count);
            }
        }
    }

    /// Whether somebody has talked with all of these people: in the direct conversation, which is one look, or as
    /// contacts are found (at most some 20,000 rows).
    fn knows_all(&self, user: UserId, others: impl Iterator<Item = UserId>) -> Result<bool, Error> {
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
                return Ok(false);
            }
        }
        Ok(true)
    }
}
