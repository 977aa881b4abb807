//! Signing in and signing up.

use crate::components::field::Field;
use crate::components::form::{Form, FormBody};
use crate::dynamic::part_if;
use crate::i18n::{Text, tr};
use crate::router::{Address, Redirect};
use crate::state::State;
use crate::state::session::Session;
use leptos::prelude::*;
use shared::account::{self, Password};

#[component]
pub(crate) fn SignIn() -> impl IntoView {
    let state = expect_context::<State>();
    let entry = Entry::new();
    let form = entry.form;
    let submit = move || {
        let body = account::SignIn { email: entry.email.get_untracked(), password: entry.take_password() };
        form.run(async move { state.session.sign_in(state, body).await });
    };
    view! {
        <Card title=tr(Text::SignInTitle) lead=tr(Text::SignInLead)>
            <FormBody form submit button=tr(Text::SignIn) busy=tr(Text::SigningIn)>
                <Email entry />
                <PasswordField entry autocomplete="current-password" hint="" />
            </FormBody>
            <p class="signin__other">{tr(Text::NewHere)} " " <a href="/signup">{tr(Text::CreateAnAccount)}</a></p>
        </Card>
    }
}

#[component]
pub(crate) fn SignUp() -> impl IntoView {
    let state = expect_context::<State>();
    let entry = Entry::new();
    let form = entry.form;
    let submit = move || {
        let body = account::SignUp {
            email: entry.email.get_untracked(),
            display_name: entry.display_name.get_untracked(),
            password: entry.take_password(),
        };
        form.run(async move { state.session.sign_up(state, body).await });
    };
    view! {
        <Card title=tr(Text::SignUpTitle) lead=tr(Text::SignUpLead)>
            <FormBody form submit button=tr(Text::CreateAccount) busy=tr(Text::CreatingAccount)>
                <Field
                    name="displayName"
                    label=tr(Text::YourName)
                    autocomplete="name"
                    hint=tr(Text::YourNameHint)
                    value=entry.display_name
                    error=form.error_of("displayName")
                />
                <Email entry />
                <PasswordField entry autocomplete="new-password" hint=tr(Text::PasswordHint) />
            </FormBody>
            <p class="signin__other">{tr(Text::AlreadyHere)} " " <a href="/signin">{tr(Text::SignIn)}</a></p>
        </Card>
    }
}

#[component]
fn Email(entry: Entry) -> impl IntoView {
    let error = entry.form.error_of("email");
    view! { <Field name="email" label=tr(Text::Email) kind="email" autocomplete="username" value=entry.email error /> }
}

#[component]
fn PasswordField(entry: Entry, autocomplete: &'static str, hint: &'static str) -> impl IntoView {
    let error = entry.form.error_of("password");
    view! { <Field name="password" label=tr(Text::Password) kind="password" autocomplete hint value=entry.password error /> }
}

/// What is typed and what became of it.
#[derive(Clone, Copy)]
struct Entry {
    email: RwSignal<String>,
    display_name: RwSignal<String>,
    password: RwSignal<String>,
    form: Form,
}

impl Entry {
    fn new() -> Self {
        Self {
            email: RwSignal::new(String::new()),
            display_name: RwSignal::new(String::new()),
            password: RwSignal::new(String::new()),
            form: Form::new(&["email", "displayName", "password"]),
        }
    }

    fn take_password(self) -> Password {
        Password::new(self.password.get_untracked())
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
