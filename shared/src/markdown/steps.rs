//! Counts the work of reading a text, so that a test can bound it without a clock: one step is a byte or a part gone
//! over. Every walk of [`super::inline`], of the blocks and of [`crate::mention`] says how far it went.
//!
//! Nothing is counted outside of tests and the feature `steps`, which the fuzzer asks for.

/// A walk over the text, or a part of it, has taken so many steps.
#[cfg(any(test, feature = "steps"))]
pub(crate) fn took(steps: usize) {
    counter::add(steps);
}

/// Nothing is counted.
#[cfg(not(any(test, feature = "steps")))]
#[inline(always)]
pub(crate) fn took(_: usize) {}

/// Upper bound of the steps for each byte of a text, whatever stands in it: lines in lists and quotes are gone over once for
/// each of the four levels, names once for each word in them.
#[cfg(any(test, feature = "steps"))]
pub const PER_BYTE: usize = 64;

#[cfg(any(test, feature = "steps"))]
pub use counter::count;

#[cfg(any(test, feature = "steps"))]
mod counter {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add(steps: usize) {
        STEPS.with(|count| count.set(count.get() + steps));
    }

    /// The steps that `work` takes on this thread.
    pub fn count(work: impl FnOnce()) -> usize {
        let before = STEPS.with(Cell::get);
        work();
        STEPS.with(Cell::get) - before
    }
}
