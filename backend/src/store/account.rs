//! Accounts, sessions and API tokens: what is written about them. (They are no part of any log; each
//! is one call in the writer's next transaction.)

use super::sqlite::{account, attachment, conversation, session};
use super::writer::Turn;
use super::{Error, Writer};
use crate::clock;
use rusqlite::Connection;
use shared::account::{Privacy, User};
use shared::ids::{AttachmentId, SessionId, Timestamp, UserId};
use shared::limits::{SESSIONS_MAX, TOKENS_MAX};
use std::net::IpAddr;

/// A session or an API token to be made; the secret itself stays with the caller.
#[derive(Debug)]
pub struct NewSession {
    /// Which.
    pub id: SessionId,
    /// SHA-256 of its secret.
    pub token_hash: [u8; 32],
    /// What the browser calls itself.
    pub user_agent: String,
    /// When it ends, whatever it is used for.
    pub expires_at: Timestamp,
}

impl NewSession {
    fn insert(&self, database: &Connection, user: UserId, at: Timestamp) -> Result<(), Error> {
        session::insert(database, self.id, &self.token_hash, user, &self.user_agent, at, self.expires_at)
    }
}

/// What is to be different about an account; `None` stays as it is. All of it is checked.
#[derive(Debug, Default)]
pub struct AccountChange {
    /// The name others see.
    pub display_name: Option<String>,
    /// The picture, or none.
    pub avatar: Option<Option<AttachmentId>>,
    /// What they say of themselves, or nothing.
    pub status: Option<Option<String>>,
    /// What others are not to be told.
    pub privacy: Option<Privacy>,
    /// The address.
    pub email: Option<String>,
    /// Another password.
    pub password: Option<NewPassword>,
}

/// What came of changing an account.
#[derive(Debug)]
pub enum Changed {
    /// It is changed, and these sessions have ended.
    Done(Vec<SessionId>),
    /// The address is somebody else's; nothing was changed.
    Taken,
    /// They have no such picture; nothing was changed.
    NoPicture,
}

/// Another password. All sessions and tokens end with the old one, but the one that changed it.
#[derive(Debug)]
pub struct NewPassword {
    /// In PHC string format.
    pub hash: String,
    /// What the session that changed it is known by from now on.
    pub token_hash: [u8; 32],
}

/// Between the moment a request was let in and this one its session may have ended, because of another
/// password or with the account.
fn go_on(database: &Connection, by: SessionId) -> Result<(), Error> {
    if session::exists(database, by, clock::now())? { Ok(()) } else { Err(Error::SignedOut) }
}

impl<A: Send + 'static> Writer<A> {
    /// Makes an account with its first session, in the turn of the place it is made from. `Ok(false)`: the address is taken.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then there is no account.
    pub async fn create_account(
        &self,
        from: IpAddr,
        user: User,
        password_hash: String,
        session: NewSession,
    ) -> Result<bool, Error> {
        self.call(Turn::Address(from), move |database| {
            let email = user.email.as_deref().unwrap_or_default();
            let at = clock::now();
            let made = account::insert(database, user.id, email, &user.display_name, &password_hash, at)?;
            if made {
                session.insert(database, user.id, at)?;
            }
            Ok(made)
        })
        .await
    }

    /// Changes an account.
    ///
    /// # Errors
    /// [`Error::SignedOut`], or when the database fails or is overloaded; then nothing was changed.
    pub async fn change_account(&self, user: UserId, by: SessionId, change: AccountChange) -> Result<Changed, Error> {
        self.call(Turn::Person(user), move |database| {
            go_on(database, by)?;
            // Looked at before anything is written: a refusal changes nothing.
            if let Some(Some(avatar)) = change.avatar
                && !attachment::is_picture(database, user, avatar)?
            {
                return Ok(Changed::NoPicture);
            }
            if let Some(email) = &change.email
                && !account::set_email(database, user, email)?
            {
                return Ok(Changed::Taken);
            }
            if let Some(avatar) = change.avatar {
                account::set_avatar(database, user, avatar, clock::now())?;
            }
            if let Some(status) = &change.status {
                account::set_status(database, user, status.as_deref())?;
            }
            if let Some(privacy) = change.privacy {
                account::set_privacy(database, user, privacy)?;
            }
            if let Some(name) = &change.display_name {
                account::set_display_name(database, user, name)?;
            }
            let Some(NewPassword { hash, token_hash }) = change.password else { return Ok(Changed::Done(Vec::new())) };
            account::set_password(database, user, &hash)?;
            session::set_secret(database, by, &token_hash)?;
            session::delete_all(database, user, Some(by)).map(Changed::Done)
        })
        .await
    }

    /// Ends an account: nobody can sign in to it, its name and address are gone. What it wrote stays.
    /// Gives the sessions that ended. `Ok(None)`: it is in a group or channel, and has to leave first.
    ///
    /// # Errors
    /// [`Error::SignedOut`], or when the database fails or is overloaded; then it goes on.
    pub async fn delete_account(&self, user: UserId, by: SessionId) -> Result<Option<Vec<SessionId>>, Error> {
        self.call_ending(user, move |database| {
            go_on(database, by)?;
            if !conversation::groups(database, user, 1)?.is_empty() {
                return Ok(None);
            }
            let ended = session::delete_all(database, user, None)?;
            account::delete(database, user, clock::now())?;
            Ok(Some(ended))
        })
        .await
    }

    /// Signs somebody in, if the account is still there and the password that was right still is
    /// (`password_hash` is its hash). Gives the sessions that ended because there are too many.
    ///
    /// # Errors
    /// [`Error::SignedOut`], or when the database fails or is overloaded; then there is no session.
    pub async fn create_session(
        &self,
        user: UserId,
        password_hash: String,
        session: NewSession,
    ) -> Result<Vec<SessionId>, Error> {
        self.call(Turn::Person(user), move |database| {
            if !account::has_password(database, user, &password_hash)? {
                return Err(Error::SignedOut);
            }
            session.insert(database, user, clock::now())?;
            session::delete_oldest(database, user, SESSIONS_MAX)
        })
        .await
    }

    /// Makes an API token. `Ok(false)`: the person has too many.
    ///
    /// # Errors
    /// [`Error::SignedOut`], or when the database fails or is overloaded; then there is no token.
    pub async fn create_token(
        &self,
        user: UserId,
        by: SessionId,
        name: String,
        token: NewSession,
    ) -> Result<bool, Error> {
        self.call(Turn::Person(user), move |database| {
            go_on(database, by)?;
            let now = clock::now();
            if session::tokens(database, user, now)?.len() >= TOKENS_MAX as usize {
                return Ok(false);
            }
            session::insert_token(database, token.id, &token.token_hash, user, &name, now, token.expires_at)?;
            Ok(true)
        })
        .await
    }

    /// Ends one of somebody's sessions or tokens. `Ok(false)`: there is none of that kind.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then it goes on.
    pub async fn delete_session(&self, user: UserId, id: SessionId, is_token: bool) -> Result<bool, Error> {
        self.call(Turn::Person(user), move |database| session::delete(database, user, id, is_token)).await
    }

    /// Removes at most `most` sessions and tokens whose end came before this moment. `Ok(true)`: there may be more.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn remove_ended_sessions(&self, before: Timestamp, most: u32) -> Result<bool, Error> {
        self.call(Turn::Program, move |database| session::delete_ended(database, before, most)).await
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn touch_session(&self, user: UserId, id: SessionId) -> Result<(), Error> {
        self.call(Turn::Person(user), move |database| session::touch(database, id, clock::now())).await
    }

    /// Notes when people were last there.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn set_last_seen(&self, people: Vec<(UserId, Timestamp)>) -> Result<(), Error> {
        self.call(Turn::Program, move |database| account::set_last_seen(database, &people)).await
    }
}
