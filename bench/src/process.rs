//! The server being measured, as the system sees it: started on a core of its own, its CPU time read, and ended.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Which core the server has.
pub const SERVER_CORE: &str = "0";
/// Which core the load generator has.
pub const GENERATOR_CORE: &str = "1";
/// How long a server may take to start: it looks at all of its data, which may be gigabytes.
const START_MAX: Duration = Duration::from_secs(180);
/// Ticks of `/proc/PID/stat` in a second; the same on every Linux of today.
const TICKS: u64 = 100;

/// Whether there is a core for each side.
#[must_use]
pub fn can_pin() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

/// Moves this process to the generator's core.
///
/// # Errors
/// When `taskset` is not there or refuses.
pub fn pin_generator() -> Result<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["-a", "-p", "-c", GENERATOR_CORE, &pid])
        .stdout(Stdio::null())
        .status()
        .context("taskset (of util-linux) could not be started")?;
    if !status.success() {
        bail!("taskset could not pin the load generator ({status})");
    }
    Ok(())
}

/// A command, on the server's core if `is_pinned`.
#[must_use]
pub fn command(program: &OsStr, is_pinned: bool) -> Command {
    if !is_pinned {
        return Command::new(program);
    }
    // taskset becomes the program, so that the process id is the program's.
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(program);
    command
}

/// What to put before a program that may run on every core, though this process has but one.
///
/// # Errors
/// When the system does not say which there are.
pub fn on_every_core() -> Result<[String; 3]> {
    let cores = std::fs::read_to_string("/sys/devices/system/cpu/online").context("the system names no cores")?;
    Ok(["taskset".into(), "-c".into(), cores.trim().into()])
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Kept open: a server that writes into a closed pipe may end.
    _stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it says `listening on http://ADDRESS`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} could not be started", command.get_program().display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("it has no output")?);
        // A pipe is read without a bound; the thread ends with the server at the latest.
        let (said, hear) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).map(|_| line);
            // Nobody waits any more if it took too long.
            let _ = said.send((read, stdout));
        });
        let said = match hear.recv_timeout(START_MAX) {
            Ok((Ok(line), stdout)) => match line.trim().strip_prefix("listening on http://").map(str::parse) {
                Some(Ok(address)) => return Ok(Self { child, _stdout: stdout, address }),
                _ => format!("said {line:?} and"),
            },
            Ok((Err(error), _)) => format!("could not be heard ({error}) and"),
            Err(_) => format!("waited {} s and", START_MAX.as_secs()),
        };
        // It may have ended by itself.
        let _ = child.kill();
        let status = child.wait()?;
        bail!("the server {said} did not say where it listens ({status}); its log is above")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time it has used up to now.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Result<Cpu> {
        Cpu::of(self.pid())
    }

    /// Ends it as hard as it gets.
    ///
    /// # Errors
    /// When the system does not.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// What a process holds in memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// Its share of it, where others hold the same pages.
    pub pss: u64,
}

impl Memory {
    /// What `pid` holds now.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(pid: u32) -> Result<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("the server has ended")?;
        let field = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
        };
        let sizes = field("Rss:").zip(field("Pss:")).context("smaps_rollup (of Linux 4.14) says nothing")?;
        Ok(Self { rss: sizes.0, pss: sizes.1 })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The CPU time of a process up to a moment, user and system.
#[derive(Debug, Clone)]
pub struct Cpu {
    /// Nanoseconds of each thread that lives.
    threads: HashMap<u32, u64>,
    /// The whole process, dead threads too, in coarse ticks.
    ticks: u64,
}

impl Cpu {
    /// What `pid` has used.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(pid: u32) -> Result<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let stat = std::fs::read_to_string(folder.join("stat")).context("the server has ended")?;
        // The name may hold anything, spaces and brackets too; it ends at the last bracket.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let mut threads = HashMap::new();
        for entry in std::fs::read_dir(folder.join("task"))? {
            let entry = entry?;
            // A thread may end while it is looked at.
            let Ok(text) = std::fs::read_to_string(entry.path().join("schedstat")) else { continue };
            let name = entry.file_name().to_string_lossy().parse();
            if let (Ok(thread), Some(Ok(time))) = (name, text.split_whitespace().next().map(str::parse)) {
                threads.insert(thread, time);
            }
        }
        Ok(Self { threads, ticks: field(11) + field(12) })
    }

    /// How much more this is than `earlier`. Exact to the nanosecond, unless a thread has ended in between: then to
    /// the hundredth of a second.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        let is_whole =
            !self.threads.is_empty() && earlier.threads.keys().all(|thread| self.threads.contains_key(thread));
        if is_whole {
            let sum = |cpu: &Self| cpu.threads.values().sum::<u64>();
            Duration::from_nanos(sum(self).saturating_sub(sum(earlier)))
        } else {
            Duration::from_millis((self.ticks - earlier.ticks) * (1_000 / TICKS))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_computed_is_counted() {
        let pid = std::process::id();
        let before = Cpu::of(pid).expect("this process");
        let until = std::time::Instant::now() + Duration::from_millis(50);
        while std::time::Instant::now() < until {
            std::hint::black_box(until);
        }
        assert!(Cpu::of(pid).expect("this process").since(&before) > Duration::from_millis(1));
    }
}
