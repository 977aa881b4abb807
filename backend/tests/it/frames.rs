//! No frame and no answer grows with how many people a conversation has, nor with what others have written: counted in
//! frames and bytes, in the process itself, so that a thousand people are there in a moment.

use backend::accounts::SessionKind;
use backend::app::App;
use backend::chat::{self, deliver::Asker};
use backend::clock;
use backend::config::{Arguments, Config};
use backend::registry::Registration;
use backend::socket::queue::Taken;
use backend::store::account::{AccountChange, NewSession};
use backend::store::writer::{Action, Amendment, Change, Content, NewMessage, Recipients};
use backend::store::{Range, SessionRow};
use clap::Parser;
use shared::account::User;
use shared::conversation::{ChangeConversation, ConversationKind, ConversationList, EventList, Summary};
use shared::event::{Event, EventKind};
use shared::frame::ServerFrame;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, SessionId, Timestamp, UserId};
use shared::limits::{
    CONTACTS_MAX, EVENTS_BYTES_MAX, LIST_BYTES_MAX, MEMBERS_MAX, PAGE_MAX, REACTION_USERS_MAX, REACTIONS_MAX,
    SUMMARY_MEMBERS_MAX, WELCOME_BYTES_MAX,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The largest event there can be, about: 16 KB of characters that JSON writes as six, with all else there can be.
const EVENT_BYTES_MAX: usize = 130 * 1024;

struct Place {
    app: Arc<App>,
    _data: TempDir,
}

/// Somebody with an account, and the hash of their session's secret.
struct Person {
    session: SessionRow,
    token_hash: [u8; 32],
}

impl Person {
    fn id(&self) -> UserId {
        self.session.user.id
    }
}

impl Place {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().unwrap();
        let arguments = Arguments::parse_from(["confab", "--data", folder, "--rate-limits", "off"]);
        Self { app: App::start(Config::load(arguments.serve).unwrap()).unwrap(), _data: data }
    }

    async fn person(&self, name: &str) -> Person {
        let id = clock::id(UserId::v7);
        let email = Some(format!("{id}@example.org"));
        let user = User { id, display_name: name.to_owned(), avatar: None, status: None, privacy: None, email };
        let mut token_hash = [0; 32];
        token_hash[..16].copy_from_slice(id.as_bytes());
        let expires_at = clock::after(clock::now(), backend::accounts::SESSION_MAX);
        let new = NewSession { id: clock::id(SessionId::v7), token_hash, user_agent: "frames".into(), expires_at };
        let session = SessionRow {
            id: new.id,
            user: user.clone(),
            kind: SessionKind::Browser,
            last_seen_at: Timestamp::default(),
        };
        assert!(
            self.app
                .writer
                .create_account(std::net::Ipv4Addr::LOCALHOST.into(), user, "a hash".into(), new)
                .await
                .unwrap()
        );
        Person { session, token_hash }
    }

    async fn people(&self, count: usize, name: &str) -> Vec<Person> {
        let mut people = Vec::new();
        for _ in 0..count {
            people.push(self.person(name).await);
        }
        people
    }

    async fn makes(
        &self,
        by: &Person,
        kind: ConversationKind,
        name: Option<&str>,
        topic: Option<&str>,
        people: &[Person],
    ) -> ConversationId {
        let mut members: Vec<_> = people.iter().map(Person::id).chain([by.id()]).collect();
        members.sort_unstable();
        members.dedup();
        let (name, topic) = (name.map(str::to_owned), topic.map(str::to_owned));
        let change = Change::Create { kind, name, topic, is_public: false, members };
        let (reply, answer) = oneshot::channel();
        self.app.writer.change(Asker::Caller(reply), by.id(), change).unwrap();
        match answer.await.unwrap().unwrap() {
            chat::deliver::Answer::Stored(place) => place.conversation,
            other => panic!("{other:?}"),
        }
    }

    async fn says(&self, by: UserId, conversation: ConversationId, content: String) -> Seq {
        let (reply, answer) = oneshot::channel();
        let to = Recipients::Conversation(conversation);
        let content = Content::new(content);
        let message = NewMessage { id: clock::id(CommandId::v7), to, content, reply_to: None, attachments: Vec::new() };
        self.app.writer.send(Asker::Caller(reply), by, message).unwrap();
        match answer.await.unwrap().unwrap() {
            chat::deliver::Answer::Stored(place) => place.seq,
            other => panic!("{other:?}"),
        }
    }

    async fn reacts(&self, by: UserId, conversation: ConversationId, target: Seq, emoji: &str, on: bool) {
        let (reply, answer) = oneshot::channel();
        let action = Action::React { emoji: emoji.to_owned(), on };
        let amendment = Amendment { id: clock::id(CommandId::v7), conversation, target, action };
        self.app.writer.amend(Asker::Caller(reply), by, amendment).unwrap();
        answer.await.unwrap().unwrap();
    }

    fn connect(&self, people: &[Person]) -> Vec<Registration> {
        let register = |one: &Person| self.app.registry.register(one.id(), one.session.id, SessionKind::Browser);
        people.iter().map(register).collect()
    }

    /// What each of these sockets was sent, once all that was done has been delivered and told.
    async fn seen(&self, sockets: &[Registration]) -> Vec<Vec<String>> {
        while self.app.changed_people.is_running() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        self.app.writer.flushed(|| Asker::Nobody, clock::id(UserId::v7)).await;
        let mut all = Vec::new();
        for socket in sockets {
            let mut frames = Vec::new();
            let mut taken = Vec::new();
            while socket.socket.queue.take(&mut taken) == Taken::Frames {
                frames.extend(taken.drain(..).map(|frame| frame.to_string()));
            }
            all.push(frames);
        }
        all
    }

    async fn welcome(&self, person: &Person) -> String {
        let entered = chat::welcome::enter(&self.app, person.token_hash, Timestamp::default(), |_| true).await.unwrap();
        let (session, registration, screen) = entered.unwrap();
        chat::welcome::welcome(&self.app, &registration.socket, session, screen.unwrap()).to_string()
    }

    async fn events(&self, person: &Person, conversation: ConversationId, range: Range) -> EventList {
        let member = self.app.store.member(person.id(), conversation).await.unwrap().unwrap();
        let (events, more) = self.app.store.events(&member, range, PAGE_MAX).await.unwrap();
        EventList { events, more }
    }
}

fn json(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).unwrap().len()
}

/// The only frame there is.
fn only(frames: &[String]) -> ServerFrame {
    assert_eq!(frames.len(), 1, "{frames:?}");
    ServerFrame::decode(&frames[0]).unwrap().unwrap()
}

fn last(frames: &[String]) -> ServerFrame {
    ServerFrame::decode(frames.last().unwrap()).unwrap().unwrap()
}

/// How large each of the frames of one change is, with so many members: to each of them one, and to the one who comes two.
async fn sizes_with(members: usize) -> Vec<usize> {
    let place = Place::new();
    let ada = place.person("Ada").await;
    let dora = place.person("Dora").await;
    let people = place.people(members - 1, "Member").await;
    let group = place.makes(&ada, ConversationKind::Group, Some("Walks"), None, &people).await;
    // Somebody is met in two places, and told once.
    place.makes(&ada, ConversationKind::Group, Some("More walks"), None, &people).await;
    let (sockets, of_dora) = (place.connect(&people), place.connect(std::slice::from_ref(&dora)));
    let mut sizes = Vec::new();
    let mut note = |seen: Vec<Vec<String>>| {
        for frames in &seen {
            assert_eq!(frames, &seen[0], "all are told the same");
        }
        let frame = only(&seen[0]);
        sizes.push(seen[0][0].len());
        frame
    };

    let face = ChangeConversation { name: Some("Long walks".into()), ..ChangeConversation::default() };
    chat::conversation::change_face(&place.app, &ada.session, group, face).await.unwrap();
    let told = note(place.seen(&sockets).await);
    assert!(matches!(told, ServerFrame::Event(Event { kind: EventKind::Renamed(_), .. })));

    chat::conversation::add(&place.app, &ada.session, group, dora.id()).await.unwrap();
    let told = note(place.seen(&sockets).await);
    assert!(matches!(told, ServerFrame::Event(Event { kind: EventKind::Joined(_), .. })));
    let told = place.seen(&of_dora).await.remove(0);
    let ServerFrame::Conversation(changed) = ServerFrame::decode(&told[0]).unwrap().unwrap() else {
        panic!("{told:?}")
    };
    assert_eq!(changed.summary.member_count, Some(members as u64), "as it stood before");
    assert_eq!(changed.summary.members.map(|named| named.len()), Some(SUMMARY_MEMBERS_MAX));
    assert!(told.len() == 2 && matches!(last(&told), ServerFrame::Event(Event { kind: EventKind::Joined(_), .. })));
    assert!(told[0].len() < 3_000, "{}", told[0]);

    chat::conversation::remove(&place.app, &dora.session, group, dora.id()).await.unwrap();
    let told = note(place.seen(&sockets).await);
    assert!(matches!(told, ServerFrame::Event(Event { kind: EventKind::Left(_), .. })));
    assert!(matches!(only(&place.seen(&of_dora).await[0]), ServerFrame::Event(_)));

    let change = AccountChange { status: Some(Some("At lunch".into())), ..AccountChange::default() };
    place.app.writer.change_account(ada.id(), ada.session.id, change).await.unwrap();
    chat::person::tell(&place.app, ada.id());
    let told = note(place.seen(&sockets).await);
    let ServerFrame::Person(changed) = told else { panic!("{told:?}") };
    assert_eq!((changed.user.id, changed.user.status.as_deref()), (ada.id(), Some("At lunch")));
    assert_eq!((changed.user.email, changed.user.privacy), (None, None), "her own business");
    assert_eq!(place.seen(&of_dora).await, [Vec::<String>::new()], "who shares nothing is told nothing");
    sizes
}

#[tokio::test]
async fn changes_are_one_frame_of_the_same_size_for_each_member_of_10_100_and_1000() {
    let few = sizes_with(10).await;
    assert!(few.iter().all(|size| *size < 400), "{few:?}");
    assert_eq!(sizes_with(100).await, few);
    assert_eq!(sizes_with(MEMBERS_MAX - 1).await, few);
}

#[tokio::test]
async fn somebody_who_changes_again_and_again_is_told_of_once_a_second_and_the_newest_wins() {
    let place = Place::new();
    let ada = place.person("Ada").await;
    let people = place.people(5, "Member").await;
    place.makes(&ada, ConversationKind::Channel, Some("Walks"), None, &people).await;
    let sockets = place.connect(&people);
    for number in 0..50 {
        let change = AccountChange { display_name: Some(format!("Ada {number}")), ..AccountChange::default() };
        place.app.writer.change_account(ada.id(), ada.session.id, change).await.unwrap();
        chat::person::tell(&place.app, ada.id());
    }
    for frames in place.seen(&sockets).await {
        assert!(frames.len() < 25, "{} frames", frames.len());
        let ServerFrame::Person(changed) = last(&frames) else { panic!("{frames:?}") };
        assert_eq!(changed.user.display_name, "Ada 49");
    }
}

/// As much as anybody can do to others: everything is as long as it may be, in characters that take most room.
#[tokio::test]
async fn a_welcome_has_at_most_256_kb_whatever_others_have_done_and_the_rest_is_loaded() {
    let place = Place::new();
    let ada = place.person("Ada").await;
    let name = "𝔫".repeat(64);
    let people = place.people(MEMBERS_MAX - 2, &name).await;
    for person in people.iter().take(20) {
        let change = AccountChange { status: Some(Some("\"".repeat(100))), ..AccountChange::default() };
        place.app.writer.change_account(person.id(), person.session.id, change).await.unwrap();
    }
    let seen = people.iter().map(|person| (person.id(), Timestamp::from_millis(1_790_000_000_000))).collect();
    place.app.writer.set_last_seen(seen).await.unwrap();
    let mut members = people;
    members.push(ada);
    let mallory = place.person(&name).await;
    let mut made = BTreeSet::new();
    for number in 0..40 {
        let kind = if number % 4 == 0 { ConversationKind::Channel } else { ConversationKind::Group };
        let topic = (kind == ConversationKind::Channel).then(|| "𝔱".repeat(250));
        let id = place.makes(&mallory, kind, Some(&"\"".repeat(64)), topic.as_deref(), &members).await;
        made.insert(id);
        if number == 0 {
            // Presence is told between people who have both written.
            for member in &members {
                place.says(member.id(), id, "x".into()).await;
            }
        }
        // The last ones stay as they were made.
        if number < 30 {
            let content = if number % 2 == 0 { format!("x{}x", "\u{1}".repeat(16_382)) } else { "x".repeat(16_384) };
            place.says(mallory.id(), id, content).await;
        }
    }
    let ada = members.pop().unwrap();
    let text = place.welcome(&ada).await;
    assert!(text.len() <= WELCOME_BYTES_MAX, "{}", text.len());
    let Some(ServerFrame::Welcome(welcome)) = ServerFrame::decode(&text).unwrap() else { panic!("a welcome") };
    assert!(welcome.more && !welcome.conversations.is_empty());
    assert_eq!(welcome.presence.len(), (CONTACTS_MAX as usize).min(MEMBERS_MAX - 1), "all of them are told");

    let mut shown: Vec<Summary> = welcome.conversations;
    let mut more = true;
    while more {
        let before = shown.last().map(|summary| summary.id);
        let page = place.app.store.conversations(ada.id(), before, PAGE_MAX).await.unwrap();
        let page = ConversationList { conversations: page.conversations, more: page.more };
        assert!(json(&page) <= LIST_BYTES_MAX.max(EVENT_BYTES_MAX + 10_000), "{}", json(&page));
        assert!(!page.conversations.is_empty());
        more = page.more;
        shown.extend(page.conversations);
    }
    let ids: Vec<_> = shown.iter().map(|summary| summary.id).collect();
    assert_eq!(ids.len(), made.len() + 1, "each once, with the one for everyone");
    assert!(made.is_subset(&ids.into_iter().collect()));
    for summary in shown.iter().filter(|summary| made.contains(&summary.id)) {
        assert_eq!(summary.member_count, Some(MEMBERS_MAX as u64));
        let named: Vec<_> = summary.members.iter().flatten().map(|member| member.id).collect();
        match summary.kind {
            ConversationKind::Group => {
                // Ada has had her account for longest.
                assert_eq!((named.len(), named.first()), (SUMMARY_MEMBERS_MAX, Some(&ada.id())));
                assert!(named.is_sorted());
            }
            _ => assert_eq!(named, []),
        }
        if let Some(Event { kind: EventKind::Created(created), .. }) = &summary.last_event {
            assert_eq!((created.members.len(), created.member_count), (SUMMARY_MEMBERS_MAX, Some(MEMBERS_MAX as u64)));
        }
    }
}

#[tokio::test]
async fn pages_of_history_are_bounded_in_bytes_and_together_have_everything() {
    let place = Place::new();
    let ada = place.person("Ada").await;
    let people = place.people(30, "Member").await;
    let group = place.makes(&ada, ConversationKind::Group, Some("Walks"), None, &people).await;
    for number in 0..30 {
        let content = if number % 2 == 0 { format!("x{}x", "\u{1}".repeat(16_382)) } else { "x".repeat(16_384) };
        place.says(ada.id(), group, content).await;
    }
    for emoji in ('a'..).take(REACTIONS_MAX) {
        for person in &people {
            place
                .reacts(person.id(), group, Seq::new(2).unwrap(), &format!("{emoji}{}", "\u{301}".repeat(31)), true)
                .await;
        }
    }
    let most = EVENTS_BYTES_MAX + EVENT_BYTES_MAX;
    let mut seqs = Vec::new();
    loop {
        let after = Range::After(Cursor::new(seqs.last().copied().unwrap_or(0)).unwrap());
        let page = place.events(&ada, group, after).await;
        assert!(json(&page) <= most && !page.events.is_empty(), "{}", json(&page));
        seqs.extend(page.events.iter().map(|event| event.seq.get()));
        if !page.more {
            break;
        }
    }
    assert_eq!(seqs, (1..=31 + REACTIONS_MAX as u64 * 30).collect::<Vec<_>>());
    let mut range = Range::Newest;
    let mut backwards = Vec::new();
    loop {
        let page = place.events(&ada, group, range).await;
        assert!(json(&page) <= most && !page.events.is_empty(), "{}", json(&page));
        backwards.extend(page.events.iter().rev().map(|event| event.seq.get()));
        if !page.more {
            break;
        }
        range = Range::Before(page.events[0].seq.into());
    }
    backwards.reverse();
    assert_eq!(backwards, seqs);
    let around = place.events(&ada, group, Range::Around(Cursor::new(15).unwrap())).await;
    assert!(json(&around) <= most && around.more, "{}", json(&around));
    let seqs: Vec<_> = around.events.iter().map(|event| event.seq.get()).collect();
    assert!(seqs.contains(&15) && seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?}");
}

#[tokio::test]
async fn reactions_name_the_first_people_and_the_reader_and_count_the_others() {
    let place = Place::new();
    let ada = place.person("Ada").await;
    let people = place.people(30, "Member").await;
    let group = place.makes(&ada, ConversationKind::Group, Some("Walks"), None, &people).await;
    let seq = place.says(ada.id(), group, "hi".into()).await;
    for person in &people {
        place.reacts(person.id(), group, seq, "👍", true).await;
    }
    let reactions = async |person: &Person| {
        let page = place.events(person, group, Range::Around(seq.into())).await;
        let message = page.events.iter().find_map(|event| event.kind.as_message()).unwrap().clone();
        let [reaction] = &message.reactions[..] else { panic!("{message:?}") };
        reaction.clone()
    };
    let first: Vec<_> = people[..REACTION_USERS_MAX].iter().map(Person::id).collect();
    let of_ada = reactions(&ada).await;
    assert_eq!((&of_ada.users, of_ada.more, of_ada.count()), (&first, 10, 30));
    let of_last = reactions(&people[29]).await;
    assert_eq!(
        (of_last.users.len(), of_last.more, of_last.users.last()),
        (REACTION_USERS_MAX, 10, Some(&people[29].id()))
    );
    let summary = place.app.store.summary(people[29].id(), group).await.unwrap().unwrap();
    assert_eq!(summary.last_event.unwrap().seq.get(), seq.get() + 30, "the last reaction is the newest event");
    place.reacts(people[0].id(), group, seq, "👍", false).await;
    assert_eq!(reactions(&ada).await.count(), 29);
}
