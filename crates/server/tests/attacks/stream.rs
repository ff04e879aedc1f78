//! The stream's WebSocket, frame by frame and by hand: frames that are none, messages without end, and
//! floods of those that want an answer.

use std::time::Duration;

use crate::canary::Canary;
use crate::victim::{Setup, Victim};
use crate::weak;
use crate::wire::{PATIENCE, Raw, post, request};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
const PONG: u8 = 10;
pub const FIN: u8 = 0x80;
pub const MASKED: u8 = 0x80;

/// How much more memory an attack may cost its victim.
const MEMORY_MAX: u64 = 64 << 20;

const UPGRADE: &str = "host: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub async fn open(mut raw: Raw) -> Raw {
    let answer = raw.ask(request("GET", "/v1/stream", UPGRADE, "")).await;
    assert_eq!(answer.map(|(status, _)| status), Some(101));
    raw
}

/// A frame as a client sends it; its mask is 0, so the payload stays readable.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = length(first, MASKED, payload.len() as u64);
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The next whole text message of a server, whose frames have no mask and no fragments, and where it
/// ends.
pub fn message(read: &[u8]) -> Option<(&str, usize)> {
    let (begin, length) = match *read.get(1)? {
        126 => (
            4,
            u16::from_be_bytes(read.get(2..4)?.try_into().ok()?) as usize,
        ),
        127 => (
            10,
            u64::from_be_bytes(read.get(2..10)?.try_into().ok()?) as usize,
        ),
        short => (2, short as usize),
    };
    let text = read.get(begin..begin + length)?;
    Some((std::str::from_utf8(text).expect("text"), begin + length))
}

pub fn length(first: u8, masked: u8, length: u64) -> Vec<u8> {
    match length {
        0..126 => vec![first, masked | length as u8],
        126..0x1_0000 => [&[first, masked | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, masked | 127][..], &length.to_be_bytes()].concat(),
    }
}

const LINE: &[u8] = b"{\"id\":1,\"entity\":\"account\",\"key\":\"al\",\"method\":\"deposit\",\"args\":{\"amount\":1}}\n";

/// Whether a call is still answered, whatever else is said before.
async fn answers(raw: &mut Raw) -> bool {
    let (call, id) = (
        String::from_utf8_lossy(LINE).replace("1,\"entity", "424242,\"entity"),
        b"424242",
    );
    if !raw.send(frame(FIN | TEXT, call.as_bytes())).await {
        return false;
    }
    while !raw.read.windows(id.len()).any(|read| read == id) {
        let keep = raw.read.len().saturating_sub(id.len());
        raw.read.drain(..keep);
        if !raw.fill().await {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_frame_or_message_ends_the_stream() {
    let mut victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let (tasks, memory) = (victim.tasks(), victim.memory());
    let endless = |fragment: &[u8], count| {
        let more = frame(0, fragment).repeat(count);
        [frame(TEXT, b""), more].concat()
    };
    for (name, bytes) in [
        (
            "unmasked",
            [length(FIN | TEXT, 0, LINE.len() as u64), LINE.to_vec()].concat(),
        ),
        ("reserved bits", frame(FIN | TEXT | 0x40, LINE)),
        ("a reserved kind", frame(FIN | 3, LINE)),
        ("a reserved control", frame(FIN | 11, b"")),
        (
            "a longest frame",
            [length(FIN | TEXT, MASKED, u64::MAX), vec![0; 4]].concat(),
        ),
        (
            "a longer frame than memory",
            [length(FIN | BINARY, MASKED, 1 << 62), vec![0; 4]].concat(),
        ),
        (
            "a longer frame than allowed",
            [length(FIN | BINARY, MASKED, (4 << 20) + 1), vec![0; 4]].concat(),
        ),
        ("a long control", frame(FIN | PING, &[0; 126])),
        ("a divided control", frame(PING, b"")),
        ("a rest of nothing", frame(FIN, b"")),
        (
            "two beginnings",
            [frame(TEXT, b""), frame(TEXT, b"")].concat(),
        ),
        ("fragments beyond the limit", endless(&[b' '; 60_000], 80)),
        (
            "text that is none",
            frame(FIN | TEXT, b"{\"id\":\"\xff\xfe\"}"),
        ),
        ("text that is overlong", frame(FIN | TEXT, b"\xc0\xaf")),
        ("half a character", frame(FIN | TEXT, b"\xf0\x9f\x98")),
        ("a lone surrogate", frame(FIN | TEXT, b"\xed\xa0\x80")),
        ("a close with half a code", frame(FIN | CLOSE, &[3])),
        ("a close with no code", frame(FIN | CLOSE, &[0, 0])),
        (
            "a close with a reserved code",
            frame(FIN | CLOSE, &[3, 0xed]),
        ),
        ("a close with no text", frame(FIN | CLOSE, &[3, 0xe8, 0xff])),
        (
            "closes again and again",
            frame(FIN | CLOSE, &[3, 0xe8]).repeat(10_000),
        ),
        (
            "calls after a close",
            [
                frame(FIN | CLOSE, &[3, 0xe8]),
                frame(FIN | TEXT, LINE).repeat(1_000),
            ]
            .concat(),
        ),
        (
            "a binary frame of nothing",
            frame(FIN | BINARY, &[0xff; 64]),
        ),
        ("HTTP", get().into_bytes()),
    ] {
        let mut raw = open(victim.raw().await).await;
        raw.send(&bytes).await;
        assert!(!raw.stays_for(PATIENCE / 3).await, "{name}");
        let grown = victim.memory().saturating_sub(memory);
        assert!(grown < MEMORY_MAX, "{name}: {grown} bytes");
    }
    let mut raw = open(victim.raw().await).await;
    assert!(
        answers(&mut raw).await,
        "one that nothing is wrong with is answered"
    );
    drop(raw);
    while victim.tasks() > tasks + 8 {
        tokio::task::yield_now().await;
    }
    canary.lives().await;
}

fn get() -> String {
    crate::wire::get("/v1/entities")
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_whose_answers_nobody_reads_cost_no_memory() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let flood = frame(FIN | PING, &[7; 125]).repeat(8_000);
    let attack = async |raw: &mut Raw, memory: &dyn Fn() -> u64| {
        let before = memory();
        for _ in 0..256 {
            if raw.send_within(&flood, Duration::from_secs(2)).await != Some(true) {
                break;
            }
        }
        memory().saturating_sub(before)
    };
    let bare = Victim::start(Setup::Bare);
    let mut weak = open(bare.raw().await).await;
    let grown = attack(&mut weak, &|| bare.memory()).await;
    assert!(
        grown > MEMORY_MAX,
        "without a bound every answer is kept: {grown} bytes"
    );
    let mut raw = open(victim.raw().await).await;
    let grown = attack(&mut raw, &|| victim.memory()).await;
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_small_messages_are_worked_off() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let memory = victim.memory();
    for (name, one, times) in [
        ("empty texts", frame(FIN | TEXT, b""), 200_000),
        ("empty frames", frame(FIN | BINARY, b""), 200_000),
        ("pongs", frame(FIN | PONG, b"unasked"), 200_000),
        ("empty fragments", frame(0, b""), 200_000),
        ("empty lines", frame(FIN | TEXT, &[b'\n'; 4_000]), 200),
    ] {
        let mut raw = open(victim.raw().await).await;
        if name == "empty fragments" {
            assert!(raw.send(frame(TEXT, b"")).await);
        }
        assert!(raw.send(one.repeat(times)).await, "{name}");
        if name == "empty fragments" {
            assert!(raw.send(frame(FIN, b"")).await);
        }
        assert!(answers(&mut raw).await, "{name}");
    }
    let grown = victim.memory().saturating_sub(memory);
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_many_times_their_lines_are_given_as_they_are_read() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let memory = victim.memory();
    let lines = b"{}\n".repeat(1 << 20);
    let mut raw = open(victim.raw().await).await;
    assert!(raw.send(frame(FIN | TEXT, &lines)).await);
    let (mut told, mut most) = (0, 0);
    while told < 100 << 20 {
        assert!(raw.fill().await);
        told += raw.read.len();
        raw.read.clear();
        most = most.max(victim.memory().saturating_sub(memory));
    }
    assert!(
        most < MEMORY_MAX,
        "{most} bytes for {told} bytes of refusals"
    );
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_come_byte_by_byte_are_given_up() {
    let (victim, lifted) = (Victim::start(Setup::Short), Victim::start(Setup::Lifted));
    let canary = Canary::start(victim.addr).await;
    for half in [
        &frame(FIN | TEXT, LINE)[..],
        &frame(TEXT, b"").repeat(2)[..6],
    ] {
        let mut weak = open(lifted.raw().await).await;
        let mut raw = open(victim.raw().await).await;
        assert!(weak.send(&half[..1]).await && raw.send(&half[..1]).await);
        for byte in half[1..half.len() - 1].iter().cycle().take(half.len() - 2) {
            if !raw.send([*byte]).await || !raw.stays_for(Duration::from_millis(100)).await {
                break;
            }
            weak.send([*byte]).await;
        }
        raw.rest().await;
        assert!(
            weak.stays_for(Duration::from_millis(100)).await,
            "by itself it would last"
        );
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_upgrade_is_refused() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    for (method, target, headers) in [
        ("GET", "/v1/stream", UPGRADE.replace("13", "12")),
        (
            "GET",
            "/v1/stream",
            UPGRADE.replace("upgrade: websocket", "upgrade: h2c"),
        ),
        (
            "GET",
            "/v1/stream",
            UPGRADE.replace("connection: upgrade\r\n", ""),
        ),
        (
            "GET",
            "/v1/stream",
            UPGRADE.replace("sec-websocket-key", "x"),
        ),
        ("POST", "/v1/stream", UPGRADE.to_owned()),
        ("GET", "/v1/stream?x=1", UPGRADE.to_owned()),
        ("GET", "/v1/stream/", UPGRADE.to_owned()),
    ] {
        let answer = victim
            .raw()
            .await
            .ask(request(method, target, &headers, ""))
            .await;
        let status = answer.map_or(0, |(status, _)| status);
        assert!(
            [400, 404, 405].contains(&status),
            "{method} {target} {headers:?}: {status}"
        );
    }
    // An upgrade elsewhere is a request like any other.
    let answer = victim
        .raw()
        .await
        .ask(request("GET", "/healthz", UPGRADE, ""))
        .await;
    assert_eq!(answer.map(|(status, _)| status), Some(200));
    let answer = victim
        .raw()
        .await
        .ask(post("/v1/call/account/al/deposit", "{\"amount\":1}"))
        .await;
    assert_eq!(answer.map(|(status, _)| status), Some(200));
    canary.lives().await;
}

/// What keeps [`weak`] honest: the unbounded stream is one.
#[tokio::test(flavor = "multi_thread")]
async fn the_stream_without_bounds_answers_pings() {
    let bare = Victim::start(Setup::Bare);
    let mut raw = open(bare.raw().await).await;
    assert!(raw.send(frame(FIN | PING, b"there")).await);
    assert_eq!(raw.exactly(7).await.as_deref(), Some(&b"\x8a\x05there"[..]));
    assert_eq!(weak::STREAM, "/v1/stream");
}
