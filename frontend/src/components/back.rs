//! The way back to the list, where only one of the two fits.

use super::icon::{Icon, Picture};
use crate::i18n::{Text, tr};
use leptos::prelude::*;

#[component]
pub(crate) fn BackToList() -> impl IntoView {
    view! {
        <a href="/" class="icon-button pane__back" aria-label=tr(Text::BackToList)>
            <Icon picture=Picture::Back />
        </a>
    }
}
