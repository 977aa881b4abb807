//! The providers and the addresses of the page.

use crate::dynamic::{memo, part};
use crate::later::{self, later};
use crate::pages::chat::Chat;
use crate::pages::signin::{SignIn, SignUp};
use crate::router::{Address, Router};
use crate::state::State;
use leptos::prelude::*;

later!(entrance, sign_in() => view! { <SignIn /> }.into_any());
later!(entrance, sign_up() => view! { <SignUp /> }.into_any());

#[component]
pub(crate) fn App() -> impl IntoView {
    let state = State::new();
    let router = Router::new();
    provide_context(state);
    provide_context(router);
    state.session.restore(state);
    // The frame around the conversations stays while one goes from one to another.
    let page = memo(move || match router.address() {
        address @ (Address::SignIn | Address::SignUp) => Some(address),
        _ => None,
    });
    part(move || {
        // Texts follow no signal: another language is another page.
        state.settings.language.track();
        match page.get() {
            Some(Address::SignIn) => later::show(sign_in),
            Some(_) => later::show(sign_up),
            None => view! { <Chat /> }.into_any(),
        }
    })
}
