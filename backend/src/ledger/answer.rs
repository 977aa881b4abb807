//! Answers under way: what was made for somebody and lies in memory until they have read it.

use super::bucket::Count;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Answers below this are not counted: as much is buffered for each connection in any case.
const COUNTED_BYTES_MIN: u64 = 16 * 1024;

/// Mark of an answer, among its extensions, that lies nowhere in memory, or there anyway: a file, or a part of the
/// program.
#[derive(Debug, Clone, Copy)]
pub struct Streamed;

/// How many bytes an answer holds in memory; 0 for what is not counted.
#[must_use]
pub fn size(response: &Response) -> u64 {
    let is_streamed = response.extensions().get::<Streamed>().is_some();
    Some(response.body().size_hint().lower()).filter(|size| !is_streamed && *size >= COUNTED_BYTES_MIN).unwrap_or(0)
}

/// Bytes that are counted in several places until this is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: u64,
    places: Vec<Arc<Count>>,
}

impl Held {
    /// Counts bytes in each of these places, if each has room.
    #[must_use]
    pub fn take(bytes: u64, places: &[(Arc<Count>, u64)]) -> Option<Self> {
        let mut held = Self { bytes, places: Vec::with_capacity(places.len()) };
        for (place, most) in places {
            if !place.take_first(bytes, *most) {
                return None;
            }
            held.places.push(place.clone());
        }
        Some(held)
    }

    /// Counts an answer until it has been written, or cannot be any more.
    #[must_use]
    pub fn until_written(self, response: Response) -> Response {
        response.map(|body| Body::new(Counted { body, is_over: false, _held: self }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for place in &self.places {
            place.give_back(self.bytes);
        }
    }
}

/// A body that is counted. It says that it has ended only when it is asked once more behind its last bytes: hyper asks
/// when most of these have been written, and keeps the body until then.
struct Counted {
    body: Body,
    is_over: bool,
    _held: Held,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.is_over = matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn poll(body: &mut Body) -> Option<usize> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame.map(|frame| frame.expect("no error").into_data().expect("data").len()),
            Poll::Pending => unreachable!("all of it is there"),
        }
    }

    #[test]
    fn answer_is_counted_until_it_is_dropped() {
        let place = Arc::new(Count::default());
        let places = [(place.clone(), 100_000)];
        let response = Response::new(Body::from(vec![0; 60_000]));
        assert_eq!(size(&response), 60_000);
        let held = Held::take(60_000, &places).expect("there is room");
        assert!(Held::take(60_000, &places).is_none(), "a second one is too much");
        assert_eq!(place.get(), 60_000);
        let mut body = held.until_written(response).into_body();
        assert_eq!(body.size_hint().exact(), Some(60_000), "its length is still said");
        assert_eq!(poll(&mut body), Some(60_000));
        assert!(!body.is_end_stream(), "it is kept until it is asked once more");
        assert_eq!((poll(&mut body), place.get()), (None, 60_000));
        drop(body);
        assert_eq!(place.get(), 0);
    }

    #[test]
    fn bytes_refused_in_one_place_are_counted_in_none() {
        let (person, all) = (Arc::new(Count::default()), Arc::new(Count::default()));
        assert!(all.take(90, 100));
        assert!(Held::take(20, &[(person.clone(), 100), (all.clone(), 100)]).is_none());
        assert_eq!((person.get(), all.get()), (0, 90));
    }

    #[test]
    fn small_answers_and_files_are_not_counted() {
        assert_eq!(size(&Response::new(Body::from("small"))), 0);
        let mut file = Response::new(Body::from(vec![0; 60_000]));
        file.extensions_mut().insert(Streamed);
        assert_eq!(size(&file), 0);
    }
}
