//! Which address shows what. A few addresses need no library: the path is a signal, links inside the
//! page change it, and so do the browser's own buttons.
//!
//! An overlay (a picture, a dialog) has an entry of the browser's history of its own, with the address below
//! it, so that the way back closes it and leads nowhere else. Going somewhere from there takes its entry; closed by the
//! page, it is gone back from.

use crate::browser;
use crate::dynamic::effect;
use leptos::prelude::*;
use shared::ids::{ConversationId, Seq};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Element;

/// What an address stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    SignIn,
    SignUp,
    /// The list of conversations, and none of them open.
    List,
    New,
    /// A new conversation that begins with the name of a group or channel.
    NewGroup,
    Settings,
    Search,
    /// Channels that everybody may join.
    Channels,
    Conversation(ConversationId),
    /// A message of a conversation.
    Message(ConversationId, Seq),
}

impl Address {
    /// What a path stands for; any other is the list's.
    fn of(path: &str) -> Self {
        match path.trim_matches('/') {
            "signin" => Self::SignIn,
            "signup" => Self::SignUp,
            "new" => Self::New,
            "new-group" => Self::NewGroup,
            "settings" => Self::Settings,
            "search" => Self::Search,
            "channels" => Self::Channels,
            path => path.strip_prefix("c/").and_then(Self::of_conversation).unwrap_or(Self::List),
        }
    }

    fn of_conversation(path: &str) -> Option<Self> {
        match path.split_once('/') {
            None => path.parse().ok().map(Self::Conversation),
            Some((id, seq)) => Some(Self::Message(id.parse().ok()?, Seq::new(seq.parse().ok()?)?)),
        }
    }

    /// The conversation that is open there.
    pub(crate) fn conversation(self) -> Option<ConversationId> {
        match self {
            Self::Conversation(id) | Self::Message(id, _) => Some(id),
            Self::SignIn
            | Self::SignUp
            | Self::List
            | Self::New
            | Self::NewGroup
            | Self::Settings
            | Self::Search
            | Self::Channels => None,
        }
    }

    /// Where it is.
    pub(crate) fn path(self) -> String {
        match self {
            Self::SignIn => "/signin".into(),
            Self::SignUp => "/signup".into(),
            Self::List => "/".into(),
            Self::New => "/new".into(),
            Self::NewGroup => "/new-group".into(),
            Self::Settings => "/settings".into(),
            Self::Search => "/search".into(),
            Self::Channels => "/channels".into(),
            Self::Conversation(id) => format!("/c/{id}"),
            Self::Message(id, seq) => format!("/c/{id}/{seq}"),
        }
    }
}

/// Where the page is. `Copy`: it lives as long as the page.
#[derive(Clone, Copy)]
pub(crate) struct Router {
    address: RwSignal<Address>,
    /// Closes what is over the page.
    close: StoredValue<Option<Callback<()>>>,
    /// The browser is on its way back from the entry of something that was closed; then it goes there, if anywhere.
    leaving: StoredValue<Option<Option<Address>>>,
}

impl Router {
    /// Follows the browser's buttons and the links of the page.
    pub(crate) fn new() -> Self {
        let (close, leaving) = (StoredValue::new(None), StoredValue::new(None));
        let router = Self { address: RwSignal::new(Address::List), close, leaving };
        router.follow();
        window_event_listener(leptos::ev::popstate, move |_| router.moved());
        window_event_listener(leptos::ev::click, move |event| {
            // With a key or another button the browser opens it elsewhere.
            let is_plain =
                event.button() == 0 && !(event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key());
            if !is_plain || event.default_prevented() {
                return;
            }
            let element = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let link = element.and_then(|element| element.closest("a[href^='/']:not([download])").ok().flatten());
            if let Some(path) = link.and_then(|link| link.get_attribute("href")) {
                event.prevent_default();
                router.go(Address::of(&path));
            }
        });
        router
    }

    /// Where the page is.
    pub(crate) fn address(self) -> Address {
        self.address.get()
    }

    /// Goes somewhere, and closes what is over the page; the browser's way back leads here.
    pub(crate) fn go(self, address: Address) {
        if address != self.address.get_untracked() {
            self.uncover();
            match self.leaving.get_value() {
                Some(_) => self.leaving.set_value(Some(Some(address))),
                None => push(address),
            }
            self.address.set(address);
        }
    }

    /// Something is over the page, and this closes it; or nothing is.
    pub(crate) fn cover(self, close: Option<Callback<()>>) {
        let is_covered = close.is_some();
        self.close.set_value(close);
        if self.leaving.get_value().is_some() {
            return;
        }
        match (is_covered, is_cover()) {
            (true, false) => push_cover(),
            (false, true) => {
                self.leaving.set_value(Some(None));
                let _ = browser::history().back();
            }
            _ => {}
        }
    }

    /// The browser has gone to another entry of its history.
    fn moved(self) {
        match self.leaving.try_update_value(Option::take).flatten() {
            Some(Some(address)) => push(address),
            Some(None) => self.follow(),
            None => {
                if !is_cover() {
                    self.uncover();
                }
                return self.follow();
            }
        }
        // Something else may have been opened meanwhile.
        if self.close.with_value(Option::is_some) {
            push_cover();
        }
    }

    fn uncover(self) {
        if let Some(close) = self.close.get_value() {
            close.run(());
        }
    }

    /// Goes somewhere instead of here.
    pub(crate) fn replace(self, address: Address) {
        let _ = browser::history().replace_state_with_url(&JsValue::NULL, "", Some(&address.path()));
        set_if_new(self.address, address);
    }

    /// The browser is at an address: the page goes there. One that stands for nothing becomes the list's.
    fn follow(self) {
        let path = browser::window().location().pathname().unwrap_or_default();
        let address = Address::of(&path);
        if address.path() == path { set_if_new(self.address, address) } else { self.replace(address) }
    }
}

/// Whether the browser's entry is that of something over the page.
fn is_cover() -> bool {
    browser::history().state().is_ok_and(|state| state.is_truthy())
}

fn push_cover() {
    let _ = browser::history().push_state_with_url(&JsValue::TRUE, "", None);
}

/// Makes an entry for an address, out of that of something over the page if there is one.
fn push(address: Address) {
    let (history, path) = (browser::history(), address.path());
    let _ = match is_cover() {
        true => history.replace_state_with_url(&JsValue::NULL, "", Some(&path)),
        false => history.push_state_with_url(&JsValue::NULL, "", Some(&path)),
    };
}

fn set_if_new(signal: RwSignal<Address>, address: Address) {
    if signal.get_untracked() != address {
        signal.set(address);
    }
}

/// Goes somewhere instead of here, as soon as it is shown.
#[component]
pub(crate) fn Redirect(to: Address) -> impl IntoView {
    let router = expect_context::<Router>();
    effect(move || router.replace(to));
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn a_path_leads_where_it_came_from_and_others_to_the_list() {
        let conversation = "/c/0198c000-0000-7000-8000-000000000001";
        let message = format!("{conversation}/12");
        let others = ["/", "/signin", "/signup", "/new", "/new-group", "/settings", "/search", "/channels"];
        for path in others.into_iter().chain([conversation, &message]) {
            assert_eq!(Address::of(path).path(), path);
            assert!(shared::page::is_route(path.trim_start_matches('/')), "{path}");
        }
        for end in ["/0", "/x", "/-1", "/1/2", "/9007199254740992"] {
            assert_eq!(Address::of(&format!("{conversation}{end}")), Address::List, "{end}");
        }
        for path in ["", "/c/", "/c/nothing", "/c/0198C000-0000-7000-8000-000000000001", "/elsewhere", "/signin/x"] {
            assert_eq!(Address::of(path), Address::List, "{path}");
        }
    }
}
