//! Accounts, sessions and API tokens: the bodies of signing in.

use crate::code::{Code, Rejection};
use crate::ids::{AttachmentId, SessionId, Timestamp, TokenId, UserId};
use crate::limits;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A person as others see them; the address only as its owner does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The name to show.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = limits::DISPLAY_NAME_CHARS_MAX)))]
    pub display_name: String,
    /// Their picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<AttachmentId>,
    /// What they say of themselves in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What others are not told of them; only in answers to themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// Their e-mail address; only in answers to themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// `person`: somebody one shares a conversation with is called, looks or says something else of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PersonChanged {
    /// How they are seen from now on.
    pub user: User,
}

/// What others are not told of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Privacy {
    /// Whether they are there, and when they last were.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hides_presence: bool,
    /// That they are writing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hides_typing: bool,
}

/// A password on its way from a form to the check. It is never shown: `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "schema", schemars(extend("maxLength" = limits::PASSWORD_BYTES_MAX, "format" = "password")))]
pub struct Password(String);

impl Password {
    /// A password as typed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The password in clear. Only for hashing.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The password in the one spelling that is hashed, however a keyboard composes its letters: the profile `OpaqueString`
    /// of RFC 8265, section 4.2.
    #[must_use]
    pub fn prepared(&self) -> Self {
        // The category Zs.
        let is_space = |c: char| {
            matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
        };
        let spaced: String = self.0.chars().map(|c| if is_space(c) { ' ' } else { c }).collect();
        Self(crate::fold::composed(&spaced).into_owned())
    }

    /// Whether it is long enough for a new password, and not too long. All bytes count; nothing is trimmed. The server
    /// refuses those that are easy to guess besides.
    ///
    /// # Errors
    /// `invalid` with the sentence to show beside the field.
    pub fn check(&self) -> Result<(), Rejection> {
        let refuse = |message: String| Err(Rejection::new(Code::Invalid, message).field("password"));
        if self.0.chars().count() < limits::PASSWORD_CHARS_MIN {
            return refuse(format!("A password has at least {} characters", limits::PASSWORD_CHARS_MIN));
        }
        if self.0.len() > limits::PASSWORD_BYTES_MAX {
            return refuse(format!("A password has at most {} bytes", limits::PASSWORD_BYTES_MAX));
        }
        if crate::text::is_blank(&self.0) {
            return refuse("A password has something in it that can be seen".into());
        }
        Ok(())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The body of `POST /api/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignUp {
    /// The address to sign in with.
    #[cfg_attr(feature = "schema", schemars(length(min = 3)))]
    pub email: String,
    /// The name others see.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub display_name: String,
    /// The password.
    pub password: Password,
}

/// The body of `POST /api/session`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignIn {
    /// The address, in any case.
    pub email: String,
    /// The password.
    pub password: Password,
}

/// The body of `PATCH /api/account`: what is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangeAccount {
    /// Another name for others to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Another picture: one that was uploaded and not sent; `null` takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<AttachmentId>"))]
    pub avatar: Option<Option<AttachmentId>>,
    /// What to say of oneself in a few words; empty: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What others are not to be told, all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// Another address to sign in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Another password: ends every other session and token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// The password as it is; needed for another address or password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_password: Option<Password>,
}

/// What is there counts, even if it is `null`.
pub(crate) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The body of `DELETE /api/account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeleteAccount {
    /// The password: proof that it is its owner who asks.
    pub current_password: Password,
}

/// The answer to signing up, signing in and `GET /api/session`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionBody {
    /// Oneself, with the address.
    pub user: User,
}

/// The answer of `GET /api/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserList {
    /// At most 100, by name.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::PAGE_MAX)))]
    pub users: Vec<User>,
}

/// A signed-in device, in `GET /api/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// When it was signed in.
    pub created_at: Timestamp,
    /// When it was last heard of.
    pub last_seen_at: Timestamp,
    /// What the browser calls itself.
    pub user_agent: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The answer of `GET /api/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionList {
    /// All of one's own.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::SESSIONS_MAX)))]
    pub sessions: Vec<Session>,
}

/// The body of `POST /api/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateToken {
    /// What it is for.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub name: String,
    /// The password: proof that it is its owner who asks.
    pub current_password: Password,
    /// Days until it ends; 90 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = limits::TOKEN_DAYS_MAX)))]
    pub days: Option<u16>,
}

/// The answer of `POST /api/tokens`: the only time the secret is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreatedToken {
    /// Which.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// The secret.
    pub token: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreatedToken({}, ***)", self.id)
    }
}

/// An API token in `GET /api/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Which.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// The answer of `GET /api/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenList {
    /// All of one's own.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::TOKENS_MAX)))]
    pub tokens: Vec<Token>,
}

/// An address as it is kept: trimmed. Its case is kept for writing to, and ignored for comparing.
///
/// The check is deliberately small (something, `@`, something, no white space): only a letter that
/// arrives proves an address.
///
/// # Errors
/// `invalid` with the sentence to show beside the field.
pub fn email(text: &str) -> Result<&str, Rejection> {
    let trimmed = text.trim();
    let refuse = |message: String| Err(Rejection::new(Code::Invalid, message).field("email"));
    if trimmed.len() > limits::EMAIL_BYTES_MAX {
        return refuse(format!("An e-mail address has at most {} bytes", limits::EMAIL_BYTES_MAX));
    }
    let shaped = trimmed.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !shaped || trimmed.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return refuse("Please give an e-mail address, like name@example.org".into());
    }
    Ok(trimmed)
}

/// The name others see, checked; see [`crate::name::name`].
///
/// # Errors
/// `invalid` with the sentence to show beside the field.
pub fn display_name(text: &str) -> Result<String, Rejection> {
    crate::name::name(text, limits::DISPLAY_NAME_CHARS_MAX, "displayName")
}

/// What somebody says of themselves, checked: one line; nothing if there is nothing to see.
///
/// # Errors
/// `invalid` with the sentence to show beside the field.
pub fn status(text: &str) -> Result<Option<String>, Rejection> {
    match crate::text::is_blank(text) {
        true => Ok(None),
        false => crate::name::line(text, limits::STATUS_CHARS_MAX, "status").map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_lightly_and_bounded() {
        for good in ["a@b", " Ada@Example.org ", "a.b+c@d.e", &format!("{}@b", "x".repeat(252))] {
            assert_eq!(email(good), Ok(good.trim()));
        }
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b\nc", "a\0@b", &format!("{}@b", "x".repeat(253))] {
            assert_eq!(email(bad).expect_err(bad).field.as_deref(), Some("email"));
        }
    }

    #[test]
    fn all_bytes_of_a_password_count() {
        let check = |text: &str| Password::new(text.into()).check().is_ok();
        assert!(check("1234567890"));
        assert!(check(" 12345678 "));
        assert!(check("春の海ひねもすのたり"));
        assert!(check(&"p".repeat(1_024)));
        assert!(!check("123456789"));
        assert!(!check("ééééé"), "characters, not bytes");
        assert!(!check(&" ".repeat(12)), "nothing to be seen");
        assert!(!check(&"p".repeat(1_025)));
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", Password::new("hunter22".into())), "***");
    }
}
