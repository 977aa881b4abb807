//! Group requests: who is asked instead of put into a group, and what becomes of that.

use super::batch::State;
use super::job::{Effect, Requests};
use crate::clock;
use crate::store::Error;
use crate::store::sqlite::{account, group_request};
use shared::code::{Code, Rejection};
use shared::ids::{ConversationId, UserId};
use shared::limits::{GROUP_REQUESTS_MAX, MEMBERS_MAX};

impl State {
    /// The refusal, if one of these people may not be asked into a conversation, or into a new one: then nobody may be.
    pub(super) fn refuse_to_ask(
        &mut self,
        asker: UserId,
        key: Option<i64>,
        people: &[UserId],
    ) -> Result<Option<Effect>, Error> {
        for user in people {
            if group_request::has_declined(&self.database, key, *user, asker)? {
                let rest =
                    "has declined such a request before. Write to them: once they have answered, you can bring them in";
                return self.cannot_be_asked(*user, rest).map(Some);
            }
            let is_asked = key.map_or(Ok(false), |key| group_request::exists(&self.database, key, *user))?;
            if !is_asked && group_request::count(&self.database, *user)? >= GROUP_REQUESTS_MAX {
                let rest = "has as many requests as somebody can have. Leave them out, or write to them first";
                return self.cannot_be_asked(*user, rest).map(Some);
            }
        }
        let Some(key) = key else { return Ok(None) };
        let members = match &self.head(key)?.audience {
            super::job::Audience::Everyone => 0,
            super::job::Audience::Members(members) => members.len() as u64,
        };
        if members + group_request::count_asked(&self.database, key)? >= MEMBERS_MAX as u64 {
            let text = format!("A conversation has at most {MEMBERS_MAX} members and people who are asked together");
            return Ok(Some(Effect::Refused(Rejection::new(Code::Conflict, text))));
        }
        Ok(None)
    }

    fn cannot_be_asked(&self, user: UserId, rest: &str) -> Result<Effect, Error> {
        let name = account::users_by_id(&self.database, &[user])?.pop().map(|user| user.display_name);
        let text = format!("{} {rest}", name.unwrap_or_default());
        Ok(Effect::Refused(Rejection::new(Code::Conflict, text).field("members")))
    }

    /// Asks people into a conversation. Those who are asked already are not asked again.
    pub(super) fn ask(&self, asker: UserId, key: i64, people: &[UserId]) -> Result<Requests, Error> {
        let at = clock::now();
        let mut asked = Vec::new();
        for user in people {
            if !group_request::exists(&self.database, key, *user)? {
                group_request::insert(&self.database, key, *user, asker, at)?;
                asked.push(*user);
            }
        }
        self.counted(asked)
    }

    /// Declines: neither who asked nor the conversation asks again.
    pub(super) fn decline(&mut self, user: UserId, id: ConversationId) -> Result<Effect, Error> {
        let Some(key) = self.key(id)? else { return Ok(Effect::Refused(Rejection::not_found())) };
        let Some(asker) = group_request::remove(&self.database, key, user)? else {
            return Ok(Effect::Refused(Rejection::not_found()));
        };
        group_request::decline(&self.database, key, user, asker, clock::now())?;
        self.counted(vec![user]).map(Effect::Declined)
    }

    /// Somebody has become a member: they are not asked any more.
    pub(super) fn end_request(&self, key: i64, member: UserId) -> Result<Requests, Error> {
        let asker = group_request::remove(&self.database, key, member)?;
        self.counted(asker.map(|_| member).into_iter().collect())
    }

    /// Somebody is no member any more: what they asked others goes with them.
    pub(super) fn end_requests_of(&self, key: i64, asker: UserId) -> Result<Requests, Error> {
        let asked = group_request::remove_asked_by(&self.database, key, asker)?;
        self.counted(asked)
    }

    fn counted(&self, people: Vec<UserId>) -> Result<Requests, Error> {
        people.into_iter().map(|user| Ok((user, group_request::count(&self.database, user)?))).collect()
    }
}
