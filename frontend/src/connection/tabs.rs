//! Several tabs, one outbox. Each tab looks after what was written in it; what a tab that is gone has
//! left is taken over by another, one at a time.
//!
//! A tab is there as long as it holds the lock of its name (Web Locks); the browser frees it when the
//! tab ends, however it ends. Where there are no locks (a page that is not served securely), what
//! was left is taken over as well: the server stores a command once, whoever sends it.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// What the locks of tabs begin with.
const TAB: &str = "confab-tab-";
/// The lock of whoever takes over.
const TAKING_OVER: &str = "confab-taking-over";

/// A tab's mark, while others are to know that it is there.
pub(crate) struct Mark {
    /// Ends the promise that holds the lock.
    release: Function,
}

impl Mark {
    /// Makes a tab known to the others until the mark is released, or the tab ends.
    pub(crate) fn hold(tab: &str) -> Option<Self> {
        let locks = locks()?;
        let mut release = None;
        let held = Promise::new(&mut |resolve, _| release = Some(resolve));
        let callback = Closure::once_into_js(move || held);
        // It settles when the lock is given back.
        let _ = request(&locks, &format!("{TAB}{tab}"), false, &callback)?;
        release.map(|release| Self { release })
    }

    /// From now on others may look after what is this tab's: it may sleep for ever.
    pub(crate) fn release(self) {
        // A promise's own function takes any value.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// Those tabs that are there; `None` if this browser does not tell.
pub(crate) async fn present() -> Option<Vec<String>> {
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
    if let Some(done) = request(&locks, TAKING_OVER, false, once.as_ref()) {
        let _ = JsFuture::from(done).await;
    }
}

/// Whether this is the first of several tabs to do something; for five seconds the others are told that they are not.
/// Without locks every tab is.
pub(crate) async fn first(name: &str) -> bool {
    let Some(locks) = locks() else { return true };
    let mut answer = None;
    let answered = Promise::new(&mut |resolve, _| answer = Some(resolve));
    let Some(answer) = answer else { return true };
    let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        // A promise's own function takes any value.
        let _ = answer.call1(&JsValue::UNDEFINED, &(!lock.is_null()).into());
        if lock.is_null() { JsValue::UNDEFINED } else { future_to_promise(hold()).into() }
    });
    if request(&locks, name, true, &callback).is_none() {
        return true;
    }
    JsFuture::from(answered).await.is_ok_and(|is_first| is_first.is_truthy())
}

async fn hold() -> Result<JsValue, JsValue> {
    crate::browser::sleep(std::time::Duration::from_secs(5)).await;
    Ok(JsValue::UNDEFINED)
}

/// Asks for a lock. Where it is not free, waits for it or, `if_available`, is given `null` instead.
fn request(locks: &JsValue, name: &str, if_available: bool, callback: &JsValue) -> Option<Promise> {
    let request: Function = get(locks, "request")?.dyn_into().ok()?;
    let options = js_sys::Object::new();
    // A plain object takes any property.
    let _ = Reflect::set(&options, &"ifAvailable".into(), &if_available.into());
    request.call3(locks, &name.into(), &options, callback).ok()?.dyn_into().ok()
}

fn locks() -> Option<JsValue> {
    get(crate::browser::window().navigator().as_ref(), "locks")
}

fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
