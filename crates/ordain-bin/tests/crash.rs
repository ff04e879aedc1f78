//! The release of G3, G4 and G7 as a user meets it: a real server process is killed again and again
//! while clients call it, and afterwards every acknowledged call is there exactly once.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordain::client::{Client, ModuleFiles, ModuleSource};
use ordain::{IdempotencyKey, Key};
use ordain_example_transfer::{Account, Bank};
use ordain_types::{Method, MethodKind, ModuleName, Request};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const KILLS: usize = 5;
const CLIENTS: u64 = 8;
/// Acknowledged calls between two kills: a round in which the server did no work proves nothing.
const CALLS_A_ROUND: u64 = 200;
const OPENING_BALANCE: i64 = 1_000_000;

/// A server process on a port of its own, killed when dropped.
struct Server(Child);

impl Server {
    /// Starts one, with these flags more; `port` 0 lets it choose. Gives the port.
    fn start(dir: &Path, port: u16, flags: &[&str]) -> (Self, u16) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ordain"));
        let port = port.to_string();
        command
            .args(["serve", "--port", &port, "--dir"])
            .arg(dir)
            .args(flags)
            .current_dir(dir);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null());
        let mut child = command.spawn().expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = None;
        for line in lines.map_while(Result::ok) {
            if let Some((_, port)) = line.rsplit_once("http://127.0.0.1:") {
                address = port.trim().parse().ok();
            }
            if line.starts_with("ready") {
                return (Self(child), address.expect("it says where it listens"));
            }
        }
        panic!("the server ended before it was ready: {:?}", child.wait());
    }

    /// As `kill -9`: no handler runs, nothing is flushed.
    fn kill(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it is gone");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the clients know.
#[derive(Default)]
struct Ledger {
    acknowledged: AtomicU64,
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

/// Deploys one version after the other until told to stop. Gives how many were acknowledged.
async fn deployer(url: String, ledger: Arc<Ledger>) -> u32 {
    let client = Client::builder(&url)
        .retries(u32::MAX)
        .build()
        .expect("a client");
    let name = ModuleName::new("bank").expect("a name");
    let mut last = 1;
    for number in 2.. {
        if ledger.done.load(Ordering::Relaxed) {
            return last;
        }
        let deployed = client.deploy(&name, &bank(number), false).await;
        let version = deployed.expect("in force in the end").version;
        assert!(version > last, "version {version} after {last}");
        last = version;
    }
    unreachable!("there are numbers enough")
}

/// Servers of one directory, killed one after the other while clients call them.
struct Life {
    dir: TempDir,
    runtime: Runtime,
    server: Server,
    port: u16,
    flags: &'static [&'static str],
    ledger: Arc<Ledger>,
}

impl Life {
    fn begin(flags: &'static [&'static str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (server, port) = Server::start(dir.path(), 0, flags);
        let ledger = Ledger {
            deposits: Mutex::new(vec![0; CLIENTS as usize]),
            ..Ledger::default()
        };
        Self {
            dir,
            runtime: Runtime::new().expect("a runtime"),
            server,
            port,
            flags,
            ledger: Arc::new(ledger),
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills and starts again, lets everyone come to an end, and checks what the clients know.
    fn kill_and_check(&mut self) {
        let (url, ledger) = (self.url(), self.ledger.clone());
        self.runtime.block_on(open_accounts(&url));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| (self.runtime).spawn(client(number, url.clone(), ledger.clone())))
            .collect();
        for _ in 0..KILLS {
            wait_for_calls(&ledger, &clients);
            self.server.kill();
            (self.server, _) = Server::start(self.dir.path(), self.port, self.flags);
        }
        wait_for_calls(&ledger, &clients);
        ledger.done.store(true, Ordering::Relaxed);
        for client in clients {
            let ended = self.runtime.block_on(client);
            ended.expect("no client found anything wrong");
        }
        self.runtime.block_on(check(&url, &ledger));
    }
}

#[test]
fn killed_again_and_again_it_loses_nothing_and_repeats_nothing() {
    Life::begin(&[]).kill_and_check();
}

#[test]
fn killed_while_modules_change_it_loses_nothing_and_repeats_nothing() {
    let mut life = Life::begin(&["--modules-only"]);
    let (url, name) = (life.url(), ModuleName::new("bank").expect("a name"));
    let asking = Client::new(&url).expect("a client");
    let source = bank(1);
    let first = asking.deploy(&name, &source, false);
    let first = life.runtime.block_on(first).expect("it compiles");
    assert_eq!(first.version, 1);
    let deployments = life.runtime.spawn(deployer(url, life.ledger.clone()));
    life.kill_and_check();
    let last = life.runtime.block_on(deployments);
    let last = last.expect("no deployment failed");
    assert!(last as usize > KILLS, "only {last} versions were deployed");
    let module = life.runtime.block_on(asking.module(&name));
    let in_force = module.expect("it is there").in_force.expect("in force");
    assert_eq!(in_force.version, last, "what was acknowledged last");
    life.runtime.block_on(check_migrations(&asking, last));
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

#[test]
fn killed_while_components_and_scripts_take_turns_it_loses_nothing_and_repeats_nothing() {
    let mut life = Life::begin(&["--modules-only"]);
    let (url, name) = (life.url(), ModuleName::new("bank").expect("a name"));
    let asking = Client::new(&url).expect("a client");
    let source = bank_in_either(1);
    let first = life.runtime.block_on(asking.deploy(&name, &source, false));
    assert_eq!(first.expect("it compiles").version, 1);
    let deploying = deploy_either(url, name.clone(), life.ledger.clone());
    let deployments = life.runtime.spawn(deploying);
    life.kill_and_check();
    let last = life.runtime.block_on(deployments);
    let last = last.expect("no deployment failed");
    assert!(last > 2, "only {last} versions were deployed");
    let module = life.runtime.block_on(asking.module(&name));
    let in_force = module.expect("it is there").in_force.expect("in force");
    assert_eq!(in_force.version, last, "what was acknowledged last");
}

/// Deploys the bank in one language after the other until told to stop. Gives the last version.
async fn deploy_either(url: String, name: ModuleName, ledger: Arc<Ledger>) -> u32 {
    let client = Client::builder(&url).retries(u32::MAX).build();
    let client = client.expect("a client");
    let mut last = 1;
    while !ledger.done.load(Ordering::Relaxed) {
        let source = bank_in_either(last + 1);
        let deployed = client.deploy(&name, &source, false).await;
        let version = deployed.expect("in force in the end").version;
        assert_eq!(version, last + 1, "each once, over all kills");
        last = version;
    }
    last
}

/// Waits until the clients got so many answers more.
fn wait_for_calls(ledger: &Ledger, clients: &[tokio::task::JoinHandle<()>]) {
    let goal = ledger.acknowledged.load(Ordering::Relaxed) + CALLS_A_ROUND;
    while ledger.acknowledged.load(Ordering::Relaxed) < goal {
        assert!(
            !clients.iter().any(|client| client.is_finished()),
            "a client failed"
        );
        std::thread::park_timeout(Duration::from_millis(5));
    }
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
        // A client that waits before it tries again may miss the versions of a round.
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
    assert!(
        longest > KILLS,
        "none was migrated oftener than {longest} times"
    );
}
