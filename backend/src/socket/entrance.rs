//! The quick way in. A handshake whose head has come whole and passes every check needs no HTTP server: it is answered
//! here, with the first frame in the same segment.
//!
//! Anything else that has come is handed on as it is to the server behind. The checks are the same functions, so this
//! way lets in nobody who would not be let in there; and every refusal is made there.

use super::connection::Arrival;
use super::upgrade::{self, Accepted, Admission};
use crate::app::App;
use crate::chat::welcome::{self, Entered};
use crate::http::extract::{self, Secrets, Shown, note_use};
use crate::ledger::slot::{ConnectionSlot, PersonPlace};
use crate::server::{gate, router};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use socket2::SockRef;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// Bytes of a head that is looked at here; a browser's has about 1 KiB. Longer ones are the server's behind.
const HEAD_BYTES_MAX: usize = 4 * 1024;
/// Headers of such a head.
const HEADERS_MAX: usize = 64;

thread_local! {
    static HEAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; HEAD_BYTES_MAX].into());
}

/// Who is at the door.
#[derive(Debug)]
pub enum Found {
    /// Somebody who was let in.
    Arrival(Box<Arrival>),
    /// Something else, of which this has been read. `is_late`: a turn to be welcomed was waited for in vain.
    Other {
        /// The connection.
        stream: TcpStream,
        /// What has come.
        ahead: Vec<u8>,
        /// See above.
        is_late: bool,
    },
    /// Nobody any more, or they have said nothing in time.
    Gone,
}

/// Waits until something has come, and looks at it. `place` gives the connection's place among those of its address.
pub async fn look(
    app: &Arc<App>,
    stream: TcpStream,
    silence_max: Duration,
    place: impl FnOnce(&HeaderMap) -> ConnectionSlot,
) -> Found {
    let (request, ahead) = loop {
        let readable = tokio::select! {
            readable = timeout(silence_max, stream.readable()) => readable,
            () = app.stopping.cancelled() => return Found::Gone,
        };
        let Ok(Ok(())) = readable else { return Found::Gone };
        let come = HEAD.with_borrow_mut(|head| {
            let count = stream.try_read(head)?;
            Ok::<_, std::io::Error>((parse(&head[..count]), head[..count].to_vec()))
        });
        match come {
            Ok((_, ahead)) if ahead.is_empty() => return Found::Gone,
            Ok(come) => break come,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return Found::Gone,
        }
    };
    let Some(request) = request else { return Found::Other { stream, ahead, is_late: false } };
    match enter(app, &request, place, &stream).await {
        Ok(LetIn { answer, entered: (session, registration, screen), turn, place }) => {
            let ahead = Vec::new();
            Found::Arrival(Box::new(Arrival { stream, ahead, answer, session, registration, screen, turn, place }))
        }
        Err(Refusal { is_late }) => Found::Other { stream, ahead, is_late },
    }
}

/// Somebody who passed every check.
struct LetIn {
    answer: Vec<u8>,
    entered: Entered,
    turn: OwnedSemaphorePermit,
    place: PersonPlace,
}

/// It is not let in here; why is said by the server behind.
struct Refusal {
    is_late: bool,
}

async fn enter(
    app: &Arc<App>,
    request: &Request<()>,
    place: impl FnOnce(&HeaderMap) -> ConnectionSlot,
    stream: &TcpStream,
) -> Result<LetIn, Refusal> {
    let refused = || Refusal { is_late: false };
    let headers = request.headers();
    let (slot, secrets) = (place(headers), Secrets::of(headers, app));
    slot.begin_request(secrets.hashes()).map_err(|_| refused())?;
    if gate::refusal(&app.config, request).is_some() || !extract::is_from_own_page(app, headers) {
        return Err(refused());
    }
    let shown = Shown::of(&secrets, app, Some(&slot)).await.map_err(|_| refused())?;
    let accepted = upgrade::accept(request.method(), request.version(), headers).map_err(|_| refused())?;
    let Ok(turn) = upgrade::take_turn(app).await else {
        let has_other_reason = app.stopping.is_cancelled() || app.pressure.is_high();
        return Err(Refusal { is_late: !has_other_reason });
    };
    // Whoever has gone while they waited for their turn costs no first screen, and no place of another socket.
    if is_gone(stream) {
        return Err(refused());
    }
    let (hash, not_before) = (shown.hash, shown.not_before);
    let admission = Admission::default();
    let entered = welcome::enter(app, hash, not_before, admission.by(app, shown, &slot)).await;
    let place = admission.take();
    if matches!(entered, Ok(None)) && place.is_none() {
        slot.note_stranger(&hash);
    }
    let (Ok(Some((session, registration, screen))), Some(Ok(place))) = (entered, place) else { return Err(refused()) };
    note_use(app, &session);
    let answer = answer(accepted);
    Ok(LetIn { answer, entered: (session, registration, screen), turn, place })
}

/// Whether the peer has closed the connection, or it is broken.
fn is_gone(stream: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    match SockRef::from(stream).peek(&mut byte) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// The head of a handshake, if these bytes are one, whole, and nothing else.
fn parse(bytes: &[u8]) -> Option<Request<()>> {
    if !bytes.starts_with(b"GET /ws HTTP/1.1\r\n") || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        _ => return None,
    }
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static("/ws");
    for header in head.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(request)
}

/// What every answer of the socket's address carries, as text.
static CARRIED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut headers = HeaderMap::new();
    router::add_protection(&mut headers, true);
    let mut text = Vec::new();
    for (name, value) in &headers {
        write_header(&mut text, name.as_str(), value.as_bytes());
    }
    text
});

fn answer(accepted: Accepted) -> Vec<u8> {
    let mut text = Vec::with_capacity(1_024);
    text.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    let mut headers = HeaderMap::with_capacity(4);
    accepted.write(&mut headers);
    for (name, value) in &headers {
        write_header(&mut text, name.as_str(), value.as_bytes());
    }
    text.extend_from_slice(&CARRIED);
    text.extend_from_slice(b"\r\n");
    text
}

fn write_header(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        text.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_head_for_the_socket_is_looked_at() {
        let good = "GET /ws HTTP/1.1\r\nHost: a\r\nCookie: x=1\r\nCookie: y=2\r\n\r\n";
        let request = parse(good.as_bytes()).expect("a head");
        assert_eq!(request.headers().get_all("cookie").iter().count(), 2);
        for end in 0..good.len() {
            assert!(parse(&good.as_bytes()[..end]).is_none(), "{end}");
        }
        for other in [
            format!("{good}x"),
            format!("{good}{good}"),
            good.replace("/ws", "/ws?x"),
            good.replace("/ws", "/api/session"),
            good.replace("GET", "POST"),
            good.replace("1.1", "1.0"),
            good.replace("Host: a", "Host : a"),
            good.replace("Host: a", "Ho\0st: a"),
            good.replace("Host: a", &"A: b\r\n".repeat(65)),
        ] {
            assert!(parse(other.as_bytes()).is_none(), "{other:?}");
        }
    }
}
