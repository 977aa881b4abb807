//! Copying a text; where the browser does not let the page, the person does it.

use super::dialog::Dialog;
use crate::browser;
use crate::dynamic::effect;
use crate::i18n::{Text, tr};
use crate::state::{Overlay, State};
use leptos::html;
use leptos::prelude::*;

/// Copies a text, or shows it to be copied.
pub(crate) fn copy(state: State, text: String) {
    browser::copy(text.clone(), move || {
        state.copying.set_value(text);
        state.overlay.set(Some(Overlay::Copying));
    });
}

/// The text that could not be copied, marked.
#[component]
pub(crate) fn CopyDialog(close: Callback<()>) -> impl IntoView {
    let state = expect_context::<State>();
    let area = NodeRef::<html::Textarea>::new();
    effect(move || {
        if let Some(area) = area.get() {
            // The dialog and its text are shown with the next frame.
            request_animation_frame(move || {
                browser::focus(&area);
                area.select();
            });
        }
    });
    view! {
        <Dialog title=tr(Text::CopyContent) class="dialog" close>
            <label for="copying">{tr(Text::CopyByHand)}</label>
            <textarea
                id="copying"
                class="field__input"
                rows="4"
                dir="auto"
                readonly
                prop:value=state.copying.get_value()
                node_ref=area
            ></textarea>
        </Dialog>
    }
}
