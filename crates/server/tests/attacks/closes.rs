//! How a stream ends, by the codes of RFC 6455: a Close is answered with the same, and what breaks the
//! protocol is told from what is no text and from what is too much.

use std::time::Duration;

use crate::stream::{BINARY, CLOSE, FIN, MASKED, PING, TEXT, frame, length, open};
use crate::victim::{Setup, Victim};
use crate::wire::Raw;

/// What the server closes the stream with, and nothing behind it. None: without a word.
async fn closed(raw: &mut Raw) -> Option<Vec<u8>> {
    let mut said = raw.rest().await;
    // Answers to pings may come before.
    while let [head, length, ..] = *said
        && head != FIN | CLOSE
    {
        said.drain(..2 + usize::from(length));
    }
    match said.split_at_checked(2) {
        None => None,
        Some((head, payload)) => {
            assert_eq!(head, [FIN | CLOSE, payload.len() as u8], "{said:?}");
            Some(payload.to_vec())
        }
    }
}

fn code(payload: &[u8]) -> u16 {
    u16::from_be_bytes([payload[0], payload[1]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_answered_with_a_close() {
    let victim = Victim::start(Setup::Usual);
    for (sent, answered) in [
        (&b""[..], &b""[..]),
        (b"\x03\xe8", b"\x03\xe8"),
        (b"\x03\xe9going", b"\x03\xe9going"),
        (b"\x0f\xa0", b"\x0f\xa0"), // 4000: an application's own
    ] {
        let mut raw = open(victim.raw().await).await;
        assert!(raw.send(frame(FIN | CLOSE, sent)).await);
        assert_eq!(
            closed(&mut raw).await.as_deref(),
            Some(answered),
            "{sent:?}"
        );
    }
    // With a ping before it, in one packet.
    let mut raw = open(victim.raw().await).await;
    let bytes = [frame(FIN | PING, b"x"), frame(FIN | CLOSE, b"\x03\xe8")].concat();
    assert!(raw.send(bytes).await);
    assert_eq!(closed(&mut raw).await.as_deref(), Some(&b"\x03\xe8"[..]));
    // One that is cut off is gone, and is told nothing.
    let mut raw = open(victim.raw().await).await;
    assert!(raw.send(&frame(FIN | CLOSE, b"\x03\xe8")[..3]).await);
    raw.end().await;
    assert_eq!(closed(&mut raw).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_has_its_code() {
    let victim = Victim::start(Setup::Usual);
    let unmasked = [&length(FIN | TEXT, 0, 2)[..], b"{}"].concat();
    let too_large = [length(FIN | BINARY, MASKED, (4 << 20) + 1), vec![0; 4]].concat();
    let too_many = [frame(TEXT, b""), frame(0, &[b' '; 60_000]).repeat(80)].concat();
    for (name, bytes, expected) in [
        ("unmasked", unmasked, 1002),
        ("reserved bits", frame(FIN | TEXT | 0x40, b"{}"), 1002),
        ("all reserved bits", frame(FIN | TEXT | 0x70, b"{}"), 1002),
        ("an unknown kind", frame(FIN | 3, b"{}"), 1002),
        ("an unknown control", frame(FIN | 11, b""), 1002),
        ("a rest of nothing", frame(FIN, b""), 1002),
        ("a divided control", frame(PING, b""), 1002),
        ("a long control", frame(FIN | PING, &[0; 126]), 1002),
        ("half a code", frame(FIN | CLOSE, &[3]), 1002),
        ("a reserved code", frame(FIN | CLOSE, &[3, 0xed]), 1002),
        (
            "two beginnings",
            [frame(TEXT, b"{"), frame(TEXT, b"}")].concat(),
            1002,
        ),
        ("no text", frame(FIN | TEXT, b"{\"\xff\":1}"), 1007),
        ("half a character", frame(FIN | TEXT, b"\xf0\x9f\x98"), 1007),
        (
            "a reason that is no text",
            frame(FIN | CLOSE, b"\x03\xe8\xff"),
            1007,
        ),
        (
            "a frame that is none of ours",
            frame(FIN | BINARY, &[0xff; 64]),
            1007,
        ),
        ("too large", too_large, 1009),
        ("too large together", too_many, 1009),
    ] {
        let mut raw = open(victim.raw().await).await;
        raw.send_within(&bytes, Duration::from_secs(5)).await;
        let payload = closed(&mut raw).await;
        let payload = payload.unwrap_or_else(|| panic!("{name}: no close"));
        assert_eq!(code(&payload), expected, "{name}");
        std::str::from_utf8(&payload[2..]).expect("a reason is text");
    }
}
