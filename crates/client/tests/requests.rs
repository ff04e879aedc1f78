//! Single requests and batches against a server that answers as told: retries, keys, errors.

mod common;

use std::time::Duration;

use common::{reply, serve};
use futures_util::FutureExt;
use ordain_api::{Code, Problem};
use ordain_client::{Call, Client, Error, ModuleSource, json_request};
use ordain_types::{IdempotencyKey, Rejection, Request, Seq};
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn deposit() -> Request<Box<RawValue>> {
    json_request("account/a b", "deposit", r#"{"amount":5}"#)
}

type Answer = Option<http::Response<http_body_util::Full<bytes::Bytes>>>;

fn problem(problem: &Problem) -> Answer {
    Some(reply(problem.status, None, problem.to_json()))
}

#[tokio::test]
async fn all_attempts_of_a_call_carry_one_key_and_each_call_its_own() {
    let (url, log) = serve(|number, _| match number {
        0 => problem(&Problem::overloaded(0)),
        1 => None,
        2 => problem(&Problem::starting(None)).map(|_| {
            let mut starting = Problem::starting(None);
            starting.retry_after_ms = Some(1);
            reply(503, None, starting.to_json())
        }),
        _ => Some(reply(200, Some(7), "15")),
    })
    .await;
    let client = Client::builder(&url).token("s3").build().unwrap();
    let first = client.call(deposit()).await.unwrap();
    assert_eq!((first.seq, first.value.get()), (Some(Seq(7)), "15"));
    client.call(deposit()).await.unwrap();

    let log = log.lock().unwrap();
    let keys: Vec<_> = log.iter().map(|seen| seen.key.clone().unwrap()).collect();
    assert_eq!(keys.len(), 5);
    assert!(keys[..4].iter().all(|key| *key == keys[0]));
    assert_ne!(keys[4], keys[0]);
    assert_eq!(log[0].line, "POST /v1/call/account/a%20b/deposit");
    assert_eq!(log[0].body, r#"{"amount":5}"#);
    assert_eq!(log[0].authorization.as_deref(), Some("Bearer s3"));
}

#[tokio::test]
async fn a_backup_is_asked_for_until_it_begins() {
    let (url, log) = serve(|number, _| match number {
        0 | 1 => problem(&Problem::overloaded(0)),
        2 => Some(reply(200, None, "all there is")),
        _ => None,
    })
    .await;
    let client = Client::builder(&url).retries(2).build().unwrap();
    let mut out = Vec::new();
    let bytes = client.backup(&mut out, &mut |_| {}).await.unwrap();
    assert_eq!((bytes, &out[..]), (12, &b"all there is"[..]));
    assert_eq!(log.lock().unwrap().len(), 3);
    // Cut off before it begins, which is said in a backup's own words once the retries are used up.
    let error = client.backup(&mut out, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Incomplete { .. }), "{error}");
    assert_eq!(log.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn a_backup_whose_beginning_is_lost_is_asked_for_again() {
    let (url, log) = serve(|number, _| match number {
        0 => None,
        _ => Some(reply(200, None, "all there is")),
    })
    .await;
    let (client, mut out) = (Client::new(&url).unwrap(), Vec::new());
    let bytes = client.backup(&mut out, &mut |_| {}).await.unwrap();
    assert_eq!((bytes, &out[..]), (12, &b"all there is"[..]));
    assert_eq!(log.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_backup_that_has_begun_is_not_asked_for_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf";
        let _ = tcp.read(&mut [0; 4096]).await.unwrap();
        tcp.write_all(head).await.unwrap();
        drop(tcp);
        listener
    });
    let (client, mut out) = (Client::new(&url).unwrap(), Vec::new());
    let error = client.backup(&mut out, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Incomplete { .. }), "{error}");
    assert_eq!(out, b"half");
    let listener = server.await.unwrap();
    let again = listener.accept().now_or_never();
    assert!(again.is_none(), "nobody connects once more");
}

#[tokio::test]
async fn final_answers_are_not_asked_for_again() {
    let rejection = Problem::from(&Rejection::new("insufficient_funds", "balance is 5"));
    let answers = [
        rejection,
        Problem::new(Code::BadKey, "no"),
        Problem::internal("oops"),
    ];
    for answer in answers {
        let sent = answer.clone();
        let (url, log) = serve(move |_, _| Some(reply(sent.status, Some(9), sent.to_json()))).await;
        let error = Client::new(&url)
            .unwrap()
            .call(deposit())
            .await
            .unwrap_err();
        assert_eq!(error.problem().unwrap().code, answer.code);
        assert_eq!(error.as_answer().unwrap().seq, Some(Seq(9)));
        assert_eq!(log.lock().unwrap().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_given_key_a_delay_and_a_min_seq_reach_the_server() {
    let (url, log) = serve(|_, seen| {
        let send = seen.line.contains("/send/");
        Some(reply(
            if send { 202 } else { 200 },
            Some(3),
            if send { r#"{"id":"3.0"}"# } else { "1" },
        ))
    })
    .await;
    let client = Client::new(&url).unwrap();
    let key = IdempotencyKey::new("mine").unwrap();
    let sent = client.send_with(deposit(), Duration::from_millis(1500), key);
    assert_eq!(sent.await.unwrap().value.to_string(), "3.0");
    client.query_from(deposit(), Seq(3)).await.unwrap();
    let soon = client.send(deposit(), Duration::from_micros(1));
    soon.await.unwrap();
    let log = log.lock().unwrap();
    assert_eq!(
        log[0].line,
        "POST /v1/send/account/a%20b/deposit?delay_ms=1500"
    );
    assert_eq!(log[0].key.as_deref(), Some("mine"));
    assert_eq!(
        log[1].line,
        "POST /v1/query/account/a%20b/deposit?min_seq=3"
    );
    assert_eq!(log[1].key, None, "a query needs none");
    let waits = log[2].line.ends_with("?delay_ms=1");
    assert!(waits, "not before it is due: {}", log[2].line);
}

#[tokio::test]
async fn retries_end_and_the_error_says_what_to_do() {
    let (url, log) = serve(|_, _| None).await;
    let client = Client::builder(&url).retries(2).build().unwrap();
    let error = client.call(deposit()).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(
        error.to_string().contains("same idempotency key"),
        "{error}"
    );
    assert_eq!(log.lock().unwrap().len(), 3);

    // Nothing else has an idempotency key to ask again with.
    let bank = ordain_types::ModuleName::new("bank").unwrap();
    let entity = "account/a".parse().unwrap();
    let source = ModuleSource::Component(bytes::Bytes::new());
    for (lost, advice) in [
        (client.rollback(&bank, None, false).await.err(), "history"),
        (client.undeploy(&bank, false).await.err(), "history"),
        (
            client.deploy(&bank, &source, false).await.err(),
            "not known: ask again",
        ),
        (client.query(deposit()).await.err(), "; ask again"),
        (client.state(&entity, None, None).await.err(), "; ask again"),
        (client.ready().await.err(), "; ask again"),
    ] {
        let error = lost.unwrap();
        assert!(matches!(error, Error::Lost { .. }), "{error:?}");
        let said = error.to_string();
        assert!(!said.contains("idempotency key"), "{said}");
        assert!(said.contains(advice), "{said} lacks {advice}");
    }

    // Nobody listens on port 1.
    let gone = "http://127.0.0.1:1".to_owned();
    let client = Client::builder(&gone).retries(0).build().unwrap();
    let error = client.query(deposit()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

/// What is told of a call that is lost, after three attempts at this server at most.
async fn lost_with(url: &str) -> String {
    let client = Client::builder(url).retries(2).build().unwrap();
    let error = client.call(deposit()).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    error.to_string()
}

/// What is told of a call whose first attempt is answered so, and those after it with a problem: that it was lost, what
/// to do, and why.
async fn lost_before(first: Answer, later: &Problem) -> String {
    let answer = later.clone();
    let (url, _) = serve(move |number, _| match number {
        0 => first.clone(),
        _ => problem(&answer),
    })
    .await;
    let said = lost_with(&url).await;
    assert!(said.contains("same idempotency key"), "{said}");
    assert!(said.contains(&later.detail), "{said} lacks {later}");
    said
}

fn soon(mut problem: Problem) -> Problem {
    problem.retry_after_ms = Some(1);
    problem
}

/// That the last attempt came to nothing says nothing of the first.
#[tokio::test]
async fn a_call_that_may_have_run_is_lost_whatever_comes_after() {
    let refused = Problem::new(Code::Unauthenticated, "no token");
    for later in [soon(Problem::starting(None)), refused] {
        lost_before(None, &later).await;
        // What only reads did nothing, however often it was asked for.
        let (url, _) = serve(move |number, _| match number {
            0 => None,
            _ => problem(&later),
        })
        .await;
        let client = Client::builder(&url).retries(2).build().unwrap();
        let error = client.query(deposit()).await.unwrap_err();
        assert!(error.problem().is_some(), "{error:?}");
    }
}

/// Of a disk that is full or has failed nobody knows whether the command is in the log.
#[tokio::test]
async fn an_answer_that_leaves_open_whether_the_call_ran_is_a_loss() {
    let refused = Problem::new(Code::Unauthenticated, "no token");
    for open in [Code::DiskFull, Code::DiskFailed, Code::Halted] {
        for later in [soon(Problem::starting(None)), refused.clone()] {
            let open = soon(Problem::new(open, "who knows"));
            let said = lost_before(problem(&open), &later).await;
            assert!(said.contains("who knows"), "{said}");
        }
    }
    // The last answer that leaves it open says so itself.
    let full = soon(Problem::new(Code::DiskFull, "no space"));
    let (url, _) = serve(move |_, _| problem(&full)).await;
    let client = Client::builder(&url).retries(1).build().unwrap();
    let error = client.call(deposit()).await.unwrap_err();
    assert_eq!(error.problem().map(|said| &*said.code), Some("disk_full"));
}

/// A proxy's own page says nothing of what the server did before.
#[tokio::test]
async fn a_call_that_may_have_run_is_lost_though_a_stranger_answers_later() {
    for status in [200, 404, 500] {
        let (url, log) = serve(move |number, _| match number {
            0 => None,
            _ => Some(reply(status, None, "<html>")),
        })
        .await;
        let said = lost_with(&url).await;
        assert!(said.contains("not answer like an Ordain server"), "{said}");
        assert_eq!(
            log.lock().unwrap().len(),
            2,
            "a stranger is not asked again"
        );
    }
}

#[tokio::test]
async fn a_call_that_may_have_run_is_lost_though_nobody_listens_any_more() {
    for silent in [false, true] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let read = tcp.read(&mut [0; 4096]).await.unwrap();
            assert!(read > 0, "the request came");
            drop(listener);
            silent.then_some(tcp)
        };
        // Within it the connection is made and the request comes.
        let builder = Client::builder(&url).timeout(Duration::from_secs(2));
        let client = builder.retries(1).build().unwrap();
        let (result, _open) = tokio::join!(client.call(deposit()), server);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{error:?}");
        assert!(error.to_string().contains("cannot connect"), "{error}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_strangers_are_told_apart() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let builder = Client::builder(&url).timeout(Duration::from_millis(30));
    let client = builder.retries(1).build().unwrap();
    let error = client.call(deposit()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(
        error.to_string().ends_with("key, or allow more time"),
        "{error}"
    );
    let bank = ordain_types::ModuleName::new("bank").unwrap();
    let error = client.rollback(&bank, None, false).await.unwrap_err();
    assert!(
        error.to_string().ends_with("before asking again"),
        "{error}"
    );

    // A page to sign in at, say: it does not mean that the call ran.
    for status in [200, 404] {
        let (url, _) = serve(move |_, _| Some(reply(status, None, "<html>"))).await;
        let client = Client::new(&url).unwrap();
        let error = client.call(deposit()).await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    }
    let (url, _) = serve(|_, _| Some(reply(404, None, "<html>"))).await;
    let error = Client::new(&url).unwrap().entities().await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_the_server_is_asked_again() {
    for status in [429, 502, 503, 504] {
        let (url, log) = serve(move |number, _| match number {
            0 => Some(reply(status, None, "<html>")),
            _ => Some(reply(200, Some(7), "15")),
        })
        .await;
        let client = Client::new(&url).unwrap();
        let first = client.call(deposit()).await.unwrap();
        assert_eq!(first.value.get(), "15", "{status}");
        let log = log.lock().unwrap();
        assert_eq!(log.len(), 2);
        assert_eq!(log[0].key, log[1].key);
    }
    let (url, log) = serve(|_, _| Some(reply(502, None, "<html>"))).await;
    let bank = ordain_types::ModuleName::new("bank").unwrap();
    let client = Client::new(&url).unwrap();
    let error = client.rollback(&bank, None, false).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert_eq!(log.lock().unwrap().len(), 1, "it may have been done");
}

#[tokio::test]
async fn a_key_that_a_header_would_change_is_not_sent() {
    let (url, log) = serve(|_, _| Some(reply(200, Some(7), "1"))).await;
    let client = Client::new(&url).unwrap();
    for key in [" a", "a ", " "] {
        let key = IdempotencyKey::new(key).unwrap();
        let error = client.call_with(deposit(), key).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
    }
    assert!(log.lock().unwrap().is_empty());
    let key = IdempotencyKey::new("a b").unwrap();
    client.call_with(deposit(), key).await.unwrap();
    assert_eq!(log.lock().unwrap()[0].key.as_deref(), Some("a b"));
}

#[tokio::test]
async fn requests_that_name_nothing_are_not_sent() {
    let (url, log) = serve(|_, _| Some(reply(200, None, "1"))).await;
    let client = Client::new(&url).unwrap();
    for (entity, method) in [
        ("account", "deposit"),
        ("account/", "deposit"),
        ("account/a", ""),
    ] {
        let error = client
            .call(json_request(entity, method, "{}"))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error:?}");
    }
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_gives_its_replies_in_order() {
    let (url, log) = serve(|_, seen| {
        let count = seen.body.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let mut out = Vec::new();
        for at in 1..=count {
            let seq = Some(Seq(at));
            match at % 5 {
                0 => ordain_api::batch::write_problem(&mut out, None, seq, &Problem::overloaded(1)),
                _ => ordain_api::batch::write_value(&mut out, None, seq, at.to_string().as_bytes()),
            }
        }
        Some(reply(200, None, out))
    })
    .await;
    let client = Client::new(&url).unwrap();
    let calls = (0..5_000).map(|_| Call::new(deposit()).unwrap());
    let mut batch = client.batch(calls).await.unwrap();
    let mut count = 0;
    while let Some(completion) = batch.next().await.unwrap() {
        count += 1;
        match completion {
            Ok(reply) => assert_eq!(reply.value, count.to_string()),
            Err(error) => assert!(count % 5 == 0 && error.problem().is_some()),
        }
    }
    assert_eq!(count, 5_000);
    assert_eq!(log.lock().unwrap()[0].line, "POST /v1/batch");
}

#[tokio::test]
async fn a_batch_that_is_cut_off_says_so() {
    let (url, _) =
        serve(|_, _| Some(reply(200, None, "{\"seq\":1,\"value\":1}\n{\"seq\":2,"))).await;
    let client = Client::new(&url).unwrap();
    let mut batch = client.batch([Call::new(deposit()).unwrap()]).await.unwrap();
    assert_eq!(batch.next().await.unwrap().unwrap().unwrap().value, "1");
    let error = batch.next().await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");

    // What to do goes by the calls: one without an idempotency key could run twice, whatever the others have.
    let (keyless, query) = (Call::new(deposit()), Call::query(deposit()));
    let (keyless, query) = (keyless.unwrap(), query.unwrap());
    let key = IdempotencyKey::new("mine").unwrap();
    let keyed = keyless.clone().idempotency_key(key);
    for (calls, advice) in [
        (vec![keyless, query.clone()], "before asking again"),
        (vec![query.clone(), keyed], "with the same idempotency key"),
        (vec![query], "; ask again"),
    ] {
        let mut batch = client.batch(calls.clone()).await.unwrap();
        batch.next().await.unwrap().unwrap().unwrap();
        let said = batch.next().await.unwrap_err().to_string();
        assert!(said.ends_with(advice), "{said} lacks {advice}");
        let (silent, _) = serve(|_, _| None).await;
        let lost = Client::new(&silent).unwrap().batch(calls).await;
        let said = lost.err().expect("no answer").to_string();
        assert!(said.ends_with(advice), "{said} lacks {advice}");
    }

    let (url, _) = serve(|_, _| problem(&Problem::stopping())).await;
    let refused = Client::new(&url).unwrap().batch([]).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_rollback_whose_answer_was_lost_is_not_asked_for_again() {
    let back = r#"{"module":"bank","version":3,"hash":"00","changed":true}"#;
    let (url, log) = serve(move |number, _| match number {
        0 => problem(&Problem::deploying(1)),
        1 => Some(reply(200, None, back)),
        _ => None,
    })
    .await;
    let client = Client::builder(&url).retries(3).build().unwrap();
    let bank = ordain_types::ModuleName::new("bank").unwrap();
    let back = client.rollback(&bank, Some(1), true).await.unwrap();
    assert_eq!(back.version, 3, "nothing was done the first time");
    let lost = client.rollback(&bank, None, false).await;
    assert!(matches!(lost, Err(Error::Lost { .. })), "{lost:?}");
    let lines: Vec<_> = log
        .lock()
        .unwrap()
        .iter()
        .map(|seen| seen.line.clone())
        .collect();
    let path = "POST /v1/admin/modules/bank/rollback";
    let first = format!("{path}?keep_state=true&to=1");
    assert_eq!(lines, [first.clone(), first, path.to_owned()]);
}
