//! A labelled line to type in, with its error beside it.

use crate::dynamic::{part, text};
use leptos::prelude::*;

#[component]
pub(crate) fn Field(
    /// Names it in the form, and its error in the contract.
    name: &'static str,
    /// Names it in the document, where there are several of one name.
    #[prop(optional)]
    id: Option<&'static str>,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    /// What password managers and browsers know it as.
    autocomplete: &'static str,
    #[prop(optional)] hint: &'static str,
    /// Whether it may be left empty.
    #[prop(optional)]
    is_optional: bool,
    value: RwSignal<String>,
    /// The error, if it is about this field.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let id = id.unwrap_or(name);
    let error_id = format!("{id}-error");
    let described_by = error_id.clone();
    view! {
        <div class="field">
            <label class="field__label" for=id>{label}</label>
            <input
                class="field__input"
                id=id
                name=name
                type=kind
                autocomplete=autocomplete
                autocapitalize="none"
                spellcheck="false"
                required=!is_optional
                dir="auto"
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
                aria-invalid=text(move || error.with(Option::is_some).to_string())
                aria-describedby=described_by
            />
            <div id=error_id>
                {part(move || match error.get() {
                    Some(error) => view! { <p class="field__error" role="alert">{error}</p> }.into_any(),
                    None if !hint.is_empty() => view! { <p class="field__hint">{hint}</p> }.into_any(),
                    None => ().into_any(),
                })}
            </div>
        </div>
    }
}

/// A line to type in what is looked for, with its name in it.
#[component]
pub(crate) fn SearchField(
    label: &'static str,
    value: RwSignal<String>,
    /// Something else is looked for.
    mut look: impl FnMut(()) + 'static,
) -> impl IntoView {
    view! {
        <input
            class="field__input"
            type="search"
            autocomplete="off"
            dir="auto"
            aria-label=label
            placeholder=label
            prop:value=value
            on:input=move |event| {
                value.set(event_target_value(&event));
                look(());
            }
        />
    }
}
