//! Several tabs, one outbox. Each tab looks after what was written in it; what a tab that is gone has
//! left is taken over by another, one at a time.
//!
//! A tab is there as long as it holds the lock of its name (Web Locks); the browser frees it when the
//! tab ends, however it ends. Where there are no locks (a page that is not served securely), what
//! was left is taken over as well: the server stores a command once, whoever sends it.

use js_sys::{Array, Function, Promise, Reflect};
use std::collections::HashSet;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// What the locks of tabs begin with.
const TAB: &str = "confab-tab-";
/// The lock of whoever takes over.
const TAKING_OVER: &str = "confab-taking-over";

/// Makes a tab known to the others for as long as it lives.
pub(crate) fn hold(tab: &str) {
    let for_ever = Closure::<dyn Fn() -> Promise>::new(|| Promise::new(&mut |_, _| {}));
    if let Some(locks) = locks() {
        // Whether it worked shows in who is there.
        let _ = request(&locks, &format!("{TAB}{tab}"), for_ever.as_ref());
    }
    for_ever.forget();
}

/// Those tabs that are there; `None` if this browser does not tell.
pub(crate) async fn present() -> Option<HashSet<String>> {
    let locks = locks()?;
    let query: Function = get(&locks, "query")?.dyn_into().ok()?;
    let state = JsFuture::from(query.call0(&locks).ok()?.dyn_into::<Promise>().ok()?).await.ok()?;
    let held: Array = get(&state, "held")?.dyn_into().ok()?;
    let names = held.iter().filter_map(|lock| get(&lock, "name")?.as_string());
    Some(names.filter_map(|name| Some(name.strip_prefix(TAB)?.to_owned())).collect())
}

/// Does something while no other tab does it.
pub(crate) async fn alone(work: impl Future<Output = ()> + 'static) {
    let Some(locks) = locks() else { return work.await };
    let mut work = Some(work);
    let once = Closure::once(move || {
        let work = work.take();
        future_to_promise(async move {
            if let Some(work) = work {
                work.await;
            }
            Ok(JsValue::UNDEFINED)
        })
    });
    if let Some(done) = request(&locks, TAKING_OVER, once.as_ref()) {
        let _ = JsFuture::from(done).await;
    }
}

fn request(locks: &JsValue, name: &str, callback: &JsValue) -> Option<Promise> {
    let request: Function = get(locks, "request")?.dyn_into().ok()?;
    request.call2(locks, &name.into(), callback).ok()?.dyn_into().ok()
}

fn locks() -> Option<JsValue> {
    get(crate::browser::window().navigator().as_ref(), "locks")
}

fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
