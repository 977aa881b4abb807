//! Where memory comes from, and that it goes back.
//!
//! Hashing a password takes 19 MiB each time, and the system's allocator keeps most of what was freed, for each thread
//! again. mimalloc gives it back, but a second later and only while somebody allocates: after a crowd has left, a quiet
//! server would keep what it took.

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, in milliseconds; the bindings do not name it.
const PURGE_DELAY: mi_option_t = 15;

/// From now on memory of which all is free goes back to the system at once. (What that costs could not be measured;
/// `bench/NOTES.md` has the figures.)
#[expect(unsafe_code, reason = "the library's options are set by a call into C")]
pub(crate) fn give_back_at_once() {
    // SAFETY: it takes two integers and stores the second in the library's own table of options, behind a check that
    // the first is in it. It touches no memory of ours, and may be called at any time, from any thread.
    unsafe { mi_option_set(PURGE_DELAY, 0) }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    /// Bytes of this process that are in memory.
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
        pages.expect("the second number") * 4_096
    }

    #[test]
    fn what_a_crowd_took_goes_back_when_it_is_gone() {
        super::give_back_at_once();
        let before = resident();
        let crowd: Vec<_> = (0..20_000).map(|_| vec![1_u8; 2_048]).collect();
        let taken = resident() - before;
        assert!(taken > 30 << 20, "{taken} bytes for 20,000 of 2,048");
        drop(crowd);
        let left = resident().saturating_sub(before);
        assert!(left < taken / 4, "{left} bytes are left of {taken}, though nobody allocates");
    }
}
