//! Something over the page that is done with before one goes on. The browser keeps the focus in it, closes it with
//! Escape, and gives the focus back.

use super::icon::{Icon, Picture};
use crate::dynamic::effect;
use crate::i18n::{Text, tr};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

#[component]
pub(crate) fn Dialog(
    /// What it is, as it is read out and stands above it.
    title: &'static str,
    /// For its style.
    class: &'static str,
    /// It is over.
    close: Callback<()>,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    effect(move || {
        if let Some(dialog) = dialog.get()
            && !dialog.open()
        {
            // It fails for what is not in the document: then it is gone already.
            let _ = dialog.show_modal();
        }
    });
    // Closed first, so that the focus goes back.
    let end = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    // A click beside it is on the dialog itself, and not on what is in it.
    let on_click = move |event: leptos::ev::MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlDialogElement>().ok());
        if target.is_some() {
            end();
        }
    };
    view! {
        <dialog class=class node_ref=dialog aria-label=title on:close=move |_| close.run(()) on:click=on_click>
            <div class="dialog__box">
                <div class="dialog__head">
                    <h2 class="dialog__title">{title}</h2>
                    <button type="button" class="icon-button" aria-label=tr(Text::Close) title=tr(Text::Close) on:click=move |_| end()>
                        <Icon picture=Picture::Close />
                    </button>
                </div>
                {children()}
            </div>
        </dialog>
    }
}
