//! A client that sends exactly what a test says, over any transport, and reads HTTP/1.1 replies.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::PATIENCE;

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub struct Client {
    io: Box<dyn Io>,
    read: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body is text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The status and the code, having checked that it is a problem document.
    #[track_caller]
    pub fn problem(&self) -> (u16, String) {
        let media = self.header("content-type");
        assert_eq!(media, Some("application/problem+json"), "{}", self.text());
        let json = self.json();
        assert_eq!(json["status"], self.status, "{json}");
        assert!(
            json["type"]
                .as_str()
                .is_some_and(|help| help.starts_with("/docs/errors.md#"))
        );
        (self.status, json["code"].as_str().unwrap_or("").to_owned())
    }
}

impl Client {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.expect("it listens"))
    }

    pub fn over(io: impl Io + 'static) -> Self {
        Self {
            io: Box::new(io),
            read: Vec::new(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.request("GET", path, &[], "").await
    }

    pub async fn post(&mut self, path: &str, body: &str) -> Reply {
        self.request("POST", path, &[], body).await
    }

    /// A request with what every request has, unless `headers` says otherwise.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        let mut add = |name: &str, value: &str| {
            if !headers
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
            {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        };
        add("host", "localhost");
        if !body.is_empty() {
            add("content-type", "application/json");
        }
        if method == "POST" {
            add("content-length", &body.len().to_string());
        }
        for (name, value) in headers.iter().filter(|(_, value)| *value != ABSENT) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(&format!("{text}\r\n{body}")).await;
        match method {
            "HEAD" => self.head().await,
            _ => self.reply().await,
        }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.io.write_all(bytes.as_ref());
        tokio::time::timeout(PATIENCE, sent)
            .await
            .expect("it reads")
            .expect("it is there");
    }

    /// Whether the server still takes it.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = self.io.write_all(bytes.as_ref());
        tokio::time::timeout(PATIENCE, sent)
            .await
            .expect("it hangs up in time")
            .is_ok()
    }

    /// Reads on; false at the end.
    async fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 << 10];
        let read = tokio::time::timeout(PATIENCE, self.io.read(&mut chunk)).await;
        let count = read
            .expect("the server says something in time")
            .unwrap_or(0);
        self.read.extend_from_slice(&chunk[..count]);
        count > 0
    }

    /// Whether the server closes the connection without another word.
    pub async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    /// The head of a reply, whose body is still to be read.
    pub async fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end;
            }
            assert!(self.fill().await, "the connection ended before a reply");
        };
        let head: Vec<u8> = self.read.drain(..end + 4).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(": "));
        Reply {
            status: status
                .and_then(|code| code.parse().ok())
                .expect("a status line"),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: Vec::new(),
        }
    }

    /// A whole reply.
    pub async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        if let Some(length) = reply.header("content-length") {
            let length: usize = length.parse().expect("a number");
            while self.read.len() < length {
                assert!(self.fill().await, "the body was cut short");
            }
            reply.body = self.read.drain(..length).collect();
        } else if reply.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk().await {
                reply.body.extend(chunk);
            }
        }
        reply
    }

    /// The next chunk of a body; none at its end.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = find(&self.read, b"\r\n") {
                break end;
            }
            assert!(self.fill().await, "the body broke off");
        };
        let size = std::str::from_utf8(&self.read[..end]).expect("a size is text");
        let size = usize::from_str_radix(size, 16).expect("a size is a number");
        while self.read.len() < end + 2 + size + 2 {
            assert!(self.fill().await, "the body broke off");
        }
        let chunk = self.read[end + 2..end + 2 + size].to_vec();
        self.read.drain(..end + 2 + size + 2);
        (size > 0).then_some(chunk)
    }
}

/// As a header's value: the header is not there.
pub const ABSENT: &str = "\0";

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
