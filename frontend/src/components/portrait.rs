//! Choosing a picture: one's own, or a conversation's.

use super::avatar::Avatar;
use super::form::problem_line;
use crate::browser::files_of;
use crate::dynamic::{part_if, text};
use crate::i18n::{Text, tr};
use crate::state::State;
use crate::{api, browser};
use leptos::prelude::*;
use shared::account::{ChangeAccount, User};
use shared::conversation::ChangeConversation;
use shared::ids::{AttachmentId, ConversationId};
use std::pin::Pin;

/// What sets a picture, or takes it away.
type Setting = fn(State, [u8; 16], Option<AttachmentId>) -> Pin<Box<dyn Future<Output = Result<(), api::Error>>>>;

/// One's own.
#[component]
pub(crate) fn OwnPicture() -> impl IntoView {
    let state = expect_context::<State>();
    let user = move || state.session.session.with(|session| session.account().cloned());
    let name = Signal::derive(move || user().map(|user| user.display_name).unwrap_or_default());
    let id = state.session.me().map(|me| *me.as_bytes()).unwrap_or_default();
    let set: Setting = |state, _, avatar| {
        Box::pin(async move {
            let change = ChangeAccount { avatar: Some(avatar), ..ChangeAccount::default() };
            let user: User = api::change_account(&change).await?;
            state.people.learn([&user]);
            state.session.set_in(user);
            Ok(())
        })
    };
    view! { <Portrait id name label=tr(Text::YourPicture) set /> }
}

/// A conversation's.
#[component]
pub(crate) fn ConversationPicture(id: ConversationId, #[prop(into)] name: Signal<String>) -> impl IntoView {
    let set: Setting = |state, id, avatar| {
        Box::pin(async move {
            let Some(id) = ConversationId::from_bytes(id) else { return Ok(()) };
            let change = ChangeConversation { avatar: Some(avatar), ..ChangeConversation::default() };
            let summary = api::change_conversation(id, &change).await?;
            state.people.learn_of(&summary);
            Ok(())
        })
    };
    view! { <Portrait id=*id.as_bytes() name label=tr(Text::ItsPicture) set /> }
}

#[component]
fn Portrait(id: [u8; 16], name: Signal<String>, label: &'static str, set: Setting) -> impl IntoView {
    let state = expect_context::<State>();
    let is_busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let run = move |file: Option<crate::browser::File>| {
        is_busy.set(true);
        problem.set(None);
        leptos::task::spawn_local(async move {
            let work = async {
                let picture = match &file {
                    Some(file) => Some(api::upload(file).await?.id),
                    None => None,
                };
                set(state, id, picture).await
            };
            let failed = work.await.err();
            problem.try_set(match (failed, &file) {
                (Some(_), Some(file)) if !browser::is_readable(file).await => Some(tr(Text::FileUnreadable).into()),
                (failed, _) => failed.map(|error| error.message()),
            });
            is_busy.try_set(false);
        });
    };
    let choose = move |event: leptos::ev::Event| {
        let input = event_target::<web_sys::HtmlInputElement>(&event);
        let file = files_of(input.files()).pop();
        // The same one can be chosen again.
        input.set_value("");
        if file.is_some() {
            run(file);
        }
    };
    let picture = state.people.picture(&id);
    let has_picture = move || !picture.with(String::is_empty);
    view! {
        <div class="portrait" role="group" aria-label=label>
            <div class="portrait__picture"><Avatar id=id name /></div>
            <label class="button button--quiet button--small portrait__choose" data-busy=text(move || is_busy.get().to_string())>
                {tr(Text::ChoosePicture)}
                <input type="file" class="composer__files" accept="image/png,image/jpeg,image/gif,image/webp" disabled=is_busy on:change=choose />
            </label>
            {part_if(has_picture, move || view! {
                <button
                    type="button"
                    class="button button--quiet button--small"
                    disabled=is_busy
                    on:click=move |_| run(None)
                >
                    {tr(Text::RemovePicture)}
                </button>
            }.into_any())}
        </div>
        {problem_line(problem)}
    }
}
