//! Accounts by key, of which a bounded number is kept.

use super::Account;
use crate::rate::KEYS_MAX;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Accounts by key. When there are [`KEYS_MAX`], those are forgotten that are not in use and say nothing; if that is
/// not enough, all that are not in use: a few may then do more than they should for a moment. An account is in use while
/// somebody holds it, which connections do, and these have a bound of their own.
#[derive(Debug)]
pub struct Accounts<K, A>(Mutex<Kept<K, A>>);

#[derive(Debug)]
struct Kept<K, A> {
    by_key: HashMap<K, Arc<A>>,
    /// With so many keys it is looked for some to forget. It is set anew then, so that not every key asks for it when
    /// all are in use.
    full_at: usize,
}

impl<K, A> Default for Accounts<K, A> {
    fn default() -> Self {
        Self(Mutex::new(Kept { by_key: HashMap::new(), full_at: KEYS_MAX }))
    }
}

impl<K: Hash + Eq, A: Account> Accounts<K, A> {
    /// The account of this key; a new one if there is none.
    pub fn of(&self, key: K, now: u64) -> Arc<A> {
        let mut kept = self.kept();
        if let Some(account) = kept.by_key.get(&key) {
            return account.clone();
        }
        if kept.by_key.len() >= kept.full_at {
            kept.by_key.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_idle(now));
            if kept.by_key.len() >= KEYS_MAX {
                kept.by_key.retain(|_, account| Arc::strong_count(account) > 1);
            }
            kept.full_at = KEYS_MAX.max(kept.by_key.len().saturating_mul(2));
        }
        kept.by_key.entry(key).or_default().clone()
    }

    /// Forgets an account that nobody holds if a new one would be the same.
    pub fn forget_if_idle(&self, key: &K, now: u64) {
        let mut kept = self.kept();
        if kept.by_key.get(key).is_some_and(|account| Arc::strong_count(account) == 1 && account.is_idle(now)) {
            kept.by_key.remove(key);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K, A>> {
        // A map is whole at any moment, so a poisoned lock still guards one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Person;
    use crate::ledger::tests::ledger;
    use std::time::Instant;

    #[test]
    fn number_of_accounts_is_bounded_and_those_in_use_are_kept() {
        let accounts = Accounts::<usize, Person>::default();
        let held = accounts.of(0, 0);
        for key in 1..KEYS_MAX + 10 {
            drop(accounts.of(key, 0));
        }
        assert!(accounts.0.lock().expect("not poisoned").by_key.len() <= KEYS_MAX);
        assert!(Arc::ptr_eq(&held, &accounts.of(0, 0)));
    }

    #[test]
    fn account_is_forgotten_that_is_idle_and_not_in_use() {
        let ledger = ledger(&[]);
        let (accounts, now) = (Accounts::<usize, Person>::default(), Instant::now());
        let is_kept = |after: u64| {
            accounts.forget_if_idle(&0, ledger.moment(now) + after);
            accounts.kept().by_key.contains_key(&0)
        };
        let held = accounts.of(0, 0);
        assert!(is_kept(0), "in use");
        ledger.take(&held, 10, now).expect("it is new");
        drop(held);
        assert!(is_kept(0), "units are missing");
        assert!(!is_kept(u64::from(u32::MAX)));
    }
}
