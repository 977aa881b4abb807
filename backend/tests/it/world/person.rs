//! What people do and what they see. Who does something does it on one of their devices; what
//! somebody sees they see on all that have a connection.

use super::device::Device;
use super::lookup;
use backend::accounts::SessionKind;
use backend::app::App;
use backend::chat;
use backend::clock;
use backend::store::SessionRow;
use backend::store::account::AccountChange;
use client::command::Command;
use client::timeline::{Row, RowState};
use shared::account::User;
use shared::code::Rejection;
use shared::conversation::{ChangeConversation, ConversationKind, CreateConversation, Summary};
use shared::ids::{CommandId, ConversationId, Seq, Timestamp, UserId};
use shared::message::{Delete, Edit, Send, Target};
use shared::reaction::React;
use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;

/// Somebody, at one of their devices.
#[derive(Clone)]
pub(super) struct Person {
    app: Arc<App>,
    user: Rc<RefCell<User>>,
    devices: Rc<RefCell<Vec<Rc<RefCell<Device>>>>>,
    /// The one they are at.
    device: Rc<RefCell<Device>>,
}

/// Whom something is for.
pub(super) trait To {
    fn target(&self) -> Target;
}

impl To for &Person {
    fn target(&self) -> Target {
        Target::User(self.id())
    }
}

impl<const N: usize> To for [&Person; N] {
    fn target(&self) -> Target {
        Target::Users(self.iter().map(|person| person.id()).collect())
    }
}

impl To for ConversationId {
    fn target(&self) -> Target {
        Target::Conversation(*self)
    }
}

impl To for Target {
    fn target(&self) -> Target {
        self.clone()
    }
}

/// What they do.
impl Person {
    pub(super) fn new(app: Arc<App>, user: User, device: Device) -> Self {
        let device = Rc::new(RefCell::new(device));
        let devices = Rc::new(RefCell::new(vec![device.clone()]));
        Self { app, user: Rc::new(RefCell::new(user)), devices, device }
    }

    /// The same person at another device.
    pub(super) fn add(&self, device: Device) -> Self {
        let device = Rc::new(RefCell::new(device));
        self.devices.borrow_mut().push(device.clone());
        Self { device, ..self.clone() }
    }

    pub(super) fn sends(&self, to: impl To, text: &str) {
        self.writes(|id| {
            let (to, content) = (to.target(), text.to_owned());
            Command::Send(Send { id, to, content, reply_to: None, attachments: Vec::new() })
        });
    }

    pub(super) fn edits(&self, before: &str, after: &str) {
        let (conversation, target) = self.find(before);
        self.writes(|id| Command::Edit(Edit { id, conversation, target, content: after.to_owned() }));
    }

    pub(super) fn deletes(&self, text: &str) {
        let (conversation, target) = self.find(text);
        self.writes(|id| Command::Delete(Delete { id, conversation, target }));
    }

    pub(super) fn reacts(&self, text: &str, emoji: &str, on: bool) {
        let (conversation, target) = self.find(text);
        self.writes(|id| Command::React(React { id, conversation, target, emoji: emoji.to_owned(), on }));
    }

    /// Reads a conversation to its end.
    pub(super) fn reads(&self, what: impl To) {
        let id = self.conversation(what);
        self.here().read_all(id);
    }

    pub(super) fn types_in(&self, what: impl To) {
        let id = self.conversation(what);
        self.here().type_in(id);
    }

    pub(super) fn goes_away(&self) {
        self.here().lose_network();
    }

    pub(super) fn comes_back(&self) {
        self.here().find_network();
    }

    /// The socket breaks after the server has what was sent, and before an answer is here.
    pub(super) fn is_cut_off(&self) {
        self.here().cut();
    }

    /// The page is loaded anew.
    pub(super) fn reloads(&self) {
        self.here().reload();
    }

    /// The device takes nothing of what the server has for it.
    pub(super) fn stops_taking(&self) {
        self.here().is_reading = false;
    }

    pub(super) fn takes_again(&self) {
        self.here().is_reading = true;
    }

    pub(super) fn scrolls_back(&self, what: impl To) {
        let id = self.conversation(what);
        self.here().scroll_back(id);
    }

    /// `POST /api/conversations`
    pub(super) async fn makes(&self, name: &str, members: &[&Person]) -> ConversationId {
        let members = members.iter().map(|person| person.id()).collect();
        let body = CreateConversation {
            kind: ConversationKind::Group,
            name: Some(name.to_owned()),
            topic: None,
            public: false,
            members,
        };
        chat::conversation::create(&self.app, &self.session(), body).await.unwrap()
    }

    /// `PATCH /api/conversations/{id}`
    pub(super) async fn renames(&self, group: ConversationId, name: &str) -> Result<(), Rejection> {
        let body = ChangeConversation { name: Some(name.to_owned()), ..ChangeConversation::default() };
        chat::conversation::change_face(&self.app, &self.session(), group, body).await
    }

    /// `PUT /api/conversations/{id}/members/{userId}`
    pub(super) async fn brings_in(&self, group: ConversationId, person: &Person) -> Result<(), Rejection> {
        chat::conversation::add(&self.app, &self.session(), group, person.id()).await.map(drop)
    }

    /// `DELETE /api/conversations/{id}/members/{userId}`
    pub(super) async fn sends_away(&self, group: ConversationId, person: &Person) -> Result<(), Rejection> {
        chat::conversation::remove(&self.app, &self.session(), group, person.id()).await
    }

    pub(super) async fn leaves(&self, group: ConversationId) -> Result<(), Rejection> {
        self.sends_away(group, self).await
    }

    /// `PATCH /api/account`
    pub(super) async fn is_now_called(&self, name: &str) {
        let change = AccountChange { display_name: Some(name.to_owned()), ..AccountChange::default() };
        self.app.writer.change_account(self.id(), self.here().session.id, change).await.unwrap();
        chat::person::tell(&self.app, self.id());
        name.clone_into(&mut self.user.borrow_mut().display_name);
    }

    /// `DELETE /api/account`
    pub(super) async fn deletes_the_account(&self) {
        chat::account::delete(&self.app, self.id(), self.here().session.id).await.unwrap();
    }

    /// `DELETE /api/sessions/{id}`, for the session of another device.
    pub(super) async fn signs_out_others(&self) {
        let own = self.here().session.id;
        for session in self.app.store.sessions(self.id(), own).await.unwrap().iter().filter(|other| !other.current) {
            assert!(self.app.writer.delete_session(self.id(), session.id, false).await.unwrap());
            chat::session::end(&self.app, self.id(), &[session.id]);
        }
    }

    pub(super) fn id(&self) -> UserId {
        self.user.borrow().id
    }

    pub(super) fn name(&self) -> String {
        self.user.borrow().display_name.clone()
    }

    pub(super) fn all(&self) -> Vec<Rc<RefCell<Device>>> {
        self.devices.borrow().clone()
    }

    pub(super) fn here(&self) -> RefMut<'_, Device> {
        self.device.borrow_mut()
    }

    fn session(&self) -> SessionRow {
        let (id, user) = (self.here().session.id, self.user.borrow().clone());
        SessionRow { id, user, kind: SessionKind::Browser, last_seen_at: Timestamp::default() }
    }

    fn writes(&self, command: impl FnOnce(CommandId) -> Command) {
        self.here().write(command(clock::id(CommandId::v7)));
    }

    /// Where a message of this text stands.
    fn find(&self, text: &str) -> (ConversationId, Seq) {
        let device = self.here();
        let rows = device.timelines.iter().flat_map(|(id, timeline)| timeline.rows().iter().map(|row| (*id, row)));
        let found = rows.filter(|(_, row)| row.content == text).find_map(|(id, row)| Some((id, number(row)?)));
        found.unwrap_or_else(|| panic!("{} does not see {text:?}", self.name()))
    }

    pub(super) fn conversation(&self, what: impl To) -> ConversationId {
        let target = what.target();
        let found = lookup::conversation(&self.here().list, self.id(), &target);
        found.unwrap_or_else(|| panic!("{} does not know {target:?}", self.name()))
    }
}

/// What they see.
impl Person {
    /// The message is in the log and on all devices, once.
    pub(super) fn sees(&self, text: &str) {
        for texts in self.texts() {
            let times = texts.iter().filter(|shown| *shown == text).count();
            assert_eq!(times, 1, "{} should see {text:?} among {texts:?}", self.name());
        }
    }

    pub(super) fn does_not_see(&self, text: &str) {
        for texts in self.texts() {
            assert!(!texts.iter().any(|shown| shown == text), "{} should not see {text:?}", self.name());
        }
    }

    pub(super) fn sees_nothing(&self) {
        for texts in self.texts() {
            assert!(texts.is_empty(), "{} should see nothing, not {texts:?}", self.name());
        }
    }

    /// All of a conversation, in order.
    pub(super) fn sees_all(&self, what: impl To, texts: &[&str]) {
        let id = self.conversation(what);
        for device in self.connected() {
            let device = device.borrow();
            let shown: Vec<_> = device.timelines[&id].rows().iter().map(|row| row.content.as_str()).collect();
            assert_eq!(shown, texts, "{}", self.name());
        }
    }

    pub(super) fn sees_reactions(&self, text: &str, expected: &[(&str, &[&Person])]) {
        let (id, seq) = self.find(text);
        for device in self.connected() {
            let device = device.borrow();
            let row = device.timelines[&id].get(seq).expect("it is shown");
            let shown: Vec<_> = row.reactions.iter().map(|one| (one.emoji.as_str(), one.users.clone())).collect();
            let expected: Vec<(_, Vec<_>)> =
                expected.iter().map(|(emoji, people)| (*emoji, people.iter().map(|one| one.id()).collect())).collect();
            assert_eq!(shown, expected, "{}", self.name());
        }
    }

    /// A message is there that says no more than that it is gone.
    pub(super) fn sees_a_deleted_message(&self, what: impl To) {
        let id = self.conversation(what);
        for device in self.connected() {
            let device = device.borrow();
            let is_gone = |row: &Row| row.deleted_at.is_some() && row.content.is_empty() && row.reactions.is_empty();
            assert!(device.timelines[&id].rows().iter().any(is_gone), "{}", self.name());
        }
    }

    pub(super) fn has_unread(&self, what: impl To, unread: u64) {
        let id = self.conversation(what);
        for device in self.connected() {
            assert_eq!(device.borrow().list.get(id).unwrap().unread, unread, "{}", self.name());
        }
    }

    pub(super) fn knows(&self, id: ConversationId) -> bool {
        let known: Vec<_> = self.connected().iter().map(|device| device.borrow().list.get(id).is_some()).collect();
        assert!(known.windows(2).all(|pair| pair[0] == pair[1]), "{}'s devices disagree", self.name());
        known[0]
    }

    pub(super) fn sees_summary(&self, id: ConversationId, look: impl Fn(&Summary)) {
        for device in self.connected() {
            look(device.borrow().list.get(id).expect("it is in the list"));
        }
    }

    /// How far they know somebody to have received and read the conversation.
    pub(super) fn sees_receipt(&self, id: ConversationId, of: &Person, delivered: u64, read: u64) {
        for device in self.connected() {
            let position = device.borrow().receipts.position(id, of.id());
            assert_eq!((position.delivered.get(), position.read.get()), (delivered, read), "{}", self.name());
        }
    }

    /// Who is writing there just now.
    pub(super) fn sees_typing(&self, id: ConversationId, people: &[&Person]) {
        let expected: Vec<_> = people.iter().map(|person| person.id()).collect();
        for device in self.connected() {
            assert_eq!(device.borrow().typing.users(id).collect::<Vec<_>>(), expected, "{}", self.name());
        }
    }

    pub(super) fn sees_online(&self, person: &Person) -> bool {
        self.here().presence.is_online(person.id())
    }

    pub(super) fn is_signed_out(&self) -> bool {
        self.device.borrow().is_signed_out()
    }

    /// The devices that are up to date.
    fn connected(&self) -> Vec<Rc<RefCell<Device>>> {
        let mut all = self.all();
        all.retain(|device| device.borrow().is_open() && device.borrow().is_reading);
        assert!(!all.is_empty(), "{} is not there", self.name());
        all
    }

    /// What stands on each device, all conversations together.
    fn texts(&self) -> Vec<Vec<String>> {
        let shown = |device: &Device| {
            let rows = device.timelines.values().flat_map(|timeline| timeline.rows());
            rows.filter(|row| number(row).is_some()).map(|row| row.content.clone()).collect()
        };
        self.connected().iter().map(|device| shown(&device.borrow())).collect()
    }
}

pub(super) fn number(row: &Row) -> Option<Seq> {
    match row.state {
        RowState::Accepted(seq) => Some(seq),
        RowState::Pending | RowState::Failed(_) => None,
    }
}
