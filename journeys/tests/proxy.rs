//! Stands between browser and server, and serves another build of the page when it is told to.

use crate::support::Server;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is served as the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// The server's own.
    Own,
    /// A later one.
    Next,
    /// A later one that does not come as it was built.
    Broken,
}

pub(crate) struct Proxy {
    port: u16,
    build: Arc<Mutex<(Build, Vec<Build>)>>,
    cut: watch::Sender<u32>,
}

impl Proxy {
    pub(crate) async fn start(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let build = Arc::new(Mutex::new((Build::Own, Vec::new())));
        let (cut, cuts) = watch::channel(0);
        let (upstream, shared) = (server.origin(), build.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, build, mut cuts) = (upstream.clone(), shared.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = serve(client, &upstream, &build) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { port, build, cut }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Serves this build from now on.
    pub(crate) fn serves(&self, build: Build) {
        self.build.lock().unwrap().0 = build;
    }

    /// Whether the script that keeps the page was asked for, of this build.
    pub(crate) fn has_served(&self, build: Build) -> bool {
        self.build.lock().unwrap().1.contains(&build)
    }

    /// Cuts every connection.
    pub(crate) fn cuts(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}

/// One connection: one request, or a WebSocket.
async fn serve(mut client: TcpStream, upstream: &str, build: &Mutex<(Build, Vec<Build>)>) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let byte = client.read_u8().await.ok()?;
        head.push(byte);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let now = build.lock().unwrap().0;
    if now != Build::Own && (path == "/worker.js" || path == "/index.html") {
        let body = page(upstream, &path, now).await;
        if path == "/worker.js" {
            build.lock().unwrap().1.push(now);
        }
        let kind = if path.ends_with("js") { "text/javascript" } else { "text/html" };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\ncache-control: no-cache\r\nconnection: close\r\n\r\n"
        );
        client.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
        return client.shutdown().await.ok();
    }
    let mut server = TcpStream::connect(upstream.trim_start_matches("http://")).await.ok()?;
    let head = head.replace("Connection: keep-alive", "Connection: close");
    server.write_all(head.as_bytes()).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
}

/// A file of the other build.
async fn page(upstream: &str, path: &str, build: Build) -> String {
    let get = |path: &'static str| async move {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(format!("{upstream}{path}")).send().await.unwrap().text().await.unwrap()
    };
    let own = get("/index.html").await;
    let index = own.replace("</head>", "<meta name=\"build\" content=\"next\"></head>");
    if path == "/index.html" {
        return if build == Build::Broken { index.replace("next", "half") } else { index };
    }
    let digest = |text: &str| format!("sha256-{}", STANDARD.encode(Sha256::digest(text)));
    let worker = get("/worker.js").await.replace(&digest(&own), &digest(&index));
    worker.replace("const BUILD = \"", &format!("const BUILD = \"{build:?}-"))
}
