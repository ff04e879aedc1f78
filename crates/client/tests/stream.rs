//! Streams against a server that answers as told: order, completions, broken connections.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Peer, StreamCall, Streams};
use ordain_api::{Code, Problem, frame};
use ordain_client::{Call, Client, Completion, Error, Sink, Stream, StreamOptions, json_request};
use ordain_types::Seq;
use tokio::sync::Notify;

async fn open(options: StreamOptions) -> (Streams, Stream, Peer) {
    let (url, streams) = Streams::listen().await;
    let client = Client::new(&url).unwrap();
    let (stream, peer) = tokio::join!(client.stream(options), streams.accept());
    (streams, stream.unwrap(), peer)
}

fn call(key: usize) -> Call {
    let request = json_request(&format!("account/{key}"), "deposit", "{}");
    Call::new(request).unwrap()
}

/// Keeps what is delivered; rings when `expected` are there.
struct Inbox {
    came: Mutex<Vec<(u64, Completion)>>,
    expected: usize,
    all: Notify,
}

impl Inbox {
    fn new(expected: usize) -> (Arc<Self>, Arc<dyn Sink>) {
        let inbox = Arc::new(Self {
            came: Mutex::default(),
            expected,
            all: Notify::new(),
        });
        (inbox.clone(), inbox)
    }

    async fn wait(&self) -> Vec<(u64, Completion)> {
        self.all.notified().await;
        std::mem::take(&mut *self.came.lock().unwrap())
    }
}

impl Sink for Inbox {
    fn deliver(&self, completions: &mut dyn Iterator<Item = (u64, Completion)>) {
        let mut came = self.came.lock().unwrap();
        came.extend(completions);
        if came.len() == self.expected {
            self.all.notify_one();
        }
    }
}

#[tokio::test]
async fn calls_go_out_in_order_and_each_gets_its_own_reply() {
    let (_streams, stream, mut peer) = open(StreamOptions::default()).await;
    let (inbox, sink) = Inbox::new(1_000);
    for token in 0..1_000 {
        stream.submit(call(token), &sink, token as u64).unwrap();
    }
    assert_eq!(stream.in_flight(), 1_000);
    let mut calls = peer.read(1_000).await;
    let keys: Vec<usize> = calls.iter().map(|call| call.key.parse().unwrap()).collect();
    assert!(keys.is_sorted());
    // Replies may come in any order.
    calls.reverse();
    peer.answer(&calls).await;
    for (token, completion) in inbox.wait().await {
        let reply = completion.unwrap();
        assert_eq!(reply.value, format!("\"{token}\""));
        assert!(reply.seq.is_some());
    }
    assert_eq!(stream.in_flight(), 0);
    drop(stream);
    peer.closed().await;
}

#[tokio::test]
async fn futures_get_values_and_problems() {
    let (_streams, stream, mut peer) = open(StreamOptions::default()).await;
    let value = stream.start::<String>(call(1)).await.unwrap();
    let rejected = stream.start::<String>(call(2)).await.unwrap();
    let wrong = stream.start::<u64>(call(3)).await.unwrap();
    let calls = peer.read(3).await;
    let mut message = Vec::new();
    let rejection = ordain_types::Rejection::new("no_funds", "none");
    frame::write_problem(
        &mut message,
        calls[1].id,
        Some(Seq(8)),
        &(&rejection).into(),
    );
    peer.write(message).await;
    peer.answer(&[calls[2].clone(), calls[0].clone()]).await;
    assert_eq!(value.await.unwrap().value, "1");
    let error = rejected.await.unwrap_err();
    assert_eq!(error.problem().unwrap().code, "no_funds");
    assert_eq!(error.as_answer().unwrap().seq, Some(Seq(8)));
    assert!(matches!(wrong.await.unwrap_err(), Error::Value(_)));
}

#[tokio::test]
async fn what_was_unanswered_is_asked_again_under_the_same_keys() {
    let (streams, stream, mut peer) = open(StreamOptions::default()).await;
    let (inbox, sink) = Inbox::new(10);
    for token in 0..10 {
        stream.submit(call(token), &sink, token as u64).unwrap();
    }
    let first = peer.read(10).await;
    peer.answer(&first[..4]).await;
    drop(peer);
    let mut peer = streams.accept().await;
    let again = peer.read(6).await;
    assert_eq!(again, first[4..], "in order, under their ids and keys");
    assert!(again.iter().all(|call| call.idempotency_key.is_some()));
    peer.answer(&again).await;
    let came = inbox.wait().await;
    assert!(came.iter().all(|(_, completion)| completion.is_ok()));
}

#[tokio::test]
async fn a_query_that_is_lost_is_told_of_no_idempotency_key() {
    let (url, streams) = Streams::listen().await;
    let client = Client::builder(&url).retries(0).build().unwrap();
    let opened = client.stream(StreamOptions::default());
    let (stream, mut peer) = tokio::join!(opened, streams.accept());
    let stream = stream.unwrap();
    let query = Call::query(json_request("account/2", "balance", "{}")).unwrap();
    let query = stream.start::<String>(query).await.unwrap();
    peer.read(1).await;
    drop(peer);
    let error = query.await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(error.to_string().ends_with("; ask again"), "{error}");
}

#[tokio::test]
async fn without_keys_an_update_is_lost_and_a_query_is_asked_again() {
    let options = StreamOptions {
        idempotency_keys: false,
        ..StreamOptions::default()
    };
    let (streams, stream, mut peer) = open(options).await;
    let update = stream.start::<String>(call(1)).await.unwrap();
    let query = Call::query(json_request("account/2", "balance", "{}")).unwrap();
    let query = stream.start::<String>(query).await.unwrap();
    let calls = peer.read(2).await;
    assert!(calls.iter().all(|call| call.idempotency_key.is_none()));
    drop(peer);
    let mut peer = streams.accept().await;
    let again = peer.read(1).await;
    peer.answer(&again).await;
    assert_eq!(query.await.unwrap().value, "2");
    let error = update.await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(!error.to_string().contains("idempotency key"), "{error}");
}

#[tokio::test]
async fn an_overloaded_call_is_tried_again() {
    let (_streams, stream, mut peer) = open(StreamOptions::default()).await;
    let value = stream.start::<String>(call(1)).await.unwrap();
    let first = peer.read(1).await;
    peer.refuse(&first[0], &Problem::overloaded(1)).await;
    let again: Vec<StreamCall> = peer.read(1).await;
    assert_eq!(again, first);
    peer.answer(&again).await;
    assert_eq!(value.await.unwrap().value, "1");
}

#[tokio::test]
async fn in_flight_is_bounded() {
    let options = StreamOptions {
        in_flight_max: 2,
        ..StreamOptions::default()
    };
    let (_streams, stream, mut peer) = open(options).await;
    let (inbox, sink) = Inbox::new(2);
    stream.submit(call(0), &sink, 0).unwrap();
    stream.submit(call(1), &sink, 1).unwrap();
    let full = stream.submit(call(2), &sink, 2).unwrap_err();
    assert!(matches!(full, Error::Full { max: 2 }), "{full:?}");
    let waiting = stream.start::<String>(call(3));
    let answered = async {
        let calls = peer.read(2).await;
        peer.answer(&calls).await;
        let calls = peer.read(1).await;
        peer.answer(&calls).await;
    };
    let value = async { waiting.await.unwrap().await.unwrap() };
    let (value, ()) = tokio::join!(value, answered);
    assert_eq!(value.value, "3");
    assert_eq!(inbox.wait().await.len(), 2);
}

#[tokio::test]
async fn a_reply_to_no_call_breaks_the_connection_not_the_calls() {
    let (streams, stream, mut peer) = open(StreamOptions::default()).await;
    let value = stream.start::<String>(call(1)).await.unwrap();
    let calls = peer.read(1).await;
    let mut message = Vec::new();
    frame::write_value(&mut message, calls[0].id + 77, None, b"1");
    peer.write(message).await;
    let mut peer = streams.accept().await;
    let again = peer.read(1).await;
    peer.answer(&again).await;
    assert_eq!(value.await.unwrap().value, "1");
}

#[tokio::test]
async fn a_server_that_stays_away_ends_what_is_in_flight() {
    let (url, streams) = Streams::listen().await;
    let client = Client::builder(&url).retries(1).build().unwrap();
    let (stream, mut peer) =
        tokio::join!(client.stream(StreamOptions::default()), streams.accept());
    let stream = stream.unwrap();
    let written = stream.start::<String>(call(1)).await.unwrap();
    let query = Call::query(json_request("account/2", "balance", "{}")).unwrap();
    let query = stream.start::<String>(query).await.unwrap();
    peer.read(2).await;
    drop((peer, streams));
    let error = written.await.unwrap_err();
    assert!(
        matches!(error, Error::Lost { .. }),
        "it may have run: {error:?}"
    );
    assert!(error.to_string().contains("cannot connect"), "{error}");
    let error = query.await.unwrap_err();
    assert!(
        matches!(error, Error::Connect { .. }),
        "it did nothing: {error:?}"
    );
    assert_eq!(stream.in_flight(), 0);
    let late = stream.start::<String>(call(3)).await.unwrap();
    let error = late.await.unwrap_err();
    assert!(
        matches!(error, Error::Connect { .. }),
        "never written: {error:?}"
    );
}

/// What a connection broke on is not made undone by what the next one answers.
#[tokio::test]
async fn a_call_that_may_have_run_is_lost_though_it_is_refused_later() {
    let (streams, stream, mut peer) = open(StreamOptions::default()).await;
    let value = stream.start::<String>(call(1)).await.unwrap();
    peer.read(1).await;
    drop(peer);
    let mut peer = streams.accept().await;
    let again = peer.read(1).await;
    let refused = Problem::new(Code::Forbidden, "not any more");
    peer.refuse(&again[0], &refused).await;
    let error = value.await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(error.to_string().contains("not any more"), "{error}");
}

/// The answer to the first asking leaves open whether the call ran; that to the second is of the second.
#[tokio::test]
async fn an_answer_that_leaves_open_whether_the_call_ran_is_a_loss() {
    let (_streams, stream, mut peer) = open(StreamOptions::default()).await;
    let value = stream.start::<String>(call(1)).await.unwrap();
    let mut full = Problem::new(Code::DiskFull, "no space");
    full.retry_after_ms = Some(1);
    for problem in [full, Problem::new(Code::Forbidden, "not any more")] {
        let asked = peer.read(1).await;
        peer.refuse(&asked[0], &problem).await;
    }
    let error = value.await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(error.to_string().contains("no space"), "{error}");
    assert!(error.to_string().contains("not any more"), "{error}");
}

/// A proxy whose server is gone, say.
#[tokio::test]
async fn a_call_that_may_have_run_is_lost_though_a_stranger_answers_the_next_connection() {
    let (streams, stream, mut peer) = open(StreamOptions::default()).await;
    let value = stream.start::<String>(call(1)).await.unwrap();
    peer.read(1).await;
    drop(peer);
    streams
        .turn_away("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        .await;
    let error = value.await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(error.to_string().contains("404"), "{error}");
}

/// Panics at the first delivery, with its lock held: the others panic at the lock.
#[derive(Default)]
struct Fragile(Mutex<u64>);

impl Sink for Fragile {
    fn deliver(&self, completions: &mut dyn Iterator<Item = (u64, Completion)>) {
        let mut came = self.0.lock().expect("poisoned by the panic before");
        *came += completions.next().expect("one at least").0;
        panic!("on purpose");
    }
}

#[tokio::test]
async fn a_sink_that_panics_takes_no_reply_from_others() {
    let (_streams, stream, mut peer) = open(StreamOptions::default()).await;
    let fragile: Arc<dyn Sink> = Arc::new(Fragile::default());
    let (inbox, sink) = Inbox::new(1);
    for token in 0..3 {
        stream.submit(call(token), &fragile, token as u64).unwrap();
    }
    stream.submit(call(3), &sink, 3).unwrap();
    stream.submit(call(4), &fragile, 4).unwrap();
    let value = stream.start::<String>(call(5)).await.unwrap();
    let calls = peer.read(6).await;
    peer.answer(&calls).await;
    assert_eq!(value.await.unwrap().value, "5");
    assert_eq!(inbox.wait().await.len(), 1);
    assert_eq!(stream.in_flight(), 0);
    let next = stream.start::<String>(call(6)).await.unwrap();
    let calls = peer.read(1).await;
    peer.answer(&calls).await;
    assert_eq!(next.await.unwrap().value, "6");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let (url, streams) = Streams::listen().await;
    // The handshake has no more time than that, either.
    let builder = Client::builder(&url).timeout(Duration::from_secs(2));
    let client = builder.retries(0).build().unwrap();
    let (stream, _peer) = tokio::join!(client.stream(StreamOptions::default()), streams.accept());
    let value = stream.unwrap().start::<String>(call(1)).await.unwrap();
    let error = value.await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}
