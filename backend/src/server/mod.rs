//! The listener, what every request passes, all URLs, memory, and stopping.

pub mod accept;
pub mod address;
pub mod descriptors;
pub mod gate;
pub mod pressure;
pub mod router;
pub mod shutdown;

use crate::app::App;
use crate::config::Config;
use crate::store::Health;
use crate::task::{self, Part};
use anyhow::Context;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait to be accepted: a crowd that comes back after a restart.
const BACKLOG: u32 = 4_096;

/// Runs a server until it is told to stop, and then until it has stopped.
///
/// # Errors
/// A sentence for the person who started it.
pub async fn run(config: Config) -> anyhow::Result<()> {
    // Signals are caught before anything is announced: whoever reads the address may already stop us.
    let signal = shutdown::Signal::catch()?;
    descriptors::raise();
    let listener = listen(config.listen)?;
    let address = listener.local_addr()?;
    let app = App::start(config)?;
    // Before anybody comes in: what somebody wants to hide is never told.
    for (user, privacy) in app.store.discreet().await? {
        app.presences.set_privacy(user, privacy);
    }
    app.pressure.watch(app.config.memory_limit_mib, &app.store, app.stopping.clone());
    crate::attachment::confine::report();
    announce(&app, address);
    let store = app.store.clone();
    let accepting = task::spawn(&store, Part::Listener, accept::run(listener, app.clone()));
    tokio::select! {
        () = signal.wait() => {}
        () = store.broken() => shutdown::end_in_time(),
    }
    shutdown::stop(app, accepting).await;
    if store.health() == Health::Broken {
        anyhow::bail!(
            "A part of the server has panicked, and the server has ended. Its log says which; start it again"
        );
    }
    Ok(())
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket
        .bind(address)
        .and_then(|()| socket.listen(BACKLOG))
        .with_context(|| format!("Cannot listen on {address}. Is another program using it? Choose one with --listen"))
}

/// One line on standard output that programs can read, and one in the log that people can.
#[expect(clippy::print_stdout, reason = "the address is the program's output")]
fn announce(app: &App, address: SocketAddr) {
    println!("listening on http://{address}");
    tracing::info!(%address, data = %app.config.data.display(), "Confab is ready: open http://{address} in a browser");
}
