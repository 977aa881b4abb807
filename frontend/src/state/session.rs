//! Who is signed in.

use super::{State, alert};
use crate::connection::{last, push};
use crate::i18n::{Text, with};
use crate::{api, browser};
use leptos::prelude::*;
use shared::account::{SignIn, SignUp, User};
use shared::code::Code;
use shared::ids::UserId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Session {
    /// The server has not been asked yet.
    Unknown,
    /// Nobody.
    Out,
    /// Somebody.
    In(User),
}

impl Session {
    /// Who is signed in, if that is known and anybody is.
    pub(crate) fn user(&self) -> Option<UserId> {
        self.account().map(|user| user.id)
    }

    /// The same with all that is known of them.
    pub(crate) fn account(&self) -> Option<&User> {
        match self {
            Session::In(user) => Some(user),
            Session::Unknown | Session::Out => None,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct SessionState {
    pub(crate) session: RwSignal<Session>,
    /// Why signing out did not work.
    pub(crate) problem: RwSignal<Option<String>>,
}

impl SessionState {
    pub(crate) fn new() -> Self {
        Self { session: RwSignal::new(Session::Unknown), problem: RwSignal::new(None) }
    }

    pub(crate) fn me(self) -> Option<UserId> {
        self.session.with_untracked(Session::user)
    }

    pub(crate) fn set_in(self, user: User) {
        let session = Session::In(user);
        if self.session.with_untracked(|known| *known != session) {
            self.session.set(session);
        }
    }

    /// Asks who is signed in, when the page begins. Without an answer it connects all the same: the
    /// connection says what is wrong and tries again.
    pub(crate) fn restore(self, state: State) {
        state.link.watch(state);
        leptos::task::spawn_local(async move {
            match api::session().await {
                Ok(user) if self.me().is_none_or(|me| me == user.id) => self.begin(state, user),
                // What was shown meanwhile was somebody else's.
                Ok(_) => {
                    self.leave_nothing();
                    let _ = browser::window().location().reload();
                }
                Err(error) if error.is(Code::Unauthenticated) => self.leave(state),
                Err(_) => state.link.drive(state, |machine| machine.start(browser::monotonic())),
            }
        });
    }

    /// Asks again after a failed handshake, of which a browser does not say why it failed.
    pub(crate) fn check(self, state: State) {
        leptos::task::spawn_local(async move {
            if let Err(error) = api::session().await
                && error.is(Code::Unauthenticated)
            {
                self.leave_nothing();
                state.link.drive(state, client::connection::Connection::handle_session_over);
                if self.session.with_untracked(|session| *session == Session::Unknown) {
                    self.session.set(Session::Out);
                }
            }
        });
    }

    pub(crate) async fn sign_in(self, state: State, body: SignIn) -> Result<(), api::Error> {
        let user = api::sign_in(&body).await?;
        self.begin(state, user);
        Ok(())
    }

    pub(crate) async fn sign_up(self, state: State, body: SignUp) -> Result<(), api::Error> {
        let user = api::sign_up(&body).await?;
        self.begin(state, user);
        Ok(())
    }

    pub(crate) fn sign_out(self, state: State) {
        self.problem.set(None);
        // While there is a session to ask with.
        state.delete_all_now();
        leptos::task::spawn_local(async move {
            match api::sign_out().await {
                Ok(()) => self.leave_for_good(state),
                Err(error) if error.is(Code::Unauthenticated) => self.leave_for_good(state),
                Err(error) => self.problem.set(Some(with(Text::StillSignedIn, &[("reason", &error.message())]))),
            }
        });
    }

    /// The person has signed out: nothing of what they were writing stays in this browser.
    pub(crate) fn leave_for_good(self, state: State) {
        state.drafts.forget(self.me());
        self.leave(state);
    }

    /// The session is over: forgets its person and shows the sign-in.
    pub(crate) fn leave(self, state: State) {
        // The outbox keeps it for when they are back.
        state.delete_all_now();
        state.forget();
        self.leave_nothing();
        self.session.set(Session::Out);
    }

    /// Nothing of the person stays in this browser for whoever comes next, but what is not sent yet, which is theirs alone.
    pub(crate) fn leave_nothing(self) {
        last::wipe();
        push::forget();
        alert::forget_told();
        browser::tell("confab-left");
    }

    fn begin(self, state: State, user: User) {
        state.people.learn([&user]);
        let me = user.id;
        self.set_in(user);
        state.drafts.restore(me);
        state.link.drive(state, |machine| machine.start(browser::monotonic()));
    }
}
