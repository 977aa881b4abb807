//! Settings: how the page looks here, and what belongs to the account.

use crate::components::back::BackToList;
use crate::components::copying::copy;
use crate::components::field::Field;
use crate::components::form::{Form, FormBody};
use crate::components::notifying::Notifying;
use crate::components::portrait::OwnPicture;
use crate::components::privacy::OwnPrivacy;
use crate::dynamic::{part, text};
use crate::i18n::{Language, Text, tr, with};
use crate::state::State;
use crate::state::setting::Choice;
use crate::{api, browser};
use leptos::prelude::*;
use shared::account::{ChangeAccount, CreateToken, CreatedToken, DeleteAccount, Password, Session, Token, User};
use shared::ids::Timestamp;
use std::pin::Pin;

#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    view! {
        <main class="pane">
            <header class="pane__head">
                <BackToList />
                <div class="pane__title">
                    <h2 class="pane__name">{tr(Text::Settings)}</h2>
                </div>
            </header>
            <div class="settings">
                {section(Text::Appearance, view! { <Appearance /> }.into_any())}
                {section(Text::Notifications, view! { <Notifying /> }.into_any())}
                {section(Text::Profile, view! { <Profile /> }.into_any())}
                {section(Text::Privacy, view! { <OwnPrivacy /> }.into_any())}
                {section(Text::ChangePassword, view! { <NewPassword /> }.into_any())}
                {section(Text::Devices, view! { <Devices /> }.into_any())}
                {section(Text::Tokens, view! { <Tokens /> }.into_any())}
                {section(Text::DeleteAccount, view! { <Deletion /> }.into_any())}
            </div>
        </main>
    }
}

fn section(title: Text, content: AnyView) -> AnyView {
    view! {
        <section class="settings__section">
            <h3 class="settings__title">{tr(title)}</h3>
            {content}
        </section>
    }
    .into_any()
}

/// What a choice is called, and what it may be, in the order of its values.
fn words(choice: Choice) -> (Text, &'static [Text]) {
    match choice {
        Choice::Theme => (Text::Theme, &[Text::ThemeSystem, Text::ThemeLight, Text::ThemeDark, Text::ThemeContrast]),
        Choice::Density => (Text::Density, &[Text::DensityComfortable, Text::DensityCompact]),
        Choice::Size => (Text::FontSize, &[Text::SizeNormal, Text::SizeSmall, Text::SizeLarge, Text::SizeHuge]),
    }
}

#[component]
fn Appearance() -> impl IntoView {
    let settings = expect_context::<State>().settings;
    let choices = Choice::ALL.into_iter().map(|choice| {
        let (label, texts) = words(choice);
        let values = choice.values();
        let options = values.iter().zip(texts).map(|(value, text)| (*value, tr(*text)));
        let set = move |chosen: String| {
            if let Some(value) = values.iter().find(|value| **value == chosen) {
                settings.set(choice, value);
            }
        };
        select(values[0], tr(label), options.collect(), settings.get(choice), set)
    });
    let languages = Language::ALL.into_iter().map(|language| (language.tag(), language.name())).collect();
    let speak = move |tag: String| {
        if let Some(language) = Language::of(&tag) {
            settings.speak(language);
        }
    };
    let language = settings.language.get_untracked().tag();
    view! {
        <div class="settings__choices">
            {choices.collect::<Vec<_>>()}
            {select("language", tr(Text::Language), languages, language, speak)}
        </div>
    }
}

fn select(
    id: &'static str,
    label: &'static str,
    options: Vec<(&'static str, &'static str)>,
    chosen: &'static str,
    set: impl Fn(String) + 'static,
) -> AnyView {
    let option = |(value, name): (&'static str, &'static str)| {
        view! { <option value=value selected=value == chosen>{name}</option> }.into_any()
    };
    view! {
        <div class="field">
            <label class="field__label" for=id>{label}</label>
            <select id=id class="field__input" on:change=move |event| set(event_target_value(&event))>
                {options.into_iter().map(option).collect::<Vec<_>>()}
            </select>
        </div>
    }
    .into_any()
}

/// Says that something is done, until the next thing is.
#[component]
fn Done(is_done: RwSignal<bool>) -> impl IntoView {
    view! {
        <p class="settings__done" role="status">
            {text(move || if is_done.get() { tr(Text::Saved).to_owned() } else { String::new() })}
        </p>
    }
}

fn me(state: State) -> Option<User> {
    state.session.session.with_untracked(|session| session.account().cloned())
}

/// What is typed, if it is anything.
fn typed(value: RwSignal<String>) -> Option<Password> {
    Some(value.get_untracked()).filter(|text| !text.is_empty()).map(Password::new)
}

/// The password as it is, asked for before something of the account is changed.
#[component]
fn CurrentPassword(
    id: &'static str,
    #[prop(optional)] hint: &'static str,
    value: RwSignal<String>,
    form: Form,
) -> impl IntoView {
    view! {
        <Field
            name="currentPassword"
            id
            label=tr(Text::CurrentPassword)
            kind="password"
            autocomplete="current-password"
            hint
            value
            error=form.error_of("currentPassword")
        />
    }
}

#[component]
fn Profile() -> impl IntoView {
    let state = expect_context::<State>();
    let known = me(state);
    let name = RwSignal::new(known.as_ref().map(|user| user.display_name.clone()).unwrap_or_default());
    let status = RwSignal::new(known.as_ref().and_then(|user| user.status.clone()).unwrap_or_default());
    let email = RwSignal::new(known.and_then(|user| user.email).unwrap_or_default());
    let password = RwSignal::new(String::new());
    let form = Form::new(&["displayName", "status", "email", "currentPassword"]);
    let is_done = RwSignal::new(false);
    let submit = move || {
        is_done.set(false);
        let known = me(state);
        let changed = |new: String, old: Option<String>| Some(new).filter(|new| Some(new) != old.as_ref());
        let old_name = known.as_ref().map(|user| user.display_name.clone());
        let body = ChangeAccount {
            display_name: changed(name.get_untracked(), old_name),
            status: changed(status.get_untracked(), known.as_ref().map(|user| user.status.clone().unwrap_or_default())),
            email: changed(email.get_untracked(), known.and_then(|user| user.email)),
            current_password: typed(password),
            ..ChangeAccount::default()
        };
        form.run(async move {
            let user = api::change_account(&body).await?;
            state.people.learn([&user]);
            state.session.set_in(user);
            password.try_set(String::new());
            is_done.try_set(true);
            Ok(())
        });
    };
    view! {
        <OwnPicture />
        <FormBody form submit button=tr(Text::Save) busy=tr(Text::Saving)>
            <Field name="displayName" label=tr(Text::YourName) autocomplete="name" value=name error=form.error_of("displayName") />
            <Field name="status" label=tr(Text::YourStatus) autocomplete="off" hint=tr(Text::YourStatusHint) is_optional=true value=status error=form.error_of("status") />
            <Field name="email" label=tr(Text::Email) kind="email" autocomplete="username" value=email error=form.error_of("email") />
            <CurrentPassword id="profile-password" hint=tr(Text::ForEmailOnly) value=password form />
            <Done is_done />
        </FormBody>
    }
}

#[component]
fn NewPassword() -> impl IntoView {
    let new = RwSignal::new(String::new());
    let current = RwSignal::new(String::new());
    let form = Form::new(&["password", "currentPassword"]);
    let is_done = RwSignal::new(false);
    let submit = move || {
        is_done.set(false);
        let body = ChangeAccount {
            password: Some(Password::new(new.get_untracked())),
            current_password: typed(current),
            ..ChangeAccount::default()
        };
        form.run(async move {
            api::change_account(&body).await?;
            new.try_set(String::new());
            current.try_set(String::new());
            is_done.try_set(true);
            Ok(())
        });
    };
    view! {
        <FormBody form submit button=tr(Text::ChangePassword) busy=tr(Text::Saving)>
            <CurrentPassword id="password-current" value=current form />
            <Field
                name="password"
                label=tr(Text::NewPassword)
                kind="password"
                autocomplete="new-password"
                hint=tr(Text::EndsOthers)
                value=new
                error=form.error_of("password")
            />
            <Done is_done />
        </FormBody>
    }
}

/// "23 Nov, 14:05".
fn moment(at: Timestamp) -> String {
    format!("{}, {}", browser::short_day(at), browser::time(at))
}

/// A browser and a system, as far as what the browser calls itself tells.
fn device(user_agent: &str) -> String {
    let find = |table: &[(&str, &'static str)]| {
        table.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => user_agent.chars().take(64).collect(),
    }
}

/// A line of a list: what it is, what is known of it, and what can be done with it.
#[derive(Clone)]
struct Line {
    title: String,
    detail: String,
    action: Option<(&'static str, Callback<()>)>,
}

/// A list that is fetched, and again after each change.
#[derive(Clone, Copy)]
struct List {
    lines: RwSignal<Option<Result<Vec<Line>, api::Error>>>,
    fetch: StoredValue<Fetch>,
}

type Lines = Pin<Box<dyn Future<Output = Result<Vec<Line>, api::Error>>>>;
type Fetch = Box<dyn Fn(List) -> Lines + Send + Sync>;

impl List {
    fn new(fetch: impl Fn(List) -> Lines + Send + Sync + 'static) -> Self {
        let list = Self { lines: RwSignal::new(None), fetch: StoredValue::new(Box::new(fetch) as Fetch) };
        list.load();
        list
    }

    fn load(self) {
        // The page may be gone by now.
        let Some(lines) = self.fetch.try_with_value(|fetch| fetch(self)) else { return };
        leptos::task::spawn_local(async move {
            let answer = lines.await;
            self.lines.try_set(Some(answer));
        });
    }

    /// Does something, whatever comes of it, and shows what is there then.
    fn then_load(self, work: impl Future<Output = Result<(), api::Error>> + 'static) {
        leptos::task::spawn_local(async move {
            let _ = work.await;
            self.load();
        });
    }

    fn view(self, none: Text) -> AnyView {
        part(move || match self.lines.get() {
            None => view! { <p class="settings__note">{tr(Text::Loading)}</p> }.into_any(),
            Some(Err(error)) => view! { <p class="form__alert" role="alert">{error.message()}</p> }.into_any(),
            Some(Ok(all)) if all.is_empty() => view! { <p class="settings__note">{tr(none)}</p> }.into_any(),
            Some(Ok(all)) => {
                view! { <ul class="settings__list">{all.into_iter().map(line).collect::<Vec<_>>()}</ul> }.into_any()
            }
        })
        .into_any()
    }
}

fn line(line: Line) -> AnyView {
    let Line { title, detail, action } = line;
    let button = action.map(|(label, act)| {
        let named = format!("{label}: {title}");
        view! {
            <button type="button" class="button button--quiet button--small" aria-label=named on:click=move |_| act.run(())>
                {label}
            </button>
        }
        .into_any()
    });
    view! {
        <li class="settings__line">
            <div class="settings__what">
                <p class="settings__name"><bdi>{title}</bdi></p>
                <p class="settings__note">{detail}</p>
            </div>
            {button}
        </li>
    }
    .into_any()
}

#[component]
fn Devices() -> impl IntoView {
    let show = |list: List, Session { id, user_agent, last_seen_at, current, .. }: Session| {
        let end = Callback::new(move |()| list.then_load(api::end_session(id)));
        let (detail, action) = match current {
            true => (tr(Text::ThisDevice).to_owned(), None),
            false => (with(Text::LastSeen, &[("time", &moment(last_seen_at))]), Some((tr(Text::SignOut), end))),
        };
        Line { title: device(&user_agent), detail, action }
    };
    let list = List::new(move |list| {
        Box::pin(async move {
            api::sessions().await.map(|all| all.into_iter().map(|session| show(list, session)).collect())
        })
    });
    list.view(Text::NoDevices)
}

#[component]
fn Tokens() -> impl IntoView {
    let state = expect_context::<State>();
    let show = |list: List, Token { id, name, last_used_at, expires_at, .. }: Token| {
        let delete = Callback::new(move |()| list.then_load(api::delete_token(id)));
        let mut detail = last_used_at
            .map_or_else(|| tr(Text::NeverUsed).to_owned(), |at| with(Text::LastSeen, &[("time", &moment(at))]));
        if let Some(at) = expires_at {
            detail += " · ";
            detail += &with(Text::TokenEnds, &[("time", &moment(at))]);
        }
        Line { title: name, detail, action: Some((tr(Text::Delete), delete)) }
    };
    let list = List::new(move |list| {
        Box::pin(async move { api::tokens().await.map(|all| all.into_iter().map(|token| show(list, token)).collect()) })
    });
    let name = RwSignal::new(String::new());
    let created = RwSignal::new(None::<CreatedToken>);
    let password = RwSignal::new(String::new());
    let form = Form::new(&["name", "currentPassword"]);
    let submit = move || {
        let current_password = Password::new(password.get_untracked());
        let body = CreateToken { name: name.get_untracked(), current_password, days: None };
        form.run(async move {
            let token = api::create_token(&body).await?;
            name.try_set(String::new());
            password.try_set(String::new());
            created.try_set(Some(token));
            list.load();
            Ok(())
        });
    };
    view! {
        <p class="settings__note">{tr(Text::TokensLead)}</p>
        {list.view(Text::NoTokens)}
        {part(move || match created.get() {
            None => ().into_any(),
            Some(CreatedToken { token, .. }) => {
                let copied = token.clone();
                view! {
                    <div class="settings__token" role="status">
                        <p>{tr(Text::TokenShownOnce)}</p>
                        <code>{token}</code>
                        <button type="button" class="button button--quiet button--small" on:click=move |_| copy(state, copied.clone())>
                            {tr(Text::CopyContent)}
                        </button>
                    </div>
                }
                .into_any()
            }
        })}
        <FormBody form submit button=tr(Text::CreateToken) busy=tr(Text::Saving)>
            <Field name="name" id="token-name" label=tr(Text::TokenName) autocomplete="off" value=name error=form.error_of("name") />
            <CurrentPassword id="token-password" value=password form />
        </FormBody>
    }
}

#[component]
fn Deletion() -> impl IntoView {
    let state = expect_context::<State>();
    let password = RwSignal::new(String::new());
    let form = Form::new(&["currentPassword"]);
    let submit = move || {
        let body = DeleteAccount { current_password: Password::new(password.get_untracked()) };
        form.run(async move {
            api::delete_account(&body).await?;
            state.session.leave_for_good(state);
            Ok(())
        });
    };
    view! {
        <p class="settings__note">{tr(Text::DeletionLead)}</p>
        <div class="settings__danger">
            <FormBody form submit button=tr(Text::DeleteAccount) busy=tr(Text::Saving)>
                <CurrentPassword id="deletion-password" value=password form />
            </FormBody>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn a_device_is_a_browser_and_a_system_as_far_as_it_says() {
        let table = [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
                "Chrome · Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0",
                "Edge · Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1",
                "Safari · iPhone",
            ),
            ("Mozilla/5.0 (Android 16; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0", "Firefox · Android"),
            ("curl/8.5.0", "curl/8.5.0"),
            ("", ""),
        ];
        for (user_agent, expected) in table {
            assert_eq!(device(user_agent), expected);
        }
        assert_eq!(device(&"x".repeat(500)).len(), 64);
    }
}
