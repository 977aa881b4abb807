//! Every setting, once. Each has a flag, a `CONFAB_…` variable and a line in an optional TOML file;
//! a flag counts more than a variable, a variable more than the file.

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use shared::limits::Limits;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// A chat server with its web page inside.
#[derive(Debug, Parser)]
#[command(name = "confab", version, about, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What to do; `serve` if it is left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings of `serve`.
    #[command(flatten)]
    pub serve: Serve,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Box<Serve>),
    /// Copy the data folder's database into one file, while the server runs or not
    Backup(Backup),
    /// Put a backup into an empty data folder
    Restore(Restore),
    /// Look into a picture: what the server starts itself for
    #[command(hide = true)]
    Picture,
}

/// What `backup` needs.
#[derive(Debug, Args)]
pub struct Backup {
    /// The folder of the server
    #[arg(long, value_name = "DIR", env = "CONFAB_DATA", default_value = DATA)]
    pub data: PathBuf,
    /// The file to make; it must not exist
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// What `restore` needs.
#[derive(Debug, Args)]
pub struct Restore {
    /// A file made by `backup`
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The folder to fill; it must be empty or not exist
    #[arg(long, value_name = "DIR", env = "CONFAB_DATA", default_value = DATA)]
    pub data: PathBuf,
}

/// The data folder, if nothing else is said.
const DATA: &str = "data";

/// Where settings come from.
#[derive(Debug, Args)]
pub struct Serve {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE", env = "CONFAB_CONFIG")]
    pub config: Option<PathBuf>,
    /// Show the settings that would be used, as TOML, and stop
    #[arg(long)]
    pub print_config: bool,
    /// The settings given here.
    #[command(flatten)]
    pub settings: Settings,
}

/// Settings of one source; what is not given is left to the next.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "CONFAB_LISTEN")]
    listen: Option<SocketAddr>,
    /// The folder that holds everything [default: ./data]
    #[arg(long, value_name = "DIR", env = "CONFAB_DATA")]
    data: Option<PathBuf>,
    /// The address people open, if it is not the one in their request, like <https://chat.example.org>
    #[arg(long, value_name = "URL", env = "CONFAB_PUBLIC_URL")]
    public_url: Option<String>,
    /// Another page that may use this server, like <http://127.0.0.1:8000>; may be given several times
    #[arg(long, value_name = "URL", env = "CONFAB_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Option<Vec<String>>,
    /// Another name people reach this server by, like chat.example.org; may be given several times. Addresses, names
    /// without a dot and names in .local need none
    #[arg(long, value_name = "NAME", env = "CONFAB_ALLOW_HOST", value_delimiter = ',')]
    allow_host: Option<Vec<String>>,
    /// A proxy whose X-Forwarded-For is believed, like 10.0.0.1; may be given several times
    #[arg(long, value_name = "ADDRESS", env = "CONFAB_TRUSTED_PROXY", value_delimiter = ',')]
    trusted_proxy: Option<Vec<IpAddr>>,
    /// Limits on how fast people send and guess passwords; off is for load tests [default: on]
    #[arg(long, value_name = "on|off", env = "CONFAB_RATE_LIMITS")]
    rate_limits: Option<Switch>,
    /// Messages a person may send at once [default: 60]
    #[arg(long, value_name = "N", env = "CONFAB_SEND_BURST")]
    send_burst: Option<u32>,
    /// Messages a person may go on to send in each 10 seconds [default: 30]
    #[arg(long, value_name = "N", env = "CONFAB_SENDS_IN_10_S")]
    sends_in_10_s: Option<u32>,
    /// Messages an API token may send at once [default: 60]
    #[arg(long, value_name = "N", env = "CONFAB_TOKEN_SEND_BURST")]
    token_send_burst: Option<u32>,
    /// Messages an API token may go on to send in each 10 seconds [default: 30]
    #[arg(long, value_name = "N", env = "CONFAB_TOKEN_SENDS_IN_10_S")]
    token_sends_in_10_s: Option<u32>,
    /// Wrong passwords for one account in 15 minutes [default: 10]
    #[arg(long, value_name = "N", env = "CONFAB_ACCOUNT_FAILURES_IN_15_MIN")]
    account_failures_in_15_min: Option<u32>,
    /// Wrong passwords from one address in 15 minutes [default: 100]
    #[arg(long, value_name = "N", env = "CONFAB_ADDRESS_FAILURES_IN_15_MIN")]
    address_failures_in_15_min: Option<u32>,
    /// Requests and frames of a person at once, over all browsers and tokens; dear ones count as several [default: 2000]
    #[arg(long, value_name = "N", env = "CONFAB_REQUEST_BURST")]
    request_burst: Option<u32>,
    /// Requests and frames a person may go on to make in each 10 seconds [default: 1000]
    #[arg(long, value_name = "N", env = "CONFAB_REQUESTS_IN_10_S")]
    requests_in_10_s: Option<u32>,
    /// Accounts made from one address, or one /48 of IPv6, in 15 minutes [default: 10]
    #[arg(long, value_name = "N", env = "CONFAB_SIGN_UPS_IN_15_MIN")]
    sign_ups_in_15_min: Option<u32>,
    /// Accounts made from one address, or one /48 of IPv6, in a day [default: 30]
    #[arg(long, value_name = "N", env = "CONFAB_SIGN_UPS_IN_A_DAY")]
    sign_ups_in_a_day: Option<u32>,
    /// People whom a person may put into groups and channels: anyone, or known: those they have talked with; others are asked first [default: anyone]
    #[arg(long, value_name = "anyone|known", env = "CONFAB_GROUP_INVITES")]
    group_invites: Option<GroupInvites>,
    /// People a person may put into groups and channels at once [default: 200]
    #[arg(long, value_name = "N", env = "CONFAB_GROUP_INVITE_BURST")]
    group_invite_burst: Option<u32>,
    /// People a person may go on to put into groups and channels in each hour [default: 500]
    #[arg(long, value_name = "N", env = "CONFAB_GROUP_INVITES_IN_AN_HOUR")]
    group_invites_in_an_hour: Option<u32>,
    /// The longest message, in bytes [default: 16384]
    #[arg(long, value_name = "BYTES", env = "CONFAB_CONTENT_BYTES")]
    content_bytes: Option<u32>,
    /// The longest frame a client may send, in bytes [default: 65536]
    #[arg(long, value_name = "BYTES", env = "CONFAB_FRAME_BYTES")]
    frame_bytes: Option<u32>,
    /// The largest file, in bytes [default: 26214400]
    #[arg(long, value_name = "BYTES", env = "CONFAB_ATTACHMENT_BYTES")]
    attachment_bytes: Option<u64>,
    /// What the files of one person may have together, in MiB [default: 2048]
    #[arg(long, value_name = "MIB", env = "CONFAB_ATTACHMENT_MIB_PER_USER")]
    attachment_mib_per_user: Option<u64>,
    /// Free space on the disk of the data folder that is left to messages, in MiB: files are refused that would take of
    /// it. 0: none [default: 5 % of the disk, at most 1024]
    #[arg(long, value_name = "MIB", env = "CONFAB_DISK_RESERVE_MIB")]
    disk_reserve_mib: Option<u64>,
    /// Sockets one person may have open [default: 64]
    #[arg(long, value_name = "N", env = "CONFAB_SOCKETS_PER_USER")]
    sockets_per_user: Option<usize>,
    /// Connections one address may have open before signing in [default: 64]
    #[arg(long, value_name = "N", env = "CONFAB_CONNECTIONS_PER_ADDRESS")]
    connections_per_address: Option<usize>,
    /// Connections and sockets of signed-in people one address may have open beyond eight of each [default: 512]
    #[arg(long, value_name = "N", env = "CONFAB_CONNECTIONS_PER_ADDRESS_IN_ALL")]
    connections_per_address_in_all: Option<usize>,
    /// Connections one person may have open beside sockets [default: 128]
    #[arg(long, value_name = "N", env = "CONFAB_CONNECTIONS_PER_USER")]
    connections_per_user: Option<usize>,
    /// Changes that may wait for the disk before further ones are refused [default: 8192]
    #[arg(long, value_name = "N", env = "CONFAB_WRITE_QUEUE")]
    write_queue: Option<usize>,
    /// Sockets welcomed at the same time; others wait for their turn [default: 64]
    #[arg(long, value_name = "N", env = "CONFAB_WELCOMES_AT_ONCE")]
    welcomes_at_once: Option<usize>,
    /// Memory the server may use, in MiB; new sockets are refused from 80 % on. 0: what the system allows [default: 0]
    #[arg(long, value_name = "MIB", env = "CONFAB_MEMORY_LIMIT_MIB")]
    memory_limit_mib: Option<u64>,
    /// Another push service that tells browsers while the page is closed, beside those of the usual browsers, like
    /// <https://push.example.org>; may be given several times
    #[arg(long, value_name = "URL", env = "CONFAB_PUSH_SERVICE", value_delimiter = ',')]
    push_service: Option<Vec<String>>,
    /// Whom push services may turn to, like mailto:admin@example.org [default: public-url]
    #[arg(long, value_name = "URL", env = "CONFAB_PUSH_CONTACT")]
    push_contact: Option<String>,
    /// After how long a reader that reads nothing is cut off [default: 30]
    #[arg(long, value_name = "SECONDS", env = "CONFAB_SLOW_CONSUMER_SECONDS", hide = true)]
    slow_consumer_seconds: Option<u64>,
    /// After how long a socket is closed that nothing is heard from [default: 60]
    #[arg(long, value_name = "SECONDS", env = "CONFAB_SILENCE_SECONDS", hide = true)]
    silence_seconds: Option<u64>,
    /// After how long a file is removed that no message names [default: 86400]
    #[arg(long, value_name = "SECONDS", env = "CONFAB_UNSENT_ATTACHMENT_SECONDS", hide = true)]
    unsent_attachment_seconds: Option<u64>,
    /// How the log is written [default: text]
    #[arg(long, value_name = "text|json", env = "CONFAB_LOG_FORMAT")]
    log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug or a filter like backend=debug,warn [default: info]
    #[arg(long, value_name = "FILTER", env = "CONFAB_LOG")]
    log: Option<String>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// People that a person may put into groups and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupInvites {
    /// Anybody with an account.
    Anyone,
    /// Only people they have talked with; others get a request.
    Known,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The settings a server runs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// The origin people open the page at, if it is fixed: scheme, host and port, nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Further origins.
    pub allow_origin: Vec<String>,
    /// Further names of this server, in lower case.
    pub allow_host: Vec<String>,
    /// Proxies that are believed.
    pub trusted_proxy: Vec<IpAddr>,
    /// Whether rates are limited.
    pub rate_limits: Switch,
    /// Messages a user may send at once.
    pub send_burst: u32,
    /// Messages a user may go on to send in each ten seconds.
    pub sends_in_10_s: u32,
    /// Messages an API token may send at once.
    pub token_send_burst: u32,
    /// Messages an API token may go on to send in each ten seconds.
    pub token_sends_in_10_s: u32,
    /// Wrong passwords for one account in 15 minutes.
    pub account_failures_in_15_min: u32,
    /// Wrong passwords from one address in 15 minutes.
    pub address_failures_in_15_min: u32,
    /// Requests and frames of a user at once.
    pub request_burst: u32,
    /// Requests and frames a user may go on to make in each ten seconds.
    pub requests_in_10_s: u32,
    /// Accounts made from one address, or /48, in 15 minutes.
    pub sign_ups_in_15_min: u32,
    /// Accounts made from one address, or /48, in a day.
    pub sign_ups_in_a_day: u32,
    /// People that a user may put into groups and channels.
    pub group_invites: GroupInvites,
    /// Members a user may bring in at once.
    pub group_invite_burst: u32,
    /// Members a user may go on to bring in in each hour.
    pub group_invites_in_an_hour: u32,
    /// The longest message, in bytes.
    pub content_bytes: u32,
    /// The longest frame, in bytes.
    pub frame_bytes: u32,
    /// The largest file, in bytes.
    pub attachment_bytes: u64,
    /// What the files of one user may have together, in MiB.
    pub attachment_mib_per_user: u64,
    /// Free space that files leave to messages, in MiB; 5 % of the disk and at most 1024, if nothing is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_reserve_mib: Option<u64>,
    /// Sockets of one user.
    pub sockets_per_user: usize,
    /// Connections of one address before signing in.
    pub connections_per_address: usize,
    /// Connections and sockets of signed-in people at one address, beyond the first eight of each.
    pub connections_per_address_in_all: usize,
    /// Connections of one user beside sockets.
    pub connections_per_user: usize,
    /// Changes that may wait for the disk.
    pub write_queue: usize,
    /// Sockets welcomed at the same time.
    pub welcomes_at_once: usize,
    /// Memory the server may use, in MiB; 0 asks the system.
    pub memory_limit_mib: u64,
    /// Further push services, as origins.
    pub push_service: Vec<String>,
    /// Whom push services may turn to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_contact: Option<String>,
    /// After how long without any progress a reader is given up.
    pub slow_consumer_seconds: u64,
    /// After how long without any frame a peer is given up.
    pub silence_seconds: u64,
    /// After how long a file is removed that no message names.
    pub unsent_attachment_seconds: u64,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
}

impl Config {
    /// The settings given by flags and variables, filled up from the file and the defaults.
    ///
    /// # Errors
    /// A sentence for the person who started the server.
    pub fn load(serve: Serve) -> anyhow::Result<Self> {
        let file = match &serve.config {
            None => Settings::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("The settings file {} cannot be read", path.display()))?;
                toml::from_str(&text)
                    .with_context(|| format!("The settings file {} cannot be understood", path.display()))?
            }
        };
        Self::merge(serve.settings, file)
    }

    fn merge(first: Settings, second: Settings) -> anyhow::Result<Self> {
        macro_rules! pick {
            ($name:ident, $default:expr) => {
                first.$name.or(second.$name).unwrap_or_else(|| $default)
            };
        }
        let limits = Limits::default();
        let config = Self {
            listen: pick!(listen, SocketAddr::from(([127, 0, 0, 1], 8080))),
            data: pick!(data, DATA.into()),
            public_url: first
                .public_url
                .or(second.public_url)
                .filter(|url| !url.is_empty())
                .map(|url| origin("public-url", &url))
                .transpose()?,
            allow_origin: pick!(allow_origin, Vec::new())
                .iter()
                .filter(|url| !url.is_empty())
                .map(|url| origin("allow-origin", url))
                .collect::<Result<_, _>>()?,
            allow_host: pick!(allow_host, Vec::new())
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| host_name(name))
                .collect::<Result<_, _>>()?,
            trusted_proxy: pick!(trusted_proxy, Vec::new()).iter().map(IpAddr::to_canonical).collect(),
            rate_limits: pick!(rate_limits, Switch::On),
            send_burst: pick!(send_burst, 60),
            sends_in_10_s: pick!(sends_in_10_s, 30),
            token_send_burst: pick!(token_send_burst, 60),
            token_sends_in_10_s: pick!(token_sends_in_10_s, 30),
            account_failures_in_15_min: pick!(account_failures_in_15_min, 10),
            address_failures_in_15_min: pick!(address_failures_in_15_min, 100),
            request_burst: pick!(request_burst, 2_000),
            requests_in_10_s: pick!(requests_in_10_s, 1_000),
            sign_ups_in_15_min: pick!(sign_ups_in_15_min, 10),
            sign_ups_in_a_day: pick!(sign_ups_in_a_day, 30),
            group_invites: pick!(group_invites, GroupInvites::Anyone),
            group_invite_burst: pick!(group_invite_burst, 200),
            group_invites_in_an_hour: pick!(group_invites_in_an_hour, 500),
            content_bytes: pick!(content_bytes, limits.content_bytes),
            frame_bytes: pick!(frame_bytes, limits.frame_bytes),
            attachment_bytes: pick!(attachment_bytes, limits.attachment_bytes),
            attachment_mib_per_user: pick!(attachment_mib_per_user, 2_048),
            disk_reserve_mib: first.disk_reserve_mib.or(second.disk_reserve_mib),
            sockets_per_user: pick!(sockets_per_user, 64),
            connections_per_address: pick!(connections_per_address, 64),
            connections_per_address_in_all: pick!(connections_per_address_in_all, 512),
            connections_per_user: pick!(connections_per_user, 128),
            write_queue: pick!(write_queue, crate::store::writer::QUEUE_MAX),
            welcomes_at_once: pick!(welcomes_at_once, 64),
            memory_limit_mib: pick!(memory_limit_mib, 0),
            push_service: pick!(push_service, Vec::new())
                .iter()
                .filter(|url| !url.is_empty())
                .map(|url| origin("push-service", url))
                .collect::<Result<_, _>>()?,
            push_contact: first.push_contact.or(second.push_contact).filter(|url| !url.is_empty()),
            slow_consumer_seconds: pick!(slow_consumer_seconds, 30),
            silence_seconds: pick!(silence_seconds, 60),
            unsent_attachment_seconds: pick!(unsent_attachment_seconds, 24 * 60 * 60),
            log_format: pick!(log_format, LogFormat::Text),
            log: pick!(log, "info".into()),
        };
        for (name, number) in [
            ("send-burst", u64::from(config.send_burst)),
            ("sends-in-10-s", u64::from(config.sends_in_10_s)),
            ("token-send-burst", u64::from(config.token_send_burst)),
            ("token-sends-in-10-s", u64::from(config.token_sends_in_10_s)),
            ("account-failures-in-15-min", u64::from(config.account_failures_in_15_min)),
            ("address-failures-in-15-min", u64::from(config.address_failures_in_15_min)),
            ("request-burst", u64::from(config.request_burst)),
            ("requests-in-10-s", u64::from(config.requests_in_10_s)),
            ("sign-ups-in-15-min", u64::from(config.sign_ups_in_15_min)),
            ("sign-ups-in-a-day", u64::from(config.sign_ups_in_a_day)),
            ("group-invite-burst", u64::from(config.group_invite_burst)),
            ("group-invites-in-an-hour", u64::from(config.group_invites_in_an_hour)),
            ("content-bytes", u64::from(config.content_bytes)),
            ("attachment-bytes", config.attachment_bytes),
            ("attachment-mib-per-user", config.attachment_mib_per_user),
            ("unsent-attachment-seconds", config.unsent_attachment_seconds),
            ("sockets-per-user", config.sockets_per_user as u64),
            ("connections-per-address", config.connections_per_address as u64),
            ("connections-per-address-in-all", config.connections_per_address_in_all as u64),
            ("connections-per-user", config.connections_per_user as u64),
            ("write-queue", config.write_queue as u64),
            ("welcomes-at-once", config.welcomes_at_once as u64),
            ("slow-consumer-seconds", config.slow_consumer_seconds),
            ("silence-seconds", config.silence_seconds),
        ] {
            if number == 0 {
                bail!("The setting {name} must be at least 1");
            }
        }
        // Every byte of a message may need six in JSON (\u00XX); a frame must be able to carry a full
        // one of plain text at least.
        if config.frame_bytes < config.content_bytes.saturating_add(1_024) {
            bail!("The setting frame-bytes must be at least 1024 more than content-bytes");
        }
        Ok(config)
    }

    /// The settings as the TOML file that would give them.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("The settings cannot be shown as TOML")
    }

    /// What a socket is told about limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            content_bytes: self.content_bytes,
            frame_bytes: self.frame_bytes,
            attachment_bytes: self.attachment_bytes,
            ..Limits::default()
        }
    }

    /// Whether people reach the server over https, so that cookies may insist on it.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// An origin as browsers write it (RFC 6454 section 6.2): scheme, host, and port if it is not the
/// scheme's own.
fn origin(setting: &str, url: &str) -> anyhow::Result<String> {
    let parsed: http::Uri = url.parse().with_context(|| format!("The setting {setting} is no URL: {url}"))?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (parsed.scheme_str(), parsed.authority()) else {
        bail!("The setting {setting} must begin with http:// or https://, not {url}");
    };
    if !parsed.path().trim_matches('/').is_empty() || parsed.query().is_some() {
        bail!("The setting {setting} must be a scheme, a host and a port only, not {url}");
    }
    let host = authority.host().to_lowercase();
    Ok(match (scheme, authority.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    })
}

/// A name as `Host` headers are compared with it: lower case, no port.
fn host_name(name: &str) -> anyhow::Result<String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !name.bytes().all(is_name) {
        bail!("The setting allow-host must be a name only, like chat.example.org, not {name}");
    }
    Ok(name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Config {
        let arguments = Arguments::try_parse_from([&["confab"], arguments].concat()).expect("good arguments");
        Config::load(arguments.serve).expect("good settings")
    }

    #[test]
    fn every_setting_has_a_flag_a_variable_and_a_line_in_the_file() {
        let unset = ["--public-url", "https://x.org", "--push-contact", "mailto:a@x.org", "--disk-reserve-mib", "512"];
        let printed = parse(&unset).to_toml().expect("TOML");
        let lines: toml::Table = printed.parse().expect("TOML");
        let command = Arguments::command();
        let flags: Vec<_> = command
            .get_arguments()
            .filter(|argument| {
                !["config", "print-config", "help", "version"].contains(&argument.get_long().unwrap_or("help"))
            })
            .collect();
        assert_eq!(flags.len(), lines.len());
        for flag in flags {
            let name = flag.get_long().expect("a long flag");
            assert!(lines.contains_key(name), "{name} has no line");
            let variable = format!("CONFAB_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(flag.get_env().and_then(|env| env.to_str()), Some(variable.as_str()));
        }
    }

    #[test]
    fn what_is_printed_gives_the_same_settings() {
        let config =
            parse(&["--listen", "0.0.0.0:0", "--rate-limits", "off", "--allow-origin", "http://a:1,https://b"]);
        let file: Settings = toml::from_str(&config.to_toml().expect("TOML")).expect("its own output");
        assert_eq!(Config::merge(Settings::default(), file).expect("good"), config);
    }

    #[test]
    fn flags_count_more_than_the_file() {
        let file: Settings = toml::from_str("send-burst = 5\nsends-in-10-s = 7").expect("TOML");
        let flags = Settings { send_burst: Some(9), ..Settings::default() };
        let config = Config::merge(flags, file).expect("good");
        assert_eq!((config.send_burst, config.sends_in_10_s), (9, 7));
        assert!(toml::from_str::<Settings>("sendburst = 5").is_err(), "a misspelt line must not be ignored");
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        let table = [
            ("https://Chat.Example.org/", "https://chat.example.org"),
            ("https://a:443", "https://a"),
            ("http://a:80/", "http://a"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ];
        for (given, kept) in table {
            assert_eq!(origin("x", given).expect(given), kept);
        }
        for bad in ["a.org", "ftp://a", "https://a/b", "https://a?b", ""] {
            assert!(origin("x", bad).is_err(), "{bad}");
        }
    }
}
