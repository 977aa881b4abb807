//! Signing in and signing up.

use crate::api;
use crate::components::field::Field;
use crate::dynamic::{part, part_if, text};
use crate::router::{Address, Redirect};
use crate::state::State;
use crate::state::session::Session;
use leptos::prelude::*;
use shared::account::{self, Password};

/// The fields that show their own errors.
const FIELDS: [&str; 3] = ["email", "displayName", "password"];

#[component]
pub(crate) fn SignIn() -> impl IntoView {
    let state = expect_context::<State>();
    let form = Form::new();
    let submit = move || {
        let body = account::SignIn { email: form.email.get_untracked(), password: form.take_password() };
        form.run(async move { state.session.sign_in(state, body).await });
    };
    view! {
        <Card title="Welcome back" lead="Sign in to go on talking.">
            <Body form submit button="Sign in" busy="Signing in…">
                <Email form />
                <PasswordField form autocomplete="current-password" hint="" />
            </Body>
            <p class="signin__other">"New here? " <a href="/signup">"Create an account"</a></p>
        </Card>
    }
}

#[component]
pub(crate) fn SignUp() -> impl IntoView {
    let state = expect_context::<State>();
    let form = Form::new();
    let submit = move || {
        let body = account::SignUp {
            email: form.email.get_untracked(),
            display_name: form.display_name.get_untracked(),
            password: form.take_password(),
        };
        form.run(async move { state.session.sign_up(state, body).await });
    };
    view! {
        <Card title="Create your account" lead="A name, an address, a password: that is all.">
            <Body form submit button="Create account" busy="Creating your account…">
                <Field
                    name="displayName"
                    label="Your name"
                    autocomplete="name"
                    hint="This is what others see."
                    value=form.display_name
                    error=form.error_of("displayName")
                />
                <Email form />
                <PasswordField form autocomplete="new-password" hint="At least 8 characters." />
            </Body>
            <p class="signin__other">"Already have an account? " <a href="/signin">"Sign in"</a></p>
        </Card>
    }
}

#[component]
fn Email(form: Form) -> impl IntoView {
    view! {
        <Field name="email" label="E-mail" kind="email" autocomplete="username" value=form.email error=form.error_of("email") />
    }
}

#[component]
fn PasswordField(form: Form, autocomplete: &'static str, hint: &'static str) -> impl IntoView {
    let error = form.error_of("password");
    view! { <Field name="password" label="Password" kind="password" autocomplete hint value=form.password error /> }
}

/// What is typed and what became of it.
#[derive(Clone, Copy)]
struct Form {
    email: RwSignal<String>,
    display_name: RwSignal<String>,
    password: RwSignal<String>,
    error: RwSignal<Option<api::Error>>,
    is_busy: RwSignal<bool>,
}

impl Form {
    fn new() -> Self {
        Self {
            email: RwSignal::new(String::new()),
            display_name: RwSignal::new(String::new()),
            password: RwSignal::new(String::new()),
            error: RwSignal::new(None),
            is_busy: RwSignal::new(false),
        }
    }

    fn take_password(self) -> Password {
        Password::new(self.password.get_untracked())
    }

    /// The error, if it is about this field.
    fn error_of(self, field: &'static str) -> Signal<Option<String>> {
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
                .filter(|error| !error.field().is_some_and(|field| FIELDS.contains(&field)))
                .map(api::Error::message)
        })
    }

    fn run(self, work: impl Future<Output = Result<(), api::Error>> + 'static) {
        if self.is_busy.get_untracked() {
            return;
        }
        self.is_busy.set(true);
        self.error.set(None);
        leptos::task::spawn_local(async move {
            let result = work.await;
            // The form is gone once somebody is signed in.
            self.is_busy.try_set(false);
            self.error.try_set(result.err());
        });
    }
}

#[component]
fn Card(title: &'static str, lead: &'static str, children: Children) -> impl IntoView {
    let state = expect_context::<State>();
    let is_in = move || state.session.session.with(|session| matches!(session, Session::In(_)));
    view! {
        <main class="signin">
            <div class="signin__card">
                <div class="signin__head">
                    <img class="signin__logo" src="/icon.svg" alt="" width="44" height="44" />
                    <h1 class="signin__title">{title}</h1>
                    <p class="signin__lead">{lead}</p>
                </div>
                {children()}
            </div>
            {part_if(is_in, || view! { <Redirect to=Address::List /> }.into_any())}
        </main>
    }
}

#[component]
fn Body(
    form: Form,
    submit: impl Fn() + 'static,
    button: &'static str,
    busy: &'static str,
    children: Children,
) -> impl IntoView {
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        submit();
    };
    view! {
        <form class="signin__form" method="post" novalidate on:submit=on_submit>
            {part(move || match form.other_error() {
                Some(error) => view! { <p class="signin__alert" role="alert">{error}</p> }.into_any(),
                None => ().into_any(),
            })}
            {children()}
            <button class="button" type="submit" disabled=form.is_busy>
                {text(move || if form.is_busy.get() { busy } else { button }.to_owned())}
            </button>
        </form>
    }
}
