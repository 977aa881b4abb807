//! Who is writing just now. The line keeps its place, so that nothing jumps when somebody begins.

use crate::dynamic::text;
use crate::i18n::{Text, tr, with};
use crate::state::State;
use leptos::prelude::*;
use shared::ids::ConversationId;

#[component]
pub(crate) fn TypingLine(conversation: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let names = move || {
        let writers = state.presence.writers(conversation);
        let names: Vec<_> =
            writers.iter().map(|user| state.people.name(*user).get()).filter(|name| !name.is_empty()).collect();
        match &names[..] {
            [] => String::new(),
            [one] => with(Text::IsWriting, &[("name", one)]),
            [one, other] => with(Text::TwoAreWriting, &[("name", one), ("other", other)]),
            _ => tr(Text::SeveralAreWriting).into(),
        }
    };
    view! { <p class="typing"><bdi>{text(names)}</bdi></p> }
}
