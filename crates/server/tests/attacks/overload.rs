//! Ten times what the server can do, open loop, over streams and over HTTP: what is accepted is answered
//! in bounded time, what is refused is told so, nothing goes unanswered, memory stays bounded, and all is
//! as before soon after. What is asked for is work, so that those who ask, on the same machine, can ask for so
//! much. What was really offered is counted: less than five times is no overload, and void.
//!
//! A few seconds in tests; `ORDAIN_OVERLOAD_SECS=60` makes it as long as is wanted, and `--nocapture`
//! shows the figures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::canary::Canary;
use crate::stream::{self, frame};
use crate::victim::{Setup, Victim};
use crate::wire::{self, Raw, post};

/// Over the rate that is found to be sustainable.
const TIMES: f64 = 10.0;
/// What must really have been offered, over the same rate: those who make the load share the machine, and may come to
/// less than they mean to.
const TIMES_MIN: f64 = 5.0;
/// Streams, of which each may have many calls in flight.
const STREAMS: usize = 8;
/// Connections that make a request at a time.
const CALLERS: u32 = 8;
/// How much longer each of them waits between two than the one before it. Replies come batch by batch, when there is
/// room again: whoever asked at once would always find some.
const PACE: Duration = Duration::from_millis(20);
/// Calls in one message.
const BURST: usize = 64;
/// How many calls may wait in the victim's queue.
pub const QUEUE: usize = 256;
/// How much more memory the overload may cost: the calls of all streams at once, and what they carry.
const MEMORY_MAX: u64 = 256 << 20;
/// How long a call may wait for a processor, beside waiting for the queue: this is a debug build, and all
/// of it shares a machine with those who make the load.
const SCHEDULING_MAX: Duration = Duration::from_secs(5);
/// How soon all is as before.
const RECOVERY_MAX: Duration = Duration::from_secs(5);

fn seconds() -> Duration {
    let secs = std::env::var("ORDAIN_OVERLOAD_SECS");
    Duration::from_secs(secs.map_or(3, |secs| secs.parse().expect("a number of seconds")))
}

/// What became of calls.
#[derive(Default)]
struct Tally {
    asked: u64,
    accepted: u64,
    refused: u64,
    /// Of those that were accepted.
    latencies: Vec<Duration>,
    /// When the last was asked.
    offered: Option<Instant>,
}

impl Tally {
    /// Of several that went on beside each other.
    fn sum(all: Vec<Self>) -> Self {
        let mut sum = Self::default();
        for one in all {
            sum.asked += one.asked;
            sum.accepted += one.accepted;
            sum.refused += one.refused;
            sum.latencies.extend(one.latencies);
            sum.offered = sum.offered.max(one.offered);
        }
        sum
    }

    fn p99(&self) -> Duration {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let at = latencies.len() * 99 / 100;
        latencies.get(at).copied().unwrap_or_default()
    }
}

/// One call of a stream, numbered, so that its answer is known.
fn line(id: usize) -> String {
    format!(
        "{{\"id\":{id},\"entity\":\"account\",\"key\":\"k{}\",\"method\":\"work\",\"args\":{{}}}}\n",
        id % 64
    )
}

/// A stream that asks for more than it can have.
struct Flood {
    raw: Raw,
    /// By number: when it was asked, if its answer is still to come.
    open: Vec<Option<Instant>>,
    tally: Tally,
}

impl Flood {
    /// Takes in the answers that came. One for each call, and each says what became of it.
    fn hear(&mut self) {
        let mut at = 0;
        while let Some((text, end)) = stream::message(&self.raw.read[at..]) {
            for line in text.lines() {
                let id = line.split_once("\"id\":").expect("an id").1;
                let digits = id
                    .find(|c: char| !c.is_ascii_digit())
                    .expect("more than that");
                let id: usize = id[..digits].parse().expect("a number");
                let asked = self.open[id].take().expect("a call is answered once");
                if line.contains("\"value\":") {
                    self.tally.accepted += 1;
                    self.tally.latencies.push(asked.elapsed());
                } else {
                    let refusal =
                        line.contains("\"overloaded\"") && line.contains("\"retry_after_ms\"");
                    assert!(refusal, "neither accepted nor refused: {line}");
                    self.tally.refused += 1;
                }
            }
            at += end;
        }
        self.raw.read.drain(..at);
    }

    /// Offers `rate` calls a second for a time, then waits until every one is answered. What the
    /// connection does not take in time is asked later, and not left out.
    async fn run(addr: SocketAddr, rate: f64, time: Duration) -> Tally {
        let raw = stream::open(Raw::connect(addr).await).await;
        let (open, tally) = (Vec::new(), Tally::default());
        let mut flood = Self { raw, open, tally };
        let began = Instant::now();
        while began.elapsed() < time {
            let due = (began.elapsed().as_secs_f64() * rate) as usize;
            let upto = due.min(flood.open.len() + BURST);
            let text: String = (flood.open.len()..upto).map(line).collect();
            flood.open.resize(upto, Some(Instant::now()));
            if !text.is_empty() {
                flood
                    .raw
                    .send_while_reading(&frame(stream::FIN | stream::TEXT, text.as_bytes()))
                    .await;
            }
            flood.raw.take_what_came().await;
            flood.hear();
        }
        flood.tally.asked = flood.open.len() as u64;
        flood.tally.offered = Some(Instant::now());
        while flood.tally.accepted + flood.tally.refused < flood.tally.asked {
            assert!(
                flood.raw.fill().await,
                "the stream ended with calls unanswered"
            );
            flood.hear();
        }
        flood.tally
    }
}

/// Calls over HTTP, one after another, until the time is over: what became of them. Each refusal must say when to
/// come back.
async fn call(addr: SocketAddr, time: Duration, pause: Duration) -> Tally {
    let mut raw = Raw::connect(addr).await;
    let mut tally = Tally::default();
    let began = Instant::now();
    let request = post("/v1/call/account/http/work", "{}");
    while began.elapsed() < time {
        let asked = Instant::now();
        tally.asked += 1;
        tally.offered = Some(asked);
        assert!(raw.send(&request).await);
        let (status, head, body) = raw.reply_and_head().await.expect("every call is answered");
        match status {
            200 => {
                tally.accepted += 1;
                tally.latencies.push(asked.elapsed());
            }
            429 => {
                assert!(head.contains("retry-after: "), "{head}");
                assert!(body.contains("\"overloaded\""), "{body}");
                tally.refused += 1;
            }
            _ => panic!("{status}: {body}"),
        }
        tokio::time::sleep(pause).await;
    }
    tally
}

/// Calls a second that one stream has accepted, when it asks for as many as it can.
async fn sustainable(addr: SocketAddr) -> f64 {
    let began = Instant::now();
    let tally = Flood::run(addr, 1e6, Duration::from_secs(1)).await;
    tally.accepted as f64 / began.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_too_much_is_refused_in_time_and_forgotten_soon() {
    let victim = Victim::start(Setup::Queue);
    let addr = victim.addr;
    let before = victim.memory();
    let rate = sustainable(addr).await;
    assert!(rate > 0.0, "it can do something");
    let (time, began) = (seconds(), Instant::now());
    let mut floods = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        floods.spawn(Flood::run(addr, TIMES * rate / STREAMS as f64, time));
    }
    // On a thread of their own: what they wait for is the server, and not the flood's makers.
    let calls = std::thread::spawn(move || {
        wire::block_on(async {
            let mut all = tokio::task::JoinSet::new();
            (0..CALLERS).for_each(|number| drop(all.spawn(call(addr, time, PACE * number))));
            all.join_all().await
        })
    });
    let mut most = before;
    let floods = loop {
        tokio::select! {
            _ = tokio::time::sleep(Duration::from_millis(20)) => most = most.max(victim.memory()),
            Some(first) = floods.join_next() => {
                let first = first.expect("it ends well");
                let mut all = floods.join_all().await;
                all.push(first);
                break Tally::sum(all);
            }
        }
    };
    let calls = Tally::sum(calls.join().expect("it ends well"));
    // From here on nothing more is asked; what waits is still to be answered.
    let over = floods.offered.max(calls.offered).expect("both were asked");
    let offered = (floods.asked + calls.asked) as f64 / (over - began).as_secs_f64();
    let times = offered / rate;
    for all in [&floods, &calls] {
        let answered = all.accepted + all.refused;
        assert_eq!(all.asked, answered, "every call is answered");
    }
    // Normal again: the canary's calls are all answered in time.
    Canary::start(addr).await.lives().await;
    let recovery = over.elapsed();
    eprintln!(
        "sustainable {rate:.0}/s, offered {times:.1} times that; streams: {} accepted, {} refused, p99 {:?}; HTTP: {} \
         accepted, {} refused, p99 {:?}; memory {} MiB, at most {} MiB; recovered in {recovery:?}",
        floods.accepted,
        floods.refused,
        floods.p99(),
        calls.accepted,
        calls.refused,
        calls.p99(),
        before >> 20,
        most >> 20
    );
    assert!(times >= TIMES_MIN, "void: {times:.1} times is no overload");
    assert!(calls.refused > 0, "void: nobody was told so over HTTP");
    assert!(
        floods.accepted > 0 && calls.accepted > 0,
        "void: nothing was accepted, so nothing was in time"
    );
    assert!(
        most.saturating_sub(before) < MEMORY_MAX,
        "{most} bytes after {before}"
    );
    // What is accepted waits for those before it in the queue; while all that is refused takes its
    // share, that goes slower than when nothing is.
    let bound = Duration::from_secs_f64(TIMES * QUEUE as f64 / rate) + SCHEDULING_MAX;
    for (p99, how) in [(floods.p99(), "streams"), (calls.p99(), "HTTP")] {
        assert!(p99 < bound, "{how}: {p99:?}: more than {bound:?}");
    }
    assert!(recovery < RECOVERY_MAX, "{recovery:?}");
}
