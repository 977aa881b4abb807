//! The frame around every conversation: the list beside what is open, or one at a time.

use crate::components::sidebar::Sidebar;
use crate::components::status::StatusBar;
use crate::state::State;
use crate::state::session::Session;
use leptos::prelude::*;
use leptos_router::components::{A, Outlet, Redirect};
use leptos_router::hooks::use_location;

#[component]
pub(crate) fn Chat() -> impl IntoView {
    let state = expect_context::<State>();
    let session = state.session.session;
    let is_out = move || session.with(|session| *session == Session::Out);
    let is_something_open = {
        let pathname = use_location().pathname;
        move || (pathname.get() != "/").to_string()
    };
    Effect::new(move |_| {
        let unread = state.conversations.unread.get();
        let title = if unread == 0 { "Confab".to_owned() } else { format!("({unread}) Confab") };
        document().set_title(&title);
    });
    view! {
        <Show when=move || !is_out() fallback=|| view! { <Redirect path="/signin" /> }>
            <div class="shell">
                <StatusBar />
                <div class="shell__panes" data-open=is_something_open>
                    <Sidebar />
                    <Outlet />
                </div>
            </div>
        </Show>
    }
}

#[component]
pub(crate) fn NothingOpen() -> impl IntoView {
    view! {
        <main class="pane pane--empty">
            <div class="shell__empty">
                <h2>"Pick a conversation"</h2>
                <p>"or write to somebody new."</p>
                <A href="/new" attr:class="button">"New message"</A>
            </div>
        </main>
    }
}
