//! The way back to the list, where only one of the two fits.

use super::icon::{Icon, Picture};
use leptos::prelude::*;
use leptos_router::components::A;

#[component]
pub(crate) fn BackToList() -> impl IntoView {
    view! {
        <A href="/" attr:class="icon-button pane__back" attr:aria-label="Back to the list">
            <Icon picture=Picture::Back />
        </A>
    }
}
