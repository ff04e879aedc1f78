//! Every setting there is: the one table from which flags, environment variables, keys of
//! `ordain.toml`, `ordain config` and `docs/configuration.md` are made. What commands do with them is
//! not known here.
//!
//! A setting's key gives all its names: `checkpoint_log` is `--checkpoint-log`,
//! `ORDAIN_CHECKPOINT_LOG` and `checkpoint_log = "…"`.

use std::fmt::Write;
use std::net::IpAddr;

use ordain_types::near::near;

use crate::levels;
use crate::units;

/// Where `ordain.toml` is, if not in the current directory.
pub const CONFIG_ENV: &str = "ORDAIN_CONFIG";
/// The file of settings.
pub const CONFIG_FILE: &str = "ordain.toml";
/// The array of tables that holds the bearer tokens a server takes.
pub const TOKEN_TABLES: &str = "token";
/// What all variables' names begin with.
pub const ENV_PREFIX: &str = "ORDAIN_";

/// Which commands a setting is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Commands that open a data directory.
    Data,
    /// Commands that run a server.
    Serve,
    /// Commands that ask a running server.
    Client,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file or directory.
    Path,
    /// An IP address.
    Address,
    /// 0 to 65535.
    Port,
    /// A number of bytes.
    Size,
    /// A time.
    Duration,
    /// A whole number.
    Count,
    /// Any text.
    Text,
    /// Names with commas between.
    Names,
    /// A level of messages, or levels for parts of the program, with commas between.
    Levels,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key, in `ordain.toml`.
    pub key: &'static str,
    /// Which commands it is for.
    pub group: Group,
    /// What its value may be.
    pub kind: Kind,
    /// Its value if nothing else is said; empty: none.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
}

const fn setting(
    key: &'static str,
    group: Group,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    let secret = false;
    Setting {
        key,
        group,
        kind,
        default,
        meaning,
        secret,
    }
}

/// All of them. At most 25: a setting more must replace another.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting("dir", Group::Data, Kind::Path, ".ordain",
        "The data directory: log and checkpoints."),
    setting("memory_budget", Group::Data, Kind::Size, "2GiB",
        "Entities kept in memory; beyond it, what was not used lately is read back when it is needed."),
    setting("store_cache", Group::Data, Kind::Size, "64MiB",
        "Blocks of the store kept in memory for reading entities back."),
    setting("checkpoint_interval", Group::Data, Kind::Duration, "5s",
        "The longest time between two checkpoints while anything changes."),
    setting("checkpoint_log", Group::Data, Kind::Size, "160MiB",
        "How much log is written before a checkpoint is taken. Bounds what a restart replays."),
    setting("segment_size", Group::Data, Kind::Size, "64MiB",
        "The size of one file of the log, at most 4GiB. It is written whole before it is used."),
    setting("history_size", Group::Data, Kind::Size, "1GiB",
        "How much log is kept, what a restart needs counted in. That stays, even if it is more."),
    setting("retention", Group::Data, Kind::Duration, "24h",
        "How long answers to idempotency keys, and how sends ended, are kept."),
    setting("build", Group::Data, Kind::Text, "",
        "A name for the code of the methods, in place of the program's hash. Programs of one name replay \
         each other's logs: only for builds whose methods do exactly the same."),
    setting("queue_commands", Group::Data, Kind::Count, "65536",
        "Requests that may wait for their turn; more are refused as overload."),
    setting("queue_size", Group::Data, Kind::Size, "64MiB",
        "Bytes of requests that may wait for their turn."),
    setting("listen", Group::Serve, Kind::Address, "127.0.0.1",
        "The address to listen on. Other than loopback only with tokens."),
    setting("port", Group::Serve, Kind::Port, "4433",
        "The port to listen on. 0 takes a free one."),
    setting("names", Group::Serve, Kind::Names, "",
        "Host names and addresses beside those of loopback, without port, by which the server may be addressed while it has no tokens."),
    setting("tls_cert", Group::Serve, Kind::Path, "",
        "Serve TLS with this certificate chain, PEM."),
    setting("tls_key", Group::Serve, Kind::Path, "",
        "The private key of tls_cert, PEM."),
    setting("connections", Group::Serve, Kind::Count, "4096",
        "Connections at once."),
    setting("stop_timeout", Group::Serve, Kind::Duration, "30s",
        "How long a stop waits for clients to take their replies."),
    setting("log_format", Group::Serve, Kind::Word(&["auto", "human", "json"]), "auto",
        "How the server's messages look; auto: human on a terminal, JSON otherwise."),
    setting("log_level", Group::Serve, Kind::Levels, "info",
        "Which messages: error, warn, info, debug or trace, also for a part: info,ordain_node=debug."),
    setting("url", Group::Client, Kind::Text, "http://127.0.0.1:4433",
        "The server to ask."),
    Setting { secret: true, ..setting("bearer_token", Group::Client, Kind::Text, "",
        "The bearer token to show to the server. Better a variable than a flag: others see flags.") },
    setting("root_cert", Group::Client, Kind::Path, "",
        "For https: the certificate authority that the server's certificate is from, PEM. Without it no server is trusted."),
    setting("timeout", Group::Client, Kind::Duration, "30s",
        "How long one attempt to get an answer may take."),
    setting("retries", Group::Client, Kind::Count, "5",
        "How often to try again when the server cannot be reached or cannot answer. Nothing runs twice."),
];

const _: () = assert!(SETTINGS.len() <= 25);

impl Setting {
    /// The setting of this key.
    pub fn find(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// Its flag, without dashes before it.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Its environment variable.
    pub fn env(&self) -> String {
        format!("{ENV_PREFIX}{}", self.key.to_ascii_uppercase())
    }

    /// Why `text` cannot be its value: what is expected instead. An empty text is no value.
    pub fn check(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return match self.default.is_empty() {
                true => Ok(()),
                false => Err(self.kind.expected()),
            };
        }
        let fits = match self.kind {
            Kind::Path | Kind::Text => true,
            Kind::Address => text.parse::<IpAddr>().is_ok(),
            Kind::Port => text.parse::<u16>().is_ok(),
            Kind::Size => units::parse_size(text).is_ok(),
            Kind::Duration => units::parse_duration(text).is_ok(),
            Kind::Count => text.parse::<u32>().is_ok(),
            Kind::Names => text.split(',').all(|name| is_host(name.trim())),
            Kind::Levels => return levels::filter(text).map(drop),
            Kind::Word(words) => words.contains(&text),
        };
        match (fits, self.kind) {
            (true, _) => Ok(()),
            (false, Kind::Word(words)) => Err(self.kind.expected() + &meant(text, words)),
            (false, Kind::Address) => Err(self.kind.expected() + port_apart(text)),
            (false, kind) => Err(kind.expected()),
        }
    }
}

impl Kind {
    /// What a value looks like, in a word.
    pub fn unit(self) -> &'static str {
        match self {
            Kind::Path => "path",
            Kind::Address => "address",
            Kind::Port => "port",
            Kind::Size => "size",
            Kind::Duration => "time",
            Kind::Count => "number",
            Kind::Text => "text",
            Kind::Names => "names",
            Kind::Levels => "levels",
            Kind::Word(_) => "word",
        }
    }

    pub(crate) fn expected(self) -> String {
        match self {
            Kind::Path => "a path".to_owned(),
            Kind::Address => "an IP address like 127.0.0.1 or ::1".to_owned(),
            Kind::Port => "a port from 0 to 65535".to_owned(),
            Kind::Size => "a size like 64MiB, 1GB or 4096".to_owned(),
            Kind::Duration => units::TIME_LIKE.to_owned(),
            Kind::Count => "a whole number up to 4294967295".to_owned(),
            Kind::Text => "a text that is not empty".to_owned(),
            Kind::Names => {
                "host names or IP addresses, without scheme and port, with commas between"
                    .to_owned()
            }
            Kind::Levels => format!(
                "one of {}, also for a part of the program: info,ordain_node=debug",
                levels::LEVELS.join(", ")
            ),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// Whether requests can be for it: what no `Host` header ever says would be of no use, and nobody would be told.
fn is_host(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_name = !name.is_empty() && name.bytes().all(is_part);
    is_name || name.parse::<IpAddr>().is_ok()
}

/// What is said of an address with a port to it.
fn port_apart(text: &str) -> &'static str {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => "; the port is a setting of its own, port (--port)",
        _ => "",
    }
}

/// What may have been meant, as the end of a sentence.
pub(crate) fn meant(text: &str, known: &[&str]) -> String {
    match near(text, known.iter().copied()).first() {
        Some(near) => format!("; did you mean {near}?"),
        None => String::new(),
    }
}

/// `docs/configuration.md`, whole.
pub fn markdown() -> String {
    let mut out = String::from(HEAD);
    for (group, title) in [
        (Group::Data, "The data directory"),
        (Group::Serve, "The server"),
        (Group::Client, "Asking a server"),
    ] {
        let _ = writeln!(out, "## {title}\n\n{}", group.about());
        let _ = writeln!(
            out,
            "\n| key | value | default | meaning |\n|---|---|---|---|"
        );
        for setting in SETTINGS.iter().filter(|setting| setting.group == group) {
            let unit = match setting.kind {
                Kind::Word(words) => words.join(", "),
                kind => kind.unit().to_owned(),
            };
            let default = match setting.default {
                "" => "none".to_owned(),
                default => format!("`{default}`"),
            };
            let (key, meaning) = (setting.key, setting.meaning);
            let _ = writeln!(out, "| `{key}` | {unit} | {default} | {meaning} |");
        }
        out.push('\n');
    }
    out.push_str(TAIL);
    out
}

impl Group {
    fn about(self) -> &'static str {
        match self {
            Group::Data => {
                "For `serve` and `dev`, and for what opens a data directory by itself: `log`, `restore`, \
                 `state-hash --dir`, `backup --dir`. Of these the last two,\nand `dev` with a module, take `dir` as a \
                 flag alone: `dev FILE` keeps its state in `.ordain-dev` of the current directory, whatever a \
                 variable or\na file says of a server's."
            }
            Group::Serve => "For `serve` and `dev`.",
            Group::Client => {
                "For `call`, `query`, `send`, `get`, `entities`, `invocation`, `deploy`, `modules`, `rollback`, `undeploy`, \
                 `state-hash` and `backup`."
            }
        }
    }
}

const HEAD: &str = "\
# Configuration

A setting has one key and four places to be said in. The first of these that says it counts:

1. a flag: `--checkpoint-log 128MiB`
2. an environment variable: `ORDAIN_CHECKPOINT_LOG=128MiB`
3. `ordain.toml` in the current directory, or the file that `--config` or `ORDAIN_CONFIG` names: `checkpoint_log = \"128MiB\"`
4. the default

`ordain config` shows every setting, its value and where that was said. Keys and variables that are none are errors, so that a
typing mistake does not go unnoticed, and so is a file of more than 1 MiB.

A **size** is a number with B, KiB, MiB, GiB, TiB or kB, MB, GB, TB, without one of them in bytes; a **time** a number, with a point or without, with ms, s, min (or m), h or d: `1.5h`. A relative
**path** in `ordain.toml` begins at the directory of that file. **Names** have commas between; in `ordain.toml` they may also be an array.

";

const TAIL: &str = "\
## Tokens

A server without tokens answers everyone who reaches it, and therefore listens on loopback only. With tokens it asks everyone for
one (`Authorization: Bearer …`), and knows each by its SHA-256 only:

```toml
[[token]]
name = \"shop\"                  # the caller that methods see
scopes = [\"call\", \"read\"]      # some of call, read, admin
sha256 = \"0c4f…\"                # of the token's text
```

`ordain token new shop --scope call,read` makes one: it prints the token, once, and these lines.

| scope | good for |
|---|---|
| `call` | call, query, send |
| `read` | query; states, invocations, metrics |
| `admin` | modules, checkpoints, state hashes, backups; the traces of faults |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_this_table() {
        let written = include_str!("../../../docs/configuration.md");
        assert_eq!(
            written,
            markdown(),
            "write it anew: cargo run -- config --markdown > docs/configuration.md"
        );
    }

    #[test]
    fn defaults_are_values_and_keys_are_unique() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert_eq!(setting.check(setting.default), Ok(()), "{}", setting.key);
            assert!(SETTINGS[..at].iter().all(|other| other.key != setting.key));
            assert!(setting.key != TOKEN_TABLES && setting.env() != CONFIG_ENV);
            assert!(setting.meaning.ends_with('.'), "{}", setting.key);
        }
    }

    #[test]
    fn values_are_checked() {
        let check = |key: &str, text: &str| Setting::find(key).unwrap().check(text);
        for (key, good) in [
            ("port", "0"),
            ("names", "a,b"),
            ("names", "Ordain.test, my_host,10.0.0.1,fd00::1"),
            ("listen", "::1"),
            ("build", ""),
            ("log_level", "warn"),
            ("log_level", "WARN, ordain_node=debug"),
        ] {
            assert_eq!(check(key, good), Ok(()), "{key} {good}");
        }
        let with_port = check("listen", "localhost:80").unwrap_err();
        assert!(with_port.contains("(--port)"), "{with_port}");
        for (key, bad) in [
            ("port", "65536"),
            ("names", "a,,b"),
            ("names", "ordain.test:4433"),
            ("names", "https://ordain.test"),
            ("names", "[fd00::1]"),
            ("names", "b\u{fc}cher.test"),
            ("listen", "localhost"),
            ("dir", ""),
            ("retention", "24"),
            ("retries", "-1"),
            ("log_format", "xml"),
            ("log_level", "wran"),
            ("log_level", "off"),
            ("log_level", "info,"),
            ("log_level", "info,ordain_node"),
            ("log_level", "info,ordain_node=loud"),
            ("log_level", "=info"),
            ("log_level", "info,x[=debug"),
        ] {
            assert!(check(key, bad).is_err(), "{key} {bad}");
        }
    }
}
