//! The server that is attacked: this test program once more, as a child process with one server in it.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use ordain_node::Options;
use ordain_server::{Config, Limits, Scope};

use crate::wire::Raw;
use crate::world::{World, token};
use crate::{overload, weak, wire};

/// The environment variable by which a process knows that it is a victim, and which one.
const SETUP: &str = "ORDAIN_VICTIM";
/// The timeouts of a server that is to be seen keeping them.
pub const SHORT: Duration = Duration::from_millis(700);
/// Longer than any test.
const NEVER: Duration = Duration::from_secs(24 * 3_600);

/// How the victim is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// As it comes.
    Usual,
    /// With tokens: `call`, `read`, `admin` and `all`.
    Guarded,
    /// With all timeouts short.
    Short,
    /// With limits that hold nothing back: what an attack is first seen to succeed against.
    Lifted,
    /// With room for few connections.
    Narrow,
    /// With a short queue, which calls from a few connections can fill.
    Queue,
    /// No server of ours at all: the HTTP library with its own defences turned off.
    Bare,
}

const SETUPS: [Setup; 7] = [
    Setup::Usual,
    Setup::Guarded,
    Setup::Short,
    Setup::Lifted,
    Setup::Narrow,
    Setup::Queue,
    Setup::Bare,
];

pub struct Victim {
    child: Child,
    said: BufReader<ChildStderr>,
    pub addr: SocketAddr,
}

impl Victim {
    pub fn start(setup: Setup) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["victim::a_victim_lives_and_dies_with_its_test", "--exact"])
            .args(["--nocapture", "--test-threads=1"])
            .env(SETUP, format!("{setup:?}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let said = BufReader::new(child.stderr.take().expect("it is piped"));
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut victim = Self { child, said, addr };
        victim.addr = victim.hear("listening ").parse().expect("an address");
        victim
    }

    /// What it says after `word`, whatever else it says before.
    fn hear(&mut self, word: &str) -> String {
        let mut all = String::new();
        loop {
            let begin = all.len();
            let read = self.said.read_line(&mut all).expect("its words are text");
            assert!(read > 0, "the victim ended: {all}");
            if let Some(rest) = all[begin..].strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Tasks alive in it.
    pub fn tasks(&mut self) -> usize {
        let to = self.child.stdin.as_mut().expect("it is piped");
        to.write_all(b"tasks\n").expect("it listens");
        self.hear("tasks ").parse().expect("a number")
    }

    /// Bytes of memory it has.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size") << 10
    }

    pub async fn raw(&self) -> Raw {
        Raw::connect(self.addr).await
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(setup: Setup) -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    let usual = |_: &mut Limits| {};
    let timeouts = |limits: &mut Limits, time| {
        limits.head_timeout = time;
        limits.body_timeout = time;
        limits.idle_timeout = time;
        limits.write_timeout = time;
    };
    match setup {
        Setup::Usual | Setup::Queue | Setup::Bare => usual(limits),
        Setup::Guarded => {
            let one = |scope: Scope| token(scope.as_str(), &[scope]);
            config.tokens = Scope::ALL.into_iter().map(one).collect();
            config.tokens.push(token("all", &Scope::ALL));
        }
        Setup::Short => timeouts(limits, SHORT),
        Setup::Lifted => {
            timeouts(limits, NEVER);
            limits.connections_max = usize::MAX;
            limits.requests_max = usize::MAX;
            limits.body_bytes_max = usize::MAX;
            limits.h2_streams_max = u32::MAX >> 1;
        }
        Setup::Narrow => {
            timeouts(limits, SHORT);
            limits.connections_max = 16;
        }
    }
    config
}

fn be(setup: &str) -> ! {
    let all = SETUPS.map(|setup| (format!("{setup:?}"), setup));
    let known = all.iter().find(|(name, _)| name == setup);
    let setup = known.expect("a setup that there is").1;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let world = runtime.block_on(async {
        if setup == Setup::Bare {
            eprintln!("listening {}", weak::bare().await);
            return None;
        }
        let mut options = Options::default();
        if setup == Setup::Queue {
            options.queue_commands_max = overload::QUEUE;
        }
        let world = World::start_on(config(setup), options).await;
        eprintln!("listening {}", world.addr);
        Some(world)
    });
    for _ in std::io::stdin().lines() {
        eprintln!("tasks {}", runtime.metrics().num_alive_tasks());
    }
    // Whoever attacked is gone.
    drop(world);
    std::process::exit(0)
}

#[test]
fn a_victim_lives_and_dies_with_its_test() {
    if let Ok(setup) = std::env::var(SETUP) {
        be(&setup);
    }
    let mut victim = Victim::start(Setup::Usual);
    assert!(victim.memory() > 1 << 20 && victim.tasks() > 0);
    let addr = victim.addr;
    let asked = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    wire::block_on(async {
        let mut raw = victim.raw().await;
        assert!(raw.send(asked).await);
        assert_eq!(wire::statuses(&raw.rest().await), [200]);
    });
    drop(victim);
    assert!(std::net::TcpStream::connect(addr).is_err());
}
