//! The accept loop. Own code, because `axum::serve` sets no limits on headers and their time: hyper is
//! asked directly, and each address has a bounded number of connections nobody has signed in on.

use super::router;
use crate::app::App;
use crate::http::extract::{ConnectionSlot, PeerAddress};
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// How long the head of a request may take, and how long a connection may stay quiet between two.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of one request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long the loop pauses when the system is out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Type: application/json\r\n\
    Content-Length: 105\r\nConnection: close\r\n\r\n\
    {\"error\":{\"code\":\"rate_limited\",\"message\":\"Too many connections from this address\",\"retryAfterMs\":10000}}";

/// Connections by address that nobody has signed in on.
#[derive(Debug, Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One place of an address; dropping it frees it.
#[derive(Debug)]
pub struct Slot {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    fn take(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Slot> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Slot { addresses: self.clone(), address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Accepts connections until the server stops.
pub async fn run(listener: TcpListener, app: Arc<App>) {
    let addresses = Arc::new(Addresses::default());
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
                match addresses.take(address, app.config.connections_per_address) {
                    Some(slot) => {
                        app.sockets.spawn(serve(stream, address, slot, service.clone(), app.clone()));
                    }
                    None => drop(tokio::spawn(turn_away(stream))),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept.failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, address: IpAddr, slot: Slot, service: axum::Router, app: Arc<App>) {
    // A chat's frames are small and must not wait for one another.
    let _ = stream.set_nodelay(true);
    let slot = ConnectionSlot::new(slot);
    let handler = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(PeerAddress(address));
        request.extensions_mut().insert(slot.clone());
        service.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), handler)
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
    // They are being refused either way; whether they hear why is their part.
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(TOO_MANY)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let addresses = Arc::new(Addresses::default());
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let slots: Vec<_> = (0..3).map_while(|_| addresses.take(one, 2)).collect();
        assert_eq!(slots.len(), 2);
        assert!(addresses.take(other, 2).is_some());
        drop(slots);
        assert!(addresses.0.lock().expect("not poisoned").is_empty());
    }

    #[test]
    fn the_canned_answer_says_its_own_length() {
        let text = std::str::from_utf8(TOO_MANY).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
