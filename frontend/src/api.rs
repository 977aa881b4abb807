//! HTTP calls of the contract, one function each.

use client::timeline::Load;
use gloo_net::http::{Request, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::account::{SessionBody, SignIn, SignUp, User, UserList};
use shared::code::{Code, ErrorBody, Rejection};
use shared::conversation::{ConversationBody, ConversationList, EventList, Summary};
use shared::ids::{ConversationId, UserId};

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Error {
    /// The server said no.
    Refused(Rejection),
    /// The server was not reached.
    Unreachable,
}

impl Error {
    /// A sentence for the person.
    pub(crate) fn message(&self) -> String {
        match self {
            Error::Refused(rejection) => rejection.message.clone(),
            Error::Unreachable => "The server cannot be reached. Please check your connection and try again".into(),
        }
    }

    /// The field it is about, if it is about one.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Error::Refused(rejection) => rejection.field.as_deref(),
            Error::Unreachable => None,
        }
    }

    pub(crate) fn is(&self, code: Code) -> bool {
        matches!(self, Error::Refused(rejection) if rejection.code == code)
    }
}

pub(crate) async fn sign_up(body: &SignUp) -> Result<User, Error> {
    send::<SessionBody>(Request::post("/api/accounts"), body).await.map(|body| body.user)
}

pub(crate) async fn sign_in(body: &SignIn) -> Result<User, Error> {
    send::<SessionBody>(Request::post("/api/session"), body).await.map(|body| body.user)
}

pub(crate) async fn sign_out() -> Result<(), Error> {
    accept(Request::delete("/api/session").send().await).await.map(|_| ())
}

pub(crate) async fn session() -> Result<User, Error> {
    get::<SessionBody>(Request::get("/api/session")).await.map(|body| body.user)
}

pub(crate) async fn search_users(text: &str) -> Result<Vec<User>, Error> {
    let request = Request::get("/api/users").query([("search", text), ("limit", "50")]);
    get::<UserList>(request).await.map(|body| body.users)
}

pub(crate) async fn users(ids: &[UserId]) -> Result<Vec<User>, Error> {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let request = Request::get("/api/users").query([("ids", ids.join(",").as_str()), ("limit", "100")]);
    get::<UserList>(request).await.map(|body| body.users)
}

pub(crate) async fn conversations(before: ConversationId) -> Result<ConversationList, Error> {
    let before = before.to_string();
    get(Request::get("/api/conversations").query([("before", before.as_str()), ("limit", "100")])).await
}

pub(crate) async fn conversation(id: ConversationId) -> Result<Summary, Error> {
    get::<ConversationBody>(Request::get(&format!("/api/conversations/{id}"))).await.map(|body| body.conversation)
}

pub(crate) async fn events(id: ConversationId, load: Load) -> Result<EventList, Error> {
    let request = Request::get(&format!("/api/conversations/{id}/events")).query([("limit", "60")]);
    get(match load {
        Load::Newest => request,
        Load::Before(cursor) => request.query([("before", cursor.to_string())]),
        Load::After(cursor) => request.query([("after", cursor.to_string())]),
    })
    .await
}

async fn get<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    read(accept(request.send().await).await?).await
}

async fn send<T: DeserializeOwned>(request: RequestBuilder, body: &impl Serialize) -> Result<T, Error> {
    let request = request.json(body).map_err(|_| Error::Unreachable)?;
    read(accept(request.send().await).await?).await
}

async fn accept(response: Result<Response, gloo_net::Error>) -> Result<Response, Error> {
    let response = response.map_err(|_| Error::Unreachable)?;
    if response.ok() {
        return Ok(response);
    }
    // What is not the contract's is a proxy's, in place of a server that is away.
    match response.json::<ErrorBody>().await {
        Ok(body) => Err(Error::Refused(body.error)),
        Err(_) => Err(Error::Unreachable),
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    response.json().await.map_err(|_| Error::Unreachable)
}
