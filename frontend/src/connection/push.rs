//! Being told while the page is closed: what the browser's push service is asked for, and the server is told of it. It goes
//! with the page that stays in the browser (worker.js), which shows what comes.

use crate::state::alert;
use crate::{api, browser};
use js_sys::Reflect;
use shared::ids::{ConversationId, Seq, UserId};
use shared::push::PushSubscription;
use std::cell::Cell;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{PushManager, PushSubscriptionOptionsInit, ServiceWorkerRegistration};

thread_local! {
    /// Whose messages the server tells this browser of, as this page has asked it to. Each page asks once: the server may
    /// have forgotten.
    static TOLD: Cell<Option<UserId>> = const { Cell::new(None) };
}

/// Has the server tell this browser. `false`: it cannot be told.
pub(crate) async fn subscribe(me: UserId) -> bool {
    match try_subscribe(me).await {
        // It was turned off meanwhile.
        Ok(true) if !alert::is_shown() => {
            unsubscribe().await;
            false
        }
        Ok(is_told) => is_told,
        Err(error) => {
            browser::log_error(&format!("this browser is not told while the page is closed: {error:?}"));
            false
        }
    }
}

/// The server tells this browser no more.
pub(crate) async fn unsubscribe() {
    forget();
    // Without an answer, what comes is shown until the person signs out; the browser is told to refuse it.
    let _ = api::push_unsubscribe().await;
    let Some(manager) = manager().await else { return };
    let found = async { JsFuture::from(manager.get_subscription()?).await };
    if let Ok(Ok(subscription)) = found.await.map(JsCast::dyn_into::<web_sys::PushSubscription>)
        && let Ok(done) = subscription.unsubscribe()
    {
        let _ = JsFuture::from(done).await;
    }
}

/// Whoever has signed out is told no more: the server forgets it with the session.
pub(crate) fn forget() {
    TOLD.set(None);
}

async fn try_subscribe(me: UserId) -> Result<bool, JsValue> {
    if TOLD.get() == Some(me) {
        return Ok(true);
    }
    let Some(manager) = manager().await else { return Ok(false) };
    let failed = |error: api::Error| JsValue::from(error.message());
    let key = api::push_key().await.map_err(failed)?;
    let options = PushSubscriptionOptionsInit::new();
    options.set_user_visible_only(true);
    options.set_application_server_key_opt_str(Some(&key));
    let subscription = match JsFuture::from(manager.subscribe_with_options(&options)?).await {
        Ok(subscription) => subscription,
        // One for another server's key is in the way, perhaps: of the same address, before its data was lost.
        Err(_) => {
            let old = JsFuture::from(manager.get_subscription()?).await?;
            if let Ok(old) = old.dyn_into::<web_sys::PushSubscription>() {
                JsFuture::from(old.unsubscribe()?).await?;
            }
            JsFuture::from(manager.subscribe_with_options(&options)?).await?
        }
    };
    let subscription = read(&subscription).ok_or("the subscription says nothing")?;
    api::push_subscribe(&subscription).await.map_err(failed)?;
    TOLD.set(Some(me));
    Ok(true)
}

/// What a subscription says (Push API section 8).
fn read(subscription: &JsValue) -> Option<PushSubscription> {
    let json = subscription.dyn_ref::<web_sys::PushSubscription>()?.to_json().ok()?;
    let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).ok();
    let keys = get(&json, "keys")?;
    let text = |object: &JsValue, name: &str| get(object, name)?.as_string();
    Some(PushSubscription {
        endpoint: text(&json, "endpoint")?,
        p256dh: text(&keys, "p256dh")?,
        auth: text(&keys, "auth")?,
    })
}

/// Takes away what was told while the page was closed, where this holds of its message.
pub(crate) async fn close(is_over: impl Fn(ConversationId, Seq) -> bool) {
    for (conversation, seq, notification) in shown().await {
        if is_over(conversation, seq) {
            notification.close();
        }
    }
}

/// Notifications of the time when the page was closed that are still shown, and their messages.
pub(crate) async fn shown() -> Vec<(ConversationId, Seq, web_sys::Notification)> {
    let Some(asked) = registration().await.and_then(|registration| registration.get_notifications().ok()) else {
        return Vec::new();
    };
    let Ok(Ok(all)) = JsFuture::from(asked).await.map(JsCast::dyn_into::<js_sys::Array>) else { return Vec::new() };
    let told = all.iter().filter_map(|one| {
        let notification = one.dyn_into::<web_sys::Notification>().ok()?;
        // The address it leads to (worker.js).
        let path = Reflect::get(&notification.data(), &"path".into()).ok()?.as_string()?;
        let (conversation, seq) = path.strip_prefix("/c/")?.split_once('/')?;
        Some((conversation.parse().ok()?, Seq::new(seq.parse().ok()?)?, notification))
    });
    told.collect()
}

/// The browser's, if it has one and the page stays in it.
async fn manager() -> Option<PushManager> {
    registration().await?.push_manager().ok().filter(|manager| !manager.is_undefined())
}

/// Of what keeps the page in the browser.
async fn registration() -> Option<ServiceWorkerRegistration> {
    let navigator = browser::window().navigator();
    if !Reflect::has(&navigator, &"serviceWorker".into()).unwrap_or(false) {
        return None;
    }
    let found = JsFuture::from(navigator.service_worker().get_registration()).await.ok()?;
    found.dyn_into().ok()
}
