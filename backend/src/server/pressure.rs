//! Memory: when most of what the process may use is used, new sockets are refused and every request but small ones, so
//! that those who are connected stay connected.
//!
//! The limit is a setting, or the control group's (version 2 or 1), or there is none.

use crate::rate;
use crate::store::Store;
use crate::task::{self, Part};
use shared::code::Rejection;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// From this part of the limit on nothing new comes in: the rest is for those that are there.
const HIGH_PERCENT: u64 = 80;
/// How often it is looked at.
const EACH: Duration = Duration::from_secs(1);
/// Above this a control group's limit means that there is none.
const NO_LIMIT: u64 = 1 << 50;

/// When those are told to come back whom there is no memory for.
const RETRY: Duration = Duration::from_secs(30);

/// What is said to those whom there is no memory for.
#[must_use]
pub fn refusal() -> Rejection {
    rate::overloaded("The server's memory is nearly full. Please come back later", RETRY)
}

/// Whether memory is nearly full.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<AtomicBool>);

impl Pressure {
    /// Whether new sockets and all but small requests should be refused.
    #[must_use]
    pub fn is_high(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Watches until the server stops. `limit_mib` 0 asks the system for the limit.
    pub fn watch(&self, limit_mib: u64, store: &Store, stopping: CancellationToken) {
        let limit = if limit_mib > 0 { Some(limit_mib << 20) } else { detect() };
        // So that a test can say that it is full where there is no limit.
        #[cfg(debug_assertions)]
        let limit = limit.or(Some(NO_LIMIT));
        let Some(limit) = limit else { return };
        let high = limit / 100 * HIGH_PERCENT;
        tracing::debug!(limit_mib = limit >> 20, "memory.limit");
        self.look(high);
        let pressure = self.clone();
        task::spawn(store, Part::Memory, async move {
            let mut ticks = tokio::time::interval(EACH);
            loop {
                tokio::select! {
                    _ = ticks.tick() => pressure.look(high),
                    () = stopping.cancelled() => return,
                }
            }
        });
    }

    fn look(&self, high: u64) {
        let Some(used) = fs::read_to_string("/proc/self/status").ok().and_then(|status| used(&status)) else {
            return;
        };
        let is_high = used >= high;
        #[cfg(debug_assertions)]
        let is_high = is_high || crate::fault::is_memory_full();
        if self.0.swap(is_high, Ordering::Relaxed) != is_high {
            tracing::warn!(is_high, used_mib = used >> 20, high_mib = high >> 20, "memory.pressure");
        }
    }
}

/// The bytes in `/proc/self/status` that only this process can give back: anonymous and shared memory. Pages of mapped
/// files, like the database's, are resident as long as the system has nothing better to do with them, and count only
/// where it does not tell them apart (before Linux 4.5).
fn used(status: &str) -> Option<u64> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    };
    match (bytes("RssAnon"), bytes("RssShmem")) {
        (Some(anonymous), Some(shared)) => Some(anonymous + shared),
        _ => bytes("VmRSS"),
    }
}

/// The limit of this process's control group, if there is one.
fn detect() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    files(&groups)
        .iter()
        .filter_map(|file| limit(&fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()?))
        .min()
}

/// Where limits may stand, by `/proc/self/cgroup`. Inside a container the group is often the root of what is
/// mounted, whatever the path says.
fn files(groups: &str) -> Vec<String> {
    groups
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, kinds, path) = (parts.next()?, parts.next()?, parts.next()?.trim_matches('/'));
            let (folder, name) = match (number, kinds) {
                ("0", "") => ("", "memory.max"),
                _ if kinds.split(',').any(|kind| kind == "memory") => ("memory/", "memory.limit_in_bytes"),
                _ => return None,
            };
            let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
            Some([format!("{folder}{inside}{name}"), format!("{folder}{name}")])
        })
        .flatten()
        .collect()
}

/// The number in a limit's file; `max` and numbers beyond any machine are none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < NO_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_found_where_each_version_of_control_groups_keeps_them() {
        assert_eq!(
            files("0::/system.slice/confab.service\n"),
            ["system.slice/confab.service/memory.max", "memory.max"]
        );
        assert_eq!(
            files("4:cpu,memory:/a\n1:cpu:/b\n"),
            ["memory/a/memory.limit_in_bytes", "memory/memory.limit_in_bytes"]
        );
        assert_eq!(files("0::/\n")[0], "memory.max");
        assert_eq!(limit("268435456\n"), Some(256 << 20));
        assert_eq!((limit("max\n"), limit("9223372036854771712\n"), limit("")), (None, None, None));
    }

    #[test]
    fn mapped_files_count_only_where_the_system_does_not_tell_them_apart() {
        let all =
            "Name:\tx\nVmRSS:\t    9216 kB\nRssAnon:\t    2048 kB\nRssFile:\t    6144 kB\nRssShmem:\t    1024 kB\n";
        assert_eq!(used(all), Some(3 << 20));
        assert_eq!(used("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(used("VmRSS:\t2048 kB\nRssAnon:\tmuch\nRssShmem:\t1 kB\n"), Some(2 << 20));
        assert_eq!((used(""), used("VmRSS: 5 MB\n")), (None, None));
        let own = fs::read_to_string("/proc/self/status").expect("this is Linux");
        assert!(used(&own).expect("a number") > 1 << 18);
    }

    #[test]
    fn it_rises_and_falls() {
        let pressure = Pressure::default();
        pressure.look(1);
        assert!(pressure.is_high());
        pressure.look(u64::MAX);
        assert!(!pressure.is_high());
    }
}
