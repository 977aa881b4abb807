//! A server, browsers and page objects.

use base64::Engine as _;
use serde_json::{Value, json};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thirtyfour::prelude::*;

/// Nothing that works takes this long, not even on a busy machine. (`CONFAB_PATIENCE`, in seconds, says otherwise.)
fn patience() -> Duration {
    let asked = std::env::var("CONFAB_PATIENCE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(asked.unwrap_or(60))
}

/// A server on a port that stays its own through restarts.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
    settings: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&["--rate-limits", "off"])
    }

    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
        Self { child: spawn(&folder, port, &settings), port, folder, settings }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.settings);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(folder: &TempDir, port: u16, settings: &[String]) -> Child {
    let binary = std::env::var("CONFAB_BIN").expect("CONFAB_BIN names the server; cargo xtask test sets it");
    let mut child = Command::new(binary)
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(folder.path())
        .args(settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on"), "the server did not start: {line}");
    child
}

/// The program that drives browsers.
pub(crate) struct Driver {
    child: Child,
    /// What its browsers draw on, if they cannot do without.
    screen: Option<Child>,
    url: String,
}

/// Leaves the browser of a test that fails to the end of its driver. To close it when it is dropped, its client would wait
/// two minutes for an answer over a connection that nothing looks after any more.
struct Failing(WebDriver);

impl Drop for Failing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // One that is closed already is left as well.
            let _ = self.0.clone().leak();
        }
    }
}

/// What runs the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Chromium,
    Firefox,
    WebKit,
}

impl Driver {
    pub(crate) async fn start() -> Self {
        Self::start_for(Engine::Chromium).await
    }

    pub(crate) async fn start_for(engine: Engine) -> Self {
        let port = free_port();
        let program = match engine {
            Engine::Chromium => "chromedriver".into(),
            Engine::Firefox => std::env::var("CONFAB_GECKODRIVER")
                .expect("CONFAB_GECKODRIVER names geckodriver; cargo xtask test sets it"),
            Engine::WebKit => "WebKitWebDriver".into(),
        };
        let mut command = Command::new(&program);
        command.arg(format!("--port={port}"));
        let screen = (engine == Engine::WebKit).then(Screen::start);
        if let Some(screen) = &screen {
            command.env("DISPLAY", &screen.display);
        }
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        let url = format!("http://127.0.0.1:{port}");
        let status = format!("{url}/status");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        eventually("the driver answers", || async { http.get(&status).send().await.is_ok() }).await;
        Self { child, screen: screen.map(|screen| screen.child), url }
    }

    /// A browser of another engine, which knows nothing but WebDriver.
    pub(crate) async fn plain_browser(&self, engine: Engine) -> WebDriver {
        match engine {
            Engine::Chromium => self.browser().await,
            Engine::Firefox => {
                let mut options = DesiredCapabilities::firefox();
                options.set_headless().unwrap();
                WebDriver::new(&self.url, options).await.unwrap()
            }
            Engine::WebKit => {
                let mut options = Capabilities::new();
                options.set("browserName", json!("MiniBrowser")).unwrap();
                let browser = json!({"binary": minibrowser(), "args": ["--automation"]});
                options.set("webkitgtk:browserOptions", browser).unwrap();
                WebDriver::new(&self.url, options).await.unwrap()
            }
        }
    }

    /// Firefox with these preferences.
    pub(crate) async fn firefox_with(&self, preferences: Value) -> WebDriver {
        let mut options = Capabilities::new();
        options.set("browserName", json!("firefox")).unwrap();
        let firefox = json!({"args": ["-headless"], "prefs": preferences});
        options.set("moz:firefoxOptions", firefox).unwrap();
        WebDriver::new(&self.url, options).await.unwrap()
    }

    /// A browser with a profile of its own, that counts what the policy forbids and what fails.
    pub(crate) async fn browser(&self) -> WebDriver {
        self.browser_with(&[]).await
    }

    /// The same with further arguments.
    pub(crate) async fn browser_with(&self, arguments: &[&str]) -> WebDriver {
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
            "--lang=en-GB",
        ] {
            options.add_arg(argument).unwrap();
        }
        for argument in arguments {
            options.add_arg(argument).unwrap();
        }
        let browser = WebDriver::new(&self.url, options).await.unwrap();
        let count = "window.violations = []; window.failures = [];
            document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));
            addEventListener('error', (e) => window.failures.push(String(e.message)));
            addEventListener('unhandledrejection', (e) => window.failures.push(String(e.reason)));";
        browser.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", json!({"source": count})).await.unwrap();
        browser
    }
}

/// A screen that nobody sees.
struct Screen {
    child: Child,
    display: String,
}

impl Screen {
    fn start() -> Self {
        let mut child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is in PATH");
        let mut number = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self { child, display: format!(":{}", number.trim()) }
    }
}

/// WebKit's own small browser, which Debian keeps beside the library.
fn minibrowser() -> String {
    let folders = ["webkit2gtk-4.1", "webkit2gtk-4.0", "webkitgtk-6.0"];
    let found = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|folder| folder.path());
    let mut found = found.flat_map(|folder| folders.map(|name| folder.join(name).join("MiniBrowser")));
    found.find(|path| path.is_file()).expect("MiniBrowser is installed").to_str().unwrap().to_owned()
}

impl Drop for Driver {
    fn drop(&mut self) {
        for child in std::iter::once(&mut self.child).chain(&mut self.screen) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until something holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < patience(), "it did not come true: {what}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// Somebody in front of a browser.
pub(crate) struct Person {
    _failing: Failing,
    pub(crate) browser: WebDriver,
    pub(crate) name: &'static str,
    origin: String,
}

impl Person {
    pub(crate) async fn arrives(name: &'static str, driver: &Driver, server: &Server) -> Self {
        Self::arrives_at(name, driver, server.origin()).await
    }

    async fn arrives_at(name: &'static str, driver: &Driver, origin: String) -> Self {
        let person = Self::sits_before(driver.browser().await, name, origin);
        person.window(1280, 800).await;
        person.goes_to("/signin").await;
        person.waits_for("form.form").await;
        person
    }

    /// In front of a browser that was made elsewhere.
    pub(crate) fn sits_at(browser: WebDriver, name: &'static str, server: &Server) -> Self {
        Self::sits_before(browser, name, server.origin())
    }

    /// The same where it is not a server that is looked at.
    pub(crate) fn sits_before(browser: WebDriver, name: &'static str, origin: String) -> Self {
        Self { _failing: Failing(browser.clone()), browser, name, origin }
    }

    /// Arrives and signs up.
    pub(crate) async fn joins(name: &'static str, driver: &Driver, server: &Server) -> Self {
        Self::joins_at(name, driver, server.origin()).await
    }

    /// The same where the server is reached by another way.
    pub(crate) async fn joins_at(name: &'static str, driver: &Driver, origin: String) -> Self {
        let person = Self::arrives_at(name, driver, origin).await;
        person.signs_up().await;
        person.is_connected().await;
        person
    }

    fn email(&self) -> String {
        format!("{}@example.org", self.name.replace(' ', ".").to_lowercase())
    }

    async fn signs_up(&self) {
        self.clicks_link("Create an account").await;
        self.waits_for("input[autocomplete='new-password']").await;
        self.types("#displayName", self.name).await;
        self.types("#email", &self.email()).await;
        self.types("#password", "correct horse").await;
        self.clicks("form.form button[type='submit']").await;
    }

    /// Signs in, or up if there is no account yet.
    pub(crate) async fn signs_in_or_up(&self) {
        self.goes_to("/signin").await;
        self.waits_for("form.form").await;
        self.types("#email", &self.email()).await;
        self.types("#password", "correct horse").await;
        self.clicks("form.form button[type='submit']").await;
        let has_failed = "return document.querySelector('.form__alert') !== null";
        eventually("signed in or not", || async {
            self.status().await == "open" || self.js(has_failed).await == json!(true)
        })
        .await;
        if self.js(has_failed).await == json!(true) {
            self.signs_up().await;
        }
        self.is_connected().await;
    }

    /// Waits until the browser keeps so many unsent commands.
    pub(crate) async fn is_kept(&self, count: u64) {
        let script = "const done = arguments[arguments.length - 1];
            const open = indexedDB.open('confab');
            open.onsuccess = () => {
                const all = open.result.transaction('outbox').objectStore('outbox').count();
                all.onsuccess = () => { open.result.close(); done(all.result) };
            };";
        eventually(&format!("{count} unsent commands are kept"), || async {
            self.browser.execute_async(script, vec![]).await.unwrap().json() == &json!(count)
        })
        .await;
    }

    pub(crate) async fn goes_to(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.origin)).await.unwrap();
    }

    pub(crate) async fn window(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.browser.cdp().send_raw("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
    }

    /// This tab is the one that its person looks at. (Of several, the driver's browser gives the focus to the first alone.)
    pub(crate) async fn has_focus(&self) {
        let enabled = json!({"enabled": true});
        self.browser.cdp().send_raw("Emulation.setFocusEmulationEnabled", enabled).await.unwrap();
    }

    pub(crate) async fn prefers(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.browser.cdp().send_raw("Emulation.setEmulatedMedia", features).await.unwrap();
    }

    /// Takes the network away from this tab, or gives it back.
    pub(crate) async fn has_network(&self, has: bool) {
        let conditions = json!({"offline": !has, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.browser.cdp().send_raw("Network.enable", json!({})).await.unwrap();
        self.browser.cdp().send_raw("Network.emulateNetworkConditions", conditions).await.unwrap();
    }

    pub(crate) async fn waits_for(&self, css: &str) -> WebElement {
        eventually(&format!("{} sees {css}", self.name), || async {
            match self.browser.find(By::Css(css)).await {
                Ok(element) => element.is_displayed().await.unwrap_or(false),
                Err(_) => false,
            }
        })
        .await;
        self.browser.find(By::Css(css)).await.unwrap()
    }

    /// Clicks what is there or will be; what is just being drawn anew is clicked on the next try.
    pub(crate) async fn clicks_on(&self, what: By, doing: &str) {
        eventually(doing, || async {
            match self.browser.find(what.clone()).await {
                Ok(element) => element.click().await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
    }

    pub(crate) async fn clicks(&self, css: &str) {
        self.waits_for(css).await;
        self.clicks_on(By::Css(css), &format!("{} clicks {css}", self.name)).await;
    }

    pub(crate) async fn clicks_link(&self, text: &str) {
        let link = By::XPath(format!("//a[normalize-space()='{text}']"));
        self.clicks_on(link, &format!("{} clicks {text}", self.name)).await;
    }

    pub(crate) async fn clicks_button(&self, text: &str) {
        let button = By::XPath(format!("//button[normalize-space()='{text}' and not(@disabled)]"));
        self.clicks_on(button, &format!("{} clicks {text}", self.name)).await;
    }

    pub(crate) async fn types(&self, css: &str, text: &str) {
        self.waits_for(css).await.send_keys(text).await.unwrap();
    }

    /// Puts a text into the composer as pasting does. (The driver types no emoji.)
    pub(crate) async fn pastes(&self, text: &str) {
        let area = self.waits_for(".composer__text").await;
        area.click().await.unwrap();
        self.inserts(text).await;
    }

    /// Writes where the caret is, as an input method does. In every engine.
    async fn inserts(&self, text: &str) {
        let insert = "return document.execCommand('insertText', false, arguments[0])";
        let done = self.browser.execute(insert, vec![json!(text)]).await.unwrap();
        assert_eq!(done.json(), &json!(true), "nothing could be written");
    }

    pub(crate) async fn presses(&self, key: Key) {
        self.browser.active_element().await.unwrap().send_keys(key + "").await.unwrap();
    }

    /// Goes to the message that is so many rows above the end, with the arrow keys.
    pub(crate) async fn goes_up(&self, rows: usize) {
        self.js("document.querySelector('.timeline').focus()").await;
        for _ in 0..rows {
            self.presses(Key::Up).await;
        }
    }

    /// The text in the composer.
    pub(crate) async fn draft(&self) -> String {
        let draft = self.js("return document.querySelector('.composer__text')?.value ?? ''").await;
        draft.as_str().unwrap().to_owned()
    }

    pub(crate) async fn has_draft(&self, text: &str) {
        eventually(&format!("{} has {text:.40} to send", self.name), || async { self.draft().await == text }).await;
    }

    /// Presses a key that writes something, where the focus is.
    pub(crate) async fn strikes(&self, key: &str) {
        self.browser.active_element().await.unwrap().send_keys(key).await.unwrap();
    }

    pub(crate) async fn status(&self) -> String {
        self.js("return document.querySelector('[data-status]')?.dataset.status ?? 'none'")
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn has_status(&self, status: &str) {
        eventually(&format!("{} is {status}", self.name), || async { self.status().await == status }).await;
    }

    pub(crate) async fn is_connected(&self) {
        self.has_status("open").await;
    }

    /// Starts a conversation with people and sends its first message.
    pub(crate) async fn writes_to(&self, names: &[&str], text: &str) {
        self.clicks("a[href='/new']").await;
        for name in names {
            let person = By::XPath(format!("//button[contains(@class, 'person')][.//bdi[text()='{name}']]"));
            self.clicks_on(person, &format!("{} picks {name}", self.name)).await;
        }
        self.pastes(text).await;
        self.clicks("button[aria-label='Send']:not([disabled])").await;
        self.sees(text).await;
    }

    /// A small picture of one colour, as PNG.
    pub(crate) async fn draws(&self, colour: &str) -> Vec<u8> {
        let draw = "const [colour, done] = arguments; const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 64; const context = canvas.getContext('2d');
            context.fillStyle = colour; context.fillRect(0, 0, 64, 64);
            canvas.toBlob(async (blob) => done([...new Uint8Array(await blob.arrayBuffer())]));";
        let bytes = self.browser.execute_async(draw, vec![json!(colour)]).await.unwrap();
        serde_json::from_value(bytes.json().clone()).unwrap()
    }

    /// Opens a conversation from the list.
    pub(crate) async fn opens(&self, title: &str) {
        let line = By::XPath(format!("//a[contains(@class, 'conversation')][.//bdi[text()='{title}']]"));
        self.clicks_on(line, &format!("{} opens {title}", self.name)).await;
        eventually(&format!("{title} is open"), || async {
            self.js("return document.querySelector('.pane__name')?.innerText ?? ''").await == json!(title)
        })
        .await;
    }

    /// Writes into what is open.
    pub(crate) async fn says(&self, text: &str) {
        self.pastes(text).await;
        self.presses(Key::Enter).await;
    }

    /// Writes in place of what is written, and sends it.
    pub(crate) async fn rewrites(&self, text: &str) {
        self.js("document.querySelector('.composer__text').select()").await;
        self.inserts(text).await;
        self.presses(Key::Enter).await;
    }

    /// Writes "number n" into the conversation everybody is in, for each number. Gives its id.
    pub(crate) async fn fills(&self, first: u32, last: u32) -> String {
        let fill = "const [first, last, done] = arguments; (async () => {
            const list = await (await fetch('/api/conversations')).json();
            const everyone = list.conversations.find((conversation) => conversation.kind === 'everyone');
            const path = '/api/conversations/' + everyone.id + '/messages';
            for (let i = first; i <= last; i++) {
                const body = JSON.stringify({ id: crypto.randomUUID(), content: 'number ' + i });
                await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
            }
            done(everyone.id);
        })()";
        let id = self.browser.execute_async(fill, vec![json!(first), json!(last)]).await.unwrap();
        id.json().as_str().unwrap().to_owned()
    }

    /// What stands in everything of this kind, with bars in between.
    pub(crate) async fn shown(&self, css: &str) -> String {
        let script = format!("return [...document.querySelectorAll('{css}')].map((e) => e.innerText.trim()).join('|')");
        self.js(&script).await.as_str().unwrap().to_owned()
    }

    /// The texts of the open conversation, in order.
    pub(crate) async fn texts(&self) -> Vec<String> {
        let all = "return [...document.querySelectorAll('.timeline .message__text')].map((e) => e.textContent)";
        serde_json::from_value(self.js(all).await).unwrap()
    }

    /// The titles of the list, in order.
    pub(crate) async fn conversations(&self) -> Vec<String> {
        let all = "return [...document.querySelectorAll('.conversation__name')].map((e) => e.textContent)";
        serde_json::from_value(self.js(all).await).unwrap()
    }

    /// How many unread messages a conversation shows.
    pub(crate) async fn unread(&self, title: &str) -> u64 {
        let script = "const line = [...document.querySelectorAll('.conversation')]
                .find((e) => e.querySelector('.conversation__name').textContent === arguments[0]);
            return parseInt(line?.querySelector('.badge [aria-hidden]')?.textContent ?? '0')";
        let answer = self.browser.execute(script, vec![json!(title)]).await.unwrap();
        answer.json().as_u64().unwrap()
    }

    pub(crate) async fn sees(&self, text: &str) {
        let what = format!("{} sees {text:.40}", self.name);
        eventually(&what, || async { self.texts().await.iter().any(|shown| shown == text) }).await;
    }

    /// Waits until everything written is accepted.
    pub(crate) async fn has_sent_all(&self) {
        let waiting = "return document.querySelectorAll('.message[data-state=\"pending\"]').length";
        eventually(&format!("{} has sent all", self.name), || async { self.js(waiting).await == json!(0) }).await;
    }

    pub(crate) async fn js(&self, script: &str) -> Value {
        self.browser.execute(script, vec![]).await.unwrap().json().clone()
    }

    /// Looks for barriers to people who see, hear or move less, as far as a program finds them (axe-core), and fails
    /// for those that are serious.
    pub(crate) async fn meets_no_barrier(&self, place: &str) {
        let axe = std::env::var("CONFAB_AXE").expect("CONFAB_AXE names axe.min.js; cargo xtask test sets it");
        let axe = std::fs::read_to_string(axe).unwrap();
        self.browser.execute(format!("if (!window.axe) {{ {axe} }}"), vec![]).await.unwrap();
        let look = "const done = arguments[0];
            axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations
                .filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 120) + ' ' + node.failureSummary).join('; '))));";
        let found = self.browser.execute_async(look, vec![]).await.unwrap();
        assert_eq!(found.json(), &json!([]), "{place}");
    }

    /// Keeps a picture of what is on the screen.
    pub(crate) async fn picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../test-output");
        std::fs::create_dir_all(&folder).unwrap();
        self.browser.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
    }

    /// Keeps a picture of the whole page, also of what is below the window.
    pub(crate) async fn whole_picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../test-output");
        std::fs::create_dir_all(&folder).unwrap();
        let tools = self.browser.cdp();
        let taken = tools.send_raw("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await.unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Leaves, after a look at what went wrong unseen.
    pub(crate) async fn leaves(self) {
        assert_eq!(self.js("return window.violations").await, json!([]), "the policy forbade something");
        assert_eq!(self.js("return window.failures").await, json!([]), "a script failed");
        self.browser.quit().await.unwrap();
    }
}
