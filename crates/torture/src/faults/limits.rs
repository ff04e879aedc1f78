//! Less memory and fewer descriptors than it would like. Without memory it may end: then it is started
//! again, and nothing is lost. Without descriptors it must not: new connections wait or are refused,
//! those there are go on, and when the others are gone it is as before.

use std::net::TcpStream;
use std::time::Duration;

use ordain::Key;
use ordain_client::Client;
use ordain_example_probe::Lists;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Fault;
use crate::scene::Scene;
use crate::server::{Ended, START_MAX};

/// Descriptors that the server may have.
const DESCRIPTORS: u32 = 64;
/// Connections that take all of them.
const CONNECTIONS: usize = 100;
/// Address space that the server may have, one start after the other, in the first repetition.
const MEMORY_MEGABYTES: [u64; 6] = [40, 150, 400, 550, 700, 1_000];
/// How long a server that has too little is asked for much.
const STARVED: Duration = Duration::from_secs(1);
const LIVED: &str = "lived on";
/// What no failed start may say. It is the server's own word.
const PANICKED: &str = "the start panicked";
/// Clients that ask for much, and lists that each asks for at once.
const HUNGRY: usize = 32;
const KEYS: usize = 5_000;
/// How long it may take to run out of memory, and to be served again.
const COMES_MAX: Duration = Duration::from_secs(20);

/// Descriptors.
pub const DESCRIPTORS_FEW: Fault = Fault {
    name: "descriptors",
    about: "more connections than it may have descriptors",
    ci: 2,
    hand: 20,
    run: descriptors,
};

/// Memory.
pub const MEMORY_LITTLE: Fault = Fault {
    name: "memory",
    about: "no more memory than it has (RLIMIT_AS)",
    ci: 1,
    hand: 20,
    run: memory,
};

fn descriptors(scene: &mut Scene) -> anyhow::Result<()> {
    // Known at the start, the limit leaves descriptors for log and store. One that comes later does not.
    let at_start = scene.repetition % 2 == 1;
    if at_start {
        scene.setup.limits = vec![format!("-n {DESCRIPTORS}")];
    }
    scene.begin()?;
    scene.wait_acknowledged(100)?;
    let pid = i32::try_from(scene.server()?.pid())?;
    if !at_start {
        let limit = Some(DESCRIPTORS.into());
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        prlimit(Pid::from_raw(pid), Resource::Nofile, limit)?;
    }
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        // Beyond the limit the system's own queue takes them, and then nobody.
        let address = ([127, 0, 0, 1], scene.setup.port).into();
        connections.extend(TcpStream::connect_timeout(
            &address,
            Duration::from_millis(200),
        ));
    }
    let open = || std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    // A descriptor of its own for each connection there is not.
    let short = scene.until(COMES_MAX, |_| match at_start {
        true => open() >= DESCRIPTORS as usize / 2,
        false => open() >= DESCRIPTORS as usize,
    })?;
    if short {
        let when = if at_start { "from the start" } else { "later" };
        scene.bit(format!(
            "{} descriptors open, {DESCRIPTORS} allowed {when}",
            open()
        ));
    }
    // Long enough for segments and checkpoints to want files.
    let before = scene.acknowledged();
    scene.until(Duration::from_secs(2), |_| false)?;
    let meanwhile = scene.acknowledged() - before;
    scene.check(!at_start || meanwhile >= 100, || {
        format!("only {meanwhile} calls were answered beside idle connections")
    });
    drop(connections);
    let alive = scene.server()?.wait(Duration::ZERO)?.is_none();
    scene.check(alive, || "the server ended for want of descriptors".into());
    let before = scene.acknowledged();
    let served = scene.until(COMES_MAX, |scene| scene.acknowledged() > before + 100)?;
    scene.check(served, || {
        "it was not itself again with descriptors to spare".into()
    });
    scene.healed();
    Ok(())
}

fn memory(scene: &mut Scene) -> anyhow::Result<()> {
    scene.begin()?;
    scene.wait_acknowledged(200)?;
    scene.kill()?;
    let mut ends = Vec::new();
    for least in MEMORY_MEGABYTES {
        // Other sizes in each repetition: what is missing first differs.
        let megabytes = least + 7 * u64::from(scene.repetition);
        scene.setup.limits = vec![format!("-v {}", megabytes << 10)];
        let end = starve(scene)?;
        ends.push(format!("{megabytes} MB: {end}"));
    }
    if ends.iter().any(|end| !end.ends_with(LIVED)) {
        scene.bit(ends.join(", "));
    }
    scene.setup.limits.clear();
    scene.start()?;
    scene.healed();
    Ok(())
}

/// Runs a server that has too little for a while; gives how it ended.
fn starve(scene: &mut Scene) -> anyhow::Result<String> {
    let mut server = scene.setup.spawn()?;
    if let Err(error) = server.wait_ready(START_MAX) {
        let Some(ended) = error.downcast_ref::<Ended>() else {
            return Err(error);
        };
        // It says that it failed, or the allocator ended it.
        scene.check(!ended.status.success(), || {
            format!("a start ended well: {ended}")
        });
        scene.check(!ended.said.contains(PANICKED), || {
            format!("a start panicked: {ended}")
        });
        return Ok(format!("did not start ({})", ended.status));
    }
    let hungry = Hungry::start(&scene.setup.url(), scene.load.handle());
    let ended = scene.until(STARVED, |_| {
        matches!(server.wait(Duration::ZERO), Ok(Some(_)))
    })?;
    hungry.stop();
    Ok(match ended {
        true => "ended".into(),
        false => LIVED.into(),
    })
}

/// Clients that ask for what takes memory: large arguments, many at once.
struct Hungry(Vec<JoinHandle<()>>);

impl Hungry {
    fn start(url: &str, handle: &Handle) -> Self {
        let task = |number: usize| {
            let url = url.to_owned();
            handle.spawn(async move {
                let Ok(client) = Client::builder(&url).retries(0).build() else {
                    return;
                };
                let keys = (0..KEYS).map(|key| Key::new(&format!("hungry-{number}-{key}")));
                let keys: Vec<Key> = keys.filter_map(Result::ok).collect();
                loop {
                    // Refused, lost or answered: all the same here.
                    let _ = client.query(Lists::at("all").read(keys.clone())).await;
                    tokio::task::yield_now().await;
                }
            })
        };
        Self((0..HUNGRY).map(task).collect())
    }

    fn stop(self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
