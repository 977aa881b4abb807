//! Refusals and faults as HTTP answers: `{"error": {"code", "message", …}}`.

use crate::accounts::password;
use crate::store;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::code::{Code, ErrorBody, Rejection};

/// A refusal on its way out. Faults become `internal` here, once, and are logged here, once.
#[derive(Debug)]
pub struct Refused {
    rejection: Rejection,
    status: StatusCode,
}

impl Refused {
    /// A refusal whose status the protocol below HTTP decides.
    #[must_use]
    pub fn with_status(rejection: Rejection, status: StatusCode) -> Self {
        Self { rejection, status }
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        let status = StatusCode::from_u16(rejection.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { rejection, status }
    }
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        if matches!(error, store::Error::Database(_) | store::Error::Corrupt(_) | store::Error::Panicked) {
            tracing::error!(%error, "http.store_failed");
        }
        error.rejection().into()
    }
}

impl From<password::Error> for Refused {
    fn from(error: password::Error) -> Self {
        match error {
            password::Error::Overloaded => overloaded().into(),
            password::Error::ShareFull => {
                let message =
                    "Too many passwords are being checked for you or your address. Please try again in a moment";
                Rejection::new(Code::RateLimited, message).retry_after_ms(1_000).into()
            }
            password::Error::Guessable => {
                let message = "This password is easy to guess. Please take a longer one, or several words that do not belong together";
                Rejection::new(Code::Invalid, message).field("password").into()
            }
            error @ password::Error::Hash(_) => {
                tracing::error!(%error, "http.password_failed");
                Rejection::internal().into()
            }
        }
    }
}

fn overloaded() -> Rejection {
    Rejection::new(Code::Overloaded, "The server has too much to do. Please try again in a moment")
        .retry_after_ms(2_000)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let retry_after = self.rejection.retry_after_ms.map(|millis| millis.div_ceil(1_000).max(1));
        let is_limited = matches!(self.rejection.code, Code::RateLimited | Code::Overloaded);
        let mut response = (self.status, axum::Json(ErrorBody { error: self.rejection })).into_response();
        if let Some(seconds) = retry_after.filter(|_| is_limited) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
