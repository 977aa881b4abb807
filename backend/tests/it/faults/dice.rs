//! Chance that can be repeated: a test prints its seed, and `CONFAB_TEST_SEED` plays it again.

/// A small generator (splitmix64): enough for choosing places to break something.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// A new seed each time, printed; it is shown when the test fails.
    #[expect(clippy::print_stdout, reason = "shown when the test fails")]
    pub(crate) fn new() -> Self {
        let given = std::env::var("CONFAB_TEST_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| u64::from_be_bytes(backend::clock::random()));
        println!("CONFAB_TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `0` up to, not including, `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end).unwrap()).unwrap()
    }
}
