//! Finding messages: what was typed, what was found, and the way there.

use crate::api;
use crate::browser;
use crate::components::back::BackToList;
use crate::components::sidebar::title;
use crate::dynamic::{effect, part, part_if, text};
use crate::i18n::{Text, tr, with};
use crate::router::Address;
use crate::state::State;
use client::search::{Further, excerpt, further, marked, wanted, with_moments};
use leptos::html;
use leptos::prelude::*;
use shared::markdown;
use shared::search::{SearchResult, SearchResults};
use std::time::Duration;

/// How long typing may pause before it is searched.
const PAUSE: Duration = Duration::from_millis(200);

#[component]
pub(crate) fn SearchPage() -> impl IntoView {
    let state = expect_context::<State>();
    let (typed, within) = state.searching.get_untracked();
    let query = RwSignal::new(typed);
    let within = RwSignal::new(within);
    let results = RwSignal::new(Vec::<SearchResult>::new());
    // What came of the last search: whether there is more, or why not.
    let outcome = RwSignal::new(None::<Result<bool, api::Error>>);
    let is_busy = RwSignal::new(false);
    let round = StoredValue::new(0_u32);
    let search = move |from: Option<Further>| {
        let this = round.try_update_value(|round| {
            *round += 1;
            *round
        });
        let (asked, within) = (query.get_untracked(), within.get_untracked());
        // Whoever comes back finds it as it was.
        state.searching.set((asked.clone(), within));
        if asked.trim().is_empty() {
            results.set(Vec::new());
            is_busy.set(false);
            return outcome.set(None);
        }
        is_busy.set(true);
        leptos::task::spawn_local(async move {
            let answer = api::search(&with_moments(&asked, browser::day_begins), within, from).await;
            // An answer to an older question is not shown over a newer one's.
            if round.try_get_value() != this {
                return;
            }
            is_busy.try_set(false);
            match answer {
                Ok(SearchResults { results: found, more }) => {
                    for result in &found {
                        state.people.want(result.event.sender, state);
                    }
                    results.update(|results| {
                        if from.is_none() {
                            results.clear();
                        }
                        results.extend(found);
                    });
                    outcome.set(Some(Ok(more)));
                }
                Err(error) => outcome.set(Some(Err(error))),
            }
        });
    };
    let mut search_later = leptos::leptos_dom::helpers::debounce(PAUSE, move |()| search(None));
    search(None);
    // Somebody wants something else from elsewhere.
    effect(move || {
        let (asked, place) = state.searching.get();
        if query.with_untracked(|known| *known != asked) || within.get_untracked() != place {
            query.set(asked);
            within.set(place);
            search(None);
        }
    });
    let input = NodeRef::<html::Input>::new();
    effect(move || {
        if let Some(input) = input.get() {
            browser::focus(&input);
        }
    });
    let more = move |_| search(results.with_untracked(|results| further(results)));
    let note = move || match outcome.get() {
        _ if is_busy.get() => tr(Text::Loading).to_owned(),
        None => tr(Text::SearchHelp).to_owned(),
        Some(Err(error)) => error.message(),
        Some(Ok(_)) if results.with(Vec::is_empty) => tr(Text::NoMessageFound).to_owned(),
        Some(Ok(_)) => String::new(),
    };
    let has_more = move || outcome.with(|outcome| matches!(outcome, Some(Ok(true)))) && !is_busy.get();
    let rows = move || {
        let wanted = wanted(&query.get_untracked());
        results.get().into_iter().map(|result| row(state, result, &wanted)).collect::<Vec<_>>().into_any()
    };
    view! {
        <main class="pane">
            <header class="pane__head">
                <BackToList />
                <div class="pane__title">
                    <h2 class="pane__name">{tr(Text::SearchMessages)}</h2>
                </div>
            </header>
            <div class="search">
                <input
                    class="field__input"
                    type="search"
                    node_ref=input
                    autocomplete="off"
                    dir="auto"
                    aria-label=tr(Text::SearchMessages)
                    placeholder=tr(Text::SearchMessages)
                    prop:value=query
                    on:input=move |event| {
                        query.set(event_target_value(&event));
                        search_later(());
                    }
                />
                {part(move || match within.get() {
                    None => ().into_any(),
                    Some(id) => {
                        let name = state.conversations.get(id).with(|summary| title(state, summary.as_ref()));
                        let widen = move |_| {
                            within.set(None);
                            search(None);
                        };
                        let label = with(Text::Remove, &[("name", &name)]);
                        view! {
                            <button type="button" class="chip" aria-label=label on:click=widen>
                                <bdi>{name}</bdi>
                                <span aria-hidden="true">"×"</span>
                            </button>
                        }
                        .into_any()
                    }
                })}
                <p class="search__note" role="status">{text(note)}</p>
                <ul class="search__results" aria-label=tr(Text::SearchResults)>{part(rows)}</ul>
                {part_if(has_more, move || view! {
                    <button type="button" class="button button--quiet" on:click=more>{tr(Text::ShowMore)}</button>
                }.into_any())}
            </div>
        </main>
    }
}

/// A message that was found: where and by whom it was said, and what of it.
fn row(state: State, result: SearchResult, wanted: &[String]) -> AnyView {
    let SearchResult { conversation, event } = result;
    let summary = state.conversations.get(conversation);
    let name = state.people.name(event.sender);
    let content = event.kind.as_message().map(|message| markdown::plain(&message.content)).unwrap_or_default();
    let excerpt = excerpt(&content, wanted, browser::fold);
    let marked = marked(&excerpt, wanted, browser::fold).into_iter().map(|(text, is_hit)| {
        let text = text.to_owned();
        if is_hit { view! { <mark>{text}</mark> }.into_any() } else { text.into_any() }
    });
    let files = event.kind.as_message().into_iter().flat_map(|message| &message.attachments);
    let files: Vec<_> =
        files.map(|file| view! { <bdi class="search__file">{format!("📎 {}", file.name)}</bdi> }.into_any()).collect();
    let at = if browser::is_today(event.at) { browser::time(event.at) } else { browser::long_day(event.at) };
    view! {
        <li>
            <a class="search__result" href=Address::Message(conversation, event.seq).path()>
                <span class="search__where">
                    <bdi class="search__sender">{text(move || name.get())}</bdi>
                    <bdi class="search__place">{text(move || summary.with(|summary| title(state, summary.as_ref())))}</bdi>
                    <time class="search__time" datetime=browser::machine_time(event.at)>{at}</time>
                </span>
                <span class="search__text" dir="auto">{marked.collect::<Vec<_>>()}</span>
                {files}
            </a>
        </li>
    }
    .into_any()
}
