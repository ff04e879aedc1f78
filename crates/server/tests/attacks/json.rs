//! Arguments that are meant to hurt whoever reads them: deep, long, doubled, no text at all, packed.

use std::time::{Duration, Instant};

use crate::canary::Canary;
use crate::victim::{Setup, Victim};
use crate::wire::{get, request};

/// How long the worst of them may keep the server, on a busy machine in a debug build.
const TIME_MAX: Duration = Duration::from_secs(5);
/// How much of what was wrong an answer may repeat.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// How much more memory an attack may cost its victim.
const MEMORY_MAX: u64 = 96 << 20;

fn texts() -> Vec<(&'static str, Vec<u8>, u16)> {
    let deep = |open: &str, close: &str| {
        format!(
            "{{\"text\":{}1{}}}",
            open.repeat(100_000),
            close.repeat(100_000)
        )
        .into_bytes()
    };
    let echo = |inner: &[u8]| [b"{\"text\":\"", inner, b"\"}"].concat();
    let number = |text: &str| format!("{{\"text\":\"\",\"number\":{text}}}").into_bytes();
    let digits = "7".repeat(1_000_000);
    let mut many = String::from("{\"text\":\"\"");
    (0..80_000).for_each(|at| many.push_str(&format!(",\"x{at}\":1")));
    vec![
        ("deep arrays", deep("[", "]"), 400),
        ("deep objects", deep("{\"a\":", "}"), 400),
        ("deep and open", b"{\"text\":".repeat(100_000), 400),
        (
            "deep below an unknown name",
            format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)).into(),
            400,
        ),
        (
            "deep instead of an object",
            [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
            400,
        ),
        ("beyond a float", number("1e400"), 400),
        ("far beyond a float", number("1e999999999999999999999"), 400),
        ("below a float", number("1e-999999999999999999999"), 200),
        ("a million digits", number(&digits), 400),
        ("a million decimals", number(&format!("0.{digits}")), 200),
        (
            "a million zeros",
            number(&format!("0.{}1", "0".repeat(1_000_000))),
            200,
        ),
        ("not a number", number("NaN"), 400),
        ("infinity", number("Infinity"), 400),
        ("hexadecimal", number("0x10"), 400),
        ("a leading zero", number("01"), 400),
        (
            "a name twice",
            b"{\"text\":\"a\",\"text\":\"b\"}".to_vec(),
            400,
        ),
        ("many names", (many + "}").into(), 400),
        (
            "an unknown name twice",
            b"{\"text\":\"a\",\"x\":1,\"x\":2}".to_vec(),
            400,
        ),
        (
            "a name of its own",
            b"{\"text\":\"a\",\"__proto__\":{\"x\":1}}".to_vec(),
            400,
        ),
        ("invalid UTF-8", echo(b"\xff\xfe"), 400),
        ("overlong UTF-8", echo(b"\xc0\xaf"), 400),
        ("a surrogate in UTF-8", echo(b"\xed\xa0\x80"), 400),
        ("beyond Unicode", echo(b"\xf4\x90\x80\x80"), 400),
        ("a lone surrogate", echo(b"\\ud800"), 400),
        (
            "surrogates in the wrong order",
            echo(b"\\udc00\\ud800"),
            400,
        ),
        ("an escaped null", echo(b"\\u0000"), 200),
        ("a null", echo(b"\0"), 400),
        ("a control character", echo(b"\x1b[2J"), 400),
        (
            "a byte order mark",
            b"\xef\xbb\xbf{\"text\":\"\"}".to_vec(),
            400,
        ),
        (
            "UTF-16",
            "{\"text\":\"\"}"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
            400,
        ),
        (
            "two values",
            b"{\"text\":\"\"}{\"text\":\"\"}".to_vec(),
            400,
        ),
        ("a comment", b"{\"text\":\"\"/* */}".to_vec(), 400),
        ("a trailing comma", b"{\"text\":\"\",}".to_vec(), 400),
        ("single quotes", b"{'text':''}".to_vec(), 400),
        ("white space only", b" \n".repeat(100_000), 400),
        ("a text instead", b"\"text\"".to_vec(), 400),
        (
            "a long unknown name",
            format!("{{\"{}\":1}}", "n".repeat(1_000_000)).into(),
            400,
        ),
        ("escapes", echo(&b"\\u00e9".repeat(150_000)), 200),
        ("null", b"null".to_vec(), 400),
    ]
}

fn call(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/query/account/al/echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_meant_to_hurt_are_refused_in_time() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let memory = victim.memory();
    let mut raw = victim.raw().await;
    for (name, text, expected) in texts() {
        let began = Instant::now();
        let (status, answer) = raw
            .ask(call(&text))
            .await
            .expect("an answer on the same connection");
        assert_eq!(status, expected, "{name}: {answer:.200}");
        assert!(
            began.elapsed() < TIME_MAX,
            "{name} took {:?}",
            began.elapsed()
        );
        assert!(
            status == 200 || answer.len() < ANSWER_BYTES_MAX,
            "{name}: {} bytes",
            answer.len()
        );
    }
    let grown = victim.memory().saturating_sub(memory);
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_lines_and_each_hurts_only_itself() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let line = |args: &[u8]| {
        let head = b"{\"op\":\"query\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"echo\",\"args\":";
        [&head[..], args, b"}\n"].concat()
    };
    let sound = line(b"{\"text\":\"sound\"}");
    let fits = |text: &Vec<u8>| !text.contains(&b'\n');
    let mut texts: Vec<Vec<u8>> = texts()
        .into_iter()
        .map(|(_, text, _)| text)
        .filter(fits)
        .map(|text| line(&text))
        .collect();
    let envelope = |id: &str| {
        format!(
            "{{\"id\":{id},\"entity\":\"account\",\"key\":\"al\",\"method\":\"balance\",\"op\":\"query\"}}\n"
        )
    };
    texts.push(envelope(&"[".repeat(100_000)).into());
    texts.push(envelope(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).into());
    texts.push("[".repeat(100_000).into_bytes());
    texts.push(b"\xef\xbb\xbf".to_vec());
    texts.push(b"\xff".repeat(1_000));
    texts.push(b"x".repeat(3 << 20));
    let count = texts.len();
    let mut body = Vec::new();
    for text in texts {
        body.extend(text);
        if body.last() != Some(&b'\n') {
            body.push(b'\n');
        }
        body.extend(&sound);
    }
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut raw = victim.raw().await;
    let began = Instant::now();
    // The answer is small enough for the sockets' buffers until it is read.
    assert!(raw.send([head.as_bytes(), &body].concat()).await);
    let told = String::from_utf8_lossy(&raw.rest().await).into_owned();
    assert!(began.elapsed() < 2 * TIME_MAX, "{:?}", began.elapsed());
    let answered = told
        .lines()
        .filter(|line| line.contains("[\"sound\",null]"))
        .count();
    assert_eq!(answered, count, "{:.2000}", told);
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_are_not_unpacked() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    // A gzip of an empty text; what matters is that nobody looks.
    let packed = "\u{1f}\u{8b}\u{8}\0\0\0\0\0\0\u{3}\0\0\0\0\0\0\0\0\0";
    for encoding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "compress",
        "x-gzip",
        "gzip, gzip",
        "GZIP",
        "unknown",
    ] {
        for (path, media, body) in [
            (
                "/v1/call/account/packed/deposit",
                "application/json",
                packed,
            ),
            (
                "/v1/call/account/packed/deposit",
                "application/json",
                "{\"amount\":1}",
            ),
            ("/v1/batch", "application/x-ndjson", packed),
            (
                "/v1/batch",
                "application/x-ndjson",
                "{\"entity\":\"account\",\"key\":\"packed\",\"method\":\"deposit\",\"args\":{\"amount\":1}}",
            ),
        ] {
            let headers = format!(
                "host: localhost\r\ncontent-type: {media}\r\ncontent-encoding: {encoding}\r\n"
            );
            let answer = victim
                .raw()
                .await
                .ask(request("POST", path, &headers, body))
                .await;
            let (status, told) = answer.expect("an answer");
            assert_eq!(status, 415, "{encoding} {path}: {told}");
        }
    }
    let headers =
        "host: localhost\r\ncontent-type: application/json\r\ncontent-encoding: identity\r\n";
    let plain = request(
        "POST",
        "/v1/call/account/plain/deposit",
        headers,
        "{\"amount\":1}",
    );
    assert_eq!(
        victim.raw().await.ask(plain).await,
        Some((200, "1".into())),
        "no packing at all is none"
    );
    let balance = victim
        .raw()
        .await
        .ask(get("/v1/query/account/packed/balance"))
        .await;
    assert_eq!(balance, Some((200, "0".into())));
    canary.lives().await;
}
