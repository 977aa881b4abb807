//! Confab's page: Leptos, compiled to WebAssembly.
//!
//! What a client decides is in the `client` crate; here it is driven by a browser and shown.
//!
//! * [`connection`] — the browser's WebSocket, and the timers around it.
//! * [`state`] — what is known, as signals; one file for each thing.
//! * [`pages`], [`components`] — what is seen.
//! * [`router`] — which address shows what.
//! * [`dynamic`] — what changes in a view.
//! * [`later`] — parts that are loaded when they are first seen.
//! * [`i18n`] — what the page says, in the person's language.
//! * [`keys`] — keys that do something, on every keyboard.
//! * `gallery` — what is seen, in every state, in development builds.
//! * [`highlight`] — code in colours.
//! * [`api`], [`browser`] — HTTP calls; time, randomness and formats of the browser.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "the component macro makes its property types public")]

mod api;
mod app;
mod browser;
mod components;
mod connection;
mod dynamic;
#[cfg(debug_assertions)]
mod gallery;
mod highlight;
mod i18n;
mod keys;
mod later;
mod pages;
mod router;
mod state;

fn main() {
    std::panic::set_hook(Box::new(|info| browser::log_error(&info.to_string())));
    wasm_bindgen_futures::spawn_local(async {
        // A language that cannot be had is left; English is always there.
        i18n::speak(state::setting::first_language()).await;
        #[cfg(debug_assertions)]
        if browser::window().location().pathname().is_ok_and(|path| path == gallery::PATH) {
            i18n::complete();
            return leptos::mount::mount_to_body(gallery::Gallery);
        }
        leptos::mount::mount_to_body(app::App);
    });
}
