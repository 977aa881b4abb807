//! A list whose rows come and go for as long as the page is open.
//!
//! An owner of signals keeps a note of each child it ever had until it is cleared itself, and a signal one of each who
//! ever followed it until it changes: some 100 to 200 bytes each, so a list that has shown a hundred thousand rows would
//! keep tens of megabytes. Here rows belong to generations: an owner for each [`GENERATION`] rows, which goes with the
//! last of them. What outlives the rows they follow by [`Followed`], which goes with it.

use crate::state::State;
use crate::state::changing::Changing;
use crate::state::session::Session;
use client::receipt::Position;
use leptos::prelude::*;
use leptos::tachys::reactive_graph::OwnedView;
use leptos::tachys::view::keyed::keyed;
use litemap::LiteMap;
use shared::ids::{CommandId, ConversationId, Seq, UserId};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Rows of one owner.
const GENERATION: usize = 256;

/// What the rows of a generation follow: who one is, and what people are called.
#[derive(Clone)]
pub(crate) struct Followed {
    state: State,
    /// It may become known after the rows.
    pub(crate) me: ArcMemo<Option<UserId>>,
    /// The row that is pointed at, or has the focus.
    pub(crate) active: ArcMemo<Option<CommandId>>,
    /// What is being done to messages.
    pub(crate) changes: ArcMemo<LiteMap<(ConversationId, Seq), Changing>>,
    names: Arc<Mutex<LiteMap<UserId, ArcMemo<String>>>>,
    /// How far the others are, once a row has asked.
    reach: Arc<OnceLock<ArcMemo<Option<Position>>>>,
}

impl Followed {
    fn new(state: State) -> Self {
        let me = ArcMemo::new(move |_| state.session.session.with(Session::user));
        let active = ArcMemo::new(move |_| state.active.get());
        let changes = ArcMemo::new(move |_| state.changes.all.get());
        Self { state, me, active, changes, names: Arc::default(), reach: Arc::default() }
    }

    /// How far all the others in the rows' conversation are.
    pub(crate) fn reach(&self, conversation: ConversationId) -> ArcMemo<Option<Position>> {
        let make = || {
            let reach = self.state.receipts.reach(conversation);
            ArcMemo::new(move |_| reach.get())
        };
        self.reach.get_or_init(make).clone()
    }

    /// What somebody is called, with something in its place until that is known.
    pub(crate) fn name(&self, user: UserId) -> ArcMemo<String> {
        let make = || {
            self.state.people.want(user, self.state);
            let name = self.state.people.name(user);
            ArcMemo::new(move |_| Some(name.get()).filter(|name| !name.is_empty()).unwrap_or_else(|| "…".into()))
        };
        self.names.lock().unwrap_or_else(PoisonError::into_inner).entry(user).or_insert_with(make).clone()
    }
}

/// Where the next row belongs.
#[derive(Clone)]
struct Generations {
    parent: Owner,
    /// The youngest, and how many rows it has had.
    youngest: Arc<Mutex<(Owner, usize)>>,
}

impl Generations {
    fn new() -> Self {
        let parent = Owner::current().expect("a list is made inside the page");
        let youngest = Arc::new(Mutex::new((Self::begin(&parent), 0)));
        Self { parent, youngest }
    }

    fn begin(parent: &Owner) -> Owner {
        let owner = parent.with(Owner::new);
        owner.with(|| provide_context(Followed::new(expect_context())));
        owner
    }

    fn next(&self) -> Owner {
        let mut youngest = self.youngest.lock().unwrap_or_else(PoisonError::into_inner);
        if youngest.1 == GENERATION {
            *youngest = (Self::begin(&self.parent), 0);
        }
        youngest.1 += 1;
        youngest.0.clone()
    }
}

/// The name of a row among the others: the bytes of an id.
pub(crate) type Key = [u8; 16];
type Each = Box<dyn Fn() -> Vec<Key> + Send>;
type Show = Arc<dyn Fn(Key) -> AnyView + Send + Sync>;

/// Shows a row for each key. One that stays keeps its nodes.
pub(crate) fn rows(
    each: impl Fn() -> Vec<Key> + Send + 'static,
    show: impl Fn(Key) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    rows_of(Box::new(each), Arc::new(show))
}

/// All lists share this code: comparing the keys before with those after takes several kilobytes for each kind of key.
fn rows_of(each: Each, show: Show) -> AnyView {
    let generations = Generations::new();
    let show = move |_, key| {
        let generation = generations.next();
        let owner = generation.with(Owner::new);
        let view = owner.with(|| {
            // It lives as long as its last row.
            on_cleanup(move || drop(generation));
            show(key)
        });
        (drop::<usize>, OwnedView::new_with_owner(view, owner))
    };
    (move || keyed(each(), |key: &Key| *key, show.clone())).into_any()
}
