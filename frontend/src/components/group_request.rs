//! Group requests: who wants one in which group, joining and declining; and coming back to what one has left.

use super::back::BackToList;
use super::form::problem_line;
use crate::api;
use crate::dynamic::{effect, part, part_if};
use crate::i18n::{Text, count, tr, with};
use crate::router::{Address, Router};
use crate::state::State;
use leptos::prelude::*;
use shared::group_request::GroupRequest;
use shared::ids::ConversationId;

/// The requests there are, above the list of conversations.
#[component]
pub(crate) fn GroupRequests() -> impl IntoView {
    let state = expect_context::<State>();
    let router = expect_context::<Router>();
    let all = RwSignal::new(Vec::<GroupRequest>::new());
    let problem = RwSignal::new(None::<String>);
    let round = StoredValue::new(0_u32);
    effect(move || {
        state.group_requests.track();
        let this = round.try_update_value(|round| {
            *round += 1;
            *round
        });
        leptos::task::spawn_local(async move {
            let answer = api::group_requests().await;
            // An answer to an older question is not shown over a newer one's.
            if round.try_get_value() == this {
                match answer {
                    Ok(requests) => _ = all.try_set(requests),
                    Err(error) => _ = problem.try_set(Some(error.message())),
                }
            }
        });
    });
    list(state, router, all, problem)
}

/// These requests.
pub(crate) fn list(
    state: State,
    router: Router,
    all: RwSignal<Vec<GroupRequest>>,
    problem: RwSignal<Option<String>>,
) -> AnyView {
    let rows = move || all.get().into_iter().map(|one| row(state, router, problem, one)).collect::<Vec<_>>().into_any();
    view! {
        <section class="requests" aria-label=tr(Text::GroupRequests)>
            {problem_line(problem)}
            <ul>{part(rows)}</ul>
        </section>
    }
    .into_any()
}

fn row(state: State, router: Router, problem: RwSignal<Option<String>>, request: GroupRequest) -> AnyView {
    let GroupRequest { conversation, name, member_count, asker, .. } = request;
    let text = match &name {
        Some(title) => with(Text::InvitesYouTo, &[("name", &asker.display_name), ("title", title)]),
        None => with(Text::InvitesYou, &[("name", &asker.display_name)]),
    };
    let is_busy = RwSignal::new(false);
    let label = |what: Text| format!("{}: {text}", tr(what));
    let (join_label, decline_label) = (label(Text::Join), label(Text::Decline));
    let join = move |_| {
        let Some(me) = state.session.me() else { return };
        is_busy.set(true);
        leptos::task::spawn_local(async move {
            let joined = api::add_member(conversation, me).await;
            is_busy.try_set(false);
            match joined {
                Ok(_) => router.go(Address::Conversation(conversation)),
                Err(error) => _ = problem.try_set(Some(error.message())),
            }
        });
    };
    let decline = move |_| {
        is_busy.set(true);
        leptos::task::spawn_local(async move {
            // What becomes of the list is told by the socket.
            let declined = api::decline_group_request(conversation).await;
            is_busy.try_set(false);
            problem.try_set(declined.err().map(|error| error.message()));
        });
    };
    view! {
        <li class="request">
            <p class="request__text" dir="auto">{text}</p>
            <p class="request__detail">{count(Text::People, member_count, &[])}</p>
            <div class="request__buttons">
                <button type="button" class="button button--small" aria-label=join_label disabled=is_busy on:click=join>
                    {tr(Text::Join)}
                </button>
                <button
                    type="button"
                    class="button button--quiet button--small"
                    aria-label=decline_label
                    disabled=is_busy
                    on:click=decline
                >
                    {tr(Text::Decline)}
                </button>
            </div>
        </li>
    }
    .into_any()
}

/// In place of a conversation that one cannot see: whether one has left it.
#[component]
pub(crate) fn MissingConversation(id: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let is_known = RwSignal::new(false);
    leptos::task::spawn_local(async move {
        if api::departure(id).await.is_ok() {
            // The person may have gone on meanwhile: it is shown where it is about.
            state.left.set(Some(id));
        }
        is_known.try_set(true);
    });
    part_if(
        move || is_known.get(),
        || view! { <p class="timeline__note" role="status">{tr(Text::NoConversation)}</p> }.into_any(),
    )
}

/// In place of a conversation that one has left: the way back.
#[component]
pub(crate) fn LeftConversation(id: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let problem = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);
    let come_back = move |_| {
        let Some(me) = state.session.me() else { return };
        is_busy.set(true);
        leptos::task::spawn_local(async move {
            let back = api::add_member(id, me).await;
            is_busy.try_set(false);
            match back {
                Ok(_) => state.left.set(None),
                Err(error) => _ = problem.try_set(Some(error.message())),
            }
        });
    };
    view! {
        <main class="pane">
            <header class="pane__head">
                <BackToList />
            </header>
            <div class="shell__empty" role="status">
                <h2>{tr(Text::YouLeft)}</h2>
                <button type="button" class="button" disabled=is_busy on:click=come_back>{tr(Text::ComeBack)}</button>
                {problem_line(problem)}
            </div>
        </main>
    }
}
