//! The gallery of a development build: each thing that is seen, in every state, at two widths and in three themes. The
//! pictures are kept to be looked at; here it is checked what a program can see.

use crate::support::{Driver, Person, eventually};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::{any, get};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tower_http::services::{ServeDir, ServeFile};

/// Serves the development build; gives its origin.
async fn serve(picture: Vec<u8>) -> String {
    let folder = PathBuf::from(
        std::env::var("CONFAB_GALLERY").expect("CONFAB_GALLERY names the build; cargo xtask test sets it"),
    );
    let page = ServeDir::new(&folder).fallback(ServeFile::new(folder.join("index.html")));
    let app = Router::new()
        .route("/api/attachments/{*path}", get(async || ([(header::CONTENT_TYPE, "image/png")], picture)))
        .route("/api/{*path}", any(async || StatusCode::SERVICE_UNAVAILABLE))
        .fallback_service(page);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

/// What runs over its frame sideways, and what is to be pressed and is too small (WCAG 2.2, 2.5.8).
const LOOK: &str = "const wrong = [];
    for (const specimen of document.querySelectorAll('[data-specimen]')) {
        const frame = specimen.querySelector('[data-frame]');
        const { left, right } = frame.getBoundingClientRect();
        if (frame.scrollWidth > frame.clientWidth + 1) wrong.push(specimen.dataset.specimen + ' is wider than its frame');
        for (const element of frame.querySelectorAll('*')) {
            const box = element.getBoundingClientRect();
            const style = getComputedStyle(element);
            if (box.width === 0 || style.visibility === 'hidden' || element.closest('.visually-hidden, pre, svg')) continue;
            if (element.scrollWidth > element.clientWidth + 2 && style.overflowX === 'visible' && !style.display.startsWith('inline'))
                wrong.push(specimen.dataset.specimen + ': ' + element.className + ' is too narrow for what is in it');
            if (box.right > right + 1 || box.left < left - 1)
                wrong.push(specimen.dataset.specimen + ': ' + element.className + ' runs over');
            if (element.matches('button, a[href], select, input:not(.composer__files)') && style.display !== 'inline' && !element.closest('.message__text')
                && (box.width < 24 || box.height < 24) && box.height > 1)
                wrong.push(specimen.dataset.specimen + ': ' + element.className + ' is ' + box.width + ' × ' + box.height);
        }
    }
    return [...new Set(wrong)];";

#[tokio::test]
async fn nothing_runs_over_and_everything_can_be_read_and_pressed() {
    let driver = Driver::start().await;
    let browser = driver.browser().await;
    let ada = Person::sits_before(browser, "Ada Lovelace", "http://127.0.0.1:9".into());
    let picture = ada.draws("#0a8").await;
    let ada = Person::sits_before(ada.browser, "Ada Lovelace", serve(picture).await);
    ada.goes_to("/icon.svg").await;
    let mut names = BTreeSet::new();
    for theme in ["light", "dark", "contrast"] {
        for width in [1280, 360] {
            ada.window(width, 900).await;
            ada.goes_to("/icon.svg").await;
            ada.js(&format!("localStorage.setItem('confab-theme', '{theme}')")).await;
            ada.goes_to("/__gallery").await;
            ada.waits_for("[data-specimen='notifications'] select").await;
            let parts =
                "return [...document.querySelectorAll('[data-kept=\"false\"], .tray__item, pre span')].length > 4";
            eventually("what comes later is there", || async { ada.js(parts).await == json!(true) }).await;
            let found = ada
                .js("return [...document.querySelectorAll('[data-specimen]')]
                .filter((one) => one.querySelector('[data-frame] *') !== null).map((one) => one.dataset.specimen)")
                .await;
            let found: Vec<String> = serde_json::from_value(found).unwrap();
            assert!(found.len() >= 30, "{found:?}");
            names.extend(found);
            assert_eq!(ada.js(LOOK).await, json!([]), "{theme} at {width}");
            if width == 1280 {
                ada.meets_no_barrier(&format!("the gallery in {theme}")).await;
            }
            ada.whole_picture(&format!("gallery-{theme}-{width}")).await;
        }
    }
    assert_eq!(ada.js("return window.failures").await, json!([]), "a script failed");
    let all = ada.js("return document.querySelectorAll('[data-specimen]').length").await;
    assert_eq!(all, json!(names.len()), "none is empty");
    ada.browser.quit().await.unwrap();
}
