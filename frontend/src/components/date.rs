//! Going to a day of a conversation.

use super::dialog::Dialog;
use super::form::problem_line;
use crate::i18n::{Text, tr};
use crate::state::State;
use crate::state::timeline::Why;
use crate::{api, browser};
use leptos::prelude::*;
use shared::ids::{ConversationId, Seq, Timestamp};

#[component]
pub(crate) fn DateDialog(id: ConversationId, close: Callback<()>) -> impl IntoView {
    let state = expect_context::<State>();
    let chosen = RwSignal::new(browser::date_field(browser::now()));
    let problem = RwSignal::new(None::<String>);
    let go = move |at: Timestamp| {
        problem.set(None);
        leptos::task::spawn_local(async move {
            match api::first_since(id, at).await {
                // Who has closed this has gone on.
                Ok(Some(seq)) if chosen.try_get_untracked().is_some() => show(state, id, seq),
                Ok(Some(_)) => {}
                Ok(None) => drop(problem.try_set(Some(tr(Text::NothingSince).into()))),
                Err(error) => drop(problem.try_set(Some(error.message()))),
            }
        });
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(at) = browser::day_begins(&chosen.get_untracked()) {
            go(at);
        }
    };
    view! {
        <Dialog title=tr(Text::GoToDate) class="dialog" close>
            <form class="date" on:submit=submit>
                <label class="field__label" for="date">{tr(Text::Date)}</label>
                <input
                    id="date"
                    class="field__input"
                    type="date"
                    required
                    autofocus
                    prop:value=chosen
                    on:input=move |event| chosen.set(event_target_value(&event))
                />
                {problem_line(problem)}
                <div class="date__ways">
                    <button type="submit" class="button">{tr(Text::GoThere)}</button>
                    <button type="button" class="button button--quiet" on:click=move |_| show(state, id, Seq::FIRST)>{tr(Text::FirstMessage)}</button>
                </div>
            </form>
        </Dialog>
    }
}

fn show(state: State, id: ConversationId, seq: Seq) {
    state.overlay.set(None);
    state.show(id, seq, Why::Asked);
}
