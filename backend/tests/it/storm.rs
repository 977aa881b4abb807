//! Everybody comes back at once.
//!
//! Ten thousand sockets of two hundred people, each person from an address of their own. (A server that forgets its
//! sessions at the restart would turn them all away: that is how this can fail.)

use crate::support::{Person, Server};
use crate::support_raw::{Bystanders, Raw, TEXT, handshake};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

const PEOPLE: usize = 200;
const SOCKETS_EACH: usize = 50;

/// How long a client waits for an answer before it tries again on another connection. While more come than the
/// system keeps in line, it drops some; TCP asks again after one, two, four seconds and so on, which ends too late.
const ATTEMPT_MAX: Duration = Duration::from_secs(15);
/// How long all of it may take, on a machine with something else to do.
const STORM_MAX: Duration = Duration::from_secs(500);

/// Comes in, however often it is asked to come back later, and stays until the line is cut.
async fn come_in(goal: Goal, source: [u8; 4], inside: Arc<AtomicUsize>, refused: Arc<AtomicUsize>) -> Raw {
    loop {
        let attempt = async {
            let mut socket = Raw::connect_to(goal.address, source).await.ok()?;
            let is_sent = socket.try_send(&*goal.request).await;
            let answer = if is_sent { socket.try_answer().await } else { None };
            Some((answer?.status, socket))
        };
        match tokio::time::timeout(ATTEMPT_MAX, attempt).await.ok().flatten() {
            Some((101, mut socket)) => {
                let (first, welcome) = socket.next_frame().await.expect("a welcome");
                assert!(first == TEXT && welcome.starts_with(b"{\"type\":\"welcome\""));
                inside.fetch_add(1, Ordering::Relaxed);
                return socket;
            }
            Some((429 | 503, _)) | None => {}
            Some((other, _)) => panic!("{other}"),
        }
        refused.fetch_add(1, Ordering::Relaxed);
        // A client waits with jitter; the machine's own disorder is enough of it here.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Where somebody's sockets go, and what they say there.
#[derive(Clone)]
struct Goal {
    address: std::net::SocketAddr,
    request: Arc<str>,
}

async fn sign_up(server: &Server, number: usize) -> Person {
    server.sign_up(&format!("Person{number}")).await
}

/// All sockets of all people at the same time.
async fn storm(server: &Server, people: &[Person]) -> (Vec<Raw>, usize) {
    let (inside, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut coming = JoinSet::new();
    for (number, person) in people.iter().enumerate() {
        let goal = Goal { address: server.address(), request: handshake(server, &person.cookie, "").into() };
        for _ in 0..SOCKETS_EACH {
            let source = [127, 0, 1, number as u8 + 1];
            coming.spawn(come_in(goal.clone(), source, inside.clone(), refused.clone()));
        }
    }
    let mut sockets = Vec::new();
    let all = async {
        while let Some(socket) = coming.join_next().await {
            sockets.push(socket.unwrap());
        }
    };
    let result = tokio::time::timeout(STORM_MAX, all).await;
    assert!(result.is_ok(), "{} of {} came in", inside.load(Ordering::Relaxed), PEOPLE * SOCKETS_EACH);
    (sockets, refused.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sockets_come_back_after_a_restart_while_people_talk() {
    let server = Server::start();
    let mut people = Vec::new();
    // A few at a time: nobody has signed in on these connections yet.
    for some in (0..PEOPLE).collect::<Vec<_>>().chunks(10) {
        people.extend(futures_util::future::join_all(some.iter().map(|number| sign_up(&server, *number))).await);
    }

    let (mut sockets, _) = storm(&server, &people).await;
    assert_eq!(sockets.len(), PEOPLE * SOCKETS_EACH);
    let resident = server.resident();
    // A socket costs its buffer, its task and its place: a few KiB, and the debug build's larger futures.
    assert!(resident < (300 << 20), "{resident} bytes for {} sockets", sockets.len());

    let server = server.restart(&["--rate-limits", "off"]);
    for socket in &mut sockets {
        let mut rest = [0; 64];
        // An end is an end, also if it is a hard one.
        while socket.stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    }
    drop(sockets);
    for person in &mut people {
        person.moved_to(&server.origin);
    }
    // Two who are signed in talk all the time while everybody comes back.
    let mut talkers = Bystanders::of(&server).await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let talking = tokio::spawn(async move {
        let mut said = 0;
        while stopped.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            talkers.are_served().await;
            said += 1;
        }
        said
    });
    let (sockets, refused) = storm(&server, &people).await;
    stop.send(()).expect("somebody still talks");
    let said = talking.await.unwrap();
    assert_eq!(sockets.len(), PEOPLE * SOCKETS_EACH);
    // Each of these waited for the one before: a server that is deaf for a while shows here, and by their patience.
    assert!(said >= 10, "only {said} messages came through while {refused} were asked to wait");
}
