//! Keys and names in paths: what servers decode once too often, cut, fold or join. A key is the bytes
//! that it decodes to, once, and no other key is the same.

use crate::canary::Canary;
use crate::victim::{Setup, Victim};
use crate::wire::{get, post};

/// Keys as they stand in a path, which all are different keys.
#[rustfmt::skip]
const KEYS: &[&str] = &[
    ".", "..", "...", "%2E%2E%2F", "..%2f..%2fetc%2fpasswd", "a%2fb", "a%2Fb%2Fc", "a%5cb", "%252e%252e", "%25", "%2500",
    "a%20b", "%20a", "a%20", "a+b",
    "a;b", "a,b", "a:b", "a@b", "a%3fb", "a%23b", "a%26b=c", "'", "%22", "%3cscript%3e", "$%7b7*7%7d", "%7b%7b7*7%7d", "';--", "~", "~root",
    "A", "a", "%c3%a9", "e%cc%81", "%c3%89", "%e2%84%ab", "%c3%85", "%ef%ac%81", "fi", "%e2%80%8b", "%e2%80%aeabc", "%ef%bb%bf",
    "%f0%9f%92%a9", "CON", "nul.txt", "constructor", "__proto__", "null", "0", "-0", "00",
    "call", "healthz",
];

/// What is no key at all: its status.
const NOT_KEYS: &[(&str, u16)] = &[
    ("", 400),
    ("%", 400),
    ("%2", 400),
    ("%zz", 400),
    ("%u0041", 400),
    ("%ff", 400),
    ("%fe%ff", 400),
    ("%c0%ae", 400),
    ("%c0%af", 400),
    ("%e0%80%af", 400),
    ("%ed%a0%80", 400),
    ("%f4%90%80%80", 400),
    ("a%c3", 400),
    ("%00", 400),
    ("a%00b", 400),
    ("%09", 400),
    ("%0a", 400),
    ("%0d%0a", 400),
    ("a%0d%0ahost:%20evil.test", 400),
    ("%7f", 400),
    ("%1b%5b2J", 400),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_spelling_is_its_own_key_and_reaches_no_other() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let mut raw = victim.raw().await;
    for (at, key) in KEYS.iter().enumerate() {
        let amount = format!("{{\"amount\":{}}}", at + 1);
        let answer = raw
            .ask(post(&format!("/v1/call/account/{key}/deposit"), &amount))
            .await;
        // A balance that is more than this amount belongs to another key as well.
        assert_eq!(answer, Some((200, (at + 1).to_string())), "{key}");
    }
    for (at, key) in KEYS.iter().enumerate() {
        let answer = raw
            .ask(get(&format!("/v1/query/account/{key}/balance")))
            .await;
        assert_eq!(answer, Some((200, (at + 1).to_string())), "{key}");
        let (status, told) = raw
            .ask(get(&format!("/v1/entities/account/{key}")))
            .await
            .expect("an answer");
        assert_eq!(status, 200, "{key}: {told}");
        let state: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        let decoded = percent_encoding::percent_decode_str(key)
            .decode_utf8()
            .expect("text");
        assert_eq!(state["key"], *decoded, "{key}");
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_refused() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let mut raw = victim.raw().await;
    let (longest, longer) = ("k".repeat(512), "k".repeat(513));
    let (packed, huge) = ("%6b".repeat(513), "k".repeat(60_000));
    let more = [
        (&*longer, 400),
        (&*packed, 400),
        (&*huge, 400),
        (&*longest, 200),
    ];
    for (key, expected) in NOT_KEYS.iter().copied().chain(more) {
        for path in [
            format!("/v1/call/account/{key}/deposit"),
            format!("/v1/send/account/{key}/deposit"),
            format!("/v1/query/account/{key}/balance"),
            format!("/v1/entities/account/{key}"),
        ] {
            let asked = match path.contains("deposit") {
                true => post(&path, "{\"amount\":1}"),
                false => get(&path),
            };
            let (status, told) = raw.ask(asked).await.expect("an answer");
            let expected = if path.contains("send") && expected == 200 {
                202
            } else {
                expected
            };
            assert_eq!(status, expected, "{path:.100}: {told:.300}");
            assert!(told.len() < 4 << 10, "{path:.100}: {} bytes", told.len());
        }
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_none_are_refused() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let mut raw = victim.raw().await;
    for name in [
        "..",
        "%2e%2e",
        "account%00",
        "Account",
        "ACCOUNT",
        "account%20",
        "acc%c3%b6unt",
        "a%2fccount",
        "account%2fx",
        "x",
        "%",
        "__proto__",
    ] {
        for path in [
            format!("/v1/query/{name}/al/balance"),
            format!("/v1/query/account/al/{name}"),
            format!("/v1/entities/{name}/al"),
        ] {
            let (status, told) = raw.ask(get(&path)).await.expect("an answer");
            assert!([400, 404].contains(&status), "{path}: {status} {told}");
        }
    }
    // A name may be spelt in escapes: it is decoded once, as a key is.
    let (status, told) = raw
        .ask(get("/v1/query/%61ccount/al/balance"))
        .await
        .expect("an answer");
    assert!(
        status == 200 && told == "0" || status == 400 || status == 404,
        "{status} {told}"
    );
    canary.lives().await;
}
