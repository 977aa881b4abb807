//! What is not accepted yet, kept in the browser's IndexedDB: it survives a reload, a crash, and the end
//! of the browser. One record for each command, under its id; which tab looks after it stands with it.
//!
//! A browser may refuse (private windows, a full disk, a policy). Then the page works as well, and says
//! that what is not sent is lost with it.

use client::outbox::Kept;
use js_sys::{Array, Promise};
use shared::ids::CommandId;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransactionMode};

/// The database's name, and its one store.
const DATABASE: &str = "confab";
const STORE: &str = "outbox";

/// The store, which may still be opening. What is asked of it is done in the order of asking.
#[derive(Clone)]
pub(crate) struct Storage {
    opened: Promise,
}

/// A record: what is kept, and the tab that looks after it.
pub(crate) struct Record {
    pub(crate) tab: String,
    pub(crate) kept: Kept,
}

impl Storage {
    pub(crate) fn open() -> Self {
        let opened = match open() {
            Ok(request) => settled(&request),
            Err(error) => Promise::reject(&error),
        };
        Self { opened }
    }

    /// Whether the browser keeps anything at all.
    pub(crate) async fn check(&self) -> Result<(), JsValue> {
        self.database().await.map(drop)
    }

    /// Keeps a record in place of the one before. Done when it is on disk.
    pub(crate) async fn put(&self, tab: &str, kept: &Kept) -> Result<(), JsValue> {
        let json = serde_json::to_string(kept).map_err(|error| JsValue::from(error.to_string()))?;
        let key = JsValue::from(kept.command.id().to_string());
        let value = JsValue::from(format!("{tab} {json}"));
        self.change(|store| store.put_with_key(&value, &key)).await
    }

    /// Strikes a record.
    pub(crate) async fn remove(&self, id: CommandId) -> Result<(), JsValue> {
        let key = JsValue::from(id.to_string());
        self.change(|store| store.delete(&key)).await
    }

    /// All records. One that cannot be read (of another version of the page) is left alone.
    pub(crate) async fn all(&self) -> Result<Vec<Record>, JsValue> {
        let database = self.database().await?;
        let transaction = database.transaction_with_str(STORE)?;
        let request = transaction.object_store(STORE)?.get_all()?;
        let found: Array = JsFuture::from(settled(&request)).await?.dyn_into()?;
        let record = |value: JsValue| {
            let text = value.as_string()?;
            let (tab, json) = text.split_once(' ')?;
            Some(Record { tab: tab.to_owned(), kept: serde_json::from_str(json).ok()? })
        };
        Ok(found.iter().filter_map(record).collect())
    }

    async fn change(&self, act: impl FnOnce(&IdbObjectStore) -> Result<IdbRequest, JsValue>) -> Result<(), JsValue> {
        let database = self.database().await?;
        let transaction = database.transaction_with_str_and_mode(STORE, IdbTransactionMode::Readwrite)?;
        act(&transaction.object_store(STORE)?)?;
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

fn open() -> Result<IdbOpenDbRequest, JsValue> {
    let factory = crate::browser::window().indexed_db()?.ok_or("there is no IndexedDB")?;
    let request = factory.open_with_u32(DATABASE, 1)?;
    let upgrade = Closure::once_into_js({
        let request = request.clone();
        move || {
            if let Ok(database) = request.result()
                && let Ok(database) = database.dyn_into::<IdbDatabase>()
            {
                // Without its store every later call fails, and the page says so.
                let _ = database.create_object_store(STORE);
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
