//! The providers and the addresses of the page.

use crate::dynamic::part;
use crate::pages::chat::Chat;
use crate::pages::signin::{SignIn, SignUp};
use crate::router::{Address, Router};
use crate::state::State;
use leptos::prelude::*;

#[component]
pub(crate) fn App() -> impl IntoView {
    let state = State::new();
    let router = Router::new();
    provide_context(state);
    provide_context(router);
    state.session.restore(state);
    // The frame around the conversations stays while one goes from one to another.
    let page = Memo::new(move |_| match router.address() {
        address @ (Address::SignIn | Address::SignUp) => Some(address),
        _ => None,
    });
    part(move || {
        // Texts follow no signal: another language is another page.
        state.settings.language.track();
        match page.get() {
            Some(Address::SignIn) => view! { <SignIn /> }.into_any(),
            Some(_) => view! { <SignUp /> }.into_any(),
            None => view! { <Chat /> }.into_any(),
        }
    })
}
