//! What somebody wants of a conversation. It is no part of any log: one call in the writer's next transaction.

use super::sqlite::conversation;
use super::writer::Turn;
use super::{Error, Writer};
use shared::conversation::ChangePreferences;
use shared::ids::{ConversationId, UserId};

impl<A: Send + 'static> Writer<A> {
    /// Changes what `user` wants of a conversation. `Ok(false)`: they are not in it.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then nothing was changed.
    pub async fn change_preferences(
        &self,
        user: UserId,
        id: ConversationId,
        change: ChangePreferences,
    ) -> Result<bool, Error> {
        self.call(Turn::Person(user), move |database| {
            let Some(key) = conversation::find_by_id(database, id)? else { return Ok(false) };
            let Some(before) = conversation::preferences(database, key, user)? else { return Ok(false) };
            conversation::set_preferences(database, key, user, change.applied_to(before))?;
            Ok(true)
        })
        .await
    }
}
