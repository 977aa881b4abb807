//! Where messages are written. Enter sends, Shift+Enter breaks the line; while an input method is
//! composing, Enter belongs to it.

use super::icon::{Icon, Picture};
use crate::dynamic::{part, text as following};
use crate::state::State;
use leptos::html;
use leptos::prelude::*;

/// From so many bytes before the limit on, what is left is shown.
const NEAR_LIMIT: usize = 1_000;

#[component]
pub(crate) fn Composer(
    /// What it is for, as it is read out.
    #[prop(into)]
    label: Signal<String>,
    text: RwSignal<String>,
    /// Takes the text; `false`: it could not be taken.
    submit: impl Fn(String) -> bool + Copy + Send + Sync + 'static,
    #[prop(optional, into)] is_disabled: Signal<bool>,
    /// Somebody writes.
    #[prop(optional, into)]
    on_input: Option<Callback<()>>,
) -> impl IntoView {
    let state = expect_context::<State>();
    let area = NodeRef::<html::Textarea>::new();
    let is_full = RwSignal::new(false);
    let limit = move || state.limits.with(|limits| limits.content_bytes as usize);
    let length = Memo::new(move |_| text.with(|text| text.trim().len()));
    let is_blank = Memo::new(move |_| text.with(|text| shared::text::is_blank(text)));
    let is_sendable = move || !is_blank.get() && length.get() <= limit() && !is_disabled.get();

    let send = move || {
        if !untrack(is_sendable) {
            return;
        }
        let is_taken = submit(text.get_untracked());
        is_full.set(!is_taken);
        if is_taken {
            text.set(String::new());
        }
        if let Some(area) = area.get_untracked() {
            // The button had the focus; the next sentence goes on here.
            let _ = area.focus();
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        // 229 is what older engines report while an input method composes.
        let is_composing = event.is_composing() || event.key_code() == 229;
        if event.key() == "Enter" && !event.shift_key() && !is_composing {
            event.prevent_default();
            send();
        }
    };
    let note = move || {
        let (length, limit) = (length.get(), limit());
        if is_full.get() {
            return Some(("composer__note composer__note--bad", "Too many messages are waiting to be sent".to_owned()));
        }
        if length > limit {
            let over = length - limit;
            return Some((
                "composer__note composer__note--bad",
                format!("{over} bytes too long. Please send it in parts"),
            ));
        }
        (limit - length < NEAR_LIMIT).then(|| ("composer__note", format!("{} bytes left", limit - length)))
    };
    view! {
        <form
            class="composer"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            <div class="composer__box">
                <textarea
                    class="composer__text"
                    node_ref=area
                    rows="1"
                    dir="auto"
                    enterkeyhint="send"
                    aria-label=following(move || label.get())
                    placeholder=following(move || label.get())
                    prop:value=text
                    on:input=move |event| {
                        text.set(event_target_value(&event));
                        if let Some(on_input) = on_input {
                            on_input.run(());
                        }
                    }
                    on:keydown=on_key
                ></textarea>
                <button type="submit" class="button composer__send" aria-label="Send" title="Send" disabled=move || !is_sendable()>
                    <Icon picture=Picture::Send />
                </button>
            </div>
            <div aria-live="polite">{part(move || match note() {
                Some((class, text)) => view! { <p class=class>{text}</p> }.into_any(),
                None => ().into_any(),
            })}</div>
        </form>
    }
}
