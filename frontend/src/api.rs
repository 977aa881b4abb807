//! HTTP calls of the contract, one function each.

use crate::i18n::{self, Text, tr};
use client::search::Further;
use client::timeline::Load;
use gloo_net::http::{Request, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::account::{
    ChangeAccount, CreateToken, CreatedToken, DeleteAccount, Session, SessionBody, SessionList, SignIn, SignUp, Token,
    TokenList, User, UserList,
};
use shared::attachment::{Attachment, AttachmentBody};
use shared::code::{Code, ErrorBody, Rejection};
use shared::conversation::{
    ChangeConversation, ChangeMember, ChangePreferences, ChannelList, ConversationBody, ConversationList,
    CreateConversation, EventList, MemberList, Role, Summary,
};
use shared::group_request::{DepartureBody, GroupRequest, GroupRequestList, MadeBody};
use shared::ids::{AttachmentId, ConversationId, Seq, SessionId, Timestamp, TokenId, UserId};
use shared::push::{PushKey, PushSubscription};
use shared::receipt::{Receipt, ReceiptList};
use shared::search::SearchResults;
use std::pin::Pin;

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
            Error::Refused(rejection) => i18n::refusal(rejection),
            Error::Unreachable => tr(Text::Unreachable).into(),
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
    let answer = send::<SessionBody>(Request::post("/api/session"), body).await;
    answer.map(|body| body.user).map_err(|error| match error {
        // Nobody is signed in yet: it is about what was typed.
        Error::Refused(rejection) if rejection.code == Code::Unauthenticated => {
            Error::Refused(rejection.field("credentials"))
        }
        error => error,
    })
}

pub(crate) async fn sign_out() -> Result<(), Error> {
    call(Request::delete("/api/session"), None).await.map(drop)
}

pub(crate) async fn session() -> Result<User, Error> {
    get::<SessionBody>(Request::get("/api/session")).await.map(|body| body.user)
}

pub(crate) async fn push_key() -> Result<String, Error> {
    get::<PushKey>(Request::get("/api/push")).await.map(|body| body.key)
}

pub(crate) async fn push_subscribe(body: &PushSubscription) -> Result<(), Error> {
    call(Request::put("/api/push"), Some(write(body)?)).await.map(drop)
}

pub(crate) async fn push_unsubscribe() -> Result<(), Error> {
    call(Request::delete("/api/push"), None).await.map(drop)
}

pub(crate) async fn change_account(body: &ChangeAccount) -> Result<User, Error> {
    send::<SessionBody>(Request::patch("/api/account"), body).await.map(|body| body.user)
}

pub(crate) async fn delete_account(body: &DeleteAccount) -> Result<(), Error> {
    call(Request::delete("/api/account"), Some(write(body)?)).await.map(drop)
}

pub(crate) async fn sessions() -> Result<Vec<Session>, Error> {
    get::<SessionList>(Request::get("/api/sessions")).await.map(|body| body.sessions)
}

pub(crate) async fn end_session(id: SessionId) -> Result<(), Error> {
    call(Request::delete(&format!("/api/sessions/{id}")), None).await.map(drop)
}

pub(crate) async fn tokens() -> Result<Vec<Token>, Error> {
    get::<TokenList>(Request::get("/api/tokens")).await.map(|body| body.tokens)
}

pub(crate) async fn create_token(body: &CreateToken) -> Result<CreatedToken, Error> {
    send(Request::post("/api/tokens"), body).await
}

pub(crate) async fn delete_token(id: TokenId) -> Result<(), Error> {
    call(Request::delete(&format!("/api/tokens/{id}")), None).await.map(drop)
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

pub(crate) async fn events(id: ConversationId, load: Load, limit: u32) -> Result<EventList, Error> {
    let limit = limit.to_string();
    let request = Request::get(&format!("/api/conversations/{id}/events")).query([("limit", limit.as_str())]);
    get(match load {
        Load::Newest => request,
        Load::Before(cursor) => request.query([("before", cursor.to_string())]),
        Load::After(cursor) => request.query([("after", cursor.to_string())]),
        Load::Around(seq) => request.query([("around", seq.to_string())]),
    })
    .await
}

/// The first event since a moment.
pub(crate) async fn first_since(id: ConversationId, at: Timestamp) -> Result<Option<Seq>, Error> {
    let request = Request::get(&format!("/api/conversations/{id}/events"));
    let at = at.as_millis().to_string();
    let found = get::<EventList>(request.query([("at", at.as_str()), ("limit", "1")])).await?;
    Ok(found.events.first().map(|event| event.seq))
}

/// Uploads a picture that is small, and so needs no word of how far it is.
pub(crate) async fn upload(file: &web_sys::File) -> Result<Attachment, Error> {
    let request = Request::post("/api/attachments").query([("name", file.name())]).body(file.clone());
    read::<AttachmentBody>(&answer(request).await?).map(|body| body.attachment)
}

pub(crate) async fn receipts(id: ConversationId) -> Result<Vec<Receipt>, Error> {
    get::<ReceiptList>(Request::get(&format!("/api/conversations/{id}/receipts"))).await.map(|body| body.receipts)
}

pub(crate) async fn members(id: ConversationId, search: &str, skip: usize, limit: u32) -> Result<MemberList, Error> {
    let (skip, limit) = (skip.to_string(), limit.to_string());
    let request = Request::get(&format!("/api/conversations/{id}/members"));
    get(request.query([("search", search), ("skip", &skip), ("limit", &limit)])).await
}

pub(crate) async fn search(
    query: &str,
    conversation: Option<ConversationId>,
    from: Option<Further>,
) -> Result<SearchResults, Error> {
    let request = Request::get("/api/search").query([("query", query), ("limit", "20")]);
    let conversation = conversation.map(|id| ("conversation", id.to_string()));
    let from =
        from.map(|Further { before, skip }| [("before", before.as_millis().to_string()), ("skip", skip.to_string())]);
    get(request.query(conversation.into_iter().chain(from.into_iter().flatten()))).await
}

pub(crate) async fn create_conversation(body: &CreateConversation) -> Result<MadeBody, Error> {
    send(Request::post("/api/conversations"), body).await
}

pub(crate) async fn change_conversation(id: ConversationId, body: &ChangeConversation) -> Result<Summary, Error> {
    let request = Request::patch(&format!("/api/conversations/{id}"));
    send::<ConversationBody>(request, body).await.map(|body| body.conversation)
}

pub(crate) async fn channels(search: &str, skip: usize) -> Result<ChannelList, Error> {
    let skip = skip.to_string();
    get(Request::get("/api/channels").query([("search", search), ("skip", skip.as_str()), ("limit", "50")])).await
}

pub(crate) async fn prefer(id: ConversationId, body: &ChangePreferences) -> Result<Summary, Error> {
    let request = Request::patch(&format!("/api/conversations/{id}/preferences"));
    send::<ConversationBody>(request, body).await.map(|body| body.conversation)
}

/// Brings somebody in; `true`: they are asked first. (Whoever is a member is answered by nothing.)
pub(crate) async fn add_member(id: ConversationId, user: UserId) -> Result<bool, Error> {
    call(Request::put(&member(id, user)), None).await.map(|answer| !answer.is_empty())
}

pub(crate) async fn group_requests() -> Result<Vec<GroupRequest>, Error> {
    get::<GroupRequestList>(Request::get("/api/group-requests")).await.map(|body| body.requests)
}

pub(crate) async fn decline_group_request(id: ConversationId) -> Result<(), Error> {
    call(Request::delete(&format!("/api/group-requests/{id}")), None).await.map(drop)
}

/// Whether one has left a conversation and may come back.
pub(crate) async fn departure(id: ConversationId) -> Result<DepartureBody, Error> {
    get(Request::get(&format!("/api/conversations/{id}/departure"))).await
}

pub(crate) async fn remove_member(id: ConversationId, user: UserId) -> Result<(), Error> {
    call(Request::delete(&member(id, user)), None).await.map(drop)
}

pub(crate) async fn change_member(id: ConversationId, user: UserId, role: Role) -> Result<(), Error> {
    call(Request::patch(&member(id, user)), Some(write(&ChangeMember { role })?)).await.map(drop)
}

fn member(id: ConversationId, user: UserId) -> String {
    format!("/api/conversations/{id}/members/{user}")
}

pub(crate) async fn delete_attachment(id: AttachmentId) -> Result<(), Error> {
    call(Request::delete(&format!("/api/attachments/{id}")), None).await.map(drop)
}

/// A file of the page, as text.
pub(crate) async fn text(path: &str) -> Result<String, Error> {
    call(Request::get(path), None).await
}

async fn get<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    read(&call(request, None).await?)
}

async fn send<T: DeserializeOwned>(request: RequestBuilder, body: &impl Serialize) -> Result<T, Error> {
    read(&call(request, Some(write(body)?)).await?)
}

fn write(body: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|_| Error::Unreachable)
}

fn read<T: DeserializeOwned>(answer: &str) -> Result<T, Error> {
    // What is not the contract's is a proxy's, in place of a server that is away.
    serde_json::from_str(answer).map_err(|_| Error::Unreachable)
}

/// Asks, with a JSON body if there is one, and gives the answer's text. In a box: one of it is enough for all calls.
fn call(request: RequestBuilder, body: Option<String>) -> Pin<Box<dyn Future<Output = Result<String, Error>>>> {
    answer(match body {
        Some(body) => request.header("Content-Type", "application/json").body(body),
        None => request.build(),
    })
}

/// Asks, and gives the answer's text.
fn answer(request: Result<Request, gloo_net::Error>) -> Pin<Box<dyn Future<Output = Result<String, Error>>>> {
    Box::pin(async move {
        let response = request.map_err(|_| Error::Unreachable)?.send().await.map_err(|_| Error::Unreachable)?;
        let text = response.text().await.map_err(|_| Error::Unreachable)?;
        if response.ok() { Ok(text) } else { Err(Error::Refused(read::<ErrorBody>(&text)?.error)) }
    })
}
