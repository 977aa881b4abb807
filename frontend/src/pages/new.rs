//! A new message: pick one person or several, and write.

use crate::components::avatar::Avatar;
use crate::components::back::BackToList;
use crate::components::composer::Composer;
use crate::components::field::Field;
use crate::components::form::{Form, FormBody};
use crate::components::markup::{Body, fill, uncover};
use crate::components::message::NotSent;
use crate::dynamic::{effect, memo, part, part_if, text};
use crate::i18n::{Text, tr, with};
use crate::router::{Address, Router};
use crate::state::namesake::Tags;
use crate::state::session::Session;
use crate::state::{FirstMessage, FirstState, State};
use crate::{api, browser};
use leptos::prelude::*;
use shared::account::User;
use shared::conversation::{ConversationKind, CreateConversation};
use shared::group_request::MadeBody;
use shared::ids::{CommandId, ConversationId, Timestamp, UserId};
use shared::limits::MEMBERS_MAX;
use std::time::Duration;

/// How long typing may pause before people are searched.
const PAUSE: Duration = Duration::from_millis(150);

#[component]
pub(crate) fn New() -> impl IntoView {
    let state = expect_context::<State>();
    let search = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Result<Vec<User>, api::Error>>);
    let chosen = state.beginning;
    let me = state.session.session;
    let draft = state.drafts.get(draft_id(), state.session.me());
    effect(move || state.drafts.keep(draft_id(), me.with(Session::user)));
    let text = draft.text;
    let sent = RwSignal::new(None::<CommandId>);

    let round = StoredValue::new(0_u32);
    let look = move || {
        let this = round.try_update_value(|round| {
            *round += 1;
            *round
        });
        let text = search.get_untracked();
        leptos::task::spawn_local(async move {
            let answer = api::search_users(&text).await;
            // An answer to an older question is not shown over a newer one's.
            if round.try_get_value() == this {
                if let Ok(users) = &answer {
                    state.people.learn(users);
                }
                found.try_set(Some(answer));
            }
        });
    };
    look();
    let mut look_later = leptos::leptos_dom::helpers::debounce(PAUSE, move |()| look());

    // What was sent from here shows where it is going.
    let router = expect_context::<Router>();
    effect(move || {
        let Some(id) = sent.get() else { return };
        let accepted = state.first_messages.with(|all| {
            all.iter().find(|first| first.id == id).and_then(|first| match first.state {
                FirstState::Accepted(conversation) => Some(conversation),
                FirstState::Pending | FirstState::Failed(_) => None,
            })
        });
        if let Some(conversation) = accepted {
            router.replace(Address::Conversation(conversation));
        }
    });
    on_cleanup(move || {
        let done = |first: &FirstMessage| matches!(first.state, FirstState::Accepted(_));
        state.first_messages.update(|all| all.retain(|first| !done(first)));
        // The chosen people stay with the text.
        if text.with_untracked(|text| shared::text::is_blank(text)) {
            chosen.set(Vec::new());
        }
    });

    let toggle = move |user: User| {
        chosen.update(|chosen| match chosen.iter().position(|other| other.id == user.id) {
            Some(index) => drop(chosen.remove(index)),
            None if chosen.len() < MEMBERS_MAX - 1 => chosen.push(user),
            None => {}
        });
    };
    let tags = memo(move || {
        let found = found.get().and_then(Result::ok).unwrap_or_default();
        chosen.with(|chosen| Tags::of(chosen.iter().chain(&found)))
    });
    let label = Signal::derive(move || {
        chosen.with(|chosen| match &chosen[..] {
            [] => tr(Text::PickSomebody).to_owned(),
            chosen => {
                let names: Vec<_> = chosen.iter().map(|user| tags.with(|tags| tags.called(user))).collect();
                with(Text::MessageTo, &[("name", &names.join(", "))])
            }
        })
    });
    let submit = move |content: String| {
        let users: Vec<_> = chosen.with_untracked(|chosen| chosen.iter().map(|user| user.id).collect());
        let id = state.send_to(&users, content);
        if id.is_some() {
            sent.set(id);
            draft.done();
        }
        id.is_some()
    };
    let chip = move |user: User| {
        let name = tags.with(|tags| tags.called(&user));
        let remove = with(Text::Remove, &[("name", &name)]);
        view! {
            <button type="button" class="chip" aria-label=remove on:click=move |_| toggle(user.clone())>
                <bdi>{name}</bdi>
                <span aria-hidden="true">"×"</span>
            </button>
        }
        .into_any()
    };
    let is_nobody = Signal::derive(move || chosen.with(Vec::is_empty));
    let people = move || match found.get() {
        None => view! { <p class="timeline__note">{tr(Text::LookingForPeople)}</p> }.into_any(),
        Some(Err(error)) => view! { <p class="field__error" role="alert">{error.message()}</p> }.into_any(),
        Some(Ok(users)) => {
            let me = state.session.me();
            let is_empty = users.iter().all(|user| Some(user.id) == me);
            let mut users: Vec<_> = users.into_iter().filter(|user| Some(user.id) != me).collect();
            users.sort_by(|one, other| browser::in_order(&one.display_name, &other.display_name));
            view! {
                <ul class="people" aria-label=tr(Text::PeopleList)>
                    {users.into_iter().map(|user| view! { <li><Person user tags chosen toggle /></li> }.into_any()).collect::<Vec<_>>()}
                </ul>
                {is_empty.then(|| view! { <p class="timeline__note">{tr(Text::Nobody)}</p> }.into_any())}
            }
            .into_any()
        }
    };
    view! {
        <main class="pane">
            <header class="pane__head">
                <BackToList />
                <div class="pane__title">
                    <h2 class="pane__name">{part(move || tr(if is_group(router) { Text::NewGroup } else { Text::NewMessage }).into_any())}</h2>
                    <p class="pane__detail">{tr(Text::PickPeople)}</p>
                </div>
            </header>
            <div class="new">
                <div class="chips" aria-label=tr(Text::ChosenPeople) role="group">
                    {part(move || chosen.get().into_iter().map(chip).collect::<Vec<_>>().into_any())}
                </div>
                <label class="visually-hidden" for="people-search">{tr(Text::FindPeople)}</label>
                <input
                    class="field__input"
                    id="people-search"
                    type="search"
                    autocomplete="off"
                    placeholder=tr(Text::FindPeople)
                    dir="auto"
                    prop:value=search
                    on:input=move |event| {
                        search.set(event_target_value(&event));
                        look_later(());
                    }
                />
                <NewGroup chosen />
                {part(people)}
                <Sent />
            </div>
            <Composer label text submit is_disabled=is_nobody />
        </main>
    }
}

fn is_group(router: Router) -> bool {
    router.address() == Address::NewGroup
}

/// A group with a name, or a channel, of those who are chosen.
#[component]
fn NewGroup(chosen: RwSignal<Vec<User>>) -> impl IntoView {
    let router = expect_context::<Router>();
    let form = Form::new(&["name"]);
    let name = RwSignal::new(String::new());
    let kind = RwSignal::new(ConversationKind::Group);
    let topic = RwSignal::new(String::new());
    let is_public = RwSignal::new(true);
    let invited = RwSignal::new(None::<(ConversationId, String)>);
    let is_channel = move || kind.get() == ConversationKind::Channel;
    let submit = move || {
        let body = CreateConversation {
            kind: kind.get_untracked(),
            name: Some(name.get_untracked()),
            topic: Some(topic.get_untracked()).filter(|topic| is_channel() && !topic.trim().is_empty()),
            public: is_channel() && is_public.get_untracked(),
            members: chosen.with_untracked(|chosen| chosen.iter().map(|user| user.id).collect()),
        };
        form.run(async move {
            let MadeBody { conversation, asked } = api::create_conversation(&body).await?;
            let to = Address::Conversation(conversation.id);
            if asked.is_empty() {
                router.replace(to);
                return Ok(());
            }
            let name = |id: &UserId| {
                chosen
                    .with_untracked(|all| all.iter().find(|user| user.id == *id).map(|user| user.display_name.clone()))
            };
            let names: Vec<_> = asked.iter().filter_map(name).collect();
            invited.try_set(Some((conversation.id, names.join(", "))));
            Ok(())
        });
    };
    // Somebody who came for this names it first.
    effect(move || {
        if is_group(router) {
            // The field is there, and open, with the next frame.
            request_animation_frame(|| document().get_element_by_id("group-name").iter().for_each(browser::focus));
        }
    });
    let set_kind = move |event: leptos::ev::Event| {
        let is_channel = event_target_value(&event) == "channel";
        kind.set(if is_channel { ConversationKind::Channel } else { ConversationKind::Group });
    };
    view! {
        <details class="new__group" open=move || is_group(router)>
            <summary>{tr(Text::NewGroup)}</summary>
            {part(move || match invited.get() {
                None => ().into_any(),
                Some((id, names)) => view! {
                    <p class="settings__note" role="status">
                        {with(Text::Invited, &[("names", &names)])} " "
                        <a class="button button--quiet button--small" href=Address::Conversation(id).path()>{tr(Text::OpenIt)}</a>
                    </p>
                }.into_any(),
            })}
            <FormBody form submit button=tr(Text::Create) busy=tr(Text::Creating)>
                <Field name="name" id="group-name" label=tr(Text::ConversationName) autocomplete="off" value=name error=form.error_of("name") />
                <div class="field">
                    <label class="field__label" for="group-kind">{tr(Text::Kind)}</label>
                    <select class="field__input" id="group-kind" on:change=set_kind>
                        <option value="group">{tr(Text::KindGroup)}</option>
                        <option value="channel">{tr(Text::Channel)}</option>
                    </select>
                </div>
                {part_if(is_channel, move || view! {
                    <Field name="topic" id="group-topic" label=tr(Text::Topic) autocomplete="off" is_optional=true value=topic error=form.error_of("topic") />
                    <label class="settings__check">
                        <input type="checkbox" prop:checked=is_public on:change=move |event| is_public.set(event_target_checked(&event)) />
                        {tr(Text::AnybodyMayJoin)}
                    </label>
                }.into_any())}
            </FormBody>
        </details>
        <a class="new__channels" href="/channels">{tr(Text::FindChannels)}</a>
    }
}

#[component]
fn Person(
    user: User,
    tags: Memo<Tags>,
    chosen: RwSignal<Vec<User>>,
    toggle: impl Fn(User) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let id = user.id;
    let name = user.display_name.clone();
    let is_chosen = memo(move || chosen.with(|chosen| chosen.iter().any(|user| user.id == id)));
    let state = expect_context::<State>();
    let detail = move || tags.with(|tags| tags.detail(state, id));
    view! {
        <button type="button" class="person" aria-pressed=text(move || is_chosen.get().to_string()) on:click=move |_| toggle(user.clone())>
            <Avatar id=*id.as_bytes() name=name.clone() />
            <span class="channel__text">
                <bdi class="person__name">{name}</bdi>
                <bdi class="channel__detail">{text(detail)}</bdi>
            </span>
            <span class="person__mark" aria-hidden="true">{text(move || if is_chosen.get() { "✓" } else { "" }.to_owned())}</span>
        </button>
    }
}

/// What was written here and is not accepted yet.
#[component]
fn Sent() -> impl IntoView {
    let state = expect_context::<State>();
    let waiting = move || {
        state.first_messages.with(|all| {
            all.iter().filter(|first| !matches!(first.state, FirstState::Accepted(_))).cloned().collect::<Vec<_>>()
        })
    };
    part(move || {
        let all = waiting().into_iter().map(|FirstMessage { id, to, content, state: first }| {
            let names: Vec<_> = to.into_iter().map(|user| called(state, user)).collect();
            let to = with(Text::MessageTo, &[("name", &names.join(", "))]);
            let name = if matches!(first, FirstState::Failed(_)) { "failed" } else { "pending" };
            let body = Body::Written { text: content, is_edited: false, names: Vec::new() };
            view! {
                <article class="message" data-own="true" data-state=name>
                    <p class="settings__note" dir="auto">{to}</p>
                    <div class="message__body"><div class="message__text" dir="auto" on:click=uncover use:fill=body></div></div>
                    {match first {
                        FirstState::Failed(reason) => view! { <NotSent conversation=None key=id reason /> }.into_any(),
                        FirstState::Pending | FirstState::Accepted(_) => ().into_any(),
                    }}
                </article>
            }
            .into_any()
        });
        all.collect::<Vec<_>>().into_any()
    })
}

/// What somebody is called, as soon as that is known.
fn called(state: State, user: UserId) -> String {
    state.people.want(user, state);
    let name = state.people.name(user).get();
    if name.is_empty() { "…".into() } else { name }
}

/// The message is kept among the drafts, under an id that no conversation has.
fn draft_id() -> ConversationId {
    ConversationId::v7(Timestamp::default(), [0; 10])
}
