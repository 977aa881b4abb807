//! Channels that everybody may join: finding one, and coming in.

use crate::api;
use crate::components::avatar::Avatar;
use crate::components::back::BackToList;
use crate::components::field::SearchField;
use crate::dynamic::{part, part_if};
use crate::i18n::{Text, count, tr};
use crate::router::{Address, Router};
use crate::state::State;
use leptos::prelude::*;
use shared::conversation::{Channel, ChannelList};
use std::time::Duration;

/// How long typing may pause before channels are searched.
const PAUSE: Duration = Duration::from_millis(150);

/// What has been found so far.
#[derive(Clone, Copy)]
struct Found {
    search: RwSignal<String>,
    /// `None`: it is being looked for.
    all: RwSignal<Option<Vec<Channel>>>,
    has_more: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
}

impl Found {
    /// Looks for what comes after the first `skip`.
    fn load(self, skip: usize) {
        leptos::task::spawn_local(async move {
            let Some(search) = self.search.try_get_untracked() else { return };
            let answer = api::channels(&search, skip).await;
            // An answer to an older question is not shown over a newer one's.
            if self.search.try_get_untracked().as_ref() != Some(&search) {
                return;
            }
            match answer {
                Ok(ChannelList { channels, more }) => {
                    self.problem.set(None);
                    self.has_more.set(more);
                    self.all.update(|all| {
                        let all = all.get_or_insert_default();
                        all.truncate(skip);
                        all.extend(channels);
                    });
                }
                Err(error) => self.problem.set(Some(error.message())),
            }
        });
    }
}

#[component]
pub(crate) fn ChannelsPage() -> impl IntoView {
    let state = expect_context::<State>();
    let router = expect_context::<Router>();
    let found = Found {
        search: RwSignal::new(String::new()),
        all: RwSignal::new(None),
        has_more: RwSignal::new(false),
        problem: RwSignal::new(None),
    };
    found.load(0);
    let look_later = leptos::leptos_dom::helpers::debounce(PAUSE, move |()| found.load(0));
    let list = move || match found.all.get() {
        None if found.problem.with(Option::is_some) => ().into_any(),
        None => view! { <p class="timeline__note" role="status">{tr(Text::Loading)}</p> }.into_any(),
        Some(all) if all.is_empty() => {
            view! { <p class="timeline__note" role="status">{tr(Text::NoChannels)}</p> }.into_any()
        }
        Some(all) => {
            let rows: Vec<_> = all.into_iter().map(|channel| row(state, router, found, channel)).collect();
            view! { <ul class="people" aria-label=tr(Text::Channels)>{rows}</ul> }.into_any()
        }
    };
    view! {
        <main class="pane">
            <header class="pane__head">
                <BackToList />
                <div class="pane__title">
                    <h2 class="pane__name">{tr(Text::Channels)}</h2>
                    <p class="pane__detail">{tr(Text::ChannelsLead)}</p>
                </div>
            </header>
            <div class="new">
                <SearchField label=tr(Text::FindChannels) value=found.search look=look_later />
                {part(move || match found.problem.get() {
                    Some(problem) => view! {
                        <p class="form__alert" role="alert">
                            {problem}
                            " "
                            <button type="button" class="button button--quiet button--small" on:click=move |_| found.load(0)>{tr(Text::TryAgain)}</button>
                        </p>
                    }
                    .into_any(),
                    None => ().into_any(),
                })}
                {part(list)}
                {part_if(move || found.has_more.get(), move || view! {
                    <button
                        type="button"
                        class="button button--quiet button--small"
                        on:click=move |_| found.load(found.all.with_untracked(|all| all.as_ref().map_or(0, Vec::len)))
                    >
                        {tr(Text::ShowMore)}
                    </button>
                }.into_any())}
            </div>
        </main>
    }
}

fn row(state: State, router: Router, found: Found, channel: Channel) -> AnyView {
    let Channel { id, name, topic, members, joined } = channel;
    let enter = move |_| {
        let Some(me) = state.session.me() else { return };
        if joined {
            return router.go(Address::Conversation(id));
        }
        leptos::task::spawn_local(async move {
            match api::add_member(id, me).await {
                Ok(_) => router.go(Address::Conversation(id)),
                Err(error) => drop(found.problem.try_set(Some(error.message()))),
            }
        });
    };
    let what = tr(if joined { Text::OpenIt } else { Text::Join });
    let label = format!("{what}: {name}");
    view! {
        <li class="person person--still">
            <Avatar id=*id.as_bytes() name=name.clone() />
            <span class="channel__text">
                <bdi class="person__name">{name}</bdi>
                <span class="channel__detail">
                    {count(Text::People, members, &[])}
                    {topic.map(|topic| view! { " · " <bdi>{topic}</bdi> })}
                </span>
            </span>
            <button
                type="button"
                class=if joined { "button button--quiet button--small" } else { "button button--small" }
                aria-label=label
                on:click=enter
            >
                {what}
            </button>
        </li>
    }
    .into_any()
}
