//! A well-behaved client on a connection of its own: while others attack, it must be answered, rightly
//! and in time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::wire::{Raw, post};

/// How long one of its calls may take: far more than on an idle machine, far less than stuck.
const LATENCY_MAX: Duration = Duration::from_secs(5);
/// Between its calls.
const PAUSE: Duration = Duration::from_millis(5);

pub struct Canary {
    addr: SocketAddr,
    key: String,
    headers: String,
    quiet: Arc<AtomicBool>,
    singing: JoinHandle<(Raw, i64)>,
}

impl Canary {
    /// Sings from now on.
    pub async fn start(addr: SocketAddr) -> Self {
        Self::start_with(addr, "").await
    }

    /// With more header lines.
    pub async fn start_with(addr: SocketAddr, headers: &str) -> Self {
        static KEYS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let key = format!("canary-{}", KEYS.fetch_add(1, Ordering::Relaxed));
        let quiet = Arc::new(AtomicBool::new(false));
        let mut raw = Raw::connect(addr).await;
        let request = deposit(&key, headers);
        sing(&mut raw, &request, 1).await;
        let stop = quiet.clone();
        let singing = tokio::spawn(async move {
            let mut count = 1;
            loop {
                count += 1;
                sing(&mut raw, &request, count).await;
                if stop.load(Ordering::Relaxed) {
                    return (raw, count);
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self {
            addr,
            key,
            headers: headers.to_owned(),
            quiet,
            singing,
        }
    }

    /// Asserts that it was answered throughout, and is now, on its own connection and on a new one.
    pub async fn lives(self) {
        self.quiet.store(true, Ordering::Relaxed);
        let (mut raw, count) = self.singing.await.expect("the canary was answered");
        let request = deposit(&self.key, &self.headers);
        sing(&mut raw, &request, count + 1).await;
        sing(&mut Raw::connect(self.addr).await, &request, count + 2).await;
    }
}

fn deposit(key: &str, headers: &str) -> String {
    let target = format!("/v1/call/account/{key}/deposit");
    let request = post(&target, "{\"amount\":1}");
    request.replacen("\r\n", &format!("\r\n{headers}"), 1)
}

async fn sing(raw: &mut Raw, request: &str, balance: i64) {
    let began = Instant::now();
    let answer = raw.ask(request).await;
    assert_eq!(answer, Some((200, balance.to_string())));
    let took = began.elapsed();
    assert!(took < LATENCY_MAX, "the canary waited for {took:?}");
}
