//! The frame around every conversation: the list beside what is open, or one at a time.

use crate::components::alerts::Alerts;
use crate::components::emoji::EmojiPicker;
use crate::components::first_steps;
use crate::components::group_request::LeftConversation;
use crate::components::sidebar::Sidebar;
use crate::components::status::StatusBar;
use crate::components::switcher::Overlays;
use crate::dynamic::{effect, memo, part, part_if, text};
use crate::i18n::{Text, tr};
use crate::later::{self, later};
use crate::pages::channel::ChannelsPage;
use crate::pages::conversation::ConversationPage;
use crate::pages::new::New;
use crate::pages::search::SearchPage;
use crate::pages::setting::SettingsPage;
use crate::router::{Address, Redirect, Router};
use crate::state::State;
use crate::state::session::Session;
use leptos::prelude::*;
use shared::ids::ConversationId;

later!(more, new() => view! { <New /> }.into_any());
later!(more, search() => view! { <SearchPage /> }.into_any());
later!(soon, alerts() => view! { <Alerts /> }.into_any());
later!(more, channels() => view! { <ChannelsPage /> }.into_any());
later!(more, left(id: ConversationId) => view! { <LeftConversation id /> }.into_any());
later!(more, settings() => view! { <SettingsPage /> }.into_any());

#[component]
pub(crate) fn Chat() -> impl IntoView {
    let state = expect_context::<State>();
    let session = state.session.session;
    let is_out = memo(move || session.with(|session| *session == Session::Out));
    let router = expect_context::<Router>();
    let is_something_open = move || (router.address() != Address::List).to_string();
    // Another conversation is another pane: nothing of the one before stays in it.
    let shown = memo(move || match router.address() {
        Address::Message(id, _) => Address::Conversation(id),
        Address::NewGroup => Address::New,
        address => address,
    });
    let is_left = memo(move || state.left.get().is_some_and(|left| shown.get() == Address::Conversation(left)));
    let open = move || match shown.get() {
        Address::Conversation(id) if is_left.get() => later::show(move || left(id)),
        Address::Conversation(id) => view! { <ConversationPage id /> }.into_any(),
        Address::New => later::show(new),
        Address::Settings => later::show(settings),
        Address::Search => later::show(search),
        Address::Channels => later::show(channels),
        _ => view! { <NothingOpen /> }.into_any(),
    };
    effect(move || {
        let unread = state.conversations.unread.get();
        let title = if unread == 0 { "Confab".to_owned() } else { format!("({unread}) Confab") };
        document().set_title(&title);
    });
    view! {
        {part_if(move || is_out.get(), || view! { <Redirect to=Address::SignIn /> }.into_any())}
        {part_if(move || !is_out.get(), move || {
            later::quietly(alerts());
            view! {
            <div class="shell">
                <StatusBar />
                <div class="shell__panes" data-open=text(is_something_open)>
                    <Sidebar />
                    {part(open)}
                </div>
                <EmojiPicker />
                <Overlays />
            </div>
            }.into_any()
        })}
    }
}

#[component]
fn NothingOpen() -> impl IntoView {
    let conversations = expect_context::<State>().conversations;
    let is_new = memo(move || conversations.is_nothing_begun());
    view! {
        <main class="pane pane--empty">
            {part(move || match is_new.get() {
                true => first_steps::show(),
                false => view! {
                    <div class="shell__empty">
                        <h2>{tr(Text::PickConversation)}</h2>
                        <p>{tr(Text::OrSomebodyNew)}</p>
                        <a href="/new" class="button">{tr(Text::NewMessage)}</a>
                    </div>
                }
                .into_any(),
            })}
        </main>
    }
}
