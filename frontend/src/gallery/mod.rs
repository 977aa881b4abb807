//! What is seen, in every state it has: at `/__gallery`, in development builds only. The pictures of it that tests take
//! are looked at by people; what a program can see in them (that nothing runs over, that everything can be read) tests
//! check themselves.

mod sample;

use crate::components::avatar::Avatar;
use crate::components::composer::Composer;
use crate::components::field::{Field, SearchField};
use crate::components::group_request;
use crate::components::icon::{Icon, Picture};
use crate::components::notifying::Notifying;
use crate::components::portrait::OwnPicture;
use crate::components::privacy::OwnPrivacy;
use crate::components::purpose::PurposeLine;
use crate::components::sidebar::Sidebar;
use crate::components::status::StatusBar;
use crate::components::timeline::TimelinePane;
use crate::components::typing::TypingLine;
use crate::pages::signin::{SignIn, SignUp};
use crate::router::Router;
use crate::state::State;
use client::connection::{Ended, Status};
use leptos::prelude::*;
use leptos::tachys::reactive_graph::OwnedView;
use shared::ids::Seq;

/// Where it is.
pub(crate) const PATH: &str = "/__gallery";

/// Something in one of its states, of the page's state it is given.
type Specimen = (&'static str, fn(State) -> AnyView);

const SPECIMENS: &[Specimen] = &[
    ("avatars", avatars),
    ("buttons", buttons),
    ("icons", icons),
    ("fields", fields),
    ("sign-in", |_| view! { <SignIn /> }.into_any()),
    ("sign-up", |_| view! { <SignUp /> }.into_any()),
    ("status-connecting", |state| status(state, Status::Connecting)),
    ("status-waiting", |state| status(state, Status::Waiting { until: crate::browser::monotonic() + 3_600_000 })),
    ("status-offline", |state| status(state, Status::Offline)),
    ("status-signed-out", |state| status(state, Status::Ended(Ended::SignedOut))),
    ("status-refused", |state| status(state, Status::Ended(Ended::Refused(shared::close::TOO_MANY_SOCKETS)))),
    ("status-patience", patience),
    ("status-not-kept", not_kept),
    ("new-version", renewed),
    ("list", |_| view! { <Sidebar /> }.into_any()),
    ("list-empty", |state| {
        state.conversations.forget();
        view! { <Sidebar /> }.into_any()
    }),
    ("group-requests", group_requests),
    ("messages", |state| timeline(state, sample::messages)),
    ("messages-of-one's-own", |state| timeline(state, sample::own)),
    ("markup", |state| timeline(state, sample::markup)),
    ("files", |state| timeline(state, sample::files)),
    ("changes", |state| timeline(state, sample::changes)),
    ("from-right-to-left", |state| timeline(state, sample::arabic)),
    ("timeline-empty", |state| timeline(state, sample::nothing)),
    ("timeline-loading", |_| view! { <TimelinePane conversation=sample::GROUP() /> }.into_any()),
    ("typing", |state| {
        sample::typing(state);
        view! { <TypingLine conversation=sample::GROUP() /> }.into_any()
    }),
    ("composer", |state| composer(state, |_| {})),
    ("composer-long", |state| composer(state, |state| state.draft().text.set("A long text. ".repeat(60)))),
    ("composer-reply", |state| composer(state, |state| state.draft().reply(Seq::FIRST))),
    ("composer-edit", |state| composer(state, |state| state.draft().edit(Seq::FIRST, "Another text".into()))),
    ("composer-files", |state| composer(state, sample::upload)),
    ("picture", |_| view! { <OwnPicture /> }.into_any()),
    ("privacy", |_| view! { <OwnPrivacy /> }.into_any()),
    ("notifications", |_| view! { <Notifying /> }.into_any()),
];

impl State {
    fn draft(self) -> crate::state::draft::Draft {
        self.drafts.get(sample::GROUP(), None)
    }
}

#[component]
pub(crate) fn Gallery() -> impl IntoView {
    provide_context(Router::new());
    let specimens = SPECIMENS.iter().map(|(name, make)| {
        // Each has a state of its own.
        let owner = Owner::new();
        let view = owner.with(|| {
            let state = State::new();
            provide_context(state);
            sample::welcome(state);
            make(state)
        });
        view! {
            <section data-specimen=*name style="display: grid; gap: 0.5rem; min-inline-size: 0">
                <h2 style="font: 600 0.8rem monospace; color: var(--text-soft)">{*name}</h2>
                // What is fixed to the window is fixed to this.
                <div data-frame="" style="transform: translateZ(0); min-inline-size: 0; overflow: clip; border: 1px solid var(--line); border-radius: 8px">
                    {OwnedView::new_with_owner(view, owner)}
                </div>
            </section>
        }
        .into_any()
    });
    view! {
        <main style="display: grid; grid-template-columns: minmax(0, 60rem); gap: 2rem; padding: 1rem; justify-content: center">
            <h1>"What is seen, in every state"</h1>
            {specimens.collect::<Vec<_>>()}
        </main>
    }
}

fn avatars(_: State) -> AnyView {
    let names = ["Ada Lovelace", "Ben Okafor", "李 雷", "أمينة خان", "!!", "C", "D", "E"];
    let one = |(index, name): (usize, &'static str)| {
        let id = [u8::try_from(index).unwrap_or_default(); 16];
        view! { <Avatar id name /> <Avatar id name is_small=true /> }.into_any()
    };
    row(names.into_iter().enumerate().map(one).collect())
}

fn buttons(_: State) -> AnyView {
    let one = |(class, is_disabled): (&'static str, bool)| {
        view! { <button type="button" class=class disabled=is_disabled>"Do it"</button> }.into_any()
    };
    let classes = [
        "button",
        "button button--quiet",
        "button button--small",
        "button button--quiet button--small",
        "button button--danger",
    ];
    row(classes.into_iter().flat_map(|class| [(class, false), (class, true)]).map(one).collect())
}

fn icons(_: State) -> AnyView {
    row(Picture::ALL.into_iter().map(|picture| view! { <Icon picture /> }.into_any()).collect())
}

fn row(all: Vec<AnyView>) -> AnyView {
    view! { <div style="display: flex; flex-wrap: wrap; gap: 0.75rem; padding: 1rem; align-items: center">{all}</div> }
        .into_any()
}

fn fields(_: State) -> AnyView {
    let error = Signal::derive(|| Some("Please give a name of at most 64 characters".to_owned()));
    let none = Signal::derive(|| None::<String>);
    let text = |text: &str| RwSignal::new(text.to_owned());
    view! {
        <div style="display: grid; gap: 1rem; padding: 1rem">
            <Field name="plain" label="A name" autocomplete="off" value=text("Ada") error=none />
            <Field name="hinted" label="A password" kind="password" autocomplete="off" hint="At least 10 characters" value=text("secret") error=none />
            <Field name="wrong" label="A name with an error" autocomplete="off" value=text("") error />
            <SearchField label="Search" value=text("") look=|()| {} />
        </div>
    }
    .into_any()
}

fn status(state: State, status: Status) -> AnyView {
    state.link.status.set(status);
    view! { <StatusBar /> }.into_any()
}

fn patience(state: State) -> AnyView {
    state.link.held_back.set(Some(crate::browser::monotonic() + 3_600_000));
    status(state, Status::Open)
}

fn not_kept(state: State) -> AnyView {
    // After the browser has been asked, which says that it keeps everything.
    let set = move || {
        state.link.unsent.set(1);
        state.link.outbox.is_kept.set(false);
    };
    set_timeout(set, std::time::Duration::from_millis(500));
    status(state, Status::Open)
}

fn renewed(state: State) -> AnyView {
    state.is_renewed.set(true);
    status(state, Status::Open)
}

fn group_requests(state: State) -> AnyView {
    let problem = RwSignal::new(Some("The server could not be reached. Please try again".to_owned()));
    let all = RwSignal::new(sample::group_requests());
    view! { <div style="max-inline-size: 20rem">{group_request::list(state, expect_context(), all, problem)}</div> }
        .into_any()
}

fn timeline(state: State, fill: fn(State)) -> AnyView {
    fill(state);
    view! { <div style="block-size: 34rem; display: grid"><TimelinePane conversation=sample::GROUP() /></div> }
        .into_any()
}

fn composer(state: State, set: fn(State)) -> AnyView {
    sample::messages(state);
    set(state);
    let id = sample::GROUP();
    let draft = state.draft();
    view! {
        <PurposeLine conversation=id draft />
        <Composer label="Message to the weekend walks" text=draft.text draft submit=|_: String| true conversation=id />
    }
    .into_any()
}
