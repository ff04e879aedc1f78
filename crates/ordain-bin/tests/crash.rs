//! The release of G3, G4 and G7 as a user meets it: a real server process is killed again and again
//! while clients call it, and afterwards every acknowledged call is there exactly once.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Server;
use ordain::client::{Client, Error, ModuleFiles, ModuleSource};
use ordain::{IdempotencyKey, Key};
use ordain_example_transfer::{Account, Bank};
use ordain_types::{Method, MethodKind, ModuleName, Request};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const KILLS: usize = 5;
const CLIENTS: u64 = 8;
/// Acknowledged calls between two kills: a round in which the server did no work proves nothing.
const CALLS_A_ROUND: u64 = 200;
const OPENING_BALANCE: i64 = 1_000_000;

/// What the clients know.
#[derive(Default)]
struct Ledger {
    acknowledged: AtomicU64,
    /// Deployments acknowledged.
    versions: AtomicU64,
    done: AtomicBool,
    /// Deposits acknowledged, by client: each adds 1 to that client's own account.
    deposits: Mutex<Vec<u64>>,
}

/// Calls until told to stop: a deposit to the client's own account, a transfer between two of the
/// common ones. Each call has one key, kept until it is answered, over kills and restarts.
async fn client(number: u64, url: String, ledger: Arc<Ledger>) {
    let client = Client::builder(&url)
        .retries(u32::MAX)
        .build()
        .expect("a client");
    let own = format!("own-{number}");
    for n in 0.. {
        if ledger.done.load(Ordering::Relaxed) {
            return;
        }
        let key = |what| IdempotencyKey::new(&format!("{what}-{number}-{n}")).expect("a key");
        let deposit = Account::at(&own).deposit(1);
        let reply = client
            .call_with(deposit, key("deposit"))
            .await
            .expect("an answer in the end");
        let n_deposits = n + 1;
        assert_eq!(
            reply.value as u64, n_deposits,
            "every deposit counts once, this one too"
        );
        ledger.deposits.lock().expect("no panic")[number as usize] = n_deposits;
        let (from, to) = (account((number + n) % 4), account((number + n + 1) % 4));
        let transfer = Bank::at("main").transfer(from, to, 1);
        client
            .call_with(transfer, key("transfer"))
            .await
            .expect("an answer in the end");
        ledger.acknowledged.fetch_add(2, Ordering::Relaxed);
    }
}

fn account(n: u64) -> Key {
    Key::new(&format!("common-{n}")).expect("a key")
}

/// The bank in TypeScript: the same types and methods as those compiled in. Each number, from 1, is another version of
/// an account's state, which keeps the trail of its migrations: pairs of the version it was and the one it became.
fn bank(number: u32) -> ModuleSource {
    let mut text = include_str!("../../../examples/bank.ts").to_owned();
    let mut put = |place: &str, instead: &str| {
        assert_eq!(text.matches(place).count(), 1, "{place} is there once");
        text = text.replace(place, instead);
    };
    put(
        "type Account = { balance: number }",
        "type Account = { balance: number; trail: number[][] }",
    );
    put(
        "entity({ balance: 0 } as Account",
        "entity({ balance: 0, trail: [] } as Account",
    );
    let migrating = format!(
        "cx.state.balance),
  trail: query((cx: QueryContext<Account>) => cx.state.trail),
}}, {{
  version: {number},
  migrate(state, from) {{
    return {{ balance: state.balance, trail: [...state.trail, [from, {number}]] }};
  }},
}});"
    );
    put("cx.state.balance),\n});", &migrating);
    ModuleSource::Files(ModuleFiles {
        main: "bank.ts".to_owned(),
        files: [("bank.ts".to_owned(), text)].into(),
    })
}

/// The bank as a component and in TypeScript, by turns: the same types, methods and states.
fn bank_in_either(number: u32) -> ModuleSource {
    if number.is_multiple_of(2) {
        let text = include_str!("../../../examples/bank.ts");
        return ModuleSource::Files(ModuleFiles {
            main: "bank.ts".to_owned(),
            files: [("bank.ts".to_owned(), format!("{text}// {number}\n"))].into(),
        });
    }
    let mut bytes = include_bytes!("../../hosts/tests/fixtures/transfer.wasm").to_vec();
    // A section of no meaning, named `n`: each number is another file, whose machine code is made anew.
    bytes.extend_from_slice(&[0, 6, 1, b'n']);
    bytes.extend_from_slice(&number.to_le_bytes());
    ModuleSource::Component(bytes.into())
}

/// What is deployed: the source of each version, and whether every fifth is the one before, gone back to.
#[derive(Clone, Copy)]
struct Versions {
    source: fn(u32) -> ModuleSource,
    go_back: bool,
}

/// Deploys one version after the other until told to stop. Gives the last.
async fn deployer(url: String, name: ModuleName, versions: Versions, ledger: Arc<Ledger>) -> u32 {
    let client = Client::builder(&url).retries(u32::MAX).build();
    let client = client.expect("a client");
    let mut last = 1_u32;
    while !ledger.done.load(Ordering::Relaxed) {
        let number = last + 1;
        let version = match versions.go_back && number.is_multiple_of(5) {
            true => went_back(&client, &name, last).await,
            false => {
                let source = (versions.source)(number);
                let deployed = client.deploy(&name, &source, false).await;
                deployed.expect("in force in the end").version
            }
        };
        assert_eq!(version, number, "each once, over all kills");
        last = version;
        ledger.versions.fetch_add(1, Ordering::Relaxed);
    }
    last
}

/// Goes back to what was in force before, and gives the version that this is. An answer that is lost says nothing:
/// whoever goes back looks before he asks again.
async fn went_back(client: &Client, name: &ModuleName, last: u32) -> u32 {
    loop {
        match client.rollback(name, None, false).await {
            Ok(deployed) => return deployed.version,
            Err(Error::Lost { .. } | Error::Timeout { .. }) => {}
            Err(error) => panic!("going back from version {last}: {error}"),
        }
        let module = client.module(name).await.expect("it is there");
        let version = module.in_force.expect("one is in force").version;
        if version != last {
            return version;
        }
    }
}

/// Servers of one directory, killed one after the other while clients call them.
struct Life {
    runtime: Runtime,
    server: Server,
    flags: &'static [&'static str],
    ledger: Arc<Ledger>,
    /// Of modules, where there are any.
    deployments: Option<JoinHandle<u32>>,
    /// Commands that the restarts replayed.
    replayed: u64,
}

impl Life {
    fn begin(flags: &'static [&'static str]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let ledger = Ledger {
            deposits: Mutex::new(vec![0; CLIENTS as usize]),
            ..Ledger::default()
        };
        Self {
            runtime: Runtime::new().expect("a runtime"),
            server: Server::start_in(home, flags),
            flags,
            ledger: Arc::new(ledger),
            deployments: None,
            replayed: 0,
        }
    }

    /// Kills and starts again, lets everyone come to an end, and checks what the clients know.
    fn kill_and_check(mut self) -> Self {
        let (url, ledger) = (self.server.url.clone(), self.ledger.clone());
        self.runtime.block_on(open_accounts(&url));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| (self.runtime).spawn(client(number, url.clone(), ledger.clone())))
            .collect();
        let (_, port) = url.rsplit_once(':').expect("the clients know this one");
        let again = [self.flags, &["--port", port]].concat();
        for _ in 0..KILLS {
            self.wait_for_round(&clients);
            let home = self.server.kill();
            self.server = Server::start_in(home, &again);
            self.replayed += replayed(&self.server);
        }
        assert!(self.replayed > 0, "no restart had anything to replay");
        self.wait_for_round(&clients);
        ledger.done.store(true, Ordering::Relaxed);
        for client in clients {
            let ended = self.runtime.block_on(client);
            ended.expect("no client found anything wrong");
        }
        self.runtime.block_on(check(&url, &ledger));
        self
    }

    /// Waits until the clients got so many answers more, and where modules are deployed one more is in force.
    fn wait_for_round(&self, clients: &[JoinHandle<()>]) {
        let Ledger {
            acknowledged,
            versions,
            ..
        } = &*self.ledger;
        let calls = acknowledged.load(Ordering::Relaxed) + CALLS_A_ROUND;
        let version = versions.load(Ordering::Relaxed) + u64::from(self.deployments.is_some());
        while acknowledged.load(Ordering::Relaxed) < calls
            || versions.load(Ordering::Relaxed) < version
        {
            let failed = clients.iter().any(|client| client.is_finished());
            assert!(!failed, "a client failed");
            let deployer = self.deployments.as_ref();
            assert!(
                !deployer.is_some_and(|deployer| deployer.is_finished()),
                "a deployment failed"
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

#[test]
fn killed_again_and_again_it_loses_nothing_and_repeats_nothing() {
    Life::begin(&[]).kill_and_check();
}

/// A life in which versions of one module are deployed all the time. Gives whom to ask, and the last version.
fn life_with(versions: Versions) -> (Life, Client, u32) {
    let mut life = Life::begin(&["--modules-only"]);
    let (url, name) = (life.server.url.clone(), ModuleName::new("bank"));
    let name = name.expect("a name");
    let asking = Client::new(&url).expect("a client");
    let source_1 = (versions.source)(1);
    let first = life
        .runtime
        .block_on(asking.deploy(&name, &source_1, false));
    assert_eq!(first.expect("it compiles").version, 1);
    let deploying = deployer(url, name.clone(), versions, life.ledger.clone());
    life.deployments = Some(life.runtime.spawn(deploying));
    let mut life = life.kill_and_check();
    let deployments = life.deployments.take().expect("begun above");
    let last = life.runtime.block_on(deployments);
    let last = last.expect("no deployment failed");
    assert!(last as usize > KILLS, "only {last} versions were deployed");
    let module = life.runtime.block_on(asking.module(&name));
    let in_force = module.expect("it is there").in_force.expect("in force");
    assert_eq!(in_force.version, last, "what was acknowledged last");
    (life, asking, last)
}

#[test]
fn killed_while_modules_change_it_loses_nothing_and_repeats_nothing() {
    // Versions whose states would go back to an earlier shape are another matter.
    let (life, asking, last) = life_with(Versions {
        source: bank,
        go_back: false,
    });
    life.runtime.block_on(check_migrations(&asking, last));
}

#[test]
fn killed_while_components_and_scripts_take_turns_it_loses_nothing_and_repeats_nothing() {
    life_with(Versions {
        source: bank_in_either,
        go_back: true,
    });
}

/// What a server says of its start: `ready    seq 12, 7 replayed`.
fn replayed(server: &Server) -> u64 {
    let ready = server.said.last().expect("it is ready");
    let (_, replayed) = ready.split_once(", ").expect("what was replayed");
    let count = replayed.strip_suffix(" replayed").expect("how many");
    count.replace(',', "").parse().expect("a number")
}

async fn open_accounts(url: &str) {
    let client = Client::new(url).expect("a client");
    for n in 0..4 {
        let deposit = Account::at(account(n)).deposit(OPENING_BALANCE);
        client.call(deposit).await.expect("a deposit");
    }
}

async fn check(url: &str, ledger: &Ledger) {
    let client = Client::new(url).expect("a client");
    let deposits = ledger.deposits.lock().expect("no panic").clone();
    for (number, acknowledged) in deposits.iter().enumerate() {
        let balance = Account::at(format!("own-{number}")).balance();
        let balance = client.query(balance).await.expect("a balance").value;
        assert_eq!(
            balance as u64, *acknowledged,
            "client {number}: nothing lost, nothing twice"
        );
    }
    let total = Bank::at("main").total((0..4).map(account).collect());
    let total = client.query(total).await.expect("a total").value;
    assert_eq!(total, 4 * OPENING_BALANCE, "transfers keep the sum");
}

/// Every state has come from version to version, each time from where it was, up to the one in force.
async fn check_migrations(client: &Client, in_force: u32) {
    let own = (0..CLIENTS).map(|number| format!("account/own-{number}"));
    let common = (0..4).map(|n| format!("account/{}", account(n)));
    let mut longest = 0;
    for entity in own.chain(common) {
        let method = Method::new("trail").expect("a name");
        let id = entity.parse().expect("an id");
        let request = Request::<Vec<(u32, u32)>>::new(id, method, MethodKind::Query, "{}".into());
        let trail = client.query(request).await.expect("a trail").value;
        // A client that waits before it tries again may miss the versions of a round, and versions that come
        // after a round's calls are missed by all.
        longest = longest.max(trail.len());
        assert!(
            trail.iter().all(|(from, to)| from < to),
            "{entity}: {trail:?}"
        );
        let follows = |pair: &[(u32, u32)]| pair[0].1 == pair[1].0;
        assert!(trail.windows(2).all(follows), "{entity}: {trail:?}");
        let last = trail.last().expect("there is one").1;
        assert_eq!(last, in_force, "{entity}: {trail:?}");
    }
    assert!(longest > 1, "none was migrated oftener than once");
}
