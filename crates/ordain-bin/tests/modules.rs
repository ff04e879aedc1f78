//! Modules as their users meet them: the real program, its real hosts, and what the pages say.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Dev, Server, ordain, text};
use ordain::client::{Call, Client};
use ordain_example_transfer::Account;

/// The block of `ts` at that place of a page.
fn block(page: &str, at: usize) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(page);
    let page = std::fs::read_to_string(path).unwrap();
    let block = page.split("```ts\n").nth(at + 1).expect("a block");
    block.split("```").next().unwrap().to_owned()
}

fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(dir.join(name), text).unwrap();
}

/// A clerk in TypeScript, who asks an account in Rust and a person who is a component.
const CLERK: &str = r#"
import { entity } from "ordain";
type Any = any;
export const clerk = entity({ done: 0 }, {
  all(cx, { take }: { take: number }) {
    cx.state.done += 1;
    (cx.call("person", "ada") as Any).marry({ last: "King" });
    (cx.call("account", "a") as Any).deposit({ amount: 5 });
    return (cx.call("account", "a") as Any).withdraw({ amount: take });
  },
  done(cx) { return cx.state.done; },
});
"#;

#[test]
fn methods_in_three_languages_are_one_transaction() {
    let server = Server::start();
    write(server.home.path(), "clerk.ts", CLERK);
    let person = include_bytes!("../../hosts/tests/fixtures/person.wasm");
    write(server.home.path(), "person.wasm", person);
    server.get(&["deploy", "clerk.ts"]);
    server.get(&["deploy", "person.wasm"]);
    let ask = |server: &Server| {
        let names = server.get(&["query", "person/ada", "names"]);
        let balance = server.get(&["query", "account/a", "balance"]);
        (names, balance, server.get(&["call", "clerk/x", "done"]))
    };
    let (code, said) = server.fails(&["call", "clerk/x", "all", r#"{"take":9}"#]);
    assert!(code == 5 && said.contains("insufficient_funds"), "{said}");
    let nothing = ([r#"["",""]"#, "0", "0"]).map(str::to_owned);
    assert_eq!(
        ask(&server),
        nothing.into(),
        "of none of them anything stays"
    );
    assert_eq!(
        server.get(&["call", "clerk/x", "all", r#"{"take":4}"#]),
        "1"
    );
    let all = ([r#"["","King"]"#, "1", "1"]).map(str::to_owned);
    assert_eq!(ask(&server), all.clone().into());
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(ask(&server), all.into());
}

/// Tells those who go on until then, also where a deployment fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Each call is asked once: what a deployment dropped would be seen.
#[test]
fn deployments_drop_no_call_and_let_none_try_again() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--modules-only"]);
    let source = include_str!("../../../examples/bank.ts");
    let deploy = |number: u32| {
        write(
            server.home.path(),
            "bank.ts",
            format!("{source}// {number}\n"),
        );
        let said = server.get(&["deploy", "bank.ts"]);
        assert!(said.contains(&format!("version {number} ")), "{said}");
    };
    deploy(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = Client::builder(&server.url).retries(0).build().unwrap();
    let done = AtomicBool::new(false);
    let counted = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|caller| {
                let (client, done, handle) = (client.clone(), &done, runtime.handle());
                let deposit = move || Account::at(format!("c-{caller}")).deposit(1);
                scope.spawn(move || {
                    let mut count = 0;
                    while !done.load(Ordering::Relaxed) {
                        let reply = handle.block_on(client.call(deposit()));
                        count += 1;
                        assert_eq!(reply.expect("no call fails").value, count);
                    }
                    count
                })
            })
            .collect();
        // Batches of many calls, one after the other.
        let (client, done_too, handle) = (client.clone(), &done, runtime.handle());
        let batch = scope.spawn(move || {
            let mut count = 0;
            while !done_too.load(Ordering::Relaxed) {
                let calls = (0..500).map(|_| Call::new(Account::at("batch").deposit(1)).unwrap());
                handle.block_on(async {
                    let mut batch = client.batch(calls).await.unwrap();
                    while let Some(answer) = batch.next().await.unwrap() {
                        count += 1;
                        let value = answer.expect("no line fails").value;
                        assert_eq!(value, count.to_string());
                    }
                });
            }
            count
        });
        let ends = Ends(&done);
        (2..=20).for_each(deploy);
        drop(ends);
        let counts = callers.into_iter().map(|caller| caller.join().unwrap());
        (counts.min().unwrap(), batch.join().unwrap())
    });
    assert!(counted.0 > 0 && counted.1 > 0, "{counted:?}");
}

#[test]
fn the_module_of_the_front_page_is_deployed_changed_and_gone_back_from() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--modules-only"]);
    let bank = block("README.md", 0);
    write(server.home.path(), "bank.ts", &bank);
    server.get(&["deploy", "bank.ts"]);
    let deposit = || server.get(&["call", "account/alice", "deposit", r#"{"amount":5}"#]);
    assert_eq!(deposit(), "5");
    let doubled = bank.replace("+= amount", "+= 2 * amount");
    assert_ne!(doubled, bank);
    write(server.home.path(), "bank.ts", doubled);
    server.get(&["deploy", "bank.ts"]);
    assert_eq!(deposit(), "15");
    server.get(&["rollback", "bank"]);
    assert_eq!(deposit(), "20");
    let modules = server.get(&["modules", "bank"]);
    let rows: Vec<Vec<_>> = modules
        .lines()
        .skip(1)
        .map(|row| row.split('\t').collect())
        .collect();
    let how: Vec<_> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(how, ["deploy", "deploy", "rollback to 1"], "{modules}");
    assert_eq!(rows[0][2], rows[2][2], "the same hash: {modules}");
    assert_eq!(rows[0][2].len(), 12, "{modules}");
    assert!(modules.trim_end().ends_with("yes"), "{modules}");
    let (code, said) = server.fails(&["undeploy", "bank"]);
    assert!(code != 0 && said.contains("holds_state"), "{said}");
    server.get(&["undeploy", "bank", "--keep-state"]);
    let (_, said) = server.fails(&["query", "account/alice", "balance"]);
    assert!(said.contains("unknown_entity"), "{said}");
}

#[test]
fn the_modules_and_tests_of_the_page_are_run() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "bank.ts", block("docs/modules.md", 0));
    let page = "docs/modules.md";
    let tests = (0..).map(|at| block(page, at));
    let tests = tests.take(20).find(|text| text.contains("ordain/test"));
    write(home.path(), "bank.test.ts", tests.expect("tests"));
    let output = ordain(home.path(), &["test"]).output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("1 passed, 0 failed"), "{said}");
}

const LIMITS: &str = "export const most = 100;\n";
const SHOP: &str = r#"import { entity, reject } from "ordain";
import { most } from "./limits.ts";
export const shop = entity({ sold: 0 }, {
  sell(cx, { count }: { count: number }) {
    if (count > most) reject("too_many", `at most ${most}`);
    if (count < 0) throw new Error("less than nothing");
    return (cx.state.sold += count);
  },
});
"#;

/// An imported file is saved too; what is told has its place in the file as it is then.
#[test]
fn dev_deploys_what_is_saved_and_tells_where_it_fails() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "limits.ts", LIMITS);
    write(home.path(), "shop.ts", SHOP);
    let mut dev = Dev::start(home.path(), &["shop.ts"]);
    let url = dev.url.clone();
    let call = |count: &str| {
        let args = format!(r#"{{"count":{count}}}"#);
        let mut call = ordain(home.path(), &["call", "shop/a", "sell", &args]);
        call.env("ORDAIN_URL", &url).output().unwrap()
    };
    assert_eq!(text(&call("50").stdout), "50");
    // Written beside it and moved to its place, as editors do: half a file is never there.
    let began = Instant::now();
    write(home.path(), "limits.new", LIMITS.replace("100", "10"));
    std::fs::rename(
        home.path().join("limits.new"),
        home.path().join("limits.ts"),
    )
    .unwrap();
    dev.until("deployed shop version 2 in ");
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "{took:?} after it was saved"
    );
    assert_eq!(call("50").status.code(), Some(5));
    let said = dev.until("rejected ");
    assert!(said.last().unwrap().contains("too_many"), "{said:?}");
    assert_eq!(call("-1").status.code(), Some(6));
    dev.until("fault    ");
    let said = dev.until("         at ").join("\n");
    assert!(said.contains("(shop.ts:6:"), "{said}");
    assert_eq!(text(&call("1").stdout), "51", "the state stays");
}
