//! The Rust client against a real server: typed calls, batches, and a stream over a kill.

mod common;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Server;
use ordain::client::{
    Call, Client, Completion, Error, ModuleFiles, ModuleSource, Sink, StreamOptions, json_request,
};
use ordain_example_transfer::Account;
use ordain_types::ModuleName;
use ordain_types::limits::METHODS_MAX;
use tokio::sync::Notify;

#[tokio::test]
async fn typed_calls_queries_and_sends() {
    let server = Server::start();
    let client = Client::new(&server.url).unwrap();
    let deposited = client.call(Account::at("a").deposit(5)).await.unwrap();
    assert_eq!(deposited.value, 5);
    let balance = client.query_from(Account::at("a").balance(), deposited.seq.unwrap());
    assert_eq!(balance.await.unwrap().value, 5);
    let rejected = client.call(Account::at("a").withdraw(9)).await.unwrap_err();
    assert!(matches!(&rejected, Error::Rejected(answer) if answer.seq > deposited.seq));
    let sent = client.send(Account::at("b").deposit(1), Duration::from_secs(3_600));
    let id = sent.await.unwrap().value;
    assert_eq!(client.invocation(id).await.unwrap().entity, "account/b");
    assert!(client.ready().await.unwrap().ready);
    let state = client
        .state(&"account/a".parse().unwrap(), None, None)
        .await
        .unwrap();
    assert_eq!(state.state.unwrap().get(), r#"{"balance":5}"#);
}

#[tokio::test]
async fn a_batch_runs_each_line_and_answers_in_order() {
    let server = Server::start();
    let client = Client::new(&server.url).unwrap();
    let calls = (1..=3_000).map(|_| Call::new(Account::at("a").deposit(1)).unwrap());
    let over = Call::new(Account::at("b").withdraw(1)).unwrap();
    let mut batch = client.batch(calls.chain([over])).await.unwrap();
    for count in 1..=3_000 {
        let reply = batch.next().await.unwrap().unwrap().unwrap();
        assert_eq!(reply.value, count.to_string());
    }
    let last = batch.next().await.unwrap().unwrap();
    assert!(matches!(last, Err(Error::Rejected(_))));
    assert!(batch.next().await.unwrap().is_none());
}

/// As the page of errors has it: no module at all is one matter, more than is allowed another.
#[tokio::test]
async fn what_makes_no_module_is_told_with_its_place() {
    let server = Server::start();
    let client = Client::new(&server.url).unwrap();
    let files = |text: String| {
        ModuleSource::Files(ModuleFiles {
            main: "bank.ts".to_owned(),
            files: [("bank.ts".to_owned(), text)].into(),
        })
    };
    let import = "import { entity } from \"ordain\";\n";
    let one = "export const a = entity({}, { m() {} });\n";
    let other = "export const b = entity({}, { m() {} }, { name: \"a\" });\n";
    let twice = format!("{import}{one}{other}");
    let methods: String = (0..=METHODS_MAX)
        .map(|at| format!("m{at}() {{}}, "))
        .collect();
    let many = format!("{import}export const a = entity({{}}, {{ {methods} }});\n");
    for (source, code, file, line) in [
        (
            files("export {};\n".to_owned()),
            "module_source",
            Some("bank.ts"),
            Some(1),
        ),
        (files(twice), "module_source", Some("bank.ts"), Some(3)),
        (
            ModuleSource::Component("none".into()),
            "module_source",
            Some("module.wasm"),
            None,
        ),
        (files(many), "module_invalid", None, None),
    ] {
        let name = ModuleName::new("bank").unwrap();
        let refused = client.deploy(&name, &source, false).await.unwrap_err();
        let problem = refused.problem().unwrap();
        assert_eq!(problem.code, code, "{refused}");
        let place = (problem.file.as_deref(), problem.line);
        assert_eq!(place, (file, line), "{refused}");
    }
}

#[derive(Default)]
struct Inbox {
    came: Mutex<VecDeque<(u64, Completion)>>,
    more: Notify,
}

impl Sink for Inbox {
    fn deliver(&self, completions: &mut dyn Iterator<Item = (u64, Completion)>) {
        self.came.lock().unwrap().extend(completions);
        self.more.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_over_a_kill_runs_every_call_once() {
    const CALLS: u64 = 6_000;
    let mut server = Server::start();
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let client = Client::builder(&server.url).retries(100).build().unwrap();
    let options = StreamOptions {
        in_flight_max: 500,
        ..StreamOptions::default()
    };
    let stream = client.stream(options).await.unwrap();
    let inbox = Arc::new(Inbox::default());
    let sink: Arc<dyn Sink> = inbox.clone();
    let (mut submitted, mut answered, mut killed) = (0, 0, false);
    while answered < CALLS {
        while submitted < CALLS {
            let call = Call::new(Account::at("a").deposit(1)).unwrap();
            match stream.submit(call, &sink, submitted) {
                Ok(()) => submitted += 1,
                Err(Error::Full { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        if answered > CALLS / 3 && !killed {
            let home = server.kill();
            server = Server::start_in(home, &["--port", &port]);
            killed = true;
        }
        inbox.more.notified().await;
        let came = std::mem::take(&mut *inbox.came.lock().unwrap());
        for (token, completion) in came {
            completion.unwrap_or_else(|error| panic!("call {token}: {error}"));
            answered += 1;
        }
    }
    assert!(killed);
    let balance = stream.query(Account::at("a").balance()).await.unwrap();
    assert_eq!(balance.value, CALLS as i64, "nothing lost, nothing twice");
}

#[tokio::test]
async fn a_call_that_is_too_large_for_a_stream_takes_no_other_with_it() {
    let server = Server::start();
    let client = Client::new(&server.url).unwrap();
    let stream = client.stream(StreamOptions::default()).await.unwrap();
    let args = format!("{{\"amount\":1{}}}", " ".repeat(5 << 20));
    let large = Call::new(json_request("account/a", "deposit", args)).unwrap();
    let small = || Call::new(Account::at("b").deposit(1)).unwrap();
    let before = stream.start::<i64>(small()).await.unwrap();
    let large = stream.start::<i64>(large).await;
    let after = stream.start::<i64>(small()).await.unwrap();
    assert_eq!(before.await.unwrap().value, 1);
    assert_eq!(after.await.unwrap().value, 2);
    let refused = large.err().expect("no server takes as much");
    assert!(matches!(&refused, Error::Refused(_)), "{refused}");
    let code = refused.problem().map(|problem| problem.code.to_string());
    assert_eq!(code.as_deref(), Some("request_too_large"));
}
