//! What somebody wants of a conversation. It is no part of any log: one call in the writer's next transaction.

use super::sqlite::conversation;
use super::{Error, Member, Writer};
use shared::conversation::ChangePreferences;
use shared::ids::UserId;

impl<A: Send + 'static> Writer<A> {
    /// Changes what `user` wants of a conversation. `Ok(false)`: they have left it meanwhile.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then nothing was changed.
    pub async fn change_preferences(
        &self,
        user: UserId,
        member: Member,
        change: ChangePreferences,
    ) -> Result<bool, Error> {
        self.call(move |database| {
            let Some(before) = conversation::preferences(database, member.key, user)? else { return Ok(false) };
            conversation::set_preferences(database, member.key, user, change.applied_to(before))?;
            Ok(true)
        })
        .await
    }
}
