//! `page`: the page in a real browser. How large it is, how soon a conversation of 100,000 messages is on the
//! screen, how smoothly it scrolls, and what stays in memory after 10,000 messages were received with it open.
//!
//! Needs `chromium` and `chromedriver`, and a `confab` with the page inside. The browser may use every core: it is what
//! is measured, and the load generator writes to it only while it waits for it.

use crate::crowd;
use crate::dialect::{Dialect, Incoming};
use crate::frame;
use crate::net::{Handler, Net};
use crate::process;
use crate::scenario::{Figure, Round};
use crate::seed;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use shared::frame::ClientFrame;
use shared::ids::{CommandId, ConversationId, Timestamp};
use shared::message::{Send, Target};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thirtyfour::prelude::*;

/// No single step that works takes this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nor do all of them together.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(180);
/// So long it is scrolled.
const SCROLL_MS: u64 = 3_000;
/// Messages that are sent together; the next are when the page shows the last of them.
const BURST: u64 = 500;
/// A first few, so that what grows once has grown.
const FIRST: u64 = 500;

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

/// What the page takes and gives.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The WebAssembly, as it is and as it is sent.
    pub wasm_bytes: f64,
    /// The same with brotli.
    pub wasm_brotli_bytes: f64,
    /// From the navigation, in a new browser, to the newest messages' being painted.
    pub first_paint_ms: f64,
    /// Between frames while it is scrolled.
    pub frame_median_ms: f64,
    /// 19 of 20 are shorter.
    pub frame_p95_ms: f64,
    /// Frames of more than 50 ms, of a hundred.
    pub slow_frames_percent: f64,
    /// Messages a second from the first one's being sent to the last one's being seen.
    pub received_per_second: f64,
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
    let folder = round.folder(&format!("page, {messages} messages"), |seed| {
        seed.people(2)?;
        let mut conversations = seed.directs([(0, 1)])?;
        seed.messages(&mut conversations, messages)
    })?;
    let conversation = seed::conversation(0);
    let server = round.start(folder.path())?;
    let measuring = async {
        let measured = tokio::time::timeout(PATIENCE_IN_ALL, measure(round, server.address, conversation, received));
        measured.await.with_context(|| format!("the page was not done after {} s", PATIENCE_IN_ALL.as_secs()))?
    };
    let page = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measuring)?;
    let kib = |bytes: f64| bytes / 1024.0;
    Ok(vec![
        Figure::new("page.wasm", "B", page.wasm_bytes),
        Figure::new("page.wasm.brotli", "B", page.wasm_brotli_bytes),
        Figure::new("page.paint", "ms", page.first_paint_ms),
        Figure::new("page.frame.p50", "ms", page.frame_median_ms),
        Figure::new("page.frame.p95", "ms", page.frame_p95_ms),
        Figure::new("page.frame.slow", "%", page.slow_frames_percent),
        Figure::new("page.receive", "/s", page.received_per_second),
        Figure::new("page.heap.before", "KiB", kib(page.heap_before)),
        Figure::new("page.heap.after", "KiB", kib(page.heap_after)),
        Figure::new("page.memory.before", "KiB", kib(page.wasm_memory_before)),
        Figure::new("page.memory.after", "KiB", kib(page.wasm_memory_after)),
        Figure::new("page.nodes.before", "", page.nodes_before),
        Figure::new("page.nodes.after", "", page.nodes_after),
    ])
}

/// Opens the conversation of the first two people as the first of them, scrolls in it, goes back to its end and lets
/// the second write so many messages.
///
/// # Errors
/// When there is no browser, or what should be on the screen does not come.
async fn measure(round: &Round<'_>, address: SocketAddr, conversation: ConversationId, received: u64) -> Result<Page> {
    let driver = Driver::start().await?;
    let origin = format!("http://{address}");
    let mut page = Page::default();
    round.say("a browser opens the conversation");
    let reader = driver.browser(&origin, 0).await?;
    within("the page is loaded", reader.goto(format!("{origin}/c/{conversation}"))).await?;
    page.first_paint_ms = number(&reader, "return window.painted", |painted| painted > 0.0).await?;
    (page.wasm_bytes, page.wasm_brotli_bytes) = sizes(&reader).await?;
    round.say("it scrolls");
    scroll(&reader, &mut page).await?;
    round.say("it receives messages");
    within("going to the end", reader.execute("document.querySelector('.latest')?.click()", vec![])).await?;
    let mut sender = Sender::new(address, conversation)?;
    sender.send(FIRST, &reader).await?;
    (page.heap_before, page.wasm_memory_before, page.nodes_before) = memory(&reader).await?;
    let begun = Instant::now();
    sender.send(received, &reader).await?;
    page.received_per_second = received as f64 / begun.elapsed().as_secs_f64();
    (page.heap_after, page.wasm_memory_after, page.nodes_after) = memory(&reader).await?;
    within("the browser ends", reader.quit()).await?;
    Ok(page)
}

/// The WebAssembly's size, and what of it travels.
async fn sizes(reader: &WebDriver) -> Result<(f64, f64)> {
    let script = "const of = performance.getEntriesByType('resource').find((e) => e.name.endsWith('_bg.wasm'));
        return [of.decodedBodySize, of.encodedBodySize]";
    let answer = within("its size", reader.execute(script, vec![])).await?;
    let [raw, sent]: [f64; 2] = serde_json::from_value(answer.json().clone()).context("the page has one wasm")?;
    Ok((raw, sent))
}

async fn scroll(reader: &WebDriver, page: &mut Page) -> Result<()> {
    let answer = within("scrolling", reader.execute_async(SCROLL, vec![json!(SCROLL_MS)])).await?;
    let mut frames: Vec<f64> = serde_json::from_value(answer.json()["frames"].clone())?;
    ensure!(frames.len() > 10, "the browser drew {} frames", frames.len());
    let slow = frames.iter().filter(|frame| **frame > 50.0).count();
    page.slow_frames_percent = 100.0 * slow as f64 / frames.len() as f64;
    page.frame_p95_ms = percentile(&mut frames, 0.95);
    page.frame_median_ms = percentile(&mut frames, 0.5);
    Ok(())
}

/// The second person, who writes to the first.
struct Sender {
    net: Net,
    answers: Answers,
    conversation: ConversationId,
    sent: u64,
}

/// How many messages are stored.
struct Answers(u64);

impl Handler for Answers {
    fn text(&mut self, _: &mut Net, _: usize, text: &[u8], _: u64) -> Result<()> {
        match Dialect::Confab.read(text) {
            Incoming::Accepted(_) => self.0 += 1,
            Incoming::Refused => bail!("the server refused: {}", String::from_utf8_lossy(text)),
            _ => {}
        }
        Ok(())
    }
}

impl Sender {
    fn new(address: SocketAddr, conversation: ConversationId) -> Result<Self> {
        let mut net = Net::new()?;
        crowd::enter(&mut net, Dialect::Confab, address, std::iter::once(1))?;
        Ok(Self { net, answers: Answers(0), conversation, sent: 0 })
    }

    /// Sends so many messages, some together, and waits each time until the reader sees the last of them.
    async fn send(&mut self, count: u64, reader: &WebDriver) -> Result<()> {
        let goal = self.sent + count;
        while self.sent < goal {
            for _ in 0..BURST.min(goal - self.sent) {
                self.sent += 1;
                let mut id = [0; 10];
                id[2..].copy_from_slice(&self.sent.to_be_bytes());
                let send = Send {
                    id: CommandId::v7(Timestamp::from_millis(seed::BIRTH_MS), id),
                    to: Target::Conversation(self.conversation),
                    content: format!("number {}", self.sent),
                    reply_to: None,
                    attachments: Vec::new(),
                };
                frame::write_client(self.net.out(0), frame::TEXT, ClientFrame::Send(send).encode().as_bytes());
            }
            let begun = Instant::now();
            while self.answers.0 < self.sent {
                let (sent, stored) = (self.sent, self.answers.0);
                ensure!(begun.elapsed() < PATIENCE, "{sent} messages were sent and {stored} stored");
                self.net.turn(Duration::from_millis(20), &mut self.answers)?;
            }
            let script = format!(
                "const row = [...document.querySelectorAll('.timeline .message__text')].at(-1);
                return row?.textContent === 'number {}' ? 1 : 0",
                self.sent
            );
            number(reader, &script, |seen| seen > 0.0).await?;
        }
        Ok(())
    }
}

/// JavaScript's heap after a collection, the WebAssembly's memory, and the nodes of the page.
async fn memory(reader: &WebDriver) -> Result<(f64, f64, f64)> {
    let ask = |method: &'static str| within(method, async move { reader.cdp().send_raw(method, json!({})).await });
    ask("HeapProfiler.collectGarbage").await?;
    ask("Performance.enable").await?;
    let metrics = ask("Performance.getMetrics").await?;
    let metrics = metrics["metrics"].as_array().cloned().unwrap_or_default();
    let metric = |name: &str| {
        let found = metrics.iter().find(|metric| metric["name"] == name).and_then(|metric| metric["value"].as_f64());
        found.with_context(|| format!("the browser does not tell {name}"))
    };
    let wasm = number(reader, "return window.wasmMemory.buffer.byteLength", |bytes| bytes > 0.0).await?;
    Ok((metric("JSHeapUsedSize")?, wasm, metric("Nodes")?))
}

/// Waits for one step.
async fn within<T>(what: &str, step: impl Future<Output = WebDriverResult<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, step).await {
        Ok(done) => done.with_context(|| what.to_owned()),
        Err(_) => bail!("the browser did not answer for {} s: {what}", PATIENCE.as_secs()),
    }
}

/// Waits until a script gives a number that will do.
async fn number(browser: &WebDriver, script: &str, is_good: impl Fn(f64) -> bool) -> Result<f64> {
    let begun = Instant::now();
    loop {
        let answer = within(script, browser.execute(script, vec![])).await?;
        match answer.json().as_f64() {
            Some(number) if is_good(number) => return Ok(number),
            _ if begun.elapsed() > PATIENCE => {
                bail!("the page did not come so far in {} s: {script}", PATIENCE.as_secs())
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (part * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(index).copied().unwrap_or_default()
}

/// The program that drives browsers, with its browsers.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    async fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // In a process group of their own, which ends in any case, even if this process is gone.
        let child = Command::new("timeout")
            .arg((2 * PATIENCE_IN_ALL).as_secs().to_string())
            .args(process::on_every_core()?)
            .arg("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("timeout (of coreutils) could not be started")?;
        let mut driver = Self { child, url: format!("http://127.0.0.1:{port}") };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = driver.child.try_wait()? {
                bail!("chromedriver has ended ({status}); is it installed?");
            }
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
        // It is also how long a browser that does not answer is asked to end.
        let browser = WebDriver::builder(&self.url, options).request_timeout(PATIENCE);
        let browser = within("a browser starts", async { browser.await }).await?;
        within("a browser answers", browser.set_script_timeout(PATIENCE)).await?;
        let cdp = |method: &'static str, what: Value| {
            let browser = browser.clone();
            within(method, async move { browser.cdp().send_raw(method, what).await })
        };
        cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH})).await?;
        let cookie = json!({"name": "confab", "value": seed::secret(person), "url": origin, "httpOnly": true});
        cdp("Network.setCookie", cookie).await?;
        Ok(browser)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The whole group: a browser whose page hangs does not end by being asked. All may have ended already.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}
