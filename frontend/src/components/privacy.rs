//! Settings: what others are told of oneself.

use super::form::problem_line;
use crate::api;
use crate::i18n::{Text, tr};
use crate::state::State;
use leptos::prelude::*;
use shared::account::{ChangeAccount, Privacy};

#[component]
pub(crate) fn OwnPrivacy() -> impl IntoView {
    let state = expect_context::<State>();
    let known = state.session.session.with_untracked(|session| session.account().and_then(|user| user.privacy));
    let privacy = RwSignal::new(known.unwrap_or_default());
    let problem = RwSignal::new(None::<String>);
    let change = move |to: Privacy| {
        let before = privacy.get_untracked();
        privacy.set(to);
        problem.set(None);
        leptos::task::spawn_local(async move {
            match api::change_account(&ChangeAccount { privacy: Some(to), ..ChangeAccount::default() }).await {
                Ok(user) => state.session.set_in(user),
                Err(error) => {
                    // It is as it was.
                    privacy.try_set(before);
                    problem.try_set(Some(error.message()));
                }
            }
        });
    };
    view! {
        <label class="settings__check">
            <input
                type="checkbox"
                prop:checked=move || !privacy.get().hides_presence
                on:change=move |event| change(Privacy { hides_presence: !event_target_checked(&event), ..privacy.get_untracked() })
            />
            {tr(Text::ShowPresence)}
        </label>
        <label class="settings__check">
            <input
                type="checkbox"
                prop:checked=move || !privacy.get().hides_typing
                on:change=move |event| change(Privacy { hides_typing: !event_target_checked(&event), ..privacy.get_untracked() })
            />
            {tr(Text::ShowTyping)}
        </label>
        {problem_line(problem)}
    }
}
