//! Signing up.

use super::error::Refused;
use super::extract::Json;
use super::session;
use crate::app::App;
use crate::clock;
use crate::server::address::PeerAddress;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use shared::account::{self, SignUp, User};
use shared::code::{Code, Rejection};
use shared::ids::UserId;
use std::sync::Arc;

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
    let display_name = account::display_name(&body.display_name)?.to_owned();
    body.password.check()?;
    session::check_address(&app, address)?;

    let taken = || {
        let message = "There is an account with this address already. Sign in, or use another address";
        Refused::from(Rejection::new(Code::Conflict, message).field("email"))
    };
    if app.store.credentials(&email).await?.is_some() {
        session::count_failure(&app, address);
        return Err(taken());
    }
    let hash = app.passwords.hash(body.password).await?;
    let user = User { id: clock::id(UserId::v7), display_name, avatar: None, email: Some(email) };
    let (secret, new_session) = session::new(&headers);
    let created = app.writer.create_account(user.clone(), hash, new_session).await?;
    if !created {
        return Err(taken());
    }
    tracing::info!(user = %user.id, "account.created");
    Ok(session::answer(&app, StatusCode::CREATED, user, &secret))
}
