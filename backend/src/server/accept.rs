//! The accept loop. Own code, because `axum::serve` sets no limits on headers and their time: hyper is
//! asked directly, and each address has a bounded number of connections ([`crate::ledger::slot`]).

use super::address::{PeerAddress, counted, forwarded};
use super::router;
use crate::app::App;
use crate::http::error::Refused;
use crate::http::extract::Secrets;
use crate::ledger::slot::ConnectionSlot;
use crate::log_rate::Repeated;
use crate::socket::connection::{self, Arrival};
use crate::socket::entrance::{self, Found};
use crate::socket::line::Line;
use crate::socket::upgrade::Late;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// How long the first byte of a request may take, then the rest of its head, and how long a connection may stay quiet
/// between two.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of one request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long the loop pauses when the system is out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);
static FAILED: Repeated = Repeated::new();

/// Accepts connections until the server stops.
pub async fn run(listener: TcpListener, app: Arc<App>) {
    let service = router::router(app.clone());
    let door = Arc::new(Door { app: app.clone(), service });
    loop {
        let accepted = tokio::select! {
            accepted = app.descriptors.accept(&listener) => accepted,
            () = app.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // An IPv4 address that came in through IPv6 is the same address.
                let address = peer.ip().to_canonical();
                let held = app.descriptors.hold();
                // The places of a proxy are those of the people behind it, asked for with each request.
                let is_proxy = app.config.trusted_proxy.contains(&address);
                let slot = (!is_proxy).then(|| app.ledger.connect(address));
                let visitor = Visitor { door: door.clone(), address: counted(address), slot };
                app.sockets.spawn(connection::run(app.clone(), held, Box::pin(arrive(stream, visitor))));
            }
            Err(error) => {
                if let Some(times) = FAILED.count(Instant::now()) {
                    tracing::warn!(%error, times, "accept.failed");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What a connection needs to be served.
struct Door {
    app: Arc<App>,
    service: axum::Router,
}

/// A door with somebody in front of it.
#[derive(Clone)]
struct Visitor {
    door: Arc<Door>,
    address: IpAddr,
    /// None for a proxy.
    slot: Option<ConnectionSlot>,
}

impl Visitor {
    /// Where a request comes from, and its place among those of that address.
    fn place(&self, headers: &HeaderMap) -> (IpAddr, ConnectionSlot) {
        if let Some(slot) = &self.slot {
            return (self.address, slot.clone());
        }
        let app = &self.door.app;
        let address = forwarded(headers, &app.config.trusted_proxy).unwrap_or(self.address);
        (counted(address), app.ledger.connect(address))
    }

    async fn answer(self, request: hyper::Request<Incoming>, is_late: bool) -> Result<Response, Infallible> {
        let mut request: Request = request.map(Body::new);
        let (address, slot) = self.place(request.headers());
        let secrets = Secrets::of(request.headers(), &self.door.app);
        if let Err(rejection) = slot.begin_request(secrets.hashes()) {
            return Ok(Refused::from(rejection).into_response());
        }
        request.extensions_mut().insert(secrets);
        if is_late {
            request.extensions_mut().insert(Late);
        }
        request.extensions_mut().insert(PeerAddress(address));
        // A handler may take the request apart before its body has come; the place is taken until the answer.
        request.extensions_mut().insert(slot.clone());
        let answering = self.door.service.clone().oneshot(request);
        let response = if self.slot.is_some() {
            answering.await?
        } else {
            // A proxy's connection is not closed for one of the requests on it.
            tokio::select! {
                response = answering => response?,
                rejection = slot.sent_away() => Refused::from(rejection).into_response(),
            }
        };
        Ok(slot.end_request(response).unwrap_or_else(|rejection| Refused::from(rejection).into_response()))
    }
}

/// Lets somebody in the quick way, or serves what else they want until they go, or are sent away.
async fn arrive(stream: TcpStream, visitor: Visitor) -> Option<Arrival> {
    let slot = visitor.slot.clone();
    let sent_away = async {
        match slot {
            Some(slot) => slot.sent_away().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        arrival = let_in(stream, visitor) => arrival,
        _ = sent_away => None,
    }
}

async fn let_in(stream: TcpStream, visitor: Visitor) -> Option<Arrival> {
    // A chat's frames are small and must not wait for one another.
    let _ = stream.set_nodelay(true);
    let place = |headers: &HeaderMap| visitor.place(headers).1;
    match entrance::look(&visitor.door.app, stream, HEADER_TIME_MAX, place).await {
        Found::Arrival(arrival) => Some(*arrival),
        Found::Gone => None,
        Found::Other { stream, ahead, is_late } => {
            Box::pin(serve(stream, ahead, visitor, is_late)).await;
            None
        }
    }
}

async fn serve(stream: TcpStream, ahead: Vec<u8>, visitor: Visitor, is_late: bool) {
    let app = visitor.door.app.clone();
    // Of the first request only.
    let is_late = AtomicBool::new(is_late);
    let line = Line::new(stream, ahead, Duration::from_secs(app.config.slow_consumer_seconds));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(line),
            hyper::service::service_fn(move |request| {
                visitor.clone().answer(request, is_late.swap(false, Ordering::Relaxed))
            }),
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
