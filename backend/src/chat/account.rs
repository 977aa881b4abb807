//! Accounts that end, as others notice it.

use super::message::refusal;
use super::{conversation, person, session};
use crate::app::App;
use shared::code::Rejection;
use shared::ids::{SessionId, UserId};
use std::sync::Arc;

/// `by` is the session it is asked with. Leaves all groups and channels, signs out everywhere and forgets name and address. Those who talked
/// with them see within a second that the account is deleted.
///
/// # Errors
/// When the database fails; some groups may have been left.
pub async fn delete(app: &Arc<App>, user: UserId, by: SessionId) -> Result<(), Rejection> {
    let ended = loop {
        conversation::leave_all(app, user).await?;
        // Somebody may have brought them into another group meanwhile.
        if let Some(ended) = app.writer.delete_account(user, by).await.map_err(|error| refusal(&error))? {
            break ended;
        }
    };
    session::end(app, user, &ended);
    person::tell(app, user);
    Ok(())
}
