//! What a server is told, and every limit it keeps. Nothing below reads an environment or a file of
//! settings; certificates are read where they are used.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ordain_types::limits::{ARGUMENT_BYTES_MAX, FIELD_KEY_BYTES_MAX, SCAN_BYTES_MAX};

use crate::auth::{self, Token};
use crate::tls;

/// Bytes of a request's head: its line and its headers.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of one line of a batch: arguments and what is around them.
pub const LINE_BYTES_MAX: usize = ARGUMENT_BYTES_MAX + (8 << 10);
pub use ordain_api::routes::{PAGE_FIELDS, PAGE_FIELDS_MAX};
/// Bytes of values after which a page of an entity's state ends.
pub const PAGE_BYTES_MAX: usize = 4 << 20;
// What the engine gives is cut where a page ends, or a page that is cut short would not say so.
const _: () = assert!(PAGE_BYTES_MAX + FIELD_KEY_BYTES_MAX * PAGE_FIELDS_MAX <= SCAN_BYTES_MAX);
/// Bytes of answers of one batch or stream beyond which no more of its calls are read. Those that are on
/// their way are reckoned as long as answers were of late, and may be longer.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes of a body for which whoever sends it has another second: a module of many megabytes may come over a slow
/// line, and what only trickles is given up all the same.
pub const BODY_BYTES_PER_SEC_MIN: usize = 128 << 10;
/// Connections beyond the limit that are told so; those beyond that are closed without a word.
pub(crate) const TURNED_AWAY_MAX: usize = 64;
/// Operators' requests being answered at once, beside [`Limits::requests_max`] of the others.
pub const ADMIN_REQUESTS_MAX: usize = 64;

/// What a server is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may ask. Without tokens everyone may, and only loopback is listened on.
    pub tokens: Vec<Token>,
    /// Names and addresses beside `localhost` and those of loopback that the `Host` header may hold while
    /// there are no tokens. Without port.
    pub names: Vec<String>,
    /// Serve TLS.
    pub tls: Option<TlsFiles>,
    /// Show the traces of faults to every caller, and not only to those with the scope `admin`: for
    /// development.
    pub traces: bool,
    /// How much of everything.
    pub limits: Limits,
}

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, and those between it and its root.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How much of everything. Every bound that an outsider can reach is here or a constant beside it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once.
    pub connections_max: usize,
    /// Bytes of a request's body; of batches each line is bounded, and modules have a limit of their own.
    pub body_bytes_max: usize,
    /// How long a request's head, or a TLS handshake, may take.
    pub head_timeout: Duration,
    /// How long a request's body may take, beside a second for each [`BODY_BYTES_PER_SEC_MIN`] that came; and
    /// how long the next line of a batch.
    pub body_timeout: Duration,
    /// How long a connection may do nothing.
    pub idle_timeout: Duration,
    /// How long a client may leave a reply of a batch, a stream or a backup unread.
    pub write_timeout: Duration,
    /// Requests being answered at once, in all connections; beside them [`ADMIN_REQUESTS_MAX`] of operators, and
    /// whoever looks how the server is.
    pub requests_max: usize,
    /// Calls of one stream in flight at once.
    pub stream_calls_max: usize,
    /// Calls of one batch in flight at once.
    pub batch_calls_max: usize,
    /// Requests of one HTTP/2 connection at once.
    pub h2_streams_max: u32,
    /// How long a deployment waits for those before it, to be read and to be done: both one at a time.
    pub deploy_wait: Duration,
    /// How long a stop waits for clients to take their replies.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            body_bytes_max: ARGUMENT_BYTES_MAX,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            requests_max: 8_192,
            stream_calls_max: 4_096,
            batch_calls_max: 4_096,
            h2_streams_max: 256,
            deploy_wait: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tokens: Vec::new(),
            names: Vec::new(),
            tls: None,
            traces: false,
            limits: Limits::default(),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Open to others, and no one is asked who they are.
    #[error(
        "refusing to listen on {0} without tokens: anyone who reaches it could change everything. \
         Configure tokens, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// Two tokens of one name.
    #[error(
        "two tokens are named `{0}`; calls carry the name as their caller, so give each its own"
    )]
    TokenName(String),
    /// Two tokens of one text.
    #[error(
        "the tokens `{0}` and `{1}` have one SHA-256, and so one text; whoever shows it could be either: \
         give each its own"
    )]
    TokenText(String, String),
    /// A limit that lets nothing through.
    #[error("the limit {0} is zero; nothing could be answered")]
    ZeroLimit(&'static str),
    /// The address cannot be listened on.
    #[error("listening on {addr}: {error}{}", free_port(.error))]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The certificate or its key cannot be read.
    #[error("reading {path} as PEM: {reason}", path = path.display())]
    TlsFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate and the key do not go together.
    #[error("using the TLS certificate {path} with its key: {error}", path = cert.display())]
    Tls {
        /// The certificate.
        cert: PathBuf,
        /// What is wrong.
        error: rustls::Error,
    },
}

/// What to do where the port is taken.
fn free_port(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another server may be running there: choose another port, or 0 for a free one"
        }
        _ => "",
    }
}

impl Config {
    /// Refuses what must not be served.
    ///
    /// # Errors
    /// The first thing that must not.
    pub fn check(&self) -> Result<(), BindError> {
        if self.tokens.is_empty() && !self.listen.ip().is_loopback() {
            return Err(BindError::Open(self.listen));
        }
        let mut names: Vec<&str> = self.tokens.iter().map(Token::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BindError::TokenName(twice[0].to_owned()));
        }
        if let Some((one, other)) = auth::same_text(&self.tokens) {
            let (one, other) = (one.name().to_owned(), other.name().to_owned());
            return Err(BindError::TokenText(one, other));
        }
        self.limits.check()
    }

    /// Refuses a certificate and a key that cannot be read, or do not go together: both files are read.
    ///
    /// # Errors
    /// What is wrong with which.
    pub fn check_tls(&self) -> Result<(), BindError> {
        let acceptor = self.tls.as_ref().map(tls::acceptor).transpose();
        acceptor.map(drop)
    }
}

impl Limits {
    fn check(&self) -> Result<(), BindError> {
        let some = |time: Duration| usize::from(!time.is_zero());
        let all = [
            ("connections_max", self.connections_max),
            ("body_bytes_max", self.body_bytes_max),
            ("head_timeout", some(self.head_timeout)),
            ("body_timeout", some(self.body_timeout)),
            ("idle_timeout", some(self.idle_timeout)),
            ("write_timeout", some(self.write_timeout)),
            ("deploy_wait", some(self.deploy_wait)),
            ("requests_max", self.requests_max),
            ("stream_calls_max", self.stream_calls_max),
            ("batch_calls_max", self.batch_calls_max),
            ("h2_streams_max", self.h2_streams_max as usize),
        ];
        match all.into_iter().find(|(_, limit)| *limit == 0) {
            Some((name, _)) => Err(BindError::ZeroLimit(name)),
            None => Ok(()),
        }
    }
}
