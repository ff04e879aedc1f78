//! Every route, as the server's own table has it, for every kind of caller, over both protocols: who is
//! let in, what else the same path might be taken for, and who is kept out where no one is asked for a
//! token. A route that this file does not know fails it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ordain_server::{Scope, ServedRoute, served_routes};
use tokio::net::TcpStream;

use crate::canary::Canary;
use crate::victim::{Setup, Victim};
use crate::wire::{Raw, request};

/// What is asked of a route, by its pattern: a path that goes there, a body, and who may.
struct Case {
    pattern: &'static str,
    path: &'static str,
    body: &'static str,
    may: &'static [&'static str],
}

const EVERYONE: &[&str] = &["call", "read", "admin", "all", ""];

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { pattern: "/v1/call/{entity}/{key}/{method}", path: "/v1/call/account/al/deposit", body: "{\"amount\":1}", may: &["call", "all"] },
    Case { pattern: "/v1/query/{entity}/{key}/{method}", path: "/v1/query/account/al/balance", body: "", may: &["call", "read", "all"] },
    Case { pattern: "/v1/send/{entity}/{key}/{method}", path: "/v1/send/account/al/deposit", body: "{\"amount\":1}", may: &["call", "all"] },
    Case { pattern: "/v1/invocations/{id}", path: "/v1/invocations/1.0", body: "", may: &["call", "read", "all"] },
    Case { pattern: "/v1/batch", path: "/v1/batch", body: "", may: &["call", "read", "all"] },
    Case { pattern: "/v1/stream", path: "/v1/stream", body: "", may: &["call", "read", "all"] },
    Case { pattern: "/v1/entities", path: "/v1/entities", body: "", may: &["call", "read", "all"] },
    Case { pattern: "/v1/entities/{type}/{key}", path: "/v1/entities/account/al", body: "", may: &["read", "all"] },
    Case { pattern: "/v1/admin/checkpoint", path: "/v1/admin/checkpoint", body: "", may: &["admin", "all"] },
    Case { pattern: "/v1/admin/state-hash", path: "/v1/admin/state-hash", body: "", may: &["admin", "all"] },
    Case { pattern: "/v1/admin/backup", path: "/v1/admin/backup", body: "", may: &["admin", "all"] },
    Case { pattern: "/v1/admin/modules", path: "/v1/admin/modules", body: "", may: &["admin", "all"] },
    Case { pattern: "/v1/admin/modules/{name}", path: "/v1/admin/modules/bank", body: "{\"main\":\"a.ts\",\"files\":{\"a.ts\":\"\"}}", may: &["admin", "all"] },
    Case { pattern: "/v1/admin/modules/{name}/rollback", path: "/v1/admin/modules/bank/rollback", body: "", may: &["admin", "all"] },
    Case { pattern: "/openapi.json", path: "/openapi.json", body: "", may: &["call", "read", "all"] },
    Case { pattern: "/healthz", path: "/healthz", body: "", may: EVERYONE },
    Case { pattern: "/readyz", path: "/readyz", body: "", may: EVERYONE },
    Case { pattern: "/metrics", path: "/metrics", body: "", may: &["read", "all"] },
    Case { pattern: "/docs/errors.md", path: "/docs/errors.md", body: "", may: EVERYONE },
];

/// The routes, each with its case. Asserts that neither has what the other lacks.
fn routes() -> Vec<(ServedRoute, &'static Case)> {
    let served = served_routes();
    let patterns: BTreeSet<&str> = served.iter().map(|route| route.pattern).collect();
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.pattern).collect();
    assert_eq!(patterns, cases, "each route needs its case here");
    let case = |pattern| CASES.iter().find(|case| case.pattern == pattern);
    let with = |route: ServedRoute| (case(route.pattern).expect("just compared"), route);
    served
        .into_iter()
        .map(with)
        .map(|(case, route)| (route, case))
        .collect()
}

/// Every path that the API knows by name is served.
#[test]
fn every_named_path_has_a_route() {
    let source = include_str!("../../../api/src/routes.rs");
    let text = |line: &'static str| line.split_once(" = \"")?.1.strip_suffix("\";");
    let paths: Vec<&str> = source
        .lines()
        .filter_map(text)
        .filter(|text| text.starts_with('/'))
        .collect();
    assert!(paths.len() > 10, "the names are somewhere else");
    for path in paths {
        let served = routes()
            .iter()
            .any(|(route, _)| route.pattern.starts_with(path));
        assert!(served, "{path} is named and not served");
    }
}

/// A connection of either protocol.
enum Wire {
    One(Raw),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Wire {
    async fn both(addr: SocketAddr) -> [Self; 2] {
        let io = TokioIo::new(TcpStream::connect(addr).await.expect("it listens"));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        [Wire::One(Raw::connect(addr).await), Wire::Two(sender)]
    }

    /// Status and body. None if such a request cannot even be said over HTTP/2.
    async fn ask(&mut self, addr: SocketAddr, asked: &Asked<'_>) -> Option<(u16, String)> {
        let media = match asked.path.contains("batch") {
            true => "application/x-ndjson",
            false => "application/json",
        };
        match self {
            Wire::One(raw) => {
                let mut headers = format!("host: {}\r\ncontent-type: {media}\r\n", asked.host);
                for value in asked.authorization {
                    headers.push_str(&format!("authorization: {value}\r\n"));
                }
                headers.push_str("connection: close\r\n");
                *raw = Raw::connect(addr).await;
                raw.send(request(asked.method, asked.path, &headers, asked.body))
                    .await;
                let told = String::from_utf8_lossy(&raw.rest().await).into_owned();
                let status = told.split(' ').nth(1).and_then(|code| code.parse().ok());
                let body = told.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                Some((status.unwrap_or(0), body.to_owned()))
            }
            Wire::Two(sender) => {
                let uri = http::Uri::builder()
                    .scheme("http")
                    .authority(asked.host)
                    .path_and_query(asked.path)
                    .build();
                let mut builder = http::Request::builder()
                    .method(asked.method)
                    .uri(uri.ok()?)
                    .header("content-type", media);
                for value in asked.authorization {
                    builder = builder.header("authorization", *value);
                }
                let request = builder.body(Full::from(asked.body.to_owned())).ok()?;
                let reply = sender.send_request(request).await.expect("a reply");
                let status = reply.status().as_u16();
                let body = reply
                    .into_body()
                    .collect()
                    .await
                    .expect("a body")
                    .to_bytes();
                Some((status, String::from_utf8_lossy(&body).into_owned()))
            }
        }
    }
}

struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
    body: &'a str,
    authorization: &'a [&'a str],
}

fn asked<'a>(method: &'a str, case: &Case, authorization: &'a [&'a str]) -> Asked<'a> {
    Asked {
        method,
        path: case.path,
        host: "localhost",
        // GET and HEAD carry none.
        body: if method == "POST" { case.body } else { "" },
        authorization,
    }
}

/// Forms of a header with a good token in it that are none.
const MALFORMED: &[&[&str]] = &[
    &[],
    &["Bearer wrong-token"],
    &["Bearer all-token2"],
    &["Bearer all-toke"],
    &["Bearer ALL-TOKEN"],
    &["Bearer all-token, Bearer all-token"],
    &["Bearer all-token", "Bearer all-token"],
    &["Bearer wrong-token", "Bearer all-token"],
    &["Bearer"],
    &["Bearer "],
    &["Bearer,all-token"],
    &["Bearerall-token"],
    &["Bearer\u{a0}all-token"],
    &["all-token"],
    &["Token all-token"],
    &["Basic YWxsOmFsbC10b2tlbg=="],
    &["Digest username=\"all-token\""],
    &["Bearer token=all-token"],
    &["Bearer \"all-token\""],
    &["Bearer YWxsLXRva2Vu"],
    &[""],
];

#[tokio::test(flavor = "multi_thread")]
async fn each_route_lets_in_whom_it_should_and_no_one_else() {
    let victim = Victim::start(Setup::Guarded);
    let canary = Canary::start_with(victim.addr, "authorization: Bearer all-token\r\n").await;
    for mut wire in Wire::both(victim.addr).await {
        for (route, case) in routes() {
            let names: BTreeSet<&str> = route
                .scopes
                .iter()
                .map(|scope: &Scope| scope.as_str())
                .collect();
            let mut expected: BTreeSet<&str> = case.may.iter().copied().collect();
            expected.retain(|name| !["", "all"].contains(name));
            let open = case.may.contains(&"");
            assert_eq!(
                names,
                if open { BTreeSet::new() } else { expected },
                "{}",
                case.pattern
            );
            for method in route.methods {
                for name in ["call", "read", "admin", "all"] {
                    let value = format!("Bearer {name}-token");
                    let asked = asked(method.as_str(), case, &[&value])
                        .told(&mut wire, victim.addr)
                        .await;
                    let (status, who) = (
                        asked.0,
                        format!("{method} {} as {name}: {}", case.path, asked.1),
                    );
                    match case.may.contains(&name) {
                        true => assert!(![401, 403].contains(&status) && status < 500, "{who}"),
                        false => assert_eq!(status, 403, "{who}"),
                    }
                }
                for values in MALFORMED {
                    let asked = asked(method.as_str(), case, values)
                        .told(&mut wire, victim.addr)
                        .await;
                    let who = format!("{method} {} with {values:?}: {}", case.path, asked.1);
                    // Two may be taken for either, which is so for whatever route.
                    let expected = match (open, values.len()) {
                        (_, 2) => 400,
                        (true, _) => 200,
                        (false, _) => 401,
                    };
                    assert_eq!(asked.0, expected, "{who}");
                }
            }
        }
    }
    canary.lives().await;
}

impl Asked<'_> {
    async fn told(self, wire: &mut Wire, addr: SocketAddr) -> (u16, String) {
        wire.ask(addr, &self).await.expect("it can be said")
    }
}

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "post",
    "GETX",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_other_method_slips_past() {
    let victim = Victim::start(Setup::Guarded);
    for mut wire in Wire::both(victim.addr).await {
        for (route, case) in routes() {
            for method in METHODS {
                let takes = route.methods.iter().any(|taken| taken.as_str() == *method);
                let (status, body) = asked(method, case, &[]).told(&mut wire, victim.addr).await;
                let expected = match (takes, case.may.contains(&"")) {
                    (false, _) => 405,
                    (true, true) => 200,
                    (true, false) => 401,
                };
                assert_eq!(status, expected, "{method} {}: {body}", case.path);
            }
        }
    }
}

/// Other spellings of a path, some of which careless routers take for the same.
fn spellings(path: &str) -> Vec<String> {
    let last = path.rfind('/').expect("it begins with one");
    let (head, tail) = path.split_at(last + 1);
    let escaped: String = path.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let first = format!("%{:02X}", tail.as_bytes()[0]);
    vec![
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("{head}/{tail}"),
        path.replacen("/v1/", "/v1//", 1),
        path.replacen("/v1/", "/v1/./", 1),
        path.replacen("/v1/", "/V1/", 1),
        path.to_uppercase(),
        format!("/x/..{path}"),
        format!("/healthz/..{path}"),
        format!("/docs/errors.md/..{path}"),
        format!("/healthz%2f..{path}"),
        format!("/%2e%2e{path}"),
        format!("/;{path}"),
        format!("{path};x=y"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%2f"),
        format!("{path}%3fx"),
        format!("{path}.json"),
        format!("{path}?"),
        format!("{path}?/healthz"),
        format!("{path}#/healthz"),
        format!("{path}\\"),
        format!("{head}{first}{}", &tail[1..]),
        format!("/{}", &escaped[3..]),
        path.replace('/', "\\"),
        path.replacen('/', "/%2f", 1),
        format!("http://localhost{path}"),
        format!("http://localhost/healthz/..{path}"),
    ]
}

/// Decodes, lowers, cuts, merges and resolves before it looks.
fn careless(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .to_lowercase();
    let path = decoded
        .trim_start_matches("http://localhost")
        .replace('\\', "/");
    let path = path.split(['?', '#', '\0']).next().unwrap_or("");
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .trim_end_matches(".json")
        {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[test]
fn a_careless_router_is_fooled_by_the_spellings() {
    for path in ["/v1/admin/backup", "/v1/call/account/al/deposit"] {
        let fooled = spellings(path)
            .iter()
            .filter(|other| careless(other) == path)
            .count();
        assert!(fooled * 5 > spellings(path).len() * 4, "{fooled} of them");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_spelling_of_a_path_slips_past() {
    let victim = Victim::start(Setup::Guarded);
    for mut wire in Wire::both(victim.addr).await {
        for (route, case) in routes()
            .into_iter()
            .filter(|(_, case)| !case.may.contains(&""))
        {
            for path in spellings(case.path)
                .iter()
                .filter(|path| **path != case.path)
            {
                for method in route.methods {
                    let mut asked = asked(method.as_str(), case, &[]);
                    asked.path = path;
                    let Some((status, body)) = wire.ask(victim.addr, &asked).await else {
                        continue;
                    };
                    let refused = [400, 401, 404, 405].contains(&status);
                    assert!(refused, "{method} {path}: {status} {body}");
                    // Where nobody is asked for a token there is nothing to be had with one either.
                    asked.authorization = &["Bearer all-token"];
                    let with = wire.ask(victim.addr, &asked).await.expect("as before");
                    assert!(
                        status == 401 || with.0 == status,
                        "{method} {path}: {with:?}"
                    );
                }
            }
        }
    }
    let read = "host: localhost\r\nauthorization: Bearer read-token\r\n";
    let balance = request("GET", "/v1/query/account/stranger/balance", read, "");
    assert_eq!(
        victim.raw().await.ask(balance).await,
        Some((200, "0".into()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_every_route_asks_where_it_is_wanted_from() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    for mut wire in Wire::both(victim.addr).await {
        for (route, case) in routes() {
            for method in route
                .methods
                .iter()
                .map(http::Method::as_str)
                .chain(["OPTIONS", "PUT"])
            {
                let mut asked = asked(method, case, &["Bearer whatever"]);
                let takes = route.methods.iter().any(|taken| taken.as_str() == method);
                let (status, body) = wire.ask(victim.addr, &asked).await.expect("it can be said");
                let who = format!("{method} {}: {status} {body}", case.path);
                match takes {
                    true => assert!(![401, 403].contains(&status) && status < 500, "{who}"),
                    false => assert_eq!(status, 405, "{who}"),
                }
                for host in [
                    "evil.test",
                    "localhost.evil.test",
                    "0.0.0.0",
                    "10.0.0.1:80",
                    "[::]",
                ] {
                    asked.host = host;
                    let (status, body) = wire.ask(victim.addr, &asked).await.expect("as before");
                    assert_eq!(status, 403, "{method} {} at {host}: {body}", case.path);
                }
            }
        }
    }
    canary.lives().await;
}
