//! A socket that sends what no client would, and reads what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Long enough for anything that is not stuck, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

pub struct Raw {
    io: TcpStream,
    /// What was read and not asked for yet.
    pub read: Vec<u8>,
}

impl Raw {
    pub async fn connect(addr: SocketAddr) -> Self {
        let io = TcpStream::connect(addr).await.expect("it listens");
        let _ = io.set_nodelay(true);
        let read = Vec::new();
        Self { io, read }
    }

    /// Whether the server took it in, or the system did for it.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.send_within(bytes, PATIENCE).await == Some(true)
    }

    /// Whether the server took it in; none if it did neither that nor hang up in this time.
    pub async fn send_within(&mut self, bytes: impl AsRef<[u8]>, time: Duration) -> Option<bool> {
        let sent = tokio::time::timeout(time, self.io.write_all(bytes.as_ref())).await;
        sent.ok().map(|sent| sent.is_ok())
    }

    /// Says that no more is sent.
    pub async fn end(&mut self) {
        let ended = tokio::time::timeout(PATIENCE, self.io.shutdown()).await;
        ended.expect("it ends in time").expect("it is there");
    }

    /// Reads on; false at the end.
    pub async fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 64 << 10];
        let read = tokio::time::timeout(PATIENCE, self.io.read(&mut chunk)).await;
        let count = read.expect("it answers or hangs up in time").unwrap_or(0);
        self.read.extend_from_slice(&chunk[..count]);
        count > 0
    }

    /// All there is until the server hangs up.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    /// Whether the server has not hung up for this time. What it says meanwhile is read and forgotten.
    pub async fn stays_for(&mut self, time: Duration) -> bool {
        let over = tokio::time::Instant::now() + time;
        let mut chunk = vec![0; 64 << 10];
        loop {
            match tokio::time::timeout_at(over, self.io.read(&mut chunk)).await {
                Err(_) => return true,
                Ok(Ok(0) | Err(_)) => return false,
                Ok(Ok(_)) => {}
            }
        }
    }

    /// So many bytes.
    pub async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.read.drain(..count).collect())
    }

    /// One reply, its head and its body.
    pub async fn reply(&mut self) -> Option<(u16, String)> {
        loop {
            if let Some((status, body, end)) = reply_in(&self.read) {
                self.read.drain(..end);
                return Some((status, body));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// One reply with its head.
    pub async fn reply_and_head(&mut self) -> Option<(u16, String, String)> {
        loop {
            if let Some((status, body, end)) = reply_in(&self.read) {
                let head = String::from_utf8_lossy(&self.read[..end - body.len()]).to_lowercase();
                self.read.drain(..end);
                return Some((status, head, body));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Takes in what came, and waits for a millisecond if nothing did.
    pub async fn take_what_came(&mut self) {
        let mut chunk = vec![0; 256 << 10];
        let read = tokio::time::timeout(Duration::from_millis(1), self.io.read(&mut chunk)).await;
        if let Ok(read) = read {
            let count = read.expect("the connection is there");
            assert!(count > 0, "the connection ended");
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    /// Sends all of it; what comes meanwhile is taken in, or neither side would get on.
    pub async fn send_while_reading(&mut self, bytes: &[u8]) {
        let (mut from, mut to) = self.io.split();
        let mut sending = std::pin::pin!(to.write_all(bytes));
        let mut chunk = vec![0; 64 << 10];
        loop {
            tokio::select! {
                sent = &mut sending => return sent.expect("the connection is there"),
                read = from.read(&mut chunk) => {
                    let count = read.expect("the connection is there");
                    assert!(count > 0, "the connection ended");
                    self.read.extend_from_slice(&chunk[..count]);
                }
            }
        }
    }

    /// Asks as a client would, and gives status and body.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Option<(u16, String)> {
        match self.send(request).await {
            true => self.reply().await,
            false => None,
        }
    }
}

/// The first reply: status, body, and where it ends.
fn reply_in(bytes: &[u8]) -> Option<(u16, String, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    let end = head + 4 + length;
    let body = bytes.get(head + 4..end)?;
    Some((status, String::from_utf8_lossy(body).into_owned(), end))
}

/// The statuses of all replies in what was read. Whatever is no reply counts as status 0.
pub fn statuses(mut bytes: &[u8]) -> Vec<u16> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        match reply_in(bytes) {
            Some((status, _, end)) => {
                all.push(status);
                bytes = &bytes[end..];
            }
            None => {
                all.push(0);
                break;
            }
        }
    }
    all
}

/// A request for `target`, which may be anything, with headers as lines and a body.
pub fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = match body.is_empty() && method != "POST" {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    format!("{method} {target} HTTP/1.1\r\n{headers}{length}\r\n{body}")
}

/// A JSON request with what every request has.
pub fn post(target: &str, body: &str) -> String {
    let headers = "host: localhost\r\ncontent-type: application/json\r\n";
    request("POST", target, headers, body)
}

/// A GET with what every request has.
pub fn get(target: &str) -> String {
    request("GET", target, "host: localhost\r\n", "")
}
