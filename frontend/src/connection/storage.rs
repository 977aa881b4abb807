//! What the page keeps in the browser's IndexedDB: texts under names. They survive a reload, a crash, and the end of the
//! browser.
//!
//! A browser may refuse (private windows, a full disk, a policy). Then the page works as well, and says what is lost with
//! it.

use js_sys::{Array, Promise};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransactionMode};

/// A database with one store, which may still be opening. What is asked of it is done in the order of asking.
#[derive(Clone)]
pub(crate) struct Storage {
    store: &'static str,
    opened: Promise,
}

impl Storage {
    pub(crate) fn open(database: &str, store: &'static str) -> Self {
        let opened = match open(database, store) {
            Ok(request) => settled(&request),
            Err(error) => Promise::reject(&error),
        };
        Self { store, opened }
    }

    /// Whether the browser keeps anything at all.
    pub(crate) async fn check(&self) -> Result<(), JsValue> {
        self.database().await.map(drop)
    }

    /// Keeps a text in place of the one before. Done when it is on disk.
    pub(crate) async fn put(&self, name: &str, text: &str) -> Result<(), JsValue> {
        self.change(|store| store.put_with_key(&text.into(), &name.into())).await
    }

    /// Strikes a text.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), JsValue> {
        self.change(|store| store.delete(&name.into())).await
    }

    /// Strikes all.
    pub(crate) async fn clear(&self) -> Result<(), JsValue> {
        self.change(IdbObjectStore::clear).await
    }

    /// One text; `None` if there is none.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<String>, JsValue> {
        Ok(self.ask(|store| store.get(&name.into())).await?.as_string())
    }

    /// All texts.
    pub(crate) async fn all(&self) -> Result<Vec<String>, JsValue> {
        let found: Array = self.ask(IdbObjectStore::get_all).await?.dyn_into()?;
        Ok(found.iter().filter_map(|value| value.as_string()).collect())
    }

    /// Lets others do away with it.
    pub(crate) async fn close(&self) {
        if let Ok(database) = self.database().await {
            database.close();
        }
    }

    async fn ask(&self, ask: impl FnOnce(&IdbObjectStore) -> Result<IdbRequest, JsValue>) -> Result<JsValue, JsValue> {
        let transaction = self.database().await?.transaction_with_str(self.store)?;
        let request = ask(&transaction.object_store(self.store)?)?;
        JsFuture::from(settled(&request)).await
    }

    async fn change(&self, act: impl FnOnce(&IdbObjectStore) -> Result<IdbRequest, JsValue>) -> Result<(), JsValue> {
        let database = self.database().await?;
        let transaction = database.transaction_with_str_and_mode(self.store, IdbTransactionMode::Readwrite)?;
        act(&transaction.object_store(self.store)?)?;
        let done = Promise::new(&mut |resolve, reject| {
            transaction.set_oncomplete(Some(&resolve));
            transaction.set_onerror(Some(&reject));
            transaction.set_onabort(Some(&reject));
        });
        JsFuture::from(done).await.map(drop)
    }

    async fn database(&self) -> Result<IdbDatabase, JsValue> {
        JsFuture::from(self.opened.clone()).await?.dyn_into()
    }
}

/// Does away with a database, as soon as no page has it open.
pub(crate) fn wipe(database: &str) {
    if let Ok(Some(factory)) = crate::browser::window().indexed_db() {
        // What cannot be opened has kept nothing.
        let _ = factory.delete_database(database);
    }
}

fn open(database: &str, store: &'static str) -> Result<IdbOpenDbRequest, JsValue> {
    let factory = crate::browser::window().indexed_db()?.ok_or("there is no IndexedDB")?;
    let request = factory.open_with_u32(database, 1)?;
    let upgrade = Closure::once_into_js({
        let request = request.clone();
        move || {
            if let Ok(database) = request.result()
                && let Ok(database) = database.dyn_into::<IdbDatabase>()
            {
                // Without its store every later call fails, and the page says so.
                let _ = database.create_object_store(store);
            }
        }
    });
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    Ok(request)
}

/// A request's result, once there is one.
fn settled(request: &IdbRequest) -> Promise {
    let event = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    let request = request.clone();
    wasm_bindgen_futures::future_to_promise(async move {
        JsFuture::from(event).await?;
        request.result()
    })
}
