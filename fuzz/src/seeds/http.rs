//! The first inputs of the socket's target: requests of every kind, and some known to be nasty.

use super::Seed;

pub fn all() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    let mut put = |name: &str, bytes: Vec<u8>| seeds.push(("http", name.to_owned(), bytes));
    let call = r#"{"amount":5,"note":"x"}"#;
    put(
        "call",
        post(
            "/v1/call/ledger/a/add",
            "application/json",
            "idempotency-key: k\r\n",
            call,
        ),
    );
    put(
        "send",
        post(
            "/v1/send/ledger/a/add?delay_ms=5",
            "application/json",
            "",
            call,
        ),
    );
    put(
        "bad-arguments",
        post(
            "/v1/call/ledger/a/add",
            "application/json",
            "",
            "{\"amount\":\"5\"}",
        ),
    );
    put(
        "form",
        post("/v1/call/ledger/a/add", "text/plain", "", call),
    );
    put(
        "query",
        get(
            "/v1/query/ledger/a/notes?after=a%2B&min_seq=1",
            "localhost",
            "",
        ),
    );
    put(
        "query-args",
        get(
            "/v1/query/ledger/a/notes?args={\"after\":\"\"}",
            "localhost",
            "",
        ),
    );
    put(
        "entity",
        get("/v1/entities/ledger/a?limit=5&after=b", "localhost", ""),
    );
    put("invocation", get("/v1/invocations/6.0", "localhost", ""));
    put("ready", get("/ready", "localhost", ""));
    put("metrics", get("/metrics", "localhost", ""));
    put("openapi", get("/v1/openapi.json", "localhost", ""));
    put("state-hash", get("/v1/admin/state-hash", "localhost", ""));
    put(
        "rebound-host",
        get("/v1/query/ledger/a/total", "evil.example", ""),
    );
    put(
        "cross-site",
        get(
            "/v1/query/ledger/a/total",
            "localhost",
            "origin: http://evil.example\r\n",
        ),
    );
    let lines = "{\"id\":1,\"entity\":\"ledger\",\"key\":\"a\",\"method\":\"add\",\"args\":{\"amount\":1,\"note\":null}}\n{\"id\":2}\n\n[";
    put(
        "batch",
        post("/v1/batch", "application/x-ndjson", "", lines),
    );
    let ambiguous = "transfer-encoding: chunked\r\n";
    put(
        "two-lengths",
        post("/v1/call/ledger/a/add", "application/json", ambiguous, call),
    );
    let chunked = "POST /v1/call/ledger/a/add HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\n{\"amo\r\nffffffffffffffff\r\n";
    put("chunked", chunked.into());
    put("no-host", b"GET /ready HTTP/1.1\r\n\r\n".to_vec());
    put("http-1.0", b"GET /ready HTTP/1.0\r\n\r\n".to_vec());
    put("absolute", get("http://localhost/ready", "localhost", ""));
    put("folded", get("/ready", "localhost", "a: b\r\n c\r\n"));
    put(
        "two-hosts",
        get("/ready", "localhost", "host: evil.example\r\n"),
    );
    put(
        "bare-line-ends",
        b"GET /ready HTTP/1.1\nhost: localhost\n\n".to_vec(),
    );
    let both = [
        get("/ready", "localhost", ""),
        get("/v1/entities/ledger/a", "localhost", ""),
    ];
    put("pipelined", both.concat());
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut stream = get("/v1/stream", "localhost", upgrade);
    stream.extend(message(1, lines.as_bytes()));
    stream.extend(message(2, b"\x0e\x00\x01\x06ledger\x01a\x05total"));
    stream.extend(message(9, b"ping"));
    stream.extend(message(8, b"\x03\xe8"));
    put("stream", stream);
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend(h2(4, 0, 0, b""));
    let head = b"\x82\x86\x41\x09localhost\x44\x06/ready";
    preface.extend(h2(1, 5, 1, head));
    let posted = b"\x83\x86\x41\x09localhost\x44\x15/v1/call/ledger/a/add\x5f\x10application/json";
    preface.extend(h2(1, 4, 3, posted));
    preface.extend(h2(0, 1, 3, call.as_bytes()));
    preface.extend(h2(3, 0, 1, &[0, 0, 0, 8]));
    preface.extend(h2(6, 0, 0, &[0; 8]));
    put("http-2", preface);
    seeds
}

fn get(path: &str, host: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n").into()
}

fn post(path: &str, media: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media}\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    )
    .into()
}

/// A message of a WebSocket, masked with zeros.
fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | kind];
    match u8::try_from(payload.len()) {
        Ok(length @ 0..=125) => out.push(0x80 | length),
        _ => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

/// A frame of HTTP/2.
fn h2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}
