//! Streams: WebSocket messages of lines and of frames, many calls in flight.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use ordain_api::frame::{CallFrame, Frames, ReplyFrame, ReplyStatus};
use ordain_api::{Op, WireCall};
use ordain_server::{Config, Scope};
use ordain_types::{EntityId, Method};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::entities::open_gate;
use crate::world::{PATIENCE, World, token};

pub struct Stream(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Stream {
    pub async fn open(world: &World) -> Self {
        let url = format!("ws://{}/v1/stream", world.addr);
        Self(connect_async(url).await.expect("an upgrade").0)
    }

    pub async fn send(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.expect("it reads");
    }

    async fn next(&mut self) -> Message {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await;
            match message
                .expect("it answers")
                .expect("it goes on")
                .expect("a message")
            {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    /// Lines, until there are so many; by id.
    pub async fn lines(&mut self, count: usize) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        while all.len() < count {
            let message = self.next().await.into_text().expect("text");
            for line in message.lines() {
                let line: Value = serde_json::from_str(line).expect("JSON");
                let before = all.insert(line["id"].to_string(), line);
                assert!(before.is_none(), "an id is answered once");
            }
        }
        all
    }

    /// Frames, until there are so many; by id.
    async fn frames(&mut self, count: usize) -> BTreeMap<u64, (ReplyStatus, Option<u64>, String)> {
        let mut all = BTreeMap::new();
        while all.len() < count {
            let message = self.next().await.into_data();
            for body in Frames::new(&message) {
                let reply = ReplyFrame::decode(body.expect("a frame")).expect("a reply");
                let json = String::from_utf8(reply.json.to_vec()).expect("text");
                let told = (reply.status, reply.seq.map(|seq| seq.0), json);
                assert!(
                    all.insert(reply.id, told).is_none(),
                    "an id is answered once"
                );
            }
        }
        all
    }

    /// What it is closed with, and nothing before.
    pub async fn closed(&mut self) -> Option<CloseFrame> {
        match self.next().await {
            Message::Close(frame) => frame,
            other => panic!("{other:?} instead of a close"),
        }
    }
}

fn deposit(id: u64, key: &str) -> String {
    format!(
        "{{\"id\":{id},\"entity\":\"account\",\"key\":\"{key}\",\"method\":\"deposit\",\"args\":{{\"amount\":1}}}}\n"
    )
}

fn frame(out: &mut Vec<u8>, id: u64, op: Op, key: &str, method: &str, args: &str) {
    let entity = EntityId::new("account", key).expect("a key");
    let method = Method::new(method).expect("a name");
    let call = WireCall::new(op, &entity, &method, args.as_bytes());
    CallFrame { id, call }.write(out);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_answered_with_lines() {
    let world = World::start().await;
    let mut stream = Stream::open(&world).await;
    let text = [
        &*deposit(1, "al"),
        "{\"id\":\"w\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"withdraw\",\"args\":{\"amount\":50}}\n",
        "\n{\"id\":{\"a\":1},\"entity\":\"account\",\"key\":\"\",\"method\":\"deposit\"}\n",
        "{\"id\":5,\"nonsense\":1}\n",
        "{\"id\":6,\"op\":\"send\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"deposit\",\"args\":{\"amount\":1},\"delay_ms\":1000000}",
    ]
    .concat();
    stream.send(text).await;
    let told = stream.lines(5).await;
    assert_eq!(told["1"]["value"], 1);
    assert!(told["1"]["seq"].is_u64());
    assert_eq!(told["\"w\""]["error"]["code"], "insufficient_funds");
    assert!(told["\"w\""]["seq"].is_u64());
    assert_eq!(told["{\"a\":1}"]["error"]["code"], "bad_key");
    assert_eq!(told["{\"a\":1}"]["seq"], Value::Null, "nothing ran");
    assert_eq!(told["5"]["error"]["code"], "bad_request");
    assert!(told["6"]["value"]["id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_answered_with_frames() {
    let world = World::start().await;
    let mut stream = Stream::open(&world).await;
    let mut bytes = Vec::new();
    frame(&mut bytes, 1, Op::Call, "al", "deposit", "{\"amount\":5}");
    frame(&mut bytes, 2, Op::Call, "al", "withdraw", "{\"amount\":50}");
    frame(&mut bytes, 300, Op::Query, "al", "balance", "");
    frame(&mut bytes, 4, Op::Call, "al", "boom", "{}");
    frame(&mut bytes, 5, Op::Query, "al", "deposit", "{\"amount\":5}");
    // A body that is no call, but has an id: op 3 does not exist.
    bytes.extend([2, 3, 6]);
    stream.send(bytes).await;
    let told = stream.frames(6).await;
    let status = |id: u64| format!("{:?}", told[&id].0);
    assert_eq!((status(1), &*told[&1].2), ("Value".into(), "5"));
    assert_eq!(status(2), "Problem(Rejection)");
    assert_eq!((status(300), &*told[&300].2), ("Value".into(), "5"));
    assert_eq!(status(4), "Problem(Fault)");
    assert_eq!((status(5), told[&5].1), ("Problem(Refused)".into(), None));
    assert_eq!((status(6), told[&6].1), ("Problem(Refused)".into(), None));
    assert_eq!(told[&1].1.map(|seq| seq + 1), told[&2].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_frame_close_the_stream_after_what_was_in_flight() {
    for bad in [&[0x85, 0x00][..], &[9, 1], &[0], &[1, 0]] {
        let world = World::start().await;
        let mut stream = Stream::open(&world).await;
        let mut bytes = Vec::new();
        frame(&mut bytes, 1, Op::Call, "al", "deposit", "{\"amount\":5}");
        bytes.extend(bad);
        stream.send(bytes).await;
        assert_eq!(stream.frames(1).await[&1].2, "5");
        let close = stream.closed().await.expect("a reason");
        assert_eq!(u16::from(close.code), 1007, "{bad:?}: {}", close.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_may_be_in_flight_wait_their_turn() {
    let world = World::limited(|limits| limits.stream_calls_max = 8).await;
    let mut stream = Stream::open(&world).await;
    let count = 3_000;
    let text: String = (0..count).map(|id| deposit(id, "al")).collect();
    let (first, second) = text.split_at(text.len() / 2);
    let cut = first.rfind('\n').expect("a line") + 1;
    stream.send(&text[..cut]).await;
    stream.send(text[cut..].to_owned()).await;
    assert!(!second.is_empty());
    let told = stream.lines(count as usize).await;
    for id in 0..count {
        assert_eq!(told[&id.to_string()]["value"], id + 1, "in order");
    }
}

/// What is refused is answered at once, though a call before it is not: so many of those, and then that is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_so_many_calls_overtake_one_that_is_not_answered() {
    let world = World::limited(|limits| limits.stream_calls_max = 8).await;
    let mut stream = Stream::open(&world).await;
    let count = 1_000;
    let mut text =
        "{\"id\":0,\"entity\":\"gate\",\"key\":\"overtaken\",\"method\":\"pass\"}\n".to_owned();
    text.extend((1..=count).map(|id| format!("{{\"id\":{id},\"nonsense\":1}}\n")));
    stream.send(text).await;
    let before = stream.lines(4 * 8 - 1).await;
    open_gate("overtaken");
    assert_eq!(before.len(), 4 * 8 - 1);
    assert!(!before.contains_key("0"), "its gate was shut");
    let after = stream.lines(count + 1 - before.len()).await;
    assert_eq!(after["0"]["value"], Value::Null);
    assert_eq!(after[&count.to_string()]["error"]["code"], "bad_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_closes_the_stream() {
    let world = World::start().await;
    let mut stream = Stream::open(&world).await;
    // The server may hang up while this is being written.
    let _ = stream
        .0
        .send(Message::text(" ".repeat((4 << 20) + 1)))
        .await;
    let end = loop {
        match tokio::time::timeout(PATIENCE, stream.0.next())
            .await
            .expect("it ends")
        {
            Some(Ok(Message::Close(frame))) => break frame.map(|frame| u16::from(frame.code)),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break None,
        }
    };
    assert!(end.is_none_or(|code| code == 1009), "{end:?}");
    assert_eq!(world.client().await.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_answers_a_streams_calls_and_says_goodbye() {
    let world = World::start().await;
    let mut stream = Stream::open(&world).await;
    let node = world.node().clone();
    let wait = "{\"id\":0,\"entity\":\"gate\",\"key\":\"stream-stop\",\"method\":\"pass\"}\n";
    stream.send(format!("{wait}{}", deposit(1, "al"))).await;
    // Only once both are in the queue is there something that was accepted.
    let commands = || {
        node.counters()
            .queue_commands
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    while commands() > 0 || !metric(&world, "ordain_stream_calls_total 2").await {
        tokio::task::yield_now().await;
    }
    let stopping = world.begin_stop();
    open_gate("stream-stop");
    let told = stream.lines(2).await;
    assert_eq!(told["0"]["value"], Value::Null);
    assert_eq!(told["1"]["value"], 1);
    assert_eq!(
        u16::from(stream.closed().await.expect("a reason").code),
        1001
    );
    assert!(stopping.await.expect("it stops").drained);
}

async fn metric(world: &World, line: &str) -> bool {
    world
        .client()
        .await
        .get("/metrics")
        .await
        .text()
        .lines()
        .any(|other| other == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_needs_an_upgrade_and_a_token() {
    let world = World::start().await;
    let reply = world.client().await.get("/v1/stream").await;
    assert_eq!(reply.problem(), (400, "bad_request".into()));
    assert_eq!(reply.json()["field"], "upgrade");

    let guarded = Config {
        tokens: vec![token("read", &[Scope::Read])],
        ..Config::default()
    };
    let world = World::start_with(guarded).await;
    let url = format!("ws://{}/v1/stream", world.addr);
    match connect_async(&url).await {
        Err(Error::Http(reply)) => assert_eq!(reply.status(), 401),
        other => panic!("{other:?}"),
    }
    let mut request = url.into_client_request().expect("a request");
    let bearer = "Bearer read-token".parse().expect("a header");
    request.headers_mut().insert("authorization", bearer);
    let mut stream = Stream(connect_async(request).await.expect("an upgrade").0);
    let query = "{\"id\":1,\"op\":\"query\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"balance\"}\n";
    stream.send(format!("{query}{}", deposit(2, "al"))).await;
    let told = stream.lines(2).await;
    assert_eq!(told["1"]["value"], 0);
    assert_eq!(
        told["2"]["error"]["code"], "forbidden",
        "each call asks for its scope"
    );
    assert_eq!(told["2"]["error"]["scope"], json!("call"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_peer_is_pinged_and_then_given_up() {
    let world = World::limited(|limits| limits.idle_timeout = Duration::from_secs(1)).await;
    let mut alive = Stream::open(&world).await;
    // A client that never reads never answers a ping.
    let _dead = Stream::open(&world).await;
    let alive = tokio::spawn(async move {
        // Reading answers pings, so this one stays.
        let pings = async {
            loop {
                if let Some(Ok(Message::Ping(_))) = alive.0.next().await {
                    return alive;
                }
            }
        };
        tokio::time::timeout(PATIENCE, pings).await.expect("a ping")
    });
    let mut alive = alive.await.expect("it was pinged");
    loop {
        // Asking keeps it alive, whatever else happens.
        alive.send(deposit(1, "al")).await;
        alive.lines(1).await;
        if metric(&world, "ordain_streams 1").await {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_stops_being_served() {
    let world = World::limited(|limits| {
        limits.write_timeout = Duration::from_millis(100);
        limits.stream_calls_max = 64;
    })
    .await;
    let mut stream = Stream::open(&world).await;
    let text = "x".repeat(500_000);
    let line = format!(
        "{{\"op\":\"query\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"echo\",\"args\":{{\"text\":\"{text}\"}}}}\n"
    );
    let mut sent = 0;
    while stream.0.send(Message::text(line.clone())).await.is_ok() {
        sent += 1;
        assert!(sent < 20_000, "the server takes in without bound");
    }
    assert_eq!(world.client().await.get("/healthz").await.status, 200);
}

/// Many large replies leave together: the time is for each, and none of it passes for the client's silence.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_gets_all() {
    let world = World::limited(|limits| {
        limits.write_timeout = Duration::from_secs(2);
        limits.idle_timeout = Duration::from_secs(3);
    })
    .await;
    let mut stream = Stream::open(&world).await;
    let wait = "{\"id\":0,\"entity\":\"gate\",\"key\":\"slowly\",\"method\":\"pass\"}\n";
    stream.send(wait).await;
    let (count, text) = (60, "x".repeat(500_000));
    for id in 1..=count {
        let line = format!(
            "{{\"id\":{id},\"op\":\"query\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"echo\",\"args\":{{\"text\":\"{text}\"}}}}\n"
        );
        stream.send(line).await;
    }
    let all = format!("ordain_stream_calls_total {}", count + 1);
    while !metric(&world, &all).await {}
    open_gate("slowly");
    let mut ids = std::collections::BTreeSet::new();
    while ids.len() <= count {
        let message = stream.next().await.into_text().expect("text");
        for line in message.lines() {
            let id = line.split_once(',').expect("more than one member").0;
            assert!(ids.insert(id.to_owned()), "an id is answered once");
        }
        // So much a client has to do with each: together it is more than one may take.
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    stream.send(deposit(100, "al")).await;
    assert_eq!(stream.lines(1).await["100"]["value"], 1);
}
