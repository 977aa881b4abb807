//! What is being written in each conversation. It stays while one looks elsewhere, and is kept by the browser through
//! a reload. Another tab of the same person that has it as it was follows what becomes of it.

use super::upload::Files;
use crate::browser;
use leptos::prelude::*;
use litemap::LiteMap;
use shared::ids::{ConversationId, Seq, UserId};

/// The longest draft that is kept, in bytes. (A longer one stays for as long as the page.)
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// So many drafts are kept.
const KEPT_MAX: usize = 200;

/// What is being written in one conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft {
    pub(crate) text: RwSignal<String>,
    pub(crate) purpose: RwSignal<Purpose>,
    pub(crate) files: Files,
    /// As another tab made it, in the form that is kept: that one keeps it.
    followed: StoredValue<Option<Option<String>>>,
}

/// What a draft is to become.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Purpose {
    /// A message.
    #[default]
    New,
    /// A message that answers this one.
    Reply(Seq),
    /// Another text for one's own message.
    Edit(Editing),
}

/// A message whose text is being changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Editing {
    /// Which.
    pub(crate) target: Seq,
    /// What was being written before, and what it answers: it comes back afterwards.
    before: (String, Option<Seq>),
}

impl Draft {
    /// It is to answer this message.
    pub(crate) fn reply(self, target: Seq) {
        self.files.wait_no_more();
        self.end_edit();
        self.purpose.set(Purpose::Reply(target));
    }

    /// It is to replace the text of this message.
    pub(crate) fn edit(self, target: Seq, content: String) {
        self.files.wait_no_more();
        self.end_edit();
        let before = (self.text.get_untracked(), self.purpose.with_untracked(Purpose::reply_to));
        self.purpose.set(Purpose::Edit(Editing { target, before }));
        self.text.set(content);
    }

    /// It is an ordinary message again; what was being written before an edit is there again.
    pub(crate) fn cancel(self) {
        if !self.end_edit() {
            self.purpose.set(Purpose::New);
        }
    }

    /// It was taken.
    pub(crate) fn done(self) {
        if !self.end_edit() {
            self.purpose.set(Purpose::New);
            self.text.set(String::new());
            self.files.clear();
        }
    }

    /// `false`: nothing was being edited.
    pub(super) fn end_edit(self) -> bool {
        let Purpose::Edit(Editing { before: (text, reply_to), .. }) = self.purpose.get_untracked() else {
            return false;
        };
        self.purpose.set(reply_to.map_or(Purpose::New, Purpose::Reply));
        self.text.set(text);
        true
    }

    /// The kept draft: not an edit, but what was being written before. `None`: there is nothing.
    fn kept(self) -> Option<String> {
        match self.purpose.get() {
            Purpose::Edit(Editing { before: (text, reply_to), .. }) => write(&text, reply_to),
            purpose => write(&self.text.get(), purpose.reply_to()),
        }
    }

    /// Another tab has made this of it.
    fn follow(self, kept: Option<String>) {
        let (text, reply_to) = kept.as_deref().and_then(read).unwrap_or_default();
        self.followed.set_value(Some(kept));
        if let Purpose::Edit(Editing { target, .. }) = self.purpose.get_untracked() {
            return self.purpose.set(Purpose::Edit(Editing { target, before: (text, reply_to) }));
        }
        let purpose = reply_to.map_or(Purpose::New, Purpose::Reply);
        if self.purpose.with_untracked(|before| *before != purpose) {
            self.purpose.set(purpose);
        }
        self.text.set(text);
    }
}

impl Purpose {
    /// The message it answers.
    pub(crate) fn reply_to(&self) -> Option<Seq> {
        match self {
            Purpose::Reply(target) => Some(*target),
            Purpose::New | Purpose::Edit(_) => None,
        }
    }
}

/// All drafts.
#[derive(Clone, Copy)]
pub(crate) struct Drafts {
    all: StoredValue<LiteMap<ConversationId, Draft>>,
    /// Drafts outlive the pane that shows them, so they belong to the page and not to the pane.
    owner: StoredValue<Owner>,
}

impl Drafts {
    pub(crate) fn new() -> Self {
        let owner = Owner::current().expect("the state is made inside the page");
        Self { all: StoredValue::new(LiteMap::new()), owner: StoredValue::new(owner) }
    }

    /// What is being written in a conversation; if nothing is, what was kept by `me`.
    pub(crate) fn get(self, id: ConversationId, me: Option<UserId>) -> Draft {
        let make = || {
            let (text, reply_to) = me.and_then(|me| recall(me, id)).unwrap_or_default();
            self.owner.with_value(|owner| {
                owner.with(|| Draft {
                    text: RwSignal::new(text),
                    purpose: RwSignal::new(reply_to.map_or(Purpose::New, Purpose::Reply)),
                    files: Files::new(),
                    followed: StoredValue::new(None),
                })
            })
        };
        self.all.try_update_value(|all| *all.entry(id).or_insert_with(make)).unwrap_or_else(make)
    }

    /// It has become known who is in front of the page: what they had begun to write is there again.
    pub(crate) fn restore(self, me: UserId) {
        for (id, draft) in self.all.get_value() {
            if draft.text.with_untracked(String::is_empty)
                && draft.purpose.with_untracked(|purpose| *purpose == Purpose::New)
                && let Some((text, reply_to)) = recall(me, id)
            {
                draft.text.set(text);
                draft.purpose.set(reply_to.map_or(Purpose::New, Purpose::Reply));
            }
        }
    }

    /// Keeps a draft as it is: an effect, which follows it.
    pub(crate) fn keep(self, id: ConversationId, me: Option<UserId>) {
        let Some(draft) = self.all.with_value(|all| all.get(&id).copied()) else { return };
        let kept = draft.kept();
        let Some(me) = me else { return };
        if draft.followed.with_value(|followed| followed.as_ref() == Some(&kept)) {
            return;
        }
        draft.followed.set_value(None);
        let key = key(me, id);
        let Some(kept) = kept.filter(|kept| kept.len() <= KEPT_BYTES_MAX) else { return browser::forget(&key) };
        // A browser that keeps nothing keeps no drafts.
        if browser::recall(&key).is_some() || browser::kept(&prefix(me)).len() < KEPT_MAX {
            browser::remember(&key, &kept);
        }
    }

    /// Another tab keeps something else under this name than before.
    pub(crate) fn changed_elsewhere(self, me: UserId, name: &str, before: Option<&str>) {
        let Some(id) = name.strip_prefix(&prefix(me)).and_then(|id| id.parse().ok()) else { return };
        let Some(draft) = self.all.with_value(|all| all.get(&id).copied()) else { return };
        // As it is by now: another change may have come after this one.
        let now = browser::recall(name);
        let (own, has_files) = untrack(|| (draft.kept(), !draft.files.is_empty()));
        if !has_files && is_followed(own.as_deref(), before, now.as_deref(), browser::is_looked_at()) {
            draft.follow(now);
        }
    }

    /// Runs something as long as the page lives, whatever pane is open.
    pub(crate) fn outlive(self, act: impl FnMut() + 'static) {
        self.owner.with_value(|owner| owner.with(|| crate::dynamic::effect(act)));
    }

    /// The person has gone; `me` has signed out for good.
    pub(crate) fn forget(self, me: Option<UserId>) {
        self.all.update_value(LiteMap::clear);
        for key in me.map(|me| browser::kept(&prefix(me))).unwrap_or_default() {
            browser::forget(&key);
        }
    }
}

fn prefix(me: UserId) -> String {
    format!("confab-draft-{me}-")
}

fn key(me: UserId, id: ConversationId) -> String {
    format!("{}{id}", prefix(me))
}

fn recall(me: UserId, id: ConversationId) -> Option<(String, Option<Seq>)> {
    read(&browser::recall(&key(me, id))?)
}

/// A draft as it is kept: what it answers, a line break, its text. `None`: there is nothing to keep.
fn write(text: &str, reply_to: Option<Seq>) -> Option<String> {
    let is_there = !text.is_empty() || reply_to.is_some();
    is_there.then(|| format!("{}\n{text}", reply_to.map(|seq| seq.to_string()).unwrap_or_default()))
}

/// A draft out of what was kept.
fn read(kept: &str) -> Option<(String, Option<Seq>)> {
    let (reply_to, text) = kept.split_once('\n')?;
    Some((text.to_owned(), reply_to.parse().ok().and_then(Seq::new)))
}

/// Whether a draft follows what another tab made of it: one that is as it was `before` there and was not changed here. While
/// somebody writes here, only what is gone there goes.
fn is_followed(own: Option<&str>, before: Option<&str>, now: Option<&str>, is_looked_at: bool) -> bool {
    own == before && own != now && (now.is_none() || !is_looked_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_kept_as_it_was() {
        for (text, reply_to) in [("hello", None), ("", Seq::new(7)), ("two\nlines\n", Seq::new(12)), ("\n", None)] {
            assert_eq!(write(text, reply_to).as_deref().and_then(read), Some((text.into(), reply_to)), "{text:?}");
        }
        assert_eq!(write("", None), None);
    }

    #[test]
    fn a_draft_follows_another_tab_unless_it_was_changed_here() {
        let (a, b, c) = (Some("a"), Some("b"), Some("c"));
        for (own, before, now, is_looked_at, expected) in [
            // Sent or emptied there.
            (a, a, None, false, true),
            (a, a, None, true, true),
            // Changed here since.
            (b, a, None, false, false),
            (None, a, None, false, false),
            // Written on there.
            (a, a, b, false, true),
            (None, None, a, false, true),
            (a, a, b, true, false),
            (b, a, c, false, false),
            // Nothing has changed.
            (a, a, a, false, false),
            (None, None, None, false, false),
        ] {
            assert_eq!(is_followed(own, before, now, is_looked_at), expected, "{own:?}: {before:?} to {now:?}");
        }
    }
}
