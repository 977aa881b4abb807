//! Push services: which ones are told, and what they answer.
//!
//! A browser says where it is told, and whoever talks to the server may claim to be a browser. So only services that are
//! known are ever asked, never an address of somebody's own choice.

use axum::body::Body;
use http::{Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::time::timeout;

/// How long a push service may take to answer.
const TIME_MAX: Duration = Duration::from_secs(10);
/// The services of browsers: of Chromium and its kin, Firefox, Safari, and Edge. A name that begins with a dot stands for
/// all that end in it.
const KNOWN: [&str; 4] = ["fcm.googleapis.com", ".push.services.mozilla.com", ".push.apple.com", ".notify.windows.com"];

/// The services that are told.
#[derive(Debug)]
pub struct Services {
    /// Further ones, as origins.
    further: Vec<String>,
}

impl Services {
    /// Those of browsers, and these.
    #[must_use]
    pub fn new(further: Vec<String>) -> Self {
        Self { further }
    }

    /// Whether this is an address at one of them.
    #[must_use]
    pub fn allow(&self, endpoint: &str) -> bool {
        let Ok(url) = endpoint.parse::<Uri>() else { return false };
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else { return false };
        // What stands before an @ is no part of where it leads.
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().to_ascii_lowercase();
        let is_known = KNOWN.iter().any(|known| match known.strip_prefix('.') {
            Some(_) => host.ends_with(known),
            None => host == *known,
        });
        let is_usual = scheme == "https" && authority.port_u16().is_none_or(|port| port == 443);
        let origin = format!("{scheme}://{}", authority.as_str().to_ascii_lowercase());
        is_known && is_usual || self.further.contains(&origin)
    }
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The service has taken it.
    Done,
    /// The browser is not there any more.
    Gone,
    /// It is not taken, and will not be.
    Refused(StatusCode),
    /// It may be tried again, after so long if the service says.
    Later(Option<Duration>),
}

/// Asks push services. Redirects are not followed.
#[derive(Debug, Clone)]
pub(super) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Body>);

impl Client {
    pub(super) fn new() -> Self {
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        Self(legacy::Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(60)).build(connector))
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Outcome {
        let response = match timeout(TIME_MAX, self.0.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::debug!(%error, "push.no_answer");
                return Outcome::Later(None);
            }
            Err(_) => return Outcome::Later(None),
        };
        match response.status() {
            status if status.is_success() => Outcome::Done,
            StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Gone,
            status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                let after = response.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok());
                Outcome::Later(after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs))
            }
            status => Outcome::Refused(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_services_are_asked() {
        let services = Services::new(vec!["http://127.0.0.1:9".into()]);
        for url in [
            "https://fcm.googleapis.com/fcm/send/abc",
            "https://updates.push.services.mozilla.com/wpush/v2/abc",
            "https://web.push.apple.com/abc",
            "https://wns2-by3p.notify.windows.com/w/?token=abc",
            "https://fcm.googleapis.com:443/x",
            "http://127.0.0.1:9/x",
        ] {
            assert!(services.allow(url), "{url}");
        }
        for url in [
            "http://fcm.googleapis.com/x",
            "https://fcm.googleapis.com:8443/x",
            "https://fcm.googleapis.com.example.org/x",
            "https://evilpush.apple.com/x",
            "https://fcm.googleapis.com@127.0.0.1/x",
            "https://127.0.0.1/x",
            "http://127.0.0.1:90/x",
            "https://127.0.0.1:9/x",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "/x",
            "",
        ] {
            assert!(!services.allow(url), "{url}");
        }
    }
}
