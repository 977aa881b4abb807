//! A form: one thing at a time is asked of the server, and what it refuses stands where it is about.

use crate::api;
use crate::dynamic::{Part, part, text};
use leptos::prelude::*;
use std::pin::Pin;

/// What became of what was typed.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Those that show their own errors.
    fields: &'static [&'static str],
    error: RwSignal<Option<api::Error>>,
    pub(crate) is_busy: RwSignal<bool>,
}

impl Form {
    pub(crate) fn new(fields: &'static [&'static str]) -> Self {
        Self { fields, error: RwSignal::new(None), is_busy: RwSignal::new(false) }
    }

    /// The error, if it is about this field.
    pub(crate) fn error_of(self, field: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.error
                .with(|error| error.as_ref().filter(|error| error.field() == Some(field)).map(api::Error::message))
        })
    }

    /// The error, if no field shows it.
    fn other_error(self) -> Option<String> {
        self.error.with(|error| {
            error
                .as_ref()
                .filter(|error| !error.field().is_some_and(|field| self.fields.contains(&field)))
                .map(api::Error::message)
        })
    }

    /// Does it, unless it is being done.
    pub(crate) fn run(self, work: impl Future<Output = Result<(), api::Error>> + 'static) {
        self.run_boxed(Box::pin(work));
    }

    fn run_boxed(self, work: Pin<Box<dyn Future<Output = Result<(), api::Error>>>>) {
        if self.is_busy.get_untracked() {
            return;
        }
        self.is_busy.set(true);
        self.error.set(None);
        leptos::task::spawn_local(async move {
            let result = work.await;
            // The form may be gone by now.
            self.is_busy.try_set(false);
            self.error.try_set(result.err());
        });
    }
}

/// What went wrong, as long as something has.
pub(crate) fn problem_line(problem: RwSignal<Option<String>>) -> Part {
    part(move || match problem.get() {
        Some(problem) => view! { <p class="form__alert" role="alert">{problem}</p> }.into_any(),
        None => ().into_any(),
    })
}

#[component]
pub(crate) fn FormBody(
    form: Form,
    submit: impl Fn() + 'static,
    button: &'static str,
    /// What the button says meanwhile.
    busy: &'static str,
    children: Children,
) -> impl IntoView {
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        submit();
    };
    view! {
        <form class="form" method="post" novalidate on:submit=on_submit>
            {part(move || match form.other_error() {
                Some(error) => view! { <p class="form__alert" role="alert">{error}</p> }.into_any(),
                None => ().into_any(),
            })}
            {children()}
            <button class="button" type="submit" disabled=form.is_busy>
                {text(move || if form.is_busy.get() { busy } else { button }.to_owned())}
            </button>
        </form>
    }
}
