//! What the browser knows: the time, randomness, and how dates are written here.

use client::Millis;
use js_sys::{Date, Intl, Object, Reflect};
use shared::ids::{CommandId, Timestamp};
use std::cell::OnceCell;
use wasm_bindgen::{JsCast, JsValue};

pub(crate) fn window() -> web_sys::Window {
    web_sys::window().expect("the page runs in a window")
}

pub(crate) fn history() -> web_sys::History {
    window().history().expect("the page is its window's own")
}

/// The time of day.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970 fit")]
    Timestamp::from_millis(Date::now() as u64)
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

/// The day a moment falls on here, as a number that grows by one each day.
pub(crate) fn day(at: Timestamp) -> i64 {
    let millis = at.as_millis();
    #[expect(clippy::cast_precision_loss, reason = "the contract keeps times below 2^53")]
    let offset = Date::new(&JsValue::from_f64(millis as f64)).get_timezone_offset();
    #[expect(clippy::cast_possible_truncation, reason = "minutes of a day")]
    let local = i64::try_from(millis).unwrap_or(i64::MAX) - offset as i64 * 60_000;
    local.div_euclid(86_400_000)
}

/// "14:05", as it is written here.
pub(crate) fn time(at: Timestamp) -> String {
    thread_local!(static FORMAT: OnceCell<Intl::DateTimeFormat> = const { OnceCell::new() });
    format(&FORMAT, &[("hour", "2-digit"), ("minute", "2-digit")], at)
}

/// "Monday, 23 November 2026", as it is written here.
pub(crate) fn long_day(at: Timestamp) -> String {
    thread_local!(static FORMAT: OnceCell<Intl::DateTimeFormat> = const { OnceCell::new() });
    format(&FORMAT, &[("weekday", "long"), ("day", "numeric"), ("month", "long"), ("year", "numeric")], at)
}

/// "23 Nov", as it is written here.
pub(crate) fn short_day(at: Timestamp) -> String {
    thread_local!(static FORMAT: OnceCell<Intl::DateTimeFormat> = const { OnceCell::new() });
    format(&FORMAT, &[("day", "numeric"), ("month", "short")], at)
}

/// Making a format is a hundred times dearer than using one.
fn format(
    cell: &'static std::thread::LocalKey<OnceCell<Intl::DateTimeFormat>>,
    options: &[(&str, &str)],
    at: Timestamp,
) -> String {
    cell.with(|cell| {
        let format = cell.get_or_init(|| {
            let object = Object::new();
            for (name, value) in options {
                // A plain object takes any property.
                let _ = Reflect::set(&object, &(*name).into(), &(*value).into());
            }
            Intl::DateTimeFormat::new(&js_sys::Array::new(), &object)
        });
        #[expect(clippy::cast_precision_loss, reason = "the contract keeps times below 2^53")]
        let date = Date::new(&JsValue::from_f64(at.as_millis() as f64));
        format.format().call1(&JsValue::UNDEFINED, date.unchecked_ref()).ok().and_then(|text| text.as_string())
    })
    .unwrap_or_default()
}
