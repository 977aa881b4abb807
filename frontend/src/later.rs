//! Parts of the page that are loaded when they are first seen, so that the first screen does not wait for them.
//!
//! What a function named by [`later!`] makes, and all that nothing else needs, is left out of the page's WebAssembly when
//! it is built to be released (`cargo xtask page`, with the feature `split`); the rest of it is fetched by the first call.
//! In development everything is in one piece.
//!
//! The part `soon` is asked for with the first screen and comes right behind it: what runs beside it, or is seen a moment
//! later. `files` and `more` come when they are first wanted, `entrance` is of the first load of whoever is not signed in.

use crate::dynamic::part;
use crate::i18n::{Text, tr};
use leptos::prelude::*;
use leptos::reactive::computed::ScopedFuture;
use std::pin::Pin;
use std::sync::Arc;

/// A part of the page could not be fetched.
#[derive(Debug)]
pub(crate) struct Unloaded;

#[cfg(feature = "split")]
impl From<wasm_split_helpers::SplitLoaderError> for Unloaded {
    fn from(_: wasm_split_helpers::SplitLoaderError) -> Self {
        Self
    }
}

/// What comes of fetching a part and making its view.
pub(crate) type Fetched = Pin<Box<dyn Future<Output = Result<AnyView, Unloaded>>>>;

/// Makes a function that fetches the part of this name and gives its view.
macro_rules! later {
    // Signing in belongs to the first load of whoever is not signed in, with its texts.
    (entrance, $name:ident($($argument:ident: $type:ty),*) => $view:expr) => {
        crate::later::later!(@entrance, $name($($argument: $type),*) => $view);
    };
    ($part:ident, $name:ident($($argument:ident: $type:ty),*) => $view:expr) => {
        crate::later::later!(@$part, $name($($argument: $type),*) => {
            crate::i18n::complete();
            $view
        });
    };
    (@$part:ident, $name:ident($($argument:ident: $type:ty),*) => $view:expr) => {
        fn $name($($argument: $type),*) -> crate::later::Fetched {
            #[cfg_attr(feature = "split", wasm_split_helpers::wasm_split($part, fallible))]
            fn fetch($($argument: $type),*) -> Result<AnyView, crate::later::Unloaded> {
                Ok($view)
            }
            #[cfg(feature = "split")]
            return Box::pin(fetch($($argument),*));
            #[cfg(not(feature = "split"))]
            return Box::pin(std::future::ready(fetch($($argument),*)));
        }
    };
}
pub(crate) use later;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Here,
    Failed,
}

/// Shows a part once it is there, and meanwhile that it is coming; if it does not come, how to try again.
pub(crate) fn show(fetch: impl Fn() -> Fetched + Send + Sync + 'static) -> AnyView {
    show_part(Arc::new(fetch), true)
}

/// Shows a part once it is there, and nothing until then: what is used often, and is there a moment after the page.
pub(crate) fn show_soon(fetch: impl Fn() -> Fetched + Send + Sync + 'static) -> AnyView {
    show_part(Arc::new(fetch), false)
}

/// Fetches a part that shows nothing; what it does ends with whoever asks for it. One that does not come is missing.
pub(crate) fn quietly(fetch: Fetched) {
    let fetch = ScopedFuture::new(fetch);
    leptos::task::spawn_local(async move { drop(fetch.await) });
}

fn show_part(fetch: Arc<dyn Fn() -> Fetched + Send + Sync>, is_told: bool) -> AnyView {
    let phase = RwSignal::new(Phase::Waiting);
    let fetched = StoredValue::new_local(None);
    // What the part makes belongs to whoever shows it, whoever asks again: the button goes when the part comes.
    let owner = StoredValue::new(Owner::current());
    let start = Arc::new(move || {
        phase.set(Phase::Waiting);
        let fetch = match owner.get_value() {
            Some(owner) => owner.with(|| ScopedFuture::new(fetch())),
            None => ScopedFuture::new(fetch()),
        };
        leptos::task::spawn_local(async move {
            let (view, next) = match fetch.await {
                Ok(view) => (Some(view), Phase::Here),
                Err(Unloaded) => (None, Phase::Failed),
            };
            // Whoever wanted it may have gone.
            if fetched.try_set_value(view).is_none() {
                phase.try_set(next);
            }
        });
    });
    start();
    part(move || match phase.get() {
        Phase::Waiting | Phase::Failed if !is_told => ().into_any(),
        Phase::Waiting => view! { <p class="later" role="status">{tr(Text::Loading)}</p> }.into_any(),
        Phase::Here => fetched.try_update_value(Option::take).flatten().unwrap_or_else(|| ().into_any()),
        Phase::Failed => {
            let start = start.clone();
            view! {
            <p class="later" role="alert">
                {tr(Text::PartNotLoaded)}
                <button type="button" class="button button--quiet" on:click=move |_| start()>{tr(Text::TryAgain)}</button>
            </p>
        }
            .into_any()
        }
    })
    .into_any()
}
