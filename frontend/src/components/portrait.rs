//! Settings: one's own picture.

use super::avatar::Avatar;
use super::form::problem_line;
use crate::api;
use crate::browser::files_of;
use crate::dynamic::{part_if, text};
use crate::i18n::{Text, tr};
use crate::state::State;
use leptos::prelude::*;
use shared::account::{ChangeAccount, User};
use shared::ids::AttachmentId;

#[component]
pub(crate) fn OwnPicture() -> impl IntoView {
    let state = expect_context::<State>();
    let is_busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let user = move || state.session.session.with(|session| session.account().cloned());
    let run = move |work: std::pin::Pin<Box<dyn Future<Output = Result<User, api::Error>>>>| {
        is_busy.set(true);
        problem.set(None);
        leptos::task::spawn_local(async move {
            match work.await {
                Ok(user) => {
                    state.people.learn([&user]);
                    state.session.set_in(user);
                }
                Err(error) => drop(problem.try_set(Some(error.message()))),
            }
            is_busy.try_set(false);
        });
    };
    let choose = move |event: leptos::ev::Event| {
        let input = event_target::<web_sys::HtmlInputElement>(&event);
        let Some(file) = files_of(input.files()).pop() else { return };
        // The same one can be chosen again.
        input.set_value("");
        run(Box::pin(async move { set(Some(api::upload(&file).await?.id)).await }));
    };
    let name = Signal::derive(move || user().map(|user| user.display_name).unwrap_or_default());
    let id = Signal::derive(move || user().map(|user| *user.id.as_bytes()).unwrap_or_default());
    let has_picture = move || user().is_some_and(|user| user.avatar.is_some());
    view! {
        <div class="portrait" role="group" aria-label=tr(Text::YourPicture)>
            <div class="portrait__picture"><Avatar id name /></div>
            <label class="button button--quiet button--small portrait__choose" data-busy=text(move || is_busy.get().to_string())>
                {tr(Text::ChoosePicture)}
                <input type="file" class="composer__files" accept="image/png,image/jpeg,image/gif,image/webp" disabled=is_busy on:change=choose />
            </label>
            {part_if(has_picture, move || view! {
                <button
                    type="button"
                    class="button button--quiet button--small"
                    disabled=is_busy
                    on:click=move |_| run(Box::pin(set(None)))
                >
                    {tr(Text::RemovePicture)}
                </button>
            }.into_any())}
        </div>
        {problem_line(problem)}
    }
}

async fn set(avatar: Option<AttachmentId>) -> Result<User, api::Error> {
    api::change_account(&ChangeAccount { avatar: Some(avatar), ..ChangeAccount::default() }).await
}
