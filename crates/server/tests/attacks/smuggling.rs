//! Requests hidden in what others take for a body (RFC 9112, 11.2): wherever two readers may disagree on
//! where a request ends, this one refuses, or ends the connection after its answer.

use crate::canary::Canary;
use crate::victim::{Setup, Victim};
use crate::wire::{get, post, request, statuses};

/// What is to run and must not.
const HIDDEN: &str = "POST /v1/call/account/hidden/deposit HTTP/1.1\r\nhost: localhost\r\n\
                      content-type: application/json\r\ncontent-length: 12\r\n\r\n{\"amount\":1}";

/// What a careless reader goes by to find the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Careless {
    /// The length, whatever else is there.
    Length,
    /// The chunks, however they are announced.
    Chunks,
    /// Nothing: a body that nobody wants is left where it is.
    Nothing,
}

/// The targets a careless reader would run.
fn careless(mut bytes: &[u8], by: Careless) -> Vec<String> {
    let mut ran = Vec::new();
    while let Some(head) = careless_head(&mut bytes) {
        ran.push(head.split_whitespace().nth(1).unwrap_or("").to_owned());
        let field = |name: &str| {
            let lines = head.split(['\r', '\n']).rev();
            lines
                .filter_map(|line| line.split_once(':'))
                .find(|(other, _)| other.trim() == name)
                .map(|(_, value)| value.trim().to_owned())
        };
        let chunked = head.contains("chunked") && by == Careless::Chunks;
        match by {
            Careless::Nothing => {}
            _ if chunked => careless_chunks(&mut bytes),
            _ => {
                let length = field("content-length").unwrap_or_default();
                let digits = length
                    .trim_start_matches('+')
                    .split(|c: char| !c.is_ascii_digit());
                let length: usize = digits.into_iter().next().unwrap_or("").parse().unwrap_or(0);
                bytes = bytes.get(length..).unwrap_or(&[]);
            }
        }
    }
    ran
}

/// Up to an empty line, in any case and with any line's end.
fn careless_head(bytes: &mut &[u8]) -> Option<String> {
    *bytes = bytes.trim_ascii_start();
    let ends = |at: usize| bytes[at..].starts_with(b"\n\r\n") || bytes[at..].starts_with(b"\n\n");
    let end = (0..bytes.len()).find(|at| ends(*at))?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    *bytes = bytes[end..].trim_ascii_start();
    Some(head)
}

/// Sizes of 32 bits, which wrap; whatever follows a size is passed over.
fn careless_chunks(bytes: &mut &[u8]) {
    loop {
        let mut size = 0_u32;
        while let Some((digit, rest)) = bytes.split_first()
            && let Some(value) = (*digit as char).to_digit(16)
        {
            size = size.wrapping_mul(16).wrapping_add(value);
            *bytes = rest;
        }
        let line = bytes.iter().position(|byte| *byte == b'\n');
        *bytes = line.map_or(&[][..], |end| &bytes[end + 1..]);
        if size == 0 {
            *bytes = bytes.trim_ascii_start();
            return;
        }
        *bytes = bytes.get(size as usize + 2..).unwrap_or(&[]);
    }
}

/// A call, and a hidden one behind it: header lines, the body up to the hidden call, what the careless
/// reader goes by, and the statuses that a careful one gives.
struct Attack(&'static str, &'static str, Careless, &'static [u16]);

#[rustfmt::skip]
const ATTACKS: &[Attack] = {
    use Careless::*;
    &[
        // Two truths about the length.
        Attack("content-length: 200\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked\r\ncontent-length: 200\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("content-length: 4\r\ntransfer-encoding: chunked\r\n", "9b\r\n", Length, &[408]),
        Attack("content-length: 200\r\ncontent-length: 0\r\n", "", Length, &[400]),
        Attack("content-length: 0\r\ncontent-length: 200\r\n", "", Nothing, &[400]),
        Attack("content-length: 0, 200\r\n", "", Length, &[400]),
        Attack("content-length: +0\r\n", "", Length, &[400]),
        Attack("content-length: 0x9b\r\n", "", Length, &[400]),
        Attack("content-length: -1\r\n", "", Length, &[400]),
        Attack("content-length: 99999999999999999999999\r\n", "", Nothing, &[400]),
        // Chunks that are announced in a way that not everyone sees.
        Attack("transfer-encoding : chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding\t: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack(" transfer-encoding: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("x: y\r\n transfer-encoding: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: identity, chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked, chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: ,chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: xchunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: \x0bchunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: \0chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding\0: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("x: y\rtransfer-encoding: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        Attack("content-length: 200\r\nx: y\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", Chunks, &[400]),
        // Sizes that are none, or that wrap.
        Attack("transfer-encoding: chunked\r\n", "10000000000000000\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked\r\n", "100000000\r\n", Chunks, &[408]),
        Attack("transfer-encoding: chunked\r\n", "-1\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked\r\n", "0x0\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked\r\n", ";a\r\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked\r\n", "0;a=\n\r\n", Chunks, &[400]),
        Attack("transfer-encoding: chunked\r\n", "2\r\n{}xx0\r\n\r\n", Chunks, &[400]),
        // Bodies that nobody reads: the call behind is part of them.
        Attack("content-length: 9999999\r\n", "", Nothing, &[413]),
        Attack("content-length: 200\r\nexpect: 100-continue\r\n", "", Nothing, &[408]),
    ]
};

fn bytes(Attack(headers, body, ..): &Attack) -> String {
    format!(
        "POST /v1/call/account/al/deposit HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/json\r\n{headers}\r\n{body}{HIDDEN}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_hides_in_another() {
    let victim = Victim::start(Setup::Short);
    let canary = Canary::start(victim.addr).await;
    for attack in ATTACKS {
        let Attack(headers, body, by, expected) = attack;
        let name = format!("{headers:?} {body:?}");
        let fooled = careless(bytes(attack).as_bytes(), *by);
        let ran = fooled.iter().any(|target| target.contains("/hidden/"));
        assert!(ran, "{name} fools nobody: {fooled:?}");
        let mut raw = victim.raw().await;
        raw.send(bytes(attack)).await;
        let told = raw.rest().await;
        let text = String::from_utf8_lossy(&told);
        let told = statuses(
            told.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n")
                .unwrap_or(&told),
        );
        assert_eq!(&told, expected, "{name}: {text}");
    }
    let hidden = victim
        .raw()
        .await
        .ask(get("/v1/query/account/hidden/balance"))
        .await;
    assert_eq!(hidden, Some((200, "0".into())), "one of them ran");
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_refused_request_is_never_run() {
    let victim = Victim::start(Setup::Short);
    let canary = Canary::start(victim.addr).await;
    let length = HIDDEN.len();
    for (head, expected) in [
        ("GET /healthz HTTP/1.1\r\nhost: localhost", 200),
        ("GET /nowhere HTTP/1.1\r\nhost: localhost", 404),
        ("PUT /v1/batch HTTP/1.1\r\nhost: localhost", 405),
        ("POST /v1/call/a/b/c HTTP/1.1\r\nhost: evil.test", 403),
        (
            "POST /v1/call/a/b/c HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain",
            415,
        ),
        (
            "POST /v1/call/account/al/none HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json",
            404,
        ),
    ] {
        let text = format!("{head}\r\ncontent-length: {length}\r\n\r\n{HIDDEN}");
        assert_eq!(careless(text.as_bytes(), Careless::Nothing).len(), 2);
        let mut raw = victim.raw().await;
        raw.send(&text).await;
        assert_eq!(statuses(&raw.rest().await), [expected], "{head}");
    }
    let hidden = victim
        .raw()
        .await
        .ask(get("/v1/query/account/hidden/balance"))
        .await;
    assert_eq!(hidden, Some((200, "0".into())), "one of them ran");
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_ends_the_connection() {
    let victim = Victim::start(Setup::Short);
    let canary = Canary::start(victim.addr).await;
    for text in [
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/0.9\r\n\r\n",
        "GET /healthz HTTP/1.2\r\nhost: localhost\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nhost: localhost\r\n\r\n",
        "GET /healthz http/1.1\r\nhost: localhost\r\n\r\n",
        "GET /healthz x HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /health\0z HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "G\0ET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: local\0host\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nho st: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n",
        "{\"amount\":1}\r\n\r\n",
    ] {
        let mut raw = victim.raw().await;
        raw.send(format!(
            "{text}{}",
            post("/v1/call/account/hidden/deposit", "{\"amount\":1}")
        ))
        .await;
        let told = raw.rest().await;
        assert_eq!(
            statuses(&told),
            [400],
            "{text:?}: {}",
            String::from_utf8_lossy(&told)
        );
    }
    let hidden = victim
        .raw()
        .await
        .ask(get("/v1/query/account/hidden/balance"))
        .await;
    assert_eq!(hidden, Some((200, "0".into())), "one of them ran");
    canary.lives().await;
}

/// Headers of which one reader takes the first, another the last, and a third both.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_twice_is_refused_and_ends_the_connection() {
    let victim = Victim::start(Setup::Short);
    let canary = Canary::start(victim.addr).await;
    let usual = "host: localhost\r\ncontent-type: application/json\r\n";
    for (target, headers) in [
        ("", "content-type: text/plain\r\n"),
        ("", "content-type: application/json\r\n"),
        ("", "content-length: 0, 12\r\n"),
        ("", "content-length: 12, 12\r\n"),
        ("", "content-length: 11\r\n"),
        (
            "",
            "content-encoding: identity\r\ncontent-encoding: gzip\r\n",
        ),
        ("", "host: localhost\r\n"),
        ("", "host: evil.test\r\n"),
        ("http://evil.test", ""),
        ("http://127.0.0.1", ""),
        ("", "authorization: Bearer a\r\nauthorization: Bearer b\r\n"),
        ("", "idempotency-key: a\r\nidempotency-key: b\r\n"),
        ("", "idempotency-key: a\r\nIdempotency-Key: a\r\n"),
        ("", "ordain-at-least: 1\r\nordain-at-least: 2\r\n"),
        (
            "",
            "origin: http://localhost\r\norigin: http://evil.test\r\n",
        ),
        ("", "expect: 100-continue\r\nexpect: 100-continue\r\n"),
        ("", "sec-fetch-site: none\r\nsec-fetch-site: cross-site\r\n"),
    ] {
        let target = format!("{target}/v1/call/account/hidden/deposit");
        let first = request(
            "POST",
            &target,
            &format!("{usual}{headers}"),
            "{\"amount\":1}",
        );
        let mut raw = victim.raw().await;
        raw.send(format!("{first}{}", get("/healthz"))).await;
        let told = raw.rest().await;
        let text = String::from_utf8_lossy(&told);
        let told = told.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n");
        let told = statuses(told.unwrap_or(text.as_bytes()));
        assert_eq!(told, [400], "{target} {headers:?}: {text}");
    }
    // Packed: refused as such, and it ends nothing that is not certain.
    for packing in ["gzip", "deflate, identity", "identity, identity", "x"] {
        let headers = format!("{usual}content-encoding: {packing}\r\n");
        let target = "/v1/call/account/hidden/deposit";
        let answer = victim.raw().await;
        let answer = { answer }
            .ask(request("POST", target, &headers, "{\"amount\":1}"))
            .await;
        assert_eq!(answer.map(|(status, _)| status), Some(415), "{packing}");
    }
    // The same target in full is the same request.
    let whole = request(
        "GET",
        "http://localhost/v1/query/account/hidden/balance",
        usual,
        "",
    );
    let answer = victim.raw().await.ask(whole).await;
    assert_eq!(answer, Some((200, "0".into())), "one of them ran");
    canary.lives().await;
}
