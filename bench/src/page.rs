//! `page`: the page in a real browser. How large it is, how soon a conversation of 100,000 messages is on the
//! screen, how smoothly it scrolls, and what stays in memory after 10,000 messages were received with it open.
//!
//! Needs `chromium` and `chromedriver`, and a `confab` with the page inside.

use crate::contender::folder;
use crate::scenario::{Figure, Round};
use crate::seed::{self, Seed};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use shared::ids::ConversationId;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thirtyfour::prelude::*;

/// Nothing that works takes this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// So long it is scrolled.
const SCROLL_MS: u64 = 5_000;
/// How often the page is opened anew, each time in a new browser.
const OPENINGS: usize = 3;

/// Notes when the newest messages were painted, and where the page's memory is. Runs before the page does.
const WATCH: &str = "
    for (const name of ['instantiate', 'instantiateStreaming']) {
        const real = WebAssembly[name];
        WebAssembly[name] = async (...all) => {
            const made = await real.apply(WebAssembly, all);
            window.wasmMemory = (made.instance ?? made).exports.memory;
            return made;
        };
    }
    const look = () => {
        const rows = document.querySelectorAll('.timeline .message');
        if (rows.length === 0) return requestAnimationFrame(look);
        // What is there now is painted before the next frame begins.
        requestAnimationFrame(() => { window.painted = performance.now(); });
    };
    requestAnimationFrame(look);";

/// Scrolls up at a steady pace and gives the time between frames.
const SCROLL: &str = "const [time, done] = arguments;
    const pane = document.querySelector('.timeline');
    const frames = [];
    const begin = performance.now();
    let before = begin;
    const step = (now) => {
        frames.push(now - before);
        before = now;
        pane.scrollTop -= 60;
        if (now - begin < time) requestAnimationFrame(step);
        else done({ frames: frames.slice(1), rows: document.querySelectorAll('.timeline .message').length });
    };
    requestAnimationFrame((now) => { before = now; requestAnimationFrame(step); });";

/// Sends the messages of these numbers, some of them at once.
const SEND: &str = "const [path, first, last, done] = arguments;
    let next = first - 1;
    const sender = async () => {
        while (next < last) {
            const body = JSON.stringify({ id: crypto.randomUUID(), content: 'number ' + ++next });
            const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
            if (!answer.ok) throw new Error(answer.status);
        }
    };
    Promise.all([...Array(8)].map(sender)).then(() => done(next), (error) => done(String(error)));";

/// What the page takes and gives.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The WebAssembly, as it is and as it is sent.
    pub wasm_bytes: f64,
    /// The same with brotli.
    pub wasm_brotli_bytes: f64,
    /// From the navigation to the newest messages' being painted; the median of a few new browsers.
    pub first_paint_ms: f64,
    /// Between frames while it is scrolled.
    pub frame_median_ms: f64,
    /// 19 of 20 are shorter.
    pub frame_p95_ms: f64,
    /// Frames of more than 50 ms, of a hundred.
    pub slow_frames_percent: f64,
    /// JavaScript's memory before the messages came, after a collection.
    pub heap_before: f64,
    /// And after.
    pub heap_after: f64,
    /// The WebAssembly's memory before the messages came.
    pub wasm_memory_before: f64,
    /// And after.
    pub wasm_memory_after: f64,
    /// DOM nodes before the messages came.
    pub nodes_before: f64,
    /// And after.
    pub nodes_after: f64,
}

/// The scenario.
///
/// # Errors
/// When there is no browser, or no page in the server.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let (messages, received) = if round.options.quick { (10_000, 1_000) } else { (100_000, 10_000) };
    let folder = folder()?;
    let conversation = prepare(folder.path(), messages)?;
    let server = round.start(folder.path())?;
    let origin = format!("http://{}", server.address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let page = runtime.block_on(measure(&origin, conversation, received))?;
    let kib = |bytes: f64| bytes / 1024.0;
    Ok(vec![
        Figure::new("page.wasm", "B", page.wasm_bytes),
        Figure::new("page.wasm.brotli", "B", page.wasm_brotli_bytes),
        Figure::new("page.paint", "ms", page.first_paint_ms),
        Figure::new("page.frame.p50", "ms", page.frame_median_ms),
        Figure::new("page.frame.p95", "ms", page.frame_p95_ms),
        Figure::new("page.frame.slow", "%", page.slow_frames_percent),
        Figure::new("page.heap.before", "KiB", kib(page.heap_before)),
        Figure::new("page.heap.after", "KiB", kib(page.heap_after)),
        Figure::new("page.memory.before", "KiB", kib(page.wasm_memory_before)),
        Figure::new("page.memory.after", "KiB", kib(page.wasm_memory_after)),
        Figure::new("page.nodes.before", "", page.nodes_before),
        Figure::new("page.nodes.after", "", page.nodes_after),
    ])
}

/// Two people with so many messages between them.
fn prepare(folder: &Path, messages: u64) -> Result<ConversationId> {
    let mut seed = Seed::new(folder)?;
    seed.people(2)?;
    let mut conversations = seed.directs([(0, 1)])?;
    seed.messages(&mut conversations, messages)?;
    let id = conversations.first().context("one conversation was made")?.id;
    seed.finish()?;
    Ok(id)
}

/// Opens the conversation of the first two people as the first of them, scrolls in it, goes back to its end and lets
/// the second write so many messages.
///
/// # Errors
/// When there is no browser, or what should be on the screen does not come.
pub async fn measure(origin: &str, conversation: ConversationId, received: u64) -> Result<Page> {
    let driver = Driver::start().await?;
    let address = format!("{origin}/c/{conversation}");
    let mut page = Page::default();
    let mut paints = Vec::new();
    for opening in 0..OPENINGS {
        let reader = driver.browser(origin, 0).await?;
        reader.goto(&address).await?;
        paints.push(number(&reader, "return window.painted", |painted| painted > 0.0).await?);
        if opening + 1 == OPENINGS {
            (page.wasm_bytes, page.wasm_brotli_bytes) = sizes(&reader).await?;
            scroll(&reader, &mut page).await?;
            receive(&driver, &reader, origin, conversation, received, &mut page).await?;
        }
        reader.quit().await?;
    }
    page.first_paint_ms = percentile(&mut paints, 0.5);
    Ok(page)
}

/// The WebAssembly's size, and what of it travels.
async fn sizes(reader: &WebDriver) -> Result<(f64, f64)> {
    let script = "const of = performance.getEntriesByType('resource').find((e) => e.name.endsWith('.wasm'));
        return [of.decodedBodySize, of.encodedBodySize]";
    let answer = reader.execute(script, vec![]).await?;
    let [raw, sent]: [f64; 2] = serde_json::from_value(answer.json().clone()).context("the page has one wasm")?;
    Ok((raw, sent))
}

async fn scroll(reader: &WebDriver, page: &mut Page) -> Result<()> {
    let answer = reader.execute_async(SCROLL, vec![json!(SCROLL_MS)]).await?;
    let mut frames: Vec<f64> = serde_json::from_value(answer.json()["frames"].clone())?;
    ensure!(frames.len() > 10, "the browser drew {} frames", frames.len());
    let slow = frames.iter().filter(|frame| **frame > 50.0).count();
    page.slow_frames_percent = 100.0 * slow as f64 / frames.len() as f64;
    page.frame_p95_ms = percentile(&mut frames, 0.95);
    page.frame_median_ms = percentile(&mut frames, 0.5);
    Ok(())
}

async fn receive(
    driver: &Driver,
    reader: &WebDriver,
    origin: &str,
    conversation: ConversationId,
    count: u64,
    page: &mut Page,
) -> Result<()> {
    let sender = driver.browser(origin, 1).await?;
    sender.goto(format!("{origin}/icon.svg")).await?;
    let path = format!("{origin}/api/conversations/{conversation}/messages");
    reader.execute("document.querySelector('.latest')?.click()", vec![]).await?;
    // A first few, so that what grows once has grown.
    send(&sender, &path, 300.min(count), reader).await?;
    (page.heap_before, page.wasm_memory_before, page.nodes_before) = memory(reader).await?;
    send(&sender, &path, count, reader).await?;
    (page.heap_after, page.wasm_memory_after, page.nodes_after) = memory(reader).await?;
    sender.quit().await?;
    Ok(())
}

/// Sends, and waits until the reader sees the last of it.
async fn send(sender: &WebDriver, path: &str, count: u64, reader: &WebDriver) -> Result<()> {
    // In parts: the driver's patience with one script is limited.
    for first in (1..=count).step_by(500) {
        let last = count.min(first + 499);
        let answer = sender.execute_async(SEND, vec![json!(path), json!(first), json!(last)]).await?;
        ensure!(answer.json() == &json!(last), "the messages were not taken: {}", answer.json());
    }
    // Several are on their way at once: the last of them is among the last few.
    let script = format!(
        "const rows = [...document.querySelectorAll('.timeline .message__text')].slice(-10);
        return rows.some((row) => row.textContent === 'number {count}') ? 1 : 0"
    );
    number(reader, &script, |seen| seen > 0.0).await?;
    Ok(())
}

/// JavaScript's heap after a collection, the WebAssembly's memory, and the nodes of the page.
async fn memory(reader: &WebDriver) -> Result<(f64, f64, f64)> {
    reader.cdp().send_raw("HeapProfiler.collectGarbage", json!({})).await?;
    reader.cdp().send_raw("Performance.enable", json!({})).await?;
    let metrics = reader.cdp().send_raw("Performance.getMetrics", json!({})).await?;
    let metrics = metrics["metrics"].as_array().cloned().unwrap_or_default();
    let metric = |name: &str| {
        let found = metrics.iter().find(|metric| metric["name"] == name).and_then(|metric| metric["value"].as_f64());
        found.with_context(|| format!("the browser does not tell {name}"))
    };
    let wasm = number(reader, "return window.wasmMemory.buffer.byteLength", |bytes| bytes > 0.0).await?;
    Ok((metric("JSHeapUsedSize")?, wasm, metric("Nodes")?))
}

/// Waits until a script gives a number that will do.
async fn number(browser: &WebDriver, script: &str, is_good: impl Fn(f64) -> bool) -> Result<f64> {
    let begun = Instant::now();
    loop {
        let answer = browser.execute(script, vec![]).await?;
        match answer.json().as_f64() {
            Some(number) if is_good(number) => return Ok(number),
            _ if begun.elapsed() > PATIENCE => bail!("the page did not come so far: {script}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (part * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(index).copied().unwrap_or_default()
}

/// The program that drives browsers.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    async fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("there is no chromedriver")?;
        let driver = Self { child, url: format!("http://127.0.0.1:{port}") };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(begun.elapsed() < PATIENCE, "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(driver)
    }

    /// A browser with a profile of its own in which a person is signed in.
    async fn browser(&self, origin: &str, person: usize) -> Result<WebDriver> {
        let mut options = DesiredCapabilities::chrome();
        for argument in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,800",
        ] {
            options.add_arg(argument)?;
        }
        let browser = WebDriver::new(&self.url, options).await?;
        browser.set_script_timeout(PATIENCE).await?;
        let cdp = |method: &'static str, what: Value| {
            let browser = browser.clone();
            async move { browser.cdp().send_raw(method, what).await }
        };
        cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH})).await?;
        let cookie = json!({"name": "confab", "value": seed::secret(person), "url": origin, "httpOnly": true});
        cdp("Network.setCookie", cookie).await?;
        Ok(browser)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
