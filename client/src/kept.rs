//! What a client shows before there is a connection: how everything stood when it was last connected.

use serde::{Deserialize, Serialize};
use shared::account::User;
use shared::conversation::Summary;
use shared::ids::{ConversationId, Epoch};
use shared::limits::Limits;

/// So many conversations of the list are kept, the newest.
pub const CONVERSATIONS_MAX: usize = 200;
/// So many people are kept by name.
pub const PEOPLE_MAX: usize = 1_000;
/// The ends of so many timelines are kept, those that were opened last.
pub const TIMELINES_MAX: usize = 50;
/// So many messages of each.
pub const ROWS_MAX: usize = 60;

/// Everything but the timelines, which are kept one by one ([`crate::timeline::KeptTimeline`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptState {
    /// Who was signed in.
    pub user: User,
    /// Which history the server had.
    pub epoch: Epoch,
    /// What it took.
    pub limits: Limits,
    /// The list, newest first, [`CONVERSATIONS_MAX`] at most.
    pub conversations: Vec<Summary>,
    /// Whether there were older ones.
    pub more: bool,
    /// People by name, [`PEOPLE_MAX`] at most.
    pub people: Vec<User>,
    /// The timelines that are kept, the one that was opened last first, [`TIMELINES_MAX`] at most.
    pub timelines: Vec<ConversationId>,
}

/// The timelines to keep from now on, and those to let go: what was opened stands before what was kept already.
#[must_use]
pub fn latest(
    opened: impl IntoIterator<Item = ConversationId>,
    kept: &[ConversationId],
) -> (Vec<ConversationId>, Vec<ConversationId>) {
    let mut all: Vec<ConversationId> = Vec::new();
    for id in opened.into_iter().chain(kept.iter().copied()) {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    let let_go = all.split_off(all.len().min(TIMELINES_MAX));
    (all, let_go)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::Timestamp;

    fn conversation(number: u8) -> ConversationId {
        ConversationId::v7(Timestamp::from_millis(1), [number; 10])
    }

    #[test]
    fn what_was_opened_last_is_kept_and_what_is_too_much_is_let_go() {
        let all = |range: std::ops::Range<u8>| range.map(conversation).collect::<Vec<_>>();
        assert_eq!(latest(all(2..4), &all(0..3)), ([2, 3, 0, 1].map(conversation).to_vec(), vec![]));
        let (kept, let_go) = latest(all(100..102), &all(0..50));
        assert_eq!(kept.len(), TIMELINES_MAX);
        assert_eq!(kept[..3], [100, 101, 0].map(conversation));
        assert_eq!(let_go, all(48..50));
    }
}
