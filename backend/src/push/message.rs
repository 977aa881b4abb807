//! One push message: encrypted for its browser (RFC 8291), signed for its push service (RFC 8292).

use crate::clock;
use crate::store::push::Notice;
use anyhow::Context;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http::{Request, Uri};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::json;
use shared::ids::Timestamp;
use web_push_native::{Auth, encrypt};

/// How long a push service keeps what it cannot deliver, in seconds.
const KEPT_SECONDS: u32 = 24 * 60 * 60;
/// How long a signature holds, in seconds; a day at most (RFC 8292 section 2).
const SIGNED_SECONDS: u64 = 12 * 60 * 60;

/// What to send to the push service for a notice.
///
/// # Errors
/// For an endpoint that is none, or keys that are none.
pub(super) fn request(
    notice: &Notice,
    signer: &[u8; 32],
    contact: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Request<Body>> {
    let endpoint = &notice.endpoint;
    let url: Uri = endpoint.url.parse().context("the endpoint is no address")?;
    let key = p256::PublicKey::from_sec1_bytes(&endpoint.public_key).context("the browser's key is none")?;
    let text = serde_json::to_vec(&notice.notice)?;
    let body = encrypt(text, &key, &Auth::from(endpoint.secret)).map_err(|error| anyhow::anyhow!("{error}"))?;
    let authorization = authorization(&url, signer, contact, now)?;
    Ok(Request::post(url)
        .header("ttl", KEPT_SECONDS)
        .header("urgency", "high")
        // A later message of the conversation takes the place of one that could not be delivered yet.
        .header("topic", BASE64.encode(notice.notice.conversation.as_bytes()))
        .header("authorization", authorization)
        .header("content-encoding", "aes128gcm")
        .header("content-type", "application/octet-stream")
        .header("content-length", body.len())
        .body(Body::from(body))?)
}

/// The header by which a push service knows this server again (RFC 8292 section 3).
fn authorization(url: &Uri, signer: &[u8; 32], contact: Option<&str>, now: Timestamp) -> anyhow::Result<String> {
    let (scheme, authority) = (url.scheme_str().unwrap_or("https"), url.authority().context("no host")?);
    let mut claims = json!({"aud": format!("{scheme}://{authority}"), "exp": now.as_millis() / 1_000 + SIGNED_SECONDS});
    if let Some(contact) = contact {
        claims["sub"] = contact.into();
    }
    let part = |value: serde_json::Value| BASE64.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({"typ": "JWT", "alg": "ES256"})), part(claims));
    let signature: Signature =
        SigningKey::from_slice(signer).context("the server's key is none")?.sign(signed.as_bytes());
    let token = format!("{signed}.{}", BASE64.encode(signature.to_bytes()));
    Ok(format!("vapid t={token}, k={}", BASE64.encode(public_key(signer)?)))
}

/// What a signature is checked with: an uncompressed point.
///
/// # Errors
/// For bytes that are no key.
pub fn public_key(signer: &[u8; 32]) -> anyhow::Result<Vec<u8>> {
    let key = SigningKey::from_slice(signer).context("the server's key is none")?;
    Ok(key.verifying_key().to_encoded_point(false).as_bytes().to_vec())
}

/// A browser's public key, if it is one: an uncompressed point of P-256.
#[must_use]
pub fn point(bytes: &[u8]) -> Option<[u8; 65]> {
    p256::PublicKey::from_sec1_bytes(bytes).ok()?;
    bytes.try_into().ok()
}

/// Bytes to sign with.
#[must_use]
pub fn random_key() -> [u8; 32] {
    loop {
        let bytes = clock::random();
        // One in 2^32 is none.
        if SigningKey::from_slice(&bytes).is_ok() {
            return bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::push::Endpoint;
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier;
    use shared::ids::{ConversationId, Seq, UserId};
    use shared::push::PushNotice;

    #[tokio::test]
    async fn only_the_browser_can_read_it_and_the_service_knows_who_sends_it() {
        let (browser, signer) = (random_key(), random_key());
        let secret_key = p256::SecretKey::from_slice(&browser).expect("a key");
        let public: [u8; 65] = public_key(&browser).expect("a key").try_into().expect("65 bytes");
        let at = Timestamp::from_millis(1_790_000_000_000);
        let conversation = ConversationId::v7(at, [2; 10]);
        let said = PushNotice { conversation, seq: Seq::FIRST, title: "Ada".into(), body: "hi".into() };
        let endpoint = Endpoint { url: "https://push.example.org/a/b?c".into(), public_key: public, secret: [7; 16] };
        let notice = Notice { user: UserId::v7(at, [1; 10]), endpoint, is_delivered: None, notice: said.clone() };

        let request = request(&notice, &signer, Some("mailto:a@example.org"), at).expect("made");
        assert_eq!(request.uri().to_string(), "https://push.example.org/a/b?c");
        let header = |name: &str| request.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!((header("content-encoding").as_str(), header("topic").len()), ("aes128gcm", 22));
        let authorization = header("authorization");
        let (token, key) =
            authorization.strip_prefix("vapid t=").and_then(|rest| rest.split_once(", k=")).expect("both");
        assert_eq!(BASE64.decode(key).expect("base64"), public_key(&signer).expect("a key"));
        let (signed, signature) = token.rsplit_once('.').expect("a signature");
        let signature = Signature::from_slice(&BASE64.decode(signature).expect("base64")).expect("a signature");
        let key = VerifyingKey::from_sec1_bytes(&public_key(&signer).expect("a key")).expect("a key");
        key.verify(signed.as_bytes(), &signature).expect("it is the server's");
        let claims = BASE64.decode(signed.split_once('.').expect("two parts").1).expect("base64");
        let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
        let expected = json!({"aud": "https://push.example.org", "exp": 1_790_043_200, "sub": "mailto:a@example.org"});
        assert_eq!(claims, expected);

        let body = axum::body::to_bytes(request.into_body(), 10_000).await.expect("a body").to_vec();
        let read =
            web_push_native::decrypt(body.clone(), &secret_key, &Auth::from([7; 16])).expect("the browser reads it");
        assert_eq!(serde_json::from_slice::<PushNotice>(&read).expect("JSON"), said);
        assert!(web_push_native::decrypt(body, &secret_key, &Auth::from([8; 16])).is_err());
    }
}
