//! The accept loop. Own code, because `axum::serve` sets no limits on headers and their time: hyper is
//! asked directly, and each address has a bounded number of connections nobody has signed in on.

use super::address::{Addresses, ConnectionSlot, PeerAddress, counted, forwarded};
use super::router;
use crate::app::App;
use crate::http::error::Refused;
use crate::socket::line::Line;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use shared::code::{Code, Rejection};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// How long the head of a request may take, and how long a connection may stay quiet between two.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of one request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long the loop pauses when the system is out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How many connections are told at the same time that they are too many; more are only closed.
const TURNED_AWAY_MAX: usize = 256;
/// How long that may take.
const TURN_AWAY_MAX: Duration = Duration::from_secs(1);

/// What is said to those who are too many.
const TOO_MANY_TEXT: &str = "Too many connections from this address";
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Type: application/json\r\n\
    Content-Length: 105\r\nConnection: close\r\n\r\n\
    {\"error\":{\"code\":\"rate_limited\",\"message\":\"Too many connections from this address\",\"retryAfterMs\":10000}}";

/// Accepts connections until the server stops.
pub async fn run(listener: TcpListener, app: Arc<App>) {
    let addresses = Arc::new(Addresses::default());
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let service = router::router(app.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = app.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // An IPv4 address that came in through IPv6 is the same address.
                let address = peer.ip().to_canonical();
                let door = Door { app: app.clone(), addresses: addresses.clone(), service: service.clone() };
                if app.config.trusted_proxy.contains(&address) {
                    // Its places are those of the people behind it, asked for with each request.
                    app.sockets.spawn(serve(stream, door.of_proxy(address)));
                } else if let Some(slot) = addresses.take(counted(address), app.config.connections_per_address) {
                    app.sockets.spawn(serve(stream, door.of_peer(counted(address), ConnectionSlot::new(slot))));
                } else if let Ok(permit) = turned_away.clone().try_acquire_owned() {
                    tokio::spawn(async move {
                        turn_away(stream).await;
                        drop(permit);
                    });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept.failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What a connection needs to be served.
#[derive(Clone)]
struct Door {
    app: Arc<App>,
    addresses: Arc<Addresses>,
    service: axum::Router,
}

/// A door with somebody in front of it.
#[derive(Clone)]
struct Visitor {
    door: Door,
    address: IpAddr,
    /// None for a proxy.
    slot: Option<ConnectionSlot>,
}

impl Door {
    fn of_peer(self, address: IpAddr, slot: ConnectionSlot) -> Visitor {
        Visitor { door: self, address, slot: Some(slot) }
    }

    fn of_proxy(self, address: IpAddr) -> Visitor {
        Visitor { door: self, address, slot: None }
    }
}

impl Visitor {
    async fn answer(self, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
        let Self { door: Door { app, addresses, service }, address, slot } = self;
        let mut request: Request = request.map(Body::new);
        let (address, slot) = match slot {
            Some(slot) => (address, slot),
            None => {
                let address = counted(forwarded(request.headers(), &app.config.trusted_proxy).unwrap_or(address));
                match addresses.take(address, app.config.connections_per_address) {
                    Some(slot) => (address, ConnectionSlot::new(slot)),
                    None => {
                        let rejection = Rejection::new(Code::RateLimited, TOO_MANY_TEXT).retry_after_ms(10_000);
                        return Ok(Refused::from(rejection).into_response());
                    }
                }
            }
        };
        request.extensions_mut().insert(PeerAddress(address));
        // A handler may take the request apart before its body has come; the place is taken until the answer.
        request.extensions_mut().insert(slot.clone());
        let response = service.oneshot(request).await;
        drop(slot);
        response
    }
}

async fn serve(stream: TcpStream, visitor: Visitor) {
    // A chat's frames are small and must not wait for one another.
    let _ = stream.set_nodelay(true);
    let app = visitor.door.app.clone();
    let line = Line::new(stream, Duration::from_secs(app.config.slow_consumer_seconds));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(line),
            hyper::service::service_fn(move |request| visitor.clone().answer(request)),
        )
        .with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = app.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection.ended");
    }
}

async fn turn_away(mut stream: TcpStream) {
    let mut rest = [0; 1_024];
    let goodbye = async {
        // An answer before the question is taken for noise by some clients.
        if stream.read(&mut rest).await? == 0 {
            return Ok(());
        }
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would take the answer away from them.
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // They are being refused either way; whether they hear why is their part.
    let _ = tokio::time::timeout(TURN_AWAY_MAX, goodbye).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canned_answer_says_its_own_length() {
        let text = std::str::from_utf8(TOO_MANY).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
        assert!(body.contains(TOO_MANY_TEXT));
    }
}
