//! Who is there: the last word about each person one shares a conversation with.

use litemap::LiteMap;
use shared::ids::UserId;
use shared::presence::{Presence, PresenceState};

/// The last word about everybody. Somebody nothing was said about is not in it.
#[derive(Debug, Clone, Default)]
pub struct People {
    by_user: LiteMap<UserId, Presence>,
}

impl People {
    /// The list of a `welcome`: replaces what was there.
    pub fn handle_welcome(&mut self, all: &[Presence]) {
        self.by_user.clear();
        for presence in all {
            self.by_user.insert(presence.user, *presence);
        }
    }

    /// Somebody came or went. `false`: that was known. When somebody was last there is kept when a
    /// later word does not tell.
    pub fn handle_presence(&mut self, mut presence: Presence) -> bool {
        let known = self.by_user.get(&presence.user);
        presence.last_seen_at = presence.last_seen_at.or_else(|| known?.last_seen_at);
        let is_news = known != Some(&presence);
        self.by_user.insert(presence.user, presence);
        is_news
    }

    /// What is known of somebody.
    #[must_use]
    pub fn get(&self, user: UserId) -> Option<Presence> {
        self.by_user.get(&user).copied()
    }

    /// Whether somebody is connected and active.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        self.get(user).is_some_and(|presence| presence.state == PresenceState::Online)
    }

    /// Everybody, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Presence> {
        self.by_user.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::Timestamp;

    fn presence(number: u8, state: PresenceState, last_seen_at: Option<u64>) -> Presence {
        let user = UserId::v7(Timestamp::default(), [number; 10]);
        Presence { user, state, last_seen_at: last_seen_at.map(Timestamp::from_millis) }
    }

    #[test]
    fn the_last_word_counts_and_a_welcome_begins_anew() {
        let mut people = People::default();
        people.handle_welcome(&[presence(1, PresenceState::Offline, Some(5)), presence(2, PresenceState::Away, None)]);
        assert!(people.handle_presence(presence(1, PresenceState::Online, None)));
        assert!(!people.handle_presence(presence(1, PresenceState::Online, None)), "known already");
        let one = presence(1, PresenceState::Online, Some(5));
        assert_eq!(people.get(one.user), Some(one), "when they were last there is kept");
        assert!(people.is_online(one.user));
        people.handle_welcome(&[presence(2, PresenceState::Online, None)]);
        assert_eq!((people.get(one.user), people.iter().count()), (None, 1));
    }
}
