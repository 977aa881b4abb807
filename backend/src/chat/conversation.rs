//! Conversations themselves: making and naming them, coming and going. Asked for over HTTP; decided,
//! like everything that is stored, in the writer's transaction.

use super::deliver::{Answer, Asker};
use crate::app::App;
use crate::store::SessionRow;
use crate::store::writer::{Change, Description};
use shared::code::{Code, Rejection};
use shared::conversation::{ChangeConversation, ChangePreferences, ConversationKind, CreateConversation, Role};
use shared::ids::{ConversationId, UserId};
use shared::limits::{CONVERSATION_NAME_CHARS_MAX, MEMBERS_MAX, PAGE_MAX, TOPIC_CHARS_MAX};
use tokio::sync::oneshot;

/// Makes a group or channel, and gives its id.
///
/// # Errors
/// `invalid` with the field at fault, `forbidden` or `rate_limited`.
pub async fn create(app: &App, session: &SessionRow, body: CreateConversation) -> Result<ConversationId, Rejection> {
    let CreateConversation { kind, name, topic, public: is_public, mut members } = body;
    let topic = topic.as_deref().map(checked_topic).transpose()?.filter(|topic| !topic.is_empty());
    if kind != ConversationKind::Channel && (topic.is_some() || is_public) {
        let message = "Only channels have a topic and can be open to everybody";
        return Err(Rejection::new(Code::Invalid, message).field(if is_public { "public" } else { "topic" }));
    }
    let name = name.as_deref().map(checked_name).transpose()?;
    match kind {
        ConversationKind::Group => {}
        ConversationKind::Channel if name.is_some() => {}
        ConversationKind::Channel => {
            return Err(Rejection::new(Code::Invalid, "A channel needs a name").field("name"));
        }
        ConversationKind::Direct | ConversationKind::Everyone => {
            return Err(Rejection::new(Code::Invalid, "Groups and channels can be made").field("kind"));
        }
    }
    super::message::add_oneself(&mut members, session.user.id);
    if members.len() > MEMBERS_MAX {
        let message =
            format!("A conversation has at most {MEMBERS_MAX} members, this one would have {}", members.len());
        return Err(Rejection::new(Code::Invalid, message).field("members"));
    }
    match change(app, session, Change::Create { kind, name, topic, is_public, members }).await? {
        Answer::Stored(place) | Answer::Repeated(place) => Ok(place.conversation),
        Answer::Unchanged | Answer::Asked => Err(Rejection::internal()),
    }
}

/// Gives a conversation another name or picture, says what a channel is about (empty: nothing in particular), and whether everybody
/// may join. What cannot be read changes nothing.
///
/// # Errors
/// `not_found`, `invalid`, `forbidden` or `conflict`.
pub async fn change_face(
    app: &App,
    session: &SessionRow,
    id: ConversationId,
    body: ChangeConversation,
) -> Result<(), Rejection> {
    let ChangeConversation { name, topic, public: is_public, avatar } = body;
    let name = name.as_deref().map(checked_name).transpose()?;
    let topic = topic.as_deref().map(checked_topic).transpose()?;
    if topic.is_some() || is_public.is_some() || avatar.is_some() {
        change(app, session, Change::Describe(id, Description { topic, is_public, avatar })).await?;
    }
    if avatar.is_some() {
        app.attachments.note_removed();
    }
    if let Some(name) = name {
        change(app, session, Change::Rename(id, name)).await?;
    }
    Ok(())
}

/// Brings somebody in or asks them, joins a public channel or where one is asked, or comes back to what was left.
///
/// # Errors
/// `not_found`, `conflict`, `forbidden` or `rate_limited`.
pub async fn add(app: &App, session: &SessionRow, id: ConversationId, member: UserId) -> Result<Answer, Rejection> {
    change(app, session, Change::Add(id, member)).await
}

/// Sends somebody away, leaves, or ends that somebody who has left may come back.
///
/// # Errors
/// `not_found`, `forbidden` or `conflict`.
pub async fn remove(app: &App, session: &SessionRow, id: ConversationId, member: UserId) -> Result<(), Rejection> {
    change(app, session, Change::Remove(id, member)).await.map(drop)
}

/// Gives somebody another role.
///
/// # Errors
/// `not_found`, `forbidden` or `conflict`.
pub async fn appoint(
    app: &App,
    session: &SessionRow,
    id: ConversationId,
    member: UserId,
    role: Role,
) -> Result<(), Rejection> {
    change(app, session, Change::Appoint(id, member, role)).await.map(drop)
}

/// Changes what somebody wants of a conversation, and tells their other sockets.
///
/// # Errors
/// `not_found`, or when the database fails.
pub async fn prefer(
    app: &App,
    session: &SessionRow,
    id: ConversationId,
    change: ChangePreferences,
) -> Result<(), Rejection> {
    app.rates.take_command(session.user.id, session.id, session.kind)?;
    let changed = app.writer.change_preferences(session.user.id, id, change).await;
    if !changed.map_err(|error| super::message::refusal(&error))? {
        return Err(Rejection::not_found());
    }
    super::deliver::tell_own(&app.store, &app.registry, session.user.id, id, None);
    Ok(())
}

/// Leaves every group and channel.
///
/// # Errors
/// When the database fails; some of them may have been left.
pub async fn leave_all(app: &App, user: UserId) -> Result<(), Rejection> {
    loop {
        let groups = app.store.groups(user, PAGE_MAX).await.map_err(|error| super::message::refusal(&error))?;
        if groups.is_empty() {
            return Ok(());
        }
        for id in groups {
            queue(app, user, Change::Remove(id, user)).await?;
        }
    }
}

pub(super) async fn change(app: &App, session: &SessionRow, change: Change) -> Result<Answer, Rejection> {
    app.rates.take_command(session.user.id, session.id, session.kind)?;
    queue(app, session.user.id, change).await
}

async fn queue(app: &App, user: UserId, change: Change) -> Result<Answer, Rejection> {
    let (reply, answer) = oneshot::channel();
    app.writer.change(Asker::Caller(reply), user, change).map_err(|error| super::message::refusal(&error))?;
    answer.await.unwrap_or_else(|_| Err(Rejection::internal()))
}

fn checked_topic(topic: &str) -> Result<String, Rejection> {
    match topic.trim() {
        "" => Ok(String::new()),
        topic => shared::name::line(topic, TOPIC_CHARS_MAX, "topic"),
    }
}

fn checked_name(name: &str) -> Result<String, Rejection> {
    shared::name::name(name, CONVERSATION_NAME_CHARS_MAX, "name")
}
