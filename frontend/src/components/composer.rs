//! The field in which messages are written. Enter sends, Shift+Enter breaks the line; on a keyboard on the screen, which has no
//! Shift+Enter, Enter breaks the line and the button sends. While an input method is composing, Enter belongs to it.
//! The text may replace one that is there already: then it is saved.

use super::completion::{CompletionList, id_of};
use super::icon::{Icon, Picture};
use super::tray::Tray;
use crate::browser::{self, files_in, files_of};
use crate::dynamic::{memo, part, part_if, text as following};
use crate::i18n::{Text, count, tr};
use crate::keys;
use crate::later::{self, later};
use crate::state::State;
use crate::state::completion::Completion;
use crate::state::draft::{Draft, Purpose};
use leptos::html;
use leptos::prelude::*;
use shared::ids::ConversationId;

/// From so many bytes before the limit on, what is left is shown.
const NEAR_LIMIT: usize = 1_000;

#[component]
pub(crate) fn Composer(
    /// What it is for, as it is read out.
    #[prop(into)]
    label: Signal<String>,
    text: RwSignal<String>,
    /// Takes the text, and clears it; `false`: it could not be taken.
    submit: impl Fn(String) -> bool + Copy + Send + Sync + 'static,
    #[prop(optional, into)] is_disabled: Signal<bool>,
    /// Where it goes, if that is there already: those who are there can be named.
    #[prop(optional)]
    conversation: Option<ConversationId>,
    /// What it is part of, if files can go with it.
    #[prop(optional)]
    draft: Option<Draft>,
    /// What the text is for.
    #[prop(optional, into)]
    purpose: Signal<Purpose>,
    /// Somebody writes.
    #[prop(optional, into)]
    on_input: Option<Callback<()>>,
    /// The way up was pressed, and nothing is written.
    #[prop(optional, into)]
    on_up: Option<Callback<()>>,
    /// It is not to be what it was for.
    #[prop(optional, into)]
    on_escape: Option<Callback<()>>,
) -> impl IntoView {
    let state = expect_context::<State>();
    let area = NodeRef::<html::Textarea>::new();
    let is_full = RwSignal::new(false);
    let limit = move || state.limits.with(|limits| limits.content_bytes as usize);
    let length = memo(move || text.with(|text| text.trim().len()));
    let is_blank = memo(move || text.with(|text| shared::text::is_blank(text)));
    let is_edit = move || purpose.with(|purpose| matches!(purpose, Purpose::Edit(_)));
    // An edit changes the text alone.
    let files = move || draft.map(|draft| draft.files).filter(|files| !is_edit() && !files.is_empty());
    let is_sendable = move || !(is_blank.get() && files().is_none()) && length.get() <= limit() && !is_disabled.get();
    let add = move |added: Vec<web_sys::File>| {
        if let Some(draft) = draft {
            draft.files.add(added, state.files_max());
        }
    };

    let send = move || {
        if !untrack(is_sendable) {
            return;
        }
        if let Some(files) = untrack(files)
            && untrack(move || files.is_busy() || files.has_failed())
        {
            // What is written waits for its files.
            return conversation.into_iter().for_each(|id| state.send_when_there(id));
        }
        let is_taken = submit(text.get_untracked());
        is_full.set(!is_taken);
        // The button had the focus; the next sentence goes on here.
        focus(area);
    };
    // Whoever wants to answer or to change something writes next.
    Effect::new(move |before: Option<Purpose>| {
        let purpose = purpose.get();
        if before.is_some_and(|before| before != purpose) {
            focus(area);
        }
        purpose
    });
    let completion = Completion::new(state, conversation);
    let complete = move |index: usize| {
        let Some(area) = area.get_untracked() else { return };
        let Some((chosen, length)) = completion.take(index, &before_caret(&area)) else { return };
        let end = area.selection_end().ok().flatten().unwrap_or_default();
        let start = end.saturating_sub(u32::try_from(length).unwrap_or(0));
        let _ = area.set_selection_range(start, end);
        put(&area, text, &chosen);
        // The current value is the one that was meant.
        completion.end();
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let key = event.key();
        let is_plain = keys::is_plain(&event);
        let at = completion.at.get_untracked();
        // With none chosen, Enter is for the text.
        let is_for_text = key == "Enter" && at.is_none();
        let is_alone = is_plain && !event.shift_key() && !browser::is_composing(&event);
        if completion.is_on() && is_alone && !is_for_text {
            match key.as_str() {
                "ArrowDown" => completion.step(1),
                "ArrowUp" => completion.step(-1),
                "Enter" | "Tab" => complete(at.unwrap_or(0)),
                "Escape" => completion.end(),
                _ => return,
            }
            return event.prevent_default();
        }
        let callback = match key.as_str() {
            _ if browser::is_composing(&event) => None,
            "Enter" if !(event.shift_key() || is_plain && browser::is_touched()) => {
                event.prevent_default();
                completion.end();
                return send();
            }
            "ArrowUp" if text.with_untracked(String::is_empty) => on_up,
            "Escape" => on_escape,
            _ => None,
        };
        if let Some(callback) = callback {
            event.prevent_default();
            callback.run(());
        }
    };
    let pick = move |_| {
        let insert = move |emoji: String| {
            if let Some(area) = area.get_untracked() {
                put(&area, text, &emoji);
            }
        };
        state.picking.set(Some(Callback::new(insert)));
    };
    let send_label = move || tr(if is_edit() { Text::Save } else { Text::Send }).to_owned();
    let enter_hint = if browser::is_touched() { "enter" } else { "send" };
    let note = move || {
        let (length, limit) = (length.get(), limit());
        if is_full.get() {
            return Some(("composer__note composer__note--bad", tr(Text::OutboxFull).to_owned()));
        }
        if length > limit {
            let over = length - limit;
            return Some(("composer__note composer__note--bad", count(Text::TooLong, over as u64, &[])));
        }
        if draft.is_some_and(|draft| draft.files.has_folder.get()) {
            return Some(("composer__note composer__note--bad", tr(Text::NoFolders).to_owned()));
        }
        if files().is_some_and(|files| files.has_too_many.get()) {
            let most = state.limits.with(|limits| u64::from(limits.attachments));
            return Some(("composer__note composer__note--bad", count(Text::TooManyFiles, most, &[])));
        }
        if files().is_some_and(|files| files.is_awaited.get()) {
            return Some(match files().is_some_and(crate::state::upload::Files::has_failed) {
                true => ("composer__note composer__note--bad", tr(Text::FileFailed).to_owned()),
                false => ("composer__note", tr(Text::SentWhenThere).to_owned()),
            });
        }
        (limit - length < NEAR_LIMIT).then(|| ("composer__note", count(Text::BytesLeft, (limit - length) as u64, &[])))
    };
    view! {
        <form
            class="composer"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            {draft.map(|draft| part_if(move || files().is_some(), move || later::show(move || tray(draft))))}
            <CompletionList completion take=Callback::new(complete) />
            <div class="composer__box">
                {draft.map(|_| view! {
                    <label class="icon-button composer__attach" title=tr(Text::AddFiles)>
                        <Icon picture=Picture::Attach />
                        <input
                            type="file"
                            class="composer__files"
                            multiple
                            aria-label=tr(Text::AddFiles)
                            disabled=is_edit
                            on:change=move |event| {
                                let input = event_target::<web_sys::HtmlInputElement>(&event);
                                add(files_of(input.files()));
                                // The same file can be chosen again.
                                input.set_value("");
                                focus(area);
                            }
                        />
                    </label>
                })}
                <textarea
                    class="composer__text"
                    node_ref=area
                    rows="1"
                    dir="auto"
                    enterkeyhint=enter_hint
                    aria-label=following(move || label.get())
                    // Short, so that it fits a phone in any language; where it goes stands above.
                    placeholder=tr(Text::WriteMessage)
                    aria-autocomplete="list"
                    aria-controls=move || completion.choices.with(|choices| !choices.is_empty()).then_some("completion")
                    aria-activedescendant=move || completion.choices.with(|choices| !choices.is_empty()).then(|| completion.at.get().map(id_of)).flatten()
                    prop:value=text
                    on:blur=move |_| completion.end()
                    on:input=move |event| {
                        text.set(event_target_value(&event));
                        if let Some(draft) = draft {
                            draft.files.wait_no_more();
                        }
                        completion.input(state, &area.get_untracked().map(|area| before_caret(&area)).unwrap_or_default());
                        if let Some(on_input) = on_input {
                            on_input.run(());
                        }
                    }
                    on:keydown=on_key
                    on:paste=move |event| {
                        let (pasted, has_folder) = event.clipboard_data().as_ref().map(files_in).unwrap_or_default();
                        // A table is pasted as text and as its picture: then it is text.
                        let is_text = event.clipboard_data().is_some_and(|data| data.types().includes(&"text/plain".into(), 0));
                        let has_any = has_folder || !pasted.is_empty();
                        if let Some(draft) = draft.filter(|_| has_any && !is_text && !untrack(is_edit)) {
                            event.prevent_default();
                            add(pasted);
                            draft.files.has_folder.set(has_folder);
                        }
                    }
                ></textarea>
                <button type="button" class="icon-button" aria-label=tr(Text::Emoji) title=tr(Text::Emoji) on:click=pick>
                    <Icon picture=Picture::Smile />
                </button>
                <button type="submit" class="button composer__send" aria-label=following(send_label) title=following(send_label) disabled=move || !is_sendable()>
                    <Icon picture=Picture::Send />
                </button>
            </div>
            <div aria-live="polite">{part(move || match note() {
                Some((class, note)) => {
                    // What is too long for a message is not too long for a file.
                    let as_file = (draft.is_some() && !is_edit() && length.get() > limit()).then(|| view! {
                        <button type="button" class="button button--quiet" on:click=move |_| {
                            if let Some(file) = browser::text_file(&text.get_untracked()) {
                                add(vec![file]);
                                text.set(String::new());
                                focus(area);
                            }
                        }>
                            {tr(Text::SendAsFile)}
                        </button>
                    });
                    view! { <p class=class>{note} " " {as_file}</p> }.into_any()
                }
                None => ().into_any(),
            })}</div>
        </form>
    }
}

later!(files, tray(draft: Draft) => view! { <Tray draft /> }.into_any());

/// Writes something where the caret is; what is marked is replaced, as by typing, and can be undone like that.
fn put(area: &web_sys::HtmlTextAreaElement, text: RwSignal<String>, what: &str) {
    let _ = area.focus();
    // The field tells of it as of any input.
    if browser::command("insertText", what) {
        return;
    }
    let start = area.selection_start().ok().flatten().unwrap_or_default();
    let end = area.selection_end().ok().flatten().unwrap_or_default();
    // It fails for places that are none.
    let _ = area.set_range_text_with_start_and_end_and_mode(what, start, end, "end");
    text.set(area.value());
}

/// What is written before the caret.
fn before_caret(area: &web_sys::HtmlTextAreaElement) -> String {
    let end = area.selection_start().ok().flatten().unwrap_or_default() as usize;
    let before: Vec<u16> = area.value().encode_utf16().take(end).collect();
    String::from_utf16_lossy(&before)
}

fn focus(area: NodeRef<html::Textarea>) {
    // It may be gone by now.
    if let Some(Some(area)) = area.try_get_untracked() {
        let _ = area.focus();
    }
}
