//! About a conversation: what it is called, who is in it, and what one may change of that.

use super::avatar::Avatar;
use super::dialog::Dialog;
use super::field::{Field, SearchField};
use super::form::{Form, FormBody, problem_line};
use super::icon::{Icon, Picture};
use super::portrait::ConversationPicture;
use super::sidebar::title;
use crate::api;
use crate::browser;
use crate::dynamic::{effect, memo, part, part_if, text};
use crate::i18n::{Text, tr, with};
use crate::router::{Address, Router};
use crate::state::namesake::Tags;
use crate::state::person::find_later;
use crate::state::{Overlay, State};
use leptos::prelude::*;
use shared::account::User;
use shared::conversation::{
    ChangeConversation, ChangePreferences, ConversationKind, Member, Notify, Preferences, Role, Summary,
};
use shared::ids::{ConversationId, UserId};
use std::pin::Pin;

/// Members of one page.
const PAGE: u32 = 100;
/// People found who are shown.
const FOUND_MAX: usize = 8;

/// What is known of who is in a conversation, and what went wrong with changing it.
#[derive(Clone, Copy)]
struct Members {
    id: ConversationId,
    all: RwSignal<Vec<Member>>,
    has_more: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
}

impl Members {
    fn load(self, skip: usize) {
        leptos::task::spawn_local(async move {
            match api::members(self.id, "", skip, PAGE).await {
                Ok(page) => {
                    self.all.try_update(|all| {
                        all.truncate(skip);
                        all.extend(page.members);
                    });
                    self.has_more.try_set(page.more);
                }
                Err(error) => _ = self.problem.try_set(Some(error.message())),
            }
        });
    }

    /// Does something and looks again.
    fn run(self, work: impl Future<Output = Result<(), api::Error>> + 'static) {
        self.run_boxed(Box::pin(work));
    }

    fn run_boxed(self, work: Pin<Box<dyn Future<Output = Result<(), api::Error>>>>) {
        leptos::task::spawn_local(async move {
            let problem = work.await.err().map(|error| error.message());
            self.problem.try_set(problem);
            self.load(0);
        });
    }

    /// What somebody may do.
    fn role(self, user: Option<UserId>) -> Role {
        let role = |all: &Vec<Member>| all.iter().find(|member| Some(member.user.id) == user).map(|member| member.role);
        self.all.with(role).unwrap_or(Role::Member)
    }
}

#[component]
pub(crate) fn About(id: ConversationId, close: Callback<()>) -> impl IntoView {
    let state = expect_context::<State>();
    let summary = state.conversations.get(id);
    let members =
        Members { id, all: RwSignal::new(Vec::new()), has_more: RwSignal::new(false), problem: RwSignal::new(None) };
    let known = summary.clone();
    let who = memo(move || {
        known.with(|summary| summary.as_ref().map(|summary| (summary.member_count, summary.members.clone())))
    });
    // Somebody comes or goes while one looks.
    effect(move || {
        // Read, and not only tracked: a memo that nobody reads follows nothing.
        who.with(|_| ());
        members.load(0);
    });
    let named = summary.clone();
    let called = Signal::derive(move || named.with(|summary| title(state, summary.as_ref())));
    let kind = state.conversations.kind(id);
    let is_changeable = matches!(kind, Some(ConversationKind::Group | ConversationKind::Channel));
    let shown = summary.with_untracked(Option::clone);
    let rows = move || {
        let own = members.role(state.session.me());
        let all = members.all.get();
        let tags = Tags::of(all.iter().map(|member| &member.user));
        all.into_iter()
            .map(|member| row(state, members, member, own, is_changeable, &tags))
            .collect::<Vec<_>>()
            .into_any()
    };
    let problem = members.problem;
    view! {
        <Dialog title=tr(Text::About) class="dialog" close>
            {problem_line(problem)}
            <Wanting id />
            <button type="button" class="button button--quiet button--small" on:click=move |_| state.overlay.set(Some(Overlay::Date(id)))>
                {tr(Text::GoToDate)}
            </button>
            {shown.filter(|_| is_changeable).map(|summary| view! {
                <ConversationPicture id name=called />
                <Naming summary members />
            })}
            <h3 class="settings__title">{tr(Text::Members)}</h3>
            {is_changeable.then(|| view! { <Adding members /> })}
            <ul class="people about__members" aria-label=tr(Text::Members)>{part(rows)}</ul>
            {part_if(move || members.has_more.get(), move || view! {
                <button
                    type="button"
                    class="button button--quiet button--small"
                    on:click=move |_| members.load(members.all.with_untracked(Vec::len))
                >
                    {tr(Text::ShowMore)}
                </button>
            }.into_any())}
            {is_changeable.then(|| view! { <Leaving members /> })}
        </Dialog>
    }
}

/// Somebody who is there, and what one may do about it.
fn row(state: State, members: Members, member: Member, own: Role, is_changeable: bool, tags: &Tags) -> AnyView {
    let Member { user, role } = member;
    let (tagged, detail) = (tags.called(&user), tags.detail(state, user.id));
    let (id, name) = (user.id, user.display_name);
    let is_me = state.session.me() == Some(id);
    let status = state.people.status(id);
    let may_appoint = is_changeable && own == Role::Owner && !is_me;
    let may_remove = is_changeable && own.looks_after() && role != Role::Owner && !is_me;
    let appoint = move |event: leptos::ev::Event| {
        let chosen = event_target_value(&event);
        if let Some(role) = Role::ALL.into_iter().find(|role| role_text(*role).0 == chosen) {
            members.run(async move { api::change_member(members.id, id, role).await });
        }
    };
    let remove = move |_| members.run(async move { api::remove_member(members.id, id).await });
    let options = move || {
        let option = |one: Role| {
            let (value, text) = role_text(one);
            view! { <option value=value selected=one == role>{tr(text)}</option> }.into_any()
        };
        Role::ALL.into_iter().map(option).collect::<Vec<_>>()
    };
    let remove_label = with(Text::Remove, &[("name", &tagged)]);
    let label = with(Text::RoleOf, &[("name", &tagged)]);
    let what = match may_appoint {
        true => {
            view! { <select class="field__input about__role" aria-label=label on:change=appoint>{options()}</select> }
                .into_any()
        }
        false if role == Role::Member => ().into_any(),
        false => view! { <span class="about__badge">{tr(role_text(role).1)}</span> }.into_any(),
    };
    view! {
        <li class="person person--still">
            <Avatar id=*id.as_bytes() name=name.clone() />
            <span class="channel__text">
                <bdi class="person__name">{name}</bdi>
                {(!detail.is_empty()).then(|| view! { <bdi class="channel__detail">{detail}</bdi> }.into_any())}
                <bdi class="channel__detail">{text(move || status.get())}</bdi>
            </span>
            {what}
            {may_remove.then(|| view! {
                <button
                    type="button"
                    class="icon-button icon-button--small"
                    aria-label=remove_label.clone()
                    title=remove_label
                    on:click=remove
                >
                    <Icon picture=Picture::Close />
                </button>
            }.into_any())}
        </li>
    }
    .into_any()
}

/// A role's value in a form, and what it is called.
fn role_text(role: Role) -> (&'static str, Text) {
    match role {
        Role::Owner => ("owner", Text::Owner),
        Role::Moderator => ("moderator", Text::Moderator),
        Role::Member => ("member", Text::Member),
    }
}

/// What one wants of it oneself.
#[component]
fn Wanting(id: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let router = expect_context::<Router>();
    let summary = state.conversations.get(id);
    let wants =
        memo(move || summary.with(|summary| summary.as_ref().map(|summary| summary.preferences).unwrap_or_default()));
    let problem = RwSignal::new(None::<String>);
    let prefer = move |change: ChangePreferences| {
        leptos::task::spawn_local(async move {
            let outcome = state.prefer(id, change).await;
            problem.try_set(outcome.err().map(|error| error.message()));
        });
    };
    let usual = ChangePreferences::default();
    let notify = move |event: leptos::ev::Event| {
        let chosen = event_target_value(&event);
        let muted_until = match chosen.as_str() {
            "hour" => Some(browser::in_an_hour()),
            "morning" => Some(browser::tomorrow_morning()),
            _ => None,
        };
        let notify = NOTIFY.into_iter().find(|(value, ..)| *value == chosen).map(|(_, _, notify)| notify);
        if notify.is_some() || muted_until.is_some() {
            // Whoever chooses what to be told of is not to be left alone any more.
            prefer(ChangePreferences { notify, muted_until: Some(muted_until.unwrap_or_default()), ..usual });
        }
    };
    let options = move || {
        let wants = wants.get();
        browser::follow_time();
        let muted = wants.muted_until.filter(|until| *until > browser::now());
        let option = |value: &'static str, text: String, is_chosen: bool| {
            view! { <option value=value selected=is_chosen>{text}</option> }.into_any()
        };
        let of = |(value, text, notify): (&'static str, Text, Notify)| {
            option(value, tr(text).into(), muted.is_none() && notify == wants.notify)
        };
        let mut options: Vec<_> = NOTIFY.into_iter().map(of).collect();
        options.extend(
            muted.map(|until| option("until", with(Text::QuietUntil, &[("time", &browser::when(until))]), true)),
        );
        options.push(option("hour", tr(Text::ForAnHour).into(), false));
        options.push(option("morning", tr(Text::UntilTomorrow).into(), false));
        options.into_any()
    };
    let mark = move |_| {
        prefer(ChangePreferences { marked_unread: Some(true), ..usual });
        // Whoever looks at it has it open, and what is open is read.
        state.overlay.set(None);
        router.go(Address::List);
    };
    let pressed = move |is: fn(Preferences) -> bool| text(move || is(wants.get()).to_string());
    view! {
        <div class="about__wants">
            <button
                type="button"
                class="button button--quiet button--small"
                aria-pressed=pressed(|wants| wants.pinned)
                on:click=move |_| prefer(ChangePreferences { pinned: Some(!wants.get_untracked().pinned), ..usual })
            >
                {tr(Text::Pin)}
            </button>
            <button
                type="button"
                class="button button--quiet button--small"
                aria-pressed=pressed(|wants| wants.archived)
                on:click=move |_| prefer(ChangePreferences { archived: Some(!wants.get_untracked().archived), ..usual })
            >
                {tr(Text::Archive)}
            </button>
            <button type="button" class="button button--quiet button--small" on:click=mark>{tr(Text::MarkUnread)}</button>
            <label class="about__notify">
                {tr(Text::NotifyAbout)}
                <select class="field__input" on:change=notify>{part(options)}</select>
            </label>
            {problem_line(problem)}
        </div>
    }
}

/// What one may want to be told of: its value in a form, and what it is called.
const NOTIFY: [(&str, Text, Notify); 3] = [
    ("all", Text::NotifyAll, Notify::All),
    ("mentions", Text::NotifyMentions, Notify::Mentions),
    ("nothing", Text::NotifyNothing, Notify::Nothing),
];

#[component]
fn Naming(summary: Summary, members: Members) -> impl IntoView {
    let state = expect_context::<State>();
    let form = Form::new(&["name", "topic"]);
    let is_channel = summary.kind == ConversationKind::Channel;
    let id = summary.id;
    let name = RwSignal::new(summary.name.unwrap_or_default());
    let topic = RwSignal::new(summary.topic.unwrap_or_default());
    let is_public = RwSignal::new(summary.public);
    let now = state.conversations.get(id);
    let submit = move || {
        let body = ChangeConversation {
            // A name from before goes on, whatever is refused in new ones.
            name: Some(name.get_untracked())
                .filter(|name| now.with_untracked(|now| now.as_ref().and_then(|now| now.name.as_ref()) != Some(name))),
            topic: is_channel.then(|| topic.get_untracked()),
            public: Some(is_public.get_untracked()).filter(|is_public| {
                let is_now = now.with_untracked(|now| now.as_ref().is_some_and(|now| now.public));
                is_channel && *is_public != is_now
            }),
            avatar: None,
        };
        form.run(async move { api::change_conversation(id, &body).await.map(drop) });
    };
    let may_open = move || is_channel && members.role(state.session.me()).looks_after();
    view! {
        <FormBody form submit button=tr(Text::Save) busy=tr(Text::Saving)>
            <Field name="name" id="about-name" label=tr(Text::ConversationName) autocomplete="off" value=name error=form.error_of("name") />
            {is_channel.then(|| view! {
                <Field name="topic" id="about-topic" label=tr(Text::Topic) autocomplete="off" is_optional=true value=topic error=form.error_of("topic") />
            })}
            {part_if(may_open, move || view! {
                <label class="settings__check">
                    <input type="checkbox" prop:checked=is_public on:change=move |event| is_public.set(event_target_checked(&event)) />
                    {tr(Text::AnybodyMayJoin)}
                </label>
            }.into_any())}
        </FormBody>
    }
}

#[component]
fn Adding(members: Members) -> impl IntoView {
    let state = expect_context::<State>();
    let search = RwSignal::new(String::new());
    let found = RwSignal::new(Vec::<User>::new());
    let look_later = find_later(search, found);
    let invited = RwSignal::new(String::new());
    let add = move |id: UserId, name: String| {
        search.set(String::new());
        found.set(Vec::new());
        members.run(async move {
            let is_asked = api::add_member(members.id, id).await?;
            invited.try_set(if is_asked { with(Text::Invited, &[("names", &name)]) } else { String::new() });
            Ok(())
        });
    };
    let row = move |user: User, tags: &Tags| {
        let detail = tags.detail(state, user.id);
        let (id, name) = (user.id, user.display_name);
        let called = name.clone();
        view! {
            <li>
                <button type="button" class="person" on:click=move |_| add(id, called.clone())>
                    <Avatar id=*id.as_bytes() name=name.clone() />
                    <span class="channel__text">
                        <bdi class="person__name">{name}</bdi>
                        {(!detail.is_empty()).then(|| view! { <bdi class="channel__detail">{detail}</bdi> }.into_any())}
                    </span>
                    <span class="person__mark" aria-hidden="true">"+"</span>
                </button>
            </li>
        }
        .into_any()
    };
    let rows = move || {
        let is_there = |user: &User| members.all.with(|all| all.iter().any(|member| member.user.id == user.id));
        let found = found.get();
        // Who is there already may look like who is found.
        let tags = members.all.with(|all| Tags::of(all.iter().map(|member| &member.user).chain(&found)));
        let found = found.into_iter().filter(|user| !is_there(user)).take(FOUND_MAX);
        found.map(|user| row(user, &tags)).collect::<Vec<_>>().into_any()
    };
    view! {
        <SearchField label=tr(Text::AddPeople) value=search look=look_later />
        <ul class="people" aria-label=tr(Text::PeopleList)>{part(rows)}</ul>
        <p class="settings__note" role="status">{text(move || invited.get())}</p>
    }
}

/// Leaving is asked twice; then the page shows the way back.
#[component]
fn Leaving(members: Members) -> impl IntoView {
    let state = expect_context::<State>();
    let is_asked = RwSignal::new(false);
    let leave = move |_| {
        if !is_asked.get_untracked() {
            return is_asked.set(true);
        }
        let Some(me) = state.session.me() else { return };
        leptos::task::spawn_local(async move {
            match api::remove_member(members.id, me).await {
                Ok(()) => {
                    // The person may have gone on meanwhile, or be somebody else.
                    if state.overlay.get_untracked() == Some(Overlay::About(members.id)) {
                        state.overlay.set(None);
                        state.left.set(Some(members.id));
                    }
                }
                Err(error) => _ = members.problem.try_set(Some(error.message())),
            }
        });
    };
    view! {
        <button type="button" class="button button--danger" on:click=leave>
            {part(move || tr(if is_asked.get() { Text::ReallyLeave } else { Text::Leave }).into_any())}
        </button>
    }
}
