//! The way back to the list, where only one of the two fits.

use super::icon::{Icon, Picture};
use leptos::prelude::*;

#[component]
pub(crate) fn BackToList() -> impl IntoView {
    view! {
        <a href="/" class="icon-button pane__back" aria-label="Back to the list">
            <Icon picture=Picture::Back />
        </a>
    }
}
