//! How far people have received and read: what others say, and telling what arrived here.
//!
//! Positions are cumulative and never go backwards, so a late or repeated word is harmless. Whoever
//! writes has read what stands before.

use crate::Millis;
use litemap::LiteMap;
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, Cursor, Seq, UserId};
use shared::receipt::{Receipt, UpTo};

/// How often what arrived is told, for one conversation, in milliseconds.
pub const TELL_EVERY: Millis = 1_000;
/// How many conversations are told about at once: after a reconnect there may be a hundred, and a
/// burst of frames counts as flooding.
const BATCH_MAX: usize = 20;

/// How far somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Received up to here; at least as far as `read`.
    pub delivered: Cursor,
    /// Read up to here.
    pub read: Cursor,
}

/// Others' positions in every conversation. Somebody of whom nothing is known is told of to nobody: others put them there, and
/// they have not written.
#[derive(Debug, Clone, Default)]
pub struct Receipts {
    by_conversation: LiteMap<ConversationId, Known>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    positions: LiteMap<UserId, Position>,
    /// The server has said where everybody is. Until then somebody who is told of may be missing.
    is_whole: bool,
}

impl Receipts {
    /// Somebody has received or read more. `false`: that was known.
    pub fn handle_receipt(&mut self, receipt: Receipt) -> bool {
        let read = receipt.read.unwrap_or_default();
        let delivered = receipt.delivered.unwrap_or_default().max(read);
        self.advance(receipt.conversation, receipt.user, Position { delivered, read })
    }

    /// The server has said where everybody is who is told of.
    pub fn handle_list(&mut self, conversation: ConversationId, receipts: Vec<Receipt>) {
        for receipt in receipts {
            self.handle_receipt(receipt);
        }
        self.by_conversation.entry(conversation).or_default().is_whole = true;
    }

    /// Somebody wrote something, and so has read up to there, or came by themselves, for whom everything before that is read;
    /// or has gone. `false`: that was known.
    pub fn handle_event(&mut self, event: &Event) -> bool {
        if let EventKind::Left(left) = &event.kind {
            // Whoever is back since is further than that.
            let all = &mut self.by_conversation.entry(event.conversation).or_default().positions;
            let is_gone = all.get(&left.user).is_some_and(|known| known.delivered <= Cursor::from(event.seq));
            return is_gone && all.remove(&left.user).is_some();
        }
        let at = match &event.kind {
            EventKind::Message(_) => Cursor::from(event.seq),
            EventKind::Joined(joined) if joined.user == event.sender => {
                Cursor::new(event.seq.get() - 1).unwrap_or_default()
            }
            _ => return false,
        };
        self.advance(event.conversation, event.sender, Position { delivered: at, read: at })
    }

    /// How far somebody is there.
    #[must_use]
    pub fn position(&self, conversation: ConversationId, user: UserId) -> Position {
        let known = self.by_conversation.get(&conversation).and_then(|known| known.positions.get(&user));
        known.copied().unwrap_or_default()
    }

    /// Everybody whose position there is known.
    pub fn positions(&self, conversation: ConversationId) -> impl Iterator<Item = (UserId, Position)> {
        let known = self.by_conversation.get(&conversation).into_iter().flat_map(|known| &known.positions);
        known.map(|(user, position)| (*user, *position))
    }

    /// How far all the others are who are told of: the position of whoever is least far. `None`: that is nobody, or not known
    /// yet.
    #[must_use]
    pub fn reach(&self, conversation: ConversationId, me: Option<UserId>) -> Option<Position> {
        let known = self.by_conversation.get(&conversation).filter(|known| known.is_whole)?;
        let others = known.positions.iter().filter(|(user, _)| Some(**user) != me).map(|(_, position)| *position);
        others.reduce(|least, one| Position {
            delivered: least.delivered.min(one.delivered),
            read: least.read.min(one.read),
        })
    }

    /// Who has read this event.
    pub fn readers(&self, conversation: ConversationId, seq: Seq) -> impl Iterator<Item = UserId> {
        let reached = self.positions(conversation).filter(move |(_, position)| position.read >= seq.into());
        reached.map(|(user, _)| user)
    }

    /// Who has received this event.
    pub fn receivers(&self, conversation: ConversationId, seq: Seq) -> impl Iterator<Item = UserId> {
        let reached = self.positions(conversation).filter(move |(_, position)| position.delivered >= seq.into());
        reached.map(|(user, _)| user)
    }

    /// Forgets everything: the server's history is another one, or another person has signed in.
    pub fn reset(&mut self) {
        self.by_conversation.clear();
    }

    fn advance(&mut self, conversation: ConversationId, user: UserId, to: Position) -> bool {
        let known = self.by_conversation.entry(conversation).or_default().positions.entry(user).or_default();
        let before = *known;
        known.read = known.read.max(to.read);
        known.delivered = known.delivered.max(to.delivered).max(known.read);
        before != *known
    }
}

/// What arrived here and the server does not know of yet: told cumulatively, each conversation at most
/// once a second.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    /// What was told on this connection, and when the next may be.
    told: LiteMap<ConversationId, (Cursor, Millis)>,
    waiting: LiteMap<ConversationId, Seq>,
    /// When the next batch may go.
    next_batch: Millis,
}

impl Deliveries {
    /// Everything up to here has arrived.
    pub fn handle_delivered(&mut self, conversation: ConversationId, seq: Seq) {
        if self.told.get(&conversation).is_none_or(|(told, _)| *told < seq.into()) {
            let waiting = self.waiting.entry(conversation).or_insert(seq);
            *waiting = seq.max(*waiting);
        }
    }

    /// Everything up to here was read, which says more.
    pub fn handle_read(&mut self, conversation: ConversationId, seq: Seq) {
        if self.waiting.get(&conversation).is_some_and(|waiting| *waiting <= seq) {
            self.waiting.remove(&conversation);
        }
        let (told, _) = self.told.entry(conversation).or_default();
        *told = seq.into();
    }

    /// The connection is gone. What was told last may not have arrived, and the next `welcome` shows
    /// what there is to tell.
    pub fn handle_cut(&mut self) {
        *self = Self::default();
    }

    /// What to tell now.
    pub fn poll_due(&mut self, now: Millis) -> Vec<UpTo> {
        if now < self.next_batch {
            return Vec::new();
        }
        let is_due = |id: &ConversationId| self.told.get(id).is_none_or(|(_, again)| *again <= now);
        let due: Vec<_> = self.waiting.keys().filter(|id| is_due(id)).copied().take(BATCH_MAX).collect();
        if due.len() == BATCH_MAX {
            self.next_batch = now + TELL_EVERY;
        }
        let tell = |conversation: ConversationId| {
            let seq = self.waiting.remove(&conversation)?;
            self.told.insert(conversation, (seq.into(), now + TELL_EVERY));
            Some(UpTo { conversation, seq })
        };
        due.into_iter().filter_map(tell).collect()
    }

    /// When [`Deliveries::poll_due`] has something.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        let again = |id| self.told.get(id).map_or(0, |(_, again)| *again).max(self.next_batch);
        self.waiting.keys().map(again).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::ids::Timestamp;

    fn conversation(number: u8) -> ConversationId {
        ConversationId::v7(Timestamp::default(), [number; 10])
    }

    fn user(number: u8) -> UserId {
        UserId::v7(Timestamp::default(), [number; 10])
    }

    fn seq(number: u64) -> Seq {
        Seq::new(number).expect("in range")
    }

    fn receipt(by: u8, delivered: Option<u64>, read: Option<u64>) -> Receipt {
        let cursor = |number: Option<u64>| number.and_then(Cursor::new);
        Receipt { conversation: conversation(1), user: user(by), delivered: cursor(delivered), read: cursor(read) }
    }

    #[test]
    fn reading_implies_receiving_and_nothing_goes_backwards() {
        let mut receipts = Receipts::default();
        assert!(receipts.handle_receipt(receipt(1, Some(3), None)));
        assert!(receipts.handle_receipt(receipt(2, None, Some(5))));
        assert!(!receipts.handle_receipt(receipt(2, Some(4), Some(2))));
        assert_eq!(receipts.readers(conversation(1), seq(3)).collect::<Vec<_>>(), [user(2)]);
        assert_eq!(receipts.receivers(conversation(1), seq(3)).collect::<Vec<_>>(), [user(1), user(2)]);
        assert_eq!(receipts.receivers(conversation(2), seq(1)).count(), 0);
    }

    #[test]
    fn all_are_as_far_as_whoever_is_least_far() {
        let mut receipts = Receipts::default();
        receipts.handle_receipt(receipt(1, Some(9), Some(4)));
        let reach = |receipts: &Receipts, me| {
            let reach = receipts.reach(conversation(1), Some(user(me)))?;
            Some((reach.delivered.get(), reach.read.get()))
        };
        assert_eq!(reach(&receipts, 3), None, "others may be behind");
        receipts.handle_list(conversation(1), vec![receipt(1, Some(8), Some(3)), receipt(2, Some(6), Some(5))]);
        assert_eq!([1, 2, 3].map(|me| reach(&receipts, me)), [Some((6, 5)), Some((9, 4)), Some((6, 4))]);
        receipts.handle_list(conversation(2), Vec::new());
        assert_eq!(receipts.reach(conversation(2), Some(user(3))), None, "nobody is told of");
    }

    #[test]
    fn people_who_come_by_themselves_count_from_then_on_and_those_who_left_or_were_put_there_do_not() {
        use shared::conversation::Membership;
        let mut receipts = Receipts::default();
        receipts.handle_list(conversation(1), vec![receipt(1, None, Some(4)), receipt(2, None, Some(5))]);
        let event = |number, sender: u8, kind| Event {
            conversation: conversation(1),
            seq: seq(number),
            at: Timestamp::default(),
            sender: user(sender),
            kind,
        };
        let reach = |receipts: &Receipts| receipts.reach(conversation(1), Some(user(3))).map(|reach| reach.read.get());
        assert_eq!(reach(&receipts), Some(4));
        let left = |number| event(number, 1, EventKind::Left(Membership { user: user(1) }));
        assert!(!receipts.handle_event(&left(3)), "back since");
        assert!(receipts.handle_event(&left(4)));
        assert_eq!(reach(&receipts), Some(5));
        let joined = |number, by| event(number, by, EventKind::Joined(Membership { user: user(4) }));
        assert!(!receipts.handle_event(&joined(6, 2)), "put there by others");
        assert!(receipts.handle_event(&joined(6, 4)));
        receipts.handle_receipt(receipt(2, None, Some(9)));
        assert_eq!(reach(&receipts), Some(5), "all that was said before counts as read");
    }

    #[test]
    fn what_arrived_is_told_once_a_second_and_only_the_newest() {
        let mut deliveries = Deliveries::default();
        deliveries.handle_delivered(conversation(1), seq(1));
        assert_eq!(deliveries.poll_due(10), [UpTo { conversation: conversation(1), seq: seq(1) }]);
        deliveries.handle_delivered(conversation(1), seq(3));
        deliveries.handle_delivered(conversation(1), seq(2));
        assert_eq!((deliveries.poll_due(500), deliveries.next_timeout()), (vec![], Some(1_010)));
        assert_eq!(deliveries.poll_due(1_010), [UpTo { conversation: conversation(1), seq: seq(3) }]);
        deliveries.handle_delivered(conversation(1), seq(3));
        assert_eq!(deliveries.next_timeout(), None);
    }

    #[test]
    fn what_was_read_is_not_told_as_received() {
        let mut deliveries = Deliveries::default();
        deliveries.handle_delivered(conversation(1), seq(4));
        deliveries.handle_read(conversation(1), seq(4));
        deliveries.handle_delivered(conversation(1), seq(4));
        assert_eq!((deliveries.poll_due(0), deliveries.next_timeout()), (vec![], None));
    }

    #[test]
    fn a_hundred_conversations_are_told_about_in_portions() {
        let mut deliveries = Deliveries::default();
        for number in 1..=100 {
            deliveries.handle_delivered(conversation(number), seq(1));
        }
        let portions: Vec<_> = (0..5).map(|second| deliveries.poll_due(second * TELL_EVERY).len()).collect();
        assert_eq!((portions, deliveries.next_timeout()), (vec![BATCH_MAX; 5], None));
    }

    proptest! {
        #[test]
        fn positions_are_the_highest_ever_heard(words in prop::collection::vec((0u8..3, 0u64..20, 0u64..20), 0..40)) {
            let mut receipts = Receipts::default();
            let mut highest = std::collections::BTreeMap::<u8, (u64, u64)>::new();
            for (by, delivered, read) in words {
                let known = highest.entry(by).or_default();
                let next = (known.0.max(delivered).max(read), known.1.max(read));
                let is_news = receipts.handle_receipt(receipt(by, Some(delivered), Some(read)));
                prop_assert_eq!(is_news, *known != next);
                *known = next;
                let position = receipts.position(conversation(1), user(by));
                prop_assert_eq!((position.delivered.get(), position.read.get()), next);
            }
        }
    }
}
