//! What the browser knows: the time, randomness, and how dates are written here.

use crate::i18n::{self, Language};
use client::Millis;
use client::clock::Clock;
use js_sys::{Date, Intl, Object, Reflect};
use leptos::prelude::{ArcTrigger, Notify, Track};
use shared::fold::folded;
use shared::ids::{CommandId, Timestamp};
use shared::mention::Key;
use std::cell::{Cell, RefCell};
use wasm_bindgen::{JsCast, JsValue};

pub(crate) fn window() -> web_sys::Window {
    web_sys::window().expect("the page runs in a window")
}

pub(crate) fn history() -> web_sys::History {
    window().history().expect("the page is its window's own")
}

thread_local! {
    /// The server's clock, once the server has spoken.
    static CLOCK: Cell<Option<Clock>> = const { Cell::new(None) };
    /// Notified when shown times change although nothing has come: a day has begun, or a silence is over.
    static PASSED: ArcTrigger = ArcTrigger::new();
}

/// The server has told its time.
pub(crate) fn set_clock(said: Timestamp) {
    CLOCK.set(Some(Clock::new(said, device_time(), monotonic())));
}

/// The time of day, by the server's clock; by the device's until the server has spoken.
pub(crate) fn now() -> Timestamp {
    CLOCK.get().map_or_else(device_time, |clock| clock.now(device_time(), monotonic()))
}

/// The time of day to compare with what comes from the server: see [`Clock::awake`].
pub(crate) fn awake() -> Timestamp {
    CLOCK.get().map_or_else(device_time, |clock| clock.awake(monotonic()))
}

fn device_time() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970 fit")]
    Timestamp::from_millis(Date::now() as u64)
}

/// Has what follows time shown anew.
pub(crate) fn time_has_passed() {
    PASSED.with(ArcTrigger::notify);
}

/// Makes the caller run again when time has passed.
pub(crate) fn follow_time() {
    PASSED.with(ArcTrigger::track);
}

/// Whether a moment is of today, followed.
pub(crate) fn is_today(at: Timestamp) -> bool {
    follow_time();
    day(at) == day(now())
}

/// Milliseconds of a clock that never goes back.
pub(crate) fn monotonic() -> Millis {
    let now = window().performance().map_or_else(Date::now, |performance| performance.now());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it starts at zero with the page")]
    {
        now as Millis
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let filled = window().crypto().and_then(|crypto| crypto.get_random_values_with_u8_array(&mut bytes));
    filled.expect("every browser with WebAssembly has randomness");
    bytes
}

pub(crate) fn new_command_id() -> CommandId {
    CommandId::v7(now(), random())
}

pub(crate) fn log_error(text: &str) {
    web_sys::console::error_1(&text.into());
}

pub(crate) fn is_visible() -> bool {
    window().document().is_some_and(|document| document.visibility_state() == web_sys::VisibilityState::Visible)
}

/// Whether the page is in front of the person, and no other program: only then is something seen, or told as seen.
pub(crate) fn is_looked_at() -> bool {
    is_visible() && window().document().is_some_and(|document| document.has_focus().unwrap_or(false))
}

/// Tells what started the page (boot.js) something.
pub(crate) fn tell(name: &str) {
    if let Ok(event) = web_sys::Event::new(name) {
        let _ = window().dispatch_event(&event);
    }
}

/// Waits.
pub(crate) async fn sleep(span: std::time::Duration) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let millis = i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
        // It fails for what is no function.
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, millis);
    });
    // It is never rejected.
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// The moment an hour from now.
pub(crate) fn in_an_hour() -> Timestamp {
    Timestamp::from_millis(now().as_millis() + 60 * 60 * 1_000)
}

/// Eight o'clock of the next day, here.
pub(crate) fn tomorrow_morning() -> Timestamp {
    let date = date(now());
    date.set_date(date.get_date() + 1);
    date.set_hours(8);
    date.set_minutes(0);
    date.set_seconds(0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970 fit")]
    Timestamp::from_millis(date.get_time() as u64)
}

/// A moment as the browser knows it.
fn date(at: Timestamp) -> Date {
    #[expect(clippy::cast_precision_loss, reason = "the contract keeps times below 2^53")]
    Date::new(&JsValue::from_f64(at.as_millis() as f64))
}

/// A day as fields of dates have it: "2026-11-27" (HTML section 2.3.5.2).
pub(crate) fn date_field(at: Timestamp) -> String {
    let date = date(at);
    format!("{:04}-{:02}-{:02}", date.get_full_year(), date.get_month() + 1, date.get_date())
}

/// When a day of such a field begins here; `None` for what is no day.
pub(crate) fn day_begins(field: &str) -> Option<Timestamp> {
    let mut parts = field.splitn(3, '-').map(str::parse::<u32>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let date = Date::new_with_year_month_day(year, i32::try_from(month).ok()? - 1, i32::try_from(day).ok()?);
    let millis = date.get_time();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "before 1970 nothing was written")]
    let begins = Timestamp::from_millis(millis.max(0.0) as u64);
    // The browser takes the 30th of February for a day in March.
    (date_field(begins) == field).then_some(begins)
}

/// A moment to come: the time today, with the day later.
pub(crate) fn when(at: Timestamp) -> String {
    if is_today(at) { time(at) } else { format!("{}, {}", short_day(at), time(at)) }
}

/// The day a moment falls on here, as a number that grows by one each day.
pub(crate) fn day(at: Timestamp) -> i64 {
    let offset = date(at).get_timezone_offset();
    #[expect(clippy::cast_possible_truncation, reason = "minutes of a day")]
    let local = i64::try_from(at.as_millis()).unwrap_or(i64::MAX) - offset as i64 * 60_000;
    local.div_euclid(86_400_000)
}

/// "14:05", as it is written here.
pub(crate) fn time(at: Timestamp) -> String {
    thread_local!(static FORMAT: Format = const { RefCell::new(None) });
    format(&FORMAT, &[("hour", "2-digit"), ("minute", "2-digit")], at)
}

/// "Monday, 23 November 2026", as it is written here.
pub(crate) fn long_day(at: Timestamp) -> String {
    thread_local!(static FORMAT: Format = const { RefCell::new(None) });
    format(&FORMAT, &[("weekday", "long"), ("day", "numeric"), ("month", "long"), ("year", "numeric")], at)
}

/// "23 Nov", and "23 Nov 2025" if it is of another year, as it is written here.
pub(crate) fn short_day(at: Timestamp) -> String {
    thread_local!(static FORMAT: Format = const { RefCell::new(None) });
    thread_local!(static WITH_YEAR: Format = const { RefCell::new(None) });
    let parts = [("day", "numeric"), ("month", "short"), ("year", "numeric")];
    match date(at).get_full_year() == date(now()).get_full_year() {
        true => format(&FORMAT, &parts[..2], at),
        false => format(&WITH_YEAR, &parts, at),
    }
}

/// A moment as programs read it (HTML section 2.3.5.5).
pub(crate) fn machine_time(at: Timestamp) -> String {
    date(at).to_iso_string().into()
}

/// "3.2 MB", as it is written here.
pub(crate) fn size(bytes: u64) -> String {
    let (scale, unit) = match bytes {
        0..1_000 => (1.0, "byte"),
        1_000..1_000_000 => (1e3, "kilobyte"),
        1_000_000..1_000_000_000 => (1e6, "megabyte"),
        _ => (1e9, "gigabyte"),
    };
    let options = Object::new();
    for (name, value) in [("style", "unit".into()), ("unit", unit.into()), ("maximumFractionDigits", 1.into())] {
        let _: Result<bool, JsValue> = Reflect::set(&options, &name.into(), &value);
    }
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one digit behind the point")]
    let number = JsValue::from_f64(bytes as f64 / scale);
    let format = Intl::NumberFormat::new(&i18n::locales(), &options).format();
    format.call1(&JsValue::UNDEFINED, &number).ok().and_then(|text| text.as_string()).unwrap_or_default()
}

/// Whether the page is written from right to left.
pub(crate) fn is_right_to_left() -> bool {
    i18n::language().direction() == "rtl"
}

/// A way to write dates, in a language.
type Format = RefCell<Option<(Language, Intl::DateTimeFormat)>>;

/// Making a format is a hundred times dearer than using one.
fn format(known: &'static std::thread::LocalKey<Format>, options: &[(&str, &str)], at: Timestamp) -> String {
    known
        .with_borrow_mut(|known| {
            let language = i18n::language();
            if known.as_ref().is_none_or(|(other, _)| *other != language) {
                let object = Object::new();
                for (name, value) in options {
                    // A plain object takes any property.
                    let _ = Reflect::set(&object, &(*name).into(), &(*value).into());
                }
                *known = Some((language, Intl::DateTimeFormat::new(&i18n::locales(), &object)));
            }
            let (_, format) = known.as_ref()?;
            format.format().call1(&JsValue::UNDEFINED, date(at).unchecked_ref()).ok().and_then(|text| text.as_string())
        })
        .unwrap_or_default()
}

/// The languages the person reads, best first (BCP 47).
pub(crate) fn languages() -> Vec<String> {
    window().navigator().languages().iter().filter_map(|tag| tag.as_string()).collect()
}

/// Tells the browser which language the page is in, and which way it is written.
pub(crate) fn set_language(tag: &str, direction: &str) {
    set_root("lang", tag);
    set_root("dir", direction);
}

/// Sets an attribute of the whole document.
pub(crate) fn set_root(name: &str, value: &str) {
    if let Some(root) = window().document().and_then(|document| document.document_element()) {
        // Reading fails for names of no account.
        let _ = root.set_attribute(name, value);
    }
}

/// What the browser keeps for this site, through reloads and restarts. Where it keeps nothing (private windows, a
/// policy), nothing is there.
fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Keeps a small text under a name. One that finds no room is not kept.
pub(crate) fn remember(name: &str, text: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(name, text);
    }
}

/// What was kept under a name.
pub(crate) fn recall(name: &str) -> Option<String> {
    storage()?.get_item(name).ok()?
}

/// Nothing is kept under this name any more.
pub(crate) fn forget(name: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(name);
    }
}

/// The names under which something is kept that begin like this.
pub(crate) fn kept(prefix: &str) -> Vec<String> {
    let Some(storage) = storage() else { return Vec::new() };
    let names = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok()?);
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// Puts a text where it can be pasted from; says so if the browser does not let the page.
pub(crate) fn copy(text: String, on_failure: impl FnOnce() + 'static) {
    // Without a secure connection there is no clipboard.
    let clipboard = Reflect::get(&window().navigator(), &"clipboard".into()).ok();
    let clipboard = clipboard.filter(|clipboard| !clipboard.is_undefined());
    let asked = clipboard.map(|clipboard| clipboard.unchecked_into::<web_sys::Clipboard>().write_text(&text));
    wasm_bindgen_futures::spawn_local(async move {
        let is_there = match asked {
            Some(asked) => wasm_bindgen_futures::JsFuture::from(asked).await.is_ok(),
            None => false,
        };
        if !is_there && copy_marked(&text) != Some(true) {
            on_failure();
        }
    });
}

/// Copies as a person does: writes the text somewhere, marks it, and lets the browser copy what is marked.
fn copy_marked(text: &str) -> Option<bool> {
    let document = window().document()?;
    // Outside an open dialog nothing can be marked.
    let place = document.query_selector("dialog[open]").ok()?.or(document.body().map(Into::into))?;
    let area: web_sys::HtmlTextAreaElement = document.create_element("textarea").ok()?.unchecked_into();
    let before = document.active_element();
    area.set_class_name("visually-hidden");
    area.set_read_only(true);
    area.set_value(text);
    place.append_child(&area).ok()?;
    focus(&area);
    area.select();
    let is_copied = command("copy", "");
    area.remove();
    before.iter().for_each(focus);
    Some(is_copied)
}

/// Has the browser do what it does for a key or its menu, where the focus is: that can be undone like typing. `false`: it
/// does not.
pub(crate) fn command(name: &str, value: &str) -> bool {
    let document = window().document().and_then(|document| document.dyn_into::<web_sys::HtmlDocument>().ok());
    document.is_some_and(|document| document.exec_command_with_show_ui_and_value(name, false, value).unwrap_or(false))
}

/// Whether the person points with a finger, and so writes on a keyboard on the screen.
pub(crate) fn is_touched() -> bool {
    window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches())
}

/// A file of the person's.
pub(crate) type File = web_sys::File;
/// A request that tells how far it is.
pub(crate) type Request = web_sys::XmlHttpRequest;

/// The files of a list the browser gives.
pub(crate) fn files_of(list: Option<web_sys::FileList>) -> Vec<File> {
    list.map(|list| (0..list.length()).filter_map(|index| list.get(index)).collect()).unwrap_or_default()
}

/// The files of what was dropped or pasted, and whether there was a folder: browsers give one like a file, and cannot read it.
pub(crate) fn files_in(data: &web_sys::DataTransfer) -> (Vec<File>, bool) {
    let items = data.items();
    let (mut files, mut has_folder) = (Vec::new(), false);
    for item in (0..items.length()).filter_map(|index| items.get(index)) {
        if item.webkit_get_as_entry().ok().flatten().is_some_and(|entry| entry.is_directory()) {
            has_folder = true;
        } else {
            files.extend(item.get_as_file().ok().flatten());
        }
    }
    (files, has_folder)
}

/// Whether a file can be read. It may be moved, changed or deleted after it was chosen.
pub(crate) async fn is_readable(file: &File) -> bool {
    match file.slice_with_f64_and_f64(0.0, 1.0) {
        Ok(start) => wasm_bindgen_futures::JsFuture::from(start.array_buffer()).await.is_ok(),
        Err(_) => false,
    }
}

/// A text as a file.
pub(crate) fn text_file(text: &str) -> Option<web_sys::File> {
    web_sys::File::new_with_str_sequence(&js_sys::Array::of1(&text.into()), "text.txt").ok()
}

/// A text in lower case. The browser has the tables that the standard library would bring.
pub(crate) fn lower(text: &str) -> String {
    if cfg!(target_family = "wasm") { js_sys::JsString::from(text).to_lower_case().into() } else { text.to_lowercase() }
}

/// The form in which spellings of one text are the same: [`shared::fold::fold`] with the browser's tables.
pub(crate) fn fold(text: &str) -> String {
    if !cfg!(target_family = "wasm") {
        return shared::fold::fold(text);
    }
    if text.is_ascii() {
        return folded(&text.to_ascii_lowercase());
    }
    folded(&String::from(js_sys::JsString::from(text).normalize("NFKD").to_lower_case()))
}

/// A name as it is compared: [`Key::of`] with the browser's tables.
pub(crate) fn name_key(name: &str) -> Key {
    let exact = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else if cfg!(target_family = "wasm") {
        js_sys::JsString::from(name).normalize("NFC").to_lower_case().into()
    } else {
        shared::fold::exact(name)
    };
    Key { fold: fold(name), exact }
}

/// The order of two names, as it is usual in the language of the page.
pub(crate) fn in_order(one: &str, other: &str) -> std::cmp::Ordering {
    if cfg!(target_family = "wasm") {
        js_sys::JsString::from(one).locale_compare(other, &i18n::locales(), &Object::new()).cmp(&0)
    } else {
        fold(one).cmp(&fold(other)).then_with(|| one.cmp(other))
    }
}

/// A text in which each letter is written in one way (Unicode's form NFKC).
pub(crate) fn composed(text: &str) -> String {
    if cfg!(target_family = "wasm") { js_sys::JsString::from(text).normalize("NFKC").into() } else { text.to_owned() }
}

/// A text in upper case.
pub(crate) fn upper(text: &str) -> String {
    if cfg!(target_family = "wasm") { js_sys::JsString::from(text).to_upper_case().into() } else { text.to_uppercase() }
}

/// Gives an element the focus, if it can have it.
pub(crate) fn focus(element: &web_sys::Element) {
    if let Some(element) = element.dyn_ref::<web_sys::HtmlElement>() {
        let _ = element.focus();
    }
}

/// Whether a key belongs to an input method that is composing. (229 is what older engines report.)
pub(crate) fn is_composing(event: &web_sys::KeyboardEvent) -> bool {
    event.is_composing() || event.key_code() == 229
}
