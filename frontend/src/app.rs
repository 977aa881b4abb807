//! The providers and the addresses of the page.

use crate::pages::chat::{Chat, NothingOpen};
use crate::pages::conversation::ConversationPage;
use crate::pages::new::New;
use crate::pages::signin::{SignIn, SignUp};
use crate::state::State;
use leptos::prelude::*;
use leptos_router::components::{ParentRoute, Redirect, Route, Router, Routes};
use leptos_router::path;

#[component]
pub(crate) fn App() -> impl IntoView {
    let state = State::new();
    provide_context(state);
    state.session.restore(state);
    view! {
        <Router>
            <Routes fallback=|| view! { <Redirect path="/" /> }>
                <Route path=path!("/signin") view=SignIn />
                <Route path=path!("/signup") view=SignUp />
                <ParentRoute path=path!("") view=Chat>
                    <Route path=path!("") view=NothingOpen />
                    <Route path=path!("new") view=New />
                    <Route path=path!("c/:conversation") view=ConversationPage />
                </ParentRoute>
            </Routes>
        </Router>
    }
}
