//! What the process that reads pictures gives up before it reads the first byte of one, so that whoever takes over a
//! decoder holds little. [`super::picture`] calls it.
//!
//! Three walls, each for itself: the system calls (seccomp(2)), files, networks and other processes (landlock(7), as much of it as
//! the kernel has), memory, processor time, descriptors and processes (setrlimit(2)).
//!
//! A system call that decoding does not need fails with `EPERM`, and the process goes on: a library that asks for
//! something it can do without, as the allocator does for NUMA nodes, goes on without it. Of the calls that are left,
//! none opens, connects, starts or signals anything, and memory is never made executable. Where the kernel takes no
//! list of calls, no picture is read.

/// Limits of the process: memory in bytes, processor time in seconds.
const MEMORY_MAX: u64 = 1024 * 1024 * 1024;
const SECONDS_MAX: u64 = 10;

/// Gives up everything that reading a picture does not need.
///
/// # Errors
/// When one of the walls cannot be put up; then no picture is to be read.
pub fn confine() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, Scope};
        // As much of it as the kernel knows.
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .restrict_self()?;
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        for (resource, most) in [
            (Resource::As, MEMORY_MAX),
            (Resource::Cpu, SECONDS_MAX),
            (Resource::Core, 0),
            (Resource::Fsize, 0),
            (Resource::Nofile, 3),
            (Resource::Nproc, 0),
        ] {
            setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
    }
    // Last: putting up the others takes calls that are not on the list.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    calls::restrict()?;
    Ok(())
}

/// Says in the log which wall this machine does not have.
pub fn report() {
    #[cfg(target_os = "linux")]
    {
        use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
        let files = AccessFs::from_all(ABI::V1);
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(files);
        if let Err(error) = ruleset.and_then(Ruleset::create) {
            tracing::warn!(
                %error,
                "picture.no_landlock: this kernel has no Landlock (Linux 5.13 with CONFIG_SECURITY_LANDLOCK, named in lsm=). \
                 The process that reads pictures is held by its list of system calls and its limits alone"
            );
        }
    }
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    tracing::warn!(
        "picture.no_seccomp: there is no list of system calls for this system. The process that reads pictures may make any of them"
    );
}

/// The system calls that are left.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };
    use std::collections::BTreeMap;

    /// Calls that reading what is open, allocating, and ending make, with any arguments.
    const ANY: &[i64] = &[
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_brk,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_sigaltstack,
        // A stack that runs over is told by a signal, whose handler takes itself away.
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    pub(super) fn restrict() -> anyhow::Result<()> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ANY.iter().map(|call| (*call, Vec::new())).collect();
        // Memory to read and write, and none to run.
        let executable = u64::from(libc::PROT_EXEC.cast_unsigned());
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            rules.insert(call, vec![only(2, SeccompCmpOp::MaskedEq(executable), 0)?]);
        }
        // How a program ends itself (abort(3)); nobody else.
        rules.insert(libc::SYS_tgkill, vec![only(0, SeccompCmpOp::Eq, u64::from(std::process::id()))?]);
        let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
        let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
        let program: BpfProgram = filter.try_into()?;
        seccompiler::apply_filter_all_threads(&program)?;
        Ok(())
    }

    /// A call whose argument at this place compares like this.
    fn only(place: u8, compared: SeccompCmpOp, with: u64) -> anyhow::Result<SeccompRule> {
        let condition = SeccompCondition::new(place, SeccompCmpArgLen::Dword, compared, with)?;
        Ok(SeccompRule::new(vec![condition])?)
    }
}

/// Attempts of somebody who has taken over the process, each with whether it worked. For tests.
#[cfg(all(debug_assertions, target_os = "linux"))]
pub fn attempts(is_confined: bool) -> anyhow::Result<Vec<(&'static str, bool)>> {
    use rustix::process::{Resource, Rlimit, getppid, prlimit, test_kill_process};
    use std::net::{TcpListener, UdpSocket};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    use std::process::Command;
    // Asking for these is not on the list.
    let parent = getppid();
    let theirs = std::env::var("CONFAB_PROBE_SOCKET")?;
    if is_confined {
        confine()?;
    }
    let file = std::env::temp_dir().join(format!("confab-{}", std::process::id()));
    // As it is already, so that nothing changes where this works.
    let unlimited = Rlimit { current: None, maximum: None };
    Ok(vec![
        ("open", std::fs::File::open("/proc/self/stat").is_ok()),
        ("create", std::fs::write(&file, "x").and_then(|()| std::fs::remove_file(&file)).is_ok()),
        ("udp", UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("tcp", TcpListener::bind("127.0.0.1:0").is_ok()),
        ("connect", UnixStream::connect_addr(&SocketAddr::from_abstract_name(&theirs)?).is_ok()),
        ("listen", UnixListener::bind_addr(&SocketAddr::from_abstract_name(theirs + "-own")?).is_ok()),
        ("thread", std::thread::Builder::new().spawn(|| ()).is_ok()),
        ("process", Command::new("/proc/self/exe").arg("picture").env_remove("CONFAB_FAULT").status().is_ok()),
        ("signal", parent.is_some_and(|parent| test_kill_process(parent).is_ok())),
        ("limit", parent.is_some_and(|parent| prlimit(Some(parent), Resource::Rttime, unlimited).is_ok())),
    ])
}
