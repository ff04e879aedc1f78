//! Clients that take their time: heads, bodies and lines that come byte by byte, replies that nobody
//! reads, connections that say nothing, and too many of them. What lasts as long as it likes against a
//! server without timeouts is given up by one that has them.

use std::sync::Arc;
use std::time::Duration;

use crate::canary::Canary;
use crate::victim::{SHORT, Setup, Victim};
use crate::wire::{PATIENCE, Raw, get, post};

/// Between two bytes: well within every timeout.
const PAUSE: Duration = Duration::from_millis(50);
/// For which a patient server must keep a slow client, at least, so that the others' hanging up is theirs.
const LASTING: Duration = Duration::from_secs(2);

const HEAD: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-many: ";
const CALL: &str = "POST /v1/call/account/al/deposit HTTP/1.1\r\nhost: localhost\r\n\
                    content-type: application/json\r\ncontent-length: 100000\r\n\r\n";
const CALL_IN_CHUNKS: &str = "POST /v1/call/account/al/deposit HTTP/1.1\r\nhost: localhost\r\n\
                              content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nfffff\r\n";
const BATCH: &str = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\n\
                     content-type: application/x-ndjson\r\ncontent-length: 100000\r\n\r\n";
const IGNORED: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n";
const REFUSED: &str =
    "POST /v1/call/account/al/none HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n";

/// Begins, and goes on byte by byte. How long the server had patience; none if as long as was tried.
async fn trickle(mut raw: Raw, begin: &str, time: Duration) -> Option<Duration> {
    let began = tokio::time::Instant::now();
    raw.send(begin).await;
    while began.elapsed() < time {
        if !raw.send("x").await || !raw.stays_for(PAUSE).await {
            return Some(began.elapsed());
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_byte_by_byte_is_given_up() {
    let (mut victim, lifted) = (Victim::start(Setup::Short), Victim::start(Setup::Lifted));
    let canary = Canary::start(victim.addr).await;
    let tasks = victim.tasks();
    let mut all = tokio::task::JoinSet::new();
    let answered_before = format!("{}{HEAD}", get("/healthz"));
    for begin in [
        "",
        HEAD,
        CALL,
        CALL_IN_CHUNKS,
        BATCH,
        IGNORED,
        REFUSED,
        &answered_before,
    ] {
        let patient = lifted.raw().await;
        let begin = begin.to_owned();
        let again = begin.clone();
        all.spawn(async move {
            let lasted = trickle(patient, &again, LASTING).await;
            // What nobody reads is a request's only until it is answered.
            let answered = [IGNORED, REFUSED].contains(&&*again);
            assert!(
                answered || lasted.is_none(),
                "{again:?} lasts for {lasted:?} even so"
            );
        });
        for _ in 0..8 {
            let (raw, begin) = (victim.raw().await, begin.clone());
            all.spawn(async move {
                let lasted = trickle(raw, &begin, PATIENCE).await;
                assert!(lasted.is_some(), "{begin:?} is waited for without end");
            });
        }
    }
    all.join_all().await;
    while victim.tasks() > tasks + 8 {
        tokio::task::yield_now().await;
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_nobody_reads_are_given_up() {
    let (mut victim, mut lifted) = (Victim::start(Setup::Short), Victim::start(Setup::Lifted));
    let canary = Canary::start(victim.addr).await;
    let memory = victim.memory();
    let (tasks, tasks_lifted) = (victim.tasks(), lifted.tasks());
    let text = "x".repeat(200_000);
    let echo = |op: &str| {
        format!(
            "{{{op}\"entity\":\"account\",\"key\":\"al\",\"method\":\"echo\",\"args\":{{\"text\":\"{text}\"}}}}\n"
        )
    };
    let lines = echo("\"op\":\"query\",").repeat(100);
    let batch = post("/v1/batch", &lines).replace("application/json", "application/x-ndjson");
    let call = post(
        "/v1/query/account/al/echo",
        &format!("{{\"text\":\"{text}\"}}"),
    )
    .repeat(100);
    let pages = get("/docs/errors.md").repeat(2_000);
    let mut all = tokio::task::JoinSet::new();
    for attack in [batch, call, pages].map(Arc::<str>::from) {
        for of in [&victim, &victim, &victim, &victim, &lifted] {
            let (mut raw, attack) = (of.raw().await, attack.clone());
            all.spawn(async move {
                // The server may stop reading, and may hang up.
                raw.send_within(&*attack, Duration::from_secs(1)).await;
                raw
            });
        }
    }
    let open = all.join_all().await;
    let over = tokio::time::Instant::now() + PATIENCE;
    while victim.tasks() > tasks + 2 {
        assert!(
            tokio::time::Instant::now() < over,
            "{} tasks remain",
            victim.tasks()
        );
        tokio::time::sleep(PAUSE).await;
    }
    assert!(lifted.tasks() > tasks_lifted, "by itself it would last");
    let grown = victim.memory().saturating_sub(memory);
    assert!(grown < 192 << 20, "{grown} bytes");
    drop(open);
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_keep_no_one_out_for_long() {
    let victim = Victim::start(Setup::Narrow);
    let lifted = Victim::start(Setup::Lifted);
    let canary = Canary::start(victim.addr).await;
    let mut silent = Vec::new();
    let first = tokio::time::Instant::now();
    let told = loop {
        assert!(first.elapsed() < PATIENCE, "the machine is too slow");
        let began = tokio::time::Instant::now();
        silent.clear();
        for _ in 0..200 {
            silent.push(victim.raw().await);
        }
        let mut last = silent.pop().expect("200 of them");
        let told = last.ask(get("/healthz")).await;
        // The first of them must not have had their time before the last came: other tests use this machine, too.
        if began.elapsed() < SHORT {
            break told;
        }
    };
    // Those beyond the limit are told so; many more than that are only closed.
    assert!(told.is_none_or(|(status, _)| status == 503));
    let mut beyond = lifted.raw().await;
    assert!(beyond.stays_for(LASTING).await, "by itself it would last");
    let over = tokio::time::Instant::now() + PATIENCE;
    while victim
        .raw()
        .await
        .ask(get("/healthz"))
        .await
        .is_none_or(|(status, _)| status != 200)
    {
        assert!(
            tokio::time::Instant::now() < over,
            "the silent ones keep everyone out"
        );
        tokio::time::sleep(PAUSE).await;
    }
    drop(silent);
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_beyond_every_size_are_refused() {
    let (victim, bare) = (Victim::start(Setup::Usual), Victim::start(Setup::Bare));
    let canary = Canary::start(victim.addr).await;
    let memory = victim.memory();
    let large = "x".repeat(1 << 20);
    for (name, head) in [
        (
            "a long target",
            format!("GET /{large} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ),
        (
            "a long query",
            format!("GET /healthz?{large} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ),
        (
            "a long name",
            format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{large}: y\r\n\r\n"),
        ),
        (
            "a long value",
            format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {large}\r\n\r\n"),
        ),
        (
            "many headers",
            format!(
                "GET /healthz HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
                "x: y\r\n".repeat(101)
            ),
        ),
        (
            "a long method",
            format!("{large} /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ),
        (
            "no end",
            format!(
                "GET /healthz HTTP/1.1\r\nhost: localhost\r\n{}",
                "x: y\r\n".repeat(1 << 20)
            ),
        ),
        ("trailers", {
            let head = CALL_IN_CHUNKS.replace("fffff\r\n", "0\r\n");
            format!(
                "{head}{}\r\n",
                format!("x: {}\r\n", &large[..1_000]).repeat(1_000)
            )
        }),
        (
            "chunk extensions",
            CALL_IN_CHUNKS.replace("fffff\r\n", &format!("1;{large}\r\n")),
        ),
    ] {
        let mut raw = victim.raw().await;
        raw.send(&head).await;
        let told = raw.reply().await.map(|(status, _)| status);
        assert!(
            told.is_none_or(|status| [400, 414, 431].contains(&status)),
            "{name}: {told:?}"
        );
        let grown = victim.memory().saturating_sub(memory);
        assert!(grown < 32 << 20, "{name}: {grown} bytes");
        if name == "a long value" {
            let told = bare.raw().await.ask(&head).await;
            assert!(
                told.is_none_or(|(status, _)| status != 431),
                "{name} is refused by itself"
            );
        }
    }
    canary.lives().await;
}
