//! HTTP/2 as no client speaks it: frames made by hand. What its flow control, its header compression
//! and its resets have been abused for, and what is no HTTP/2 at all.

use std::time::Duration;

use crate::canary::Canary;
use crate::victim::{Setup, Victim};
use crate::wire::{PATIENCE, Raw};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// What says that the other end broke the protocol: in general, its windows, its sizes, its compression.
const ERRORS: [u32; 4] = [PROTOCOL_ERROR, 3, 6, 9];

/// For which a patient server must keep a client, so that the others' hanging up is theirs.
const LASTING: Duration = Duration::from_secs(2);
/// How much more memory an attack may cost its victim.
const MEMORY_MAX: u64 = 64 << 20;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header that is not to be indexed. Short strings only.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        block.push(u8::try_from(text.len()).expect("short").min(126));
        block.extend(text.as_bytes());
    }
    block
}

/// The head of a request to `localhost`.
pub fn head(method: &str, path: &str) -> Vec<u8> {
    let parts = [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
    ];
    parts
        .into_iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect()
}

pub struct H2(pub Raw);

impl H2 {
    pub async fn open(victim: &Victim, settings: &[u8]) -> Self {
        let mut raw = victim.raw().await;
        let preface = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, settings),
        ];
        assert!(raw.send(preface.concat()).await);
        Self(raw)
    }

    /// Kind, flags, stream and payload; none at the end.
    async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let head = self.0.exactly(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.0.exactly(length as usize).await?;
        Some((head[3], head[4], stream, payload))
    }

    /// Whether it still answers on this connection; what it says before is counted by its kind and code.
    async fn answers(&mut self, resets: &mut Vec<u32>) -> bool {
        if !self.0.send(frame(PING, 0, 0, b"whothere")).await {
            return false;
        }
        while let Some((kind, flags, _, payload)) = self.next().await {
            match kind {
                PING if flags & ACK != 0 && payload == b"whothere" => return true,
                PING => drop(self.0.send(frame(PING, ACK, 0, &payload)).await),
                RST_STREAM => resets.push(code(&payload)),
                GOAWAY => return false,
                _ => {}
            }
        }
        false
    }

    /// Why it hung up. None if it did without a reason.
    async fn hung_up(&mut self) -> Option<u32> {
        let mut why = None;
        while let Some((kind, _, _, payload)) = self.next().await {
            if kind == GOAWAY {
                why = Some(code(&payload[4..]));
            }
        }
        why
    }

    /// How the request on a stream was answered: by the code of a reset, or by anything else.
    async fn reset(&mut self, stream: u32) -> Option<u32> {
        while let Some((kind, _, of, payload)) = self.next().await {
            match kind {
                RST_STREAM if of == stream => return Some(code(&payload)),
                GOAWAY => return Some(code(&payload[4..])),
                HEADERS if of == stream => return None,
                _ => {}
            }
        }
        Some(u32::MAX)
    }
}

fn code(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().expect("a code"))
}

fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|at| 2 * at + 1)
}

fn rapid_reset() -> Vec<u8> {
    let one = |stream| {
        let begun = frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &head("GET", "/wait"),
        );
        [begun, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    streams(2_000).flat_map(one).collect()
}

/// Makes the server reset the streams (CVE-2025-8671), here by a window that overflows.
fn made_you_reset() -> Vec<u8> {
    let one = |stream| {
        let begun = frame(HEADERS, END_HEADERS, stream, &head("GET", "/wait"));
        [
            begun,
            frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes()),
        ]
        .concat()
    };
    streams(3_000).flat_map(one).collect()
}

fn continuation_flood(of: &[u8], count: usize) -> Vec<u8> {
    let mut all = frame(HEADERS, END_STREAM, 1, &head("GET", "/healthz"));
    for _ in 0..count {
        all.extend(frame(CONTINUATION, 0, 1, of));
    }
    all.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
    all
}

fn many_headers() -> Vec<u8> {
    continuation_flood(&literal("x", &"y".repeat(100)).repeat(150), 600)
}

fn many_empty_frames() -> Vec<u8> {
    continuation_flood(&[], 20_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_resets_and_headers_end_the_connection() {
    let (mut victim, bare) = (Victim::start(Setup::Usual), Victim::start(Setup::Bare));
    let canary = Canary::start(victim.addr).await;
    type Attack = fn() -> Vec<u8>;
    let attacks: [(&str, Attack); 4] = [
        ("rapid reset", rapid_reset),
        ("made you reset", made_you_reset),
        ("continuation flood", many_headers),
        ("empty continuations", many_empty_frames),
    ];
    let (tasks, memory) = (victim.tasks(), victim.memory());
    for (name, attack) in attacks {
        let mut weak = H2::open(&bare, &[]).await;
        assert!(weak.0.send(attack()).await, "{name}");
        assert!(
            weak.answers(&mut Vec::new()).await,
            "{name} does no harm to anyone"
        );
        for _ in 0..10 {
            let mut attacker = H2::open(&victim, &[]).await;
            attacker.0.send(attack()).await;
            let why = attacker.hung_up().await;
            // The end of the connection may overtake its reason while there is more to be read.
            assert!(
                [Some(ENHANCE_YOUR_CALM), None].contains(&why),
                "{name}: {why:?}"
            );
        }
    }
    let grown = victim.memory().saturating_sub(memory);
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    while victim.tasks() > tasks + 8 {
        tokio::task::yield_now().await;
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_in_turn_with_answers_leave_nothing_behind() {
    let mut victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let (tasks, memory) = (victim.tasks(), victim.memory());
    let mut attacker = H2::open(&victim, &[]).await;
    // Each stream is looked at before it is reset, so no limit of resets is passed.
    for stream in streams(1_000) {
        let begun = frame(HEADERS, END_HEADERS, stream, &head("POST", "/v1/batch"));
        assert!(attacker.0.send(begun).await);
        assert!(attacker.answers(&mut Vec::new()).await);
        assert!(
            attacker
                .0
                .send(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()))
                .await
        );
    }
    assert!(attacker.answers(&mut Vec::new()).await);
    while victim.tasks() > tasks + 8 {
        tokio::task::yield_now().await;
    }
    let grown = victim.memory().saturating_sub(memory);
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_beyond_the_limit_are_refused() {
    let (victim, bare) = (Victim::start(Setup::Usual), Victim::start(Setup::Bare));
    let canary = Canary::start(victim.addr).await;
    let open = |path| move |stream| frame(HEADERS, END_HEADERS, stream, &head("POST", path));
    let mut resets: Vec<u32> = Vec::new();
    let mut weak = H2::open(&bare, &[]).await;
    assert!(
        weak.0
            .send(streams(1_000).flat_map(open("/wait")).collect::<Vec<u8>>())
            .await
    );
    assert!(weak.answers(&mut resets).await);
    assert!(resets.is_empty(), "without a limit all are taken");
    // Bodies that do not come: each stream stays.
    let mut attacker = H2::open(&victim, &[]).await;
    let path = "/v1/call/account/al/caller";
    assert!(
        attacker
            .0
            .send(streams(1_000).flat_map(open(path)).collect::<Vec<u8>>())
            .await
    );
    assert!(attacker.answers(&mut resets).await);
    let most = ordain_server::Limits::default().h2_streams_max as usize;
    assert_eq!(resets, vec![REFUSED_STREAM; 1_000 - most]);
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_grow_when_unpacked_are_refused() {
    let (victim, bare) = (Victim::start(Setup::Usual), Victim::start(Setup::Bare));
    let canary = Canary::start(victim.addr).await;
    // A header of 4,000 bytes put into the table (its length is 127 + 3,873), and then 12,000 references.
    let mut block = head("GET", "/healthz");
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'y'; 4_000]);
    block.extend([0xbe; 12_000]);
    assert!(block.len() < 16 << 10, "one frame");
    let bomb = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    for (of, refused) in [(&bare, false), (&victim, true)] {
        let mut attacker = H2::open(of, &[]).await;
        assert!(attacker.0.send(&bomb).await);
        loop {
            let (kind, _, stream, payload) = attacker.next().await.expect("an answer");
            if kind == HEADERS && stream == 1 {
                // `:status: 200` is 0x88 of the static table.
                assert_eq!(payload.starts_with(&[0x88]), !refused, "{payload:?}");
                break;
            }
            if kind == RST_STREAM || kind == GOAWAY {
                assert!(refused);
                break;
            }
        }
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_window_is_given_up() {
    let (mut victim, lifted) = (Victim::start(Setup::Short), Victim::start(Setup::Lifted));
    let canary = Canary::start(victim.addr).await;
    let tasks = victim.tasks();
    let no_window = [0, 4, 0, 0, 0, 0];
    let ask = |stream| {
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &head("GET", "/docs/errors.md"),
        )
    };
    let asks: Vec<u8> = streams(200).flat_map(ask).collect();
    let mut held = H2::open(&lifted, &no_window).await;
    assert!(held.0.send(&asks).await);
    let mut attacker = H2::open(&victim, &no_window).await;
    assert!(attacker.0.send(&asks).await);
    attacker.hung_up().await;
    assert!(
        held.0.stays_for(Duration::from_millis(200)).await,
        "by itself it would last"
    );
    while victim.tasks() > tasks + 8 {
        tokio::task::yield_now().await;
    }
    canary.lives().await;
}

/// Pings and their answers go back and forth, and yet nothing is asked, or taken of a reply: whoever does so
/// keeps a place among the connections.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_pings_is_idle() {
    let (victim, lifted) = (Victim::start(Setup::Short), Victim::start(Setup::Lifted));
    let canary = Canary::start(victim.addr).await;
    let ping = frame(PING, 0, 0, b"whothere");
    let ask = head("GET", "/docs/errors.md");
    let ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, &ask);
    const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];
    let mut all = tokio::task::JoinSet::new();
    for (settings, pings) in [(&[][..], 1), (&[], 3), (&NO_WINDOW, 1)] {
        for (of, time, lasts) in [(&lifted, LASTING, true), (&victim, PATIENCE, false)] {
            let mut attacker = H2::open(of, settings).await;
            let (ask, pinging) = (ask.clone(), ping.repeat(pings));
            all.spawn(async move {
                assert!(attacker.0.send(&ask).await);
                assert_eq!(attacker.reset(1).await, None, "it is answered");
                let over = tokio::time::Instant::now() + time;
                let mut there = true;
                while there && tokio::time::Instant::now() < over {
                    there = attacker.0.send(&pinging).await
                        && attacker.0.stays_for(Duration::from_millis(50)).await;
                }
                assert_eq!(there, lasts, "{pings} pings at once, {settings:?}");
            });
        }
    }
    all.join_all().await;
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_want_answers_nobody_reads_hold_up_their_sender_alone() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let memory = victim.memory();
    for (name, one) in [
        ("pings", frame(PING, 0, 0, &[0; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])),
    ] {
        let mut attacker = H2::open(&victim, &[]).await;
        let (chunk, mut sent) = (one.repeat(10_000), 0);
        let held_up = loop {
            match attacker.0.send_within(&chunk, Duration::from_secs(2)).await {
                Some(true) => sent += chunk.len(),
                held_up => break held_up,
            }
            assert!(
                sent < 1 << 30,
                "{name}: a gigabyte was taken in, and every answer held"
            );
        };
        assert!(held_up.is_none_or(|taken| !taken), "{name}");
        let grown = victim.memory().saturating_sub(memory);
        assert!(
            grown < MEMORY_MAX,
            "{name}: {grown} bytes after {sent} were sent"
        );
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_that_is_to_be_ignored_leaves_nothing_behind() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let memory = victim.memory();
    let priority = |stream| frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 255]);
    let unknown = |stream| frame(0xbb, 0xff, stream, &[7; 64]);
    let mut attacker = H2::open(&victim, &[]).await;
    for _ in 0..10 {
        let junk: Vec<u8> = streams(20_000)
            .flat_map(|stream| [priority(stream), unknown(stream)].concat())
            .collect();
        assert!(attacker.0.send(junk).await);
    }
    assert!(
        attacker.answers(&mut Vec::new()).await,
        "it is allowed, and ignored"
    );
    let grown = victim.memory().saturating_sub(memory);
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_ends_the_connection_with_a_reason() {
    let victim = Victim::start(Setup::Short);
    let canary = Canary::start(victim.addr).await;
    let get = |stream| {
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &head("GET", "/healthz"),
        )
    };
    let most = 0x7fff_ffff_u32.to_be_bytes();
    let large = [0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1].to_vec();
    for (name, bytes) in [
        ("window overflow", frame(WINDOW_UPDATE, 0, 0, &most)),
        ("no window", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        (
            "settings window",
            frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
        ),
        ("frame size", large),
        ("settings size", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[])),
        ("ping size", frame(PING, 0, 0, &[0; 7])),
        ("data of no stream", frame(DATA, 0, 0, b"x")),
        ("data of an idle stream", frame(DATA, 0, 5, b"x")),
        ("an even stream", get(2)),
        ("a push", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])),
        (
            "bad compression",
            frame(HEADERS, END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0xff]),
        ),
        (
            "a continuation of nothing",
            frame(CONTINUATION, END_HEADERS, 1, &[]),
        ),
        (
            "half a head",
            [frame(HEADERS, 0, 1, &head("GET", "/")), get(3)].concat(),
        ),
        (
            "padding beyond the frame",
            frame(HEADERS, END_HEADERS | 8, 1, &[200, 0]),
        ),
    ] {
        let mut attacker = H2::open(&victim, &[]).await;
        attacker.0.send(bytes).await;
        let why = attacker.hung_up().await;
        assert!(
            why.is_some_and(|why| ERRORS.contains(&why)),
            "{name}: {why:?}"
        );
    }
    for garbage in [
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage garbage",
    ] {
        let mut raw = victim.raw().await;
        raw.send(garbage).await;
        raw.rest().await;
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_would_be_others_over_http1_are_refused() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    for (name, value) in [
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("X", "upper case"),
        ("x", "y\r\nz: 1"),
        ("x", "y\nz: 1"),
        ("x", "\0"),
        ("x\r\ny", "z"),
        ("x y", "z"),
        ("", "no name"),
        (":path", "/v1/entities"),
        (":method", "POST"),
        (":unknown", "x"),
        ("content-length", "5"),
        ("content-length", "nonsense"),
        ("host", "evil.test"),
    ] {
        let mut attacker = H2::open(&victim, &[]).await;
        let block = [head("GET", "/healthz"), literal(name, value)].concat();
        assert!(
            attacker
                .0
                .send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block))
                .await
        );
        let reset = attacker.reset(1).await;
        // The names of hosts are not the protocol's business: that one is answered, with 403.
        let expected = if name == "host" {
            None
        } else {
            Some(PROTOCOL_ERROR)
        };
        assert_eq!(reset, expected, "{name}: {value:?}");
    }
    let sound = frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &head("GET", "/healthz"),
    );
    let mut attacker = H2::open(&victim, &[]).await;
    assert!(attacker.0.send(&sound).await);
    assert_eq!(
        attacker.reset(1).await,
        None,
        "what nothing is wrong with is answered"
    );
    assert!(attacker.0.send(&sound).await);
    assert_eq!(attacker.hung_up().await, Some(PROTOCOL_ERROR));
    canary.lives().await;
}
