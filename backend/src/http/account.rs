//! Accounts: signing up, changing and deleting one.

use super::error::Refused;
use super::extract::{Browser, Json};
use super::session;
use crate::accounts::password::Asker;
use crate::accounts::token::Secret;
use crate::app::App;
use crate::chat;
use crate::clock;
use crate::rate;
use crate::server::address::{PeerAddress, site};
use crate::store::SessionRow;
use crate::store::account::{AccountChange, Changed, NewPassword};
use crate::store::attachment::no_picture;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use shared::account::{self, ChangeAccount, DeleteAccount, Password, SessionBody, SignUp, User};
use shared::code::{Code, Rejection};
use shared::ids::UserId;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// `POST /api/accounts`: makes an account and signs it in.
///
/// # Errors
/// 422 with the field at fault, 409 for an address that is taken.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    Json(body): Json<SignUp>,
) -> Result<Response, Refused> {
    let email = account::email(&body.email)?.to_owned();
    let display_name = account::display_name(&body.display_name)?;
    body.password.prepared().check()?;
    let asker = Asker { site: site(address), person: None };
    // Taken before the password is judged, which is dear, and given back if that refuses it. From then on the answer tells
    // whether the address is taken, so it is not given back, whatever fails.
    if app.rates.is_on {
        let message = "Too many accounts were made from this address. Please try again later";
        app.ledger.sign_ups.take(address, Instant::now()).map_err(|wait| rate::refusal(message, wait))?;
    }
    let about = vec![display_name.clone(), email.clone()];
    if let Err(refused) = app.passwords.check_new(asker.clone(), &body.password, about).await {
        if app.rates.is_on {
            app.ledger.sign_ups.give_back(address);
        }
        return Err(refused.into());
    }

    if app.store.credentials(&email).await?.is_some() {
        return Err(taken());
    }
    let hash = app.passwords.hash(asker, body.password).await?;
    let user =
        User { id: clock::id(UserId::v7), display_name, avatar: None, status: None, privacy: None, email: Some(email) };
    let (secret, new_session) = session::new(&headers);
    let (session, token_hash) = (new_session.id, new_session.token_hash);
    let created = app.writer.create_account(site(address), user.clone(), hash, new_session).await?;
    if !created {
        return Err(taken());
    }
    app.ledger.know(&token_hash, user.id, session);
    tracing::info!(user = %user.id, "account.created");
    Ok(session::answer(&app, StatusCode::CREATED, user, &secret))
}

/// `PATCH /api/account`: another name, picture, status, address or password. Another password ends every other session
/// and token, and gives this one a new secret.
///
/// # Errors
/// 401 without a session, 403 with a token or a wrong password, 409 for an address that is taken, 422
/// with the field at fault.
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    Browser { session }: Browser,
    Json(body): Json<ChangeAccount>,
) -> Result<Response, Refused> {
    let ChangeAccount { display_name, avatar, status, privacy, email, password, current_password } = body;
    let status = status.as_deref().map(account::status).transpose()?;
    // A name from before goes on, whatever is refused in new ones.
    let display_name = display_name.filter(|name| *name != session.user.display_name);
    let display_name = display_name.as_deref().map(account::display_name).transpose()?;
    let email = email.as_deref().map(account::email).transpose()?.map(str::to_owned);
    password.as_ref().map(|password| password.prepared().check()).transpose()?;
    if email.is_some() || password.is_some() {
        check_owner(&app, address, &session, current_password).await?;
    }
    let address_change = match &email {
        Some(email) => take_address_change(&app, address, &session, email)?,
        None => None,
    };
    let secret = Secret::new();
    let password = match password {
        None => None,
        Some(password) => {
            let own_email = session.user.email.clone().unwrap_or_default();
            let asker = Asker { site: site(address), person: Some((own_email.to_lowercase(), Some(site(address)))) };
            let name = display_name.as_ref().unwrap_or(&session.user.display_name).clone();
            let about = [name, own_email].into_iter().chain(email.clone()).collect();
            app.passwords.check_new(asker.clone(), &password, about).await?;
            let hash = app.passwords.hash(asker, password).await?;
            Some(NewPassword { hash, token_hash: secret.hash() })
        }
    };
    let is_new_secret = password.is_some();
    let is_new_face = display_name.is_some() || avatar.is_some() || status.is_some();
    let user = User {
        display_name: display_name.clone().unwrap_or_else(|| session.user.display_name.clone()),
        avatar: avatar.unwrap_or(session.user.avatar),
        status: status.clone().unwrap_or_else(|| session.user.status.clone()),
        privacy: privacy.or(session.user.privacy),
        email: email.clone().or_else(|| session.user.email.clone()),
        id: session.user.id,
    };
    let change = AccountChange { display_name, avatar, status, privacy, email, password };
    let changed = app.writer.change_account(user.id, session.id, change).await?;
    if let (Changed::Done(_) | Changed::Taken, Some(address_change)) = (&changed, address_change) {
        address_change.tell();
    }
    let ended = match changed {
        Changed::Done(ended) => ended,
        Changed::Taken => return Err(taken()),
        Changed::NoPicture => return Err(no_picture().into()),
    };
    if let Some(privacy) = privacy {
        chat::presence::hide(&app, user.id, privacy).await?;
    }
    if avatar.is_some() {
        app.attachments.note_removed();
    }
    chat::session::end(&app, user.id, &ended);
    if is_new_secret {
        app.ledger.end_sessions(&[session.id]);
        app.ledger.know(&secret.hash(), user.id, session.id);
    }
    if is_new_face {
        chat::person::tell(&app, user.id);
    }
    Ok(match is_new_secret {
        true => session::answer(&app, StatusCode::OK, user, &secret),
        false => axum::Json(SessionBody { user }).into_response(),
    })
}

/// `DELETE /api/account`: leaves all groups and channels, signs out everywhere, and forgets name and
/// address. What was written stays, under "Deleted account".
///
/// # Errors
/// 401 without a session, 403 with a token or a wrong password.
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    Browser { session }: Browser,
    Json(body): Json<DeleteAccount>,
) -> Result<Response, Refused> {
    check_owner(&app, address, &session, Some(body.current_password)).await?;
    let user = session.user.id;
    chat::account::delete(&app, user, session.id).await?;
    tracing::info!(%user, "account.deleted");
    Ok(session::signed_out(&app))
}

/// Whoever changes or deletes an account shows that they know its password: a browser left open is
/// not enough.
pub(super) async fn check_owner(
    app: &App,
    address: IpAddr,
    session: &SessionRow,
    password: Option<Password>,
) -> Result<(), Refused> {
    let wrong = || Rejection::new(Code::Forbidden, "This is not your password").field("currentPassword");
    let email = session.user.email.clone().unwrap_or_default();
    let stored = app.store.credentials(&email).await?.map(|credentials| credentials.password_hash);
    let password = password.ok_or_else(|| {
        Rejection::new(Code::Invalid, "Please give your password as it is now").field("currentPassword")
    })?;
    if session::verify(app, address, &email, password, stored).await? { Ok(()) } else { Err(wrong().into()) }
}

/// Another address that was asked for. Given back when it is dropped before anybody was told whether it is taken.
struct AddressChange<'a> {
    app: &'a App,
    address: IpAddr,
    user: UserId,
    is_told: bool,
}

impl AddressChange<'_> {
    /// The answer tells.
    fn tell(mut self) {
        self.is_told = true;
    }
}

impl Drop for AddressChange<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.app.rates.address_changes.give_back(&self.user);
            self.app.ledger.sign_ups.give_back(self.address);
        }
    }
}

/// Takes from what an account may ask for in a day, and from the sign-ups of where it is asked from: like signing up,
/// another address is answered by whether somebody has it.
fn take_address_change<'a>(
    app: &'a App,
    address: IpAddr,
    session: &SessionRow,
    email: &str,
) -> Result<Option<AddressChange<'a>>, Refused> {
    let is_own = session.user.email.as_deref().is_some_and(|own| own.to_lowercase() == email.to_lowercase());
    if !app.rates.is_on || is_own {
        return Ok(None);
    }
    let message = "You have asked for another address very often. Please try again later";
    let (user, now) = (session.user.id, Instant::now());
    app.rates.address_changes.take(user, now).map_err(|wait| rate::refusal(message, wait))?;
    if let Err(wait) = app.ledger.sign_ups.take(address, now) {
        app.rates.address_changes.give_back(&user);
        return Err(rate::refusal(message, wait).into());
    }
    Ok(Some(AddressChange { app, address, user, is_told: false }))
}

fn taken() -> Refused {
    let message = "There is an account with this address already. Sign in, or use another address";
    Rejection::new(Code::Conflict, message).field("email").into()
}
