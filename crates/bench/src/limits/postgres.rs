//! A peer: PostgreSQL with a stored procedure that does `transfer` under `SERIALIZABLE`, driven by its own
//! `pgbench`, in a cluster of our own that lives as long as the measurement.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use super::Measured;
use crate::process::{Running, Said, cpu_of_family, output};

/// The programs that it takes.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pgbench"];
/// Where packages put them, a directory a version below it.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who runs it where we are root, whom it refuses: the first there is.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(60);
/// How often it is asked whether it has started.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Connections, and threads that drive them.
const CLIENTS: &str = "64";
const THREADS: &str = "2";
/// The first version whose pgbench tries again what could not be serialized.
const OLDEST: u32 = 15;

/// Nothing here makes it less durable than its defaults do; memory is for all accounts.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "default_transaction_isolation=serializable",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "min_wal_size=2GB",
    "max_connections=100",
];

const SCHEMA: &str = "
create table account (id int primary key, balance bigint not null);
insert into account select id, 1000000 from generate_series(1, :accounts) id;
create function transfer(a int, b int, amount bigint) returns bigint language plpgsql as $$
declare rest bigint;
begin
    update account set balance = balance - amount where id = a and balance >= amount returning balance into rest;
    if not found then raise exception 'insufficient_funds'; end if;
    update account set balance = balance + amount where id = b;
    return rest;
end $$;
vacuum analyze account;
checkpoint;
";

/// Distinct: the second is drawn from one fewer, and stands for its successor from the first on.
const SCRIPT: &str = r"
\set a random(1, :accounts)
\set rest random(1, :accounts - 1)
\set b :rest + (case when :rest >= :a then 1 else 0 end)
\set amount random(1, 100)
select transfer(:a, :b, :amount);
";

/// Why it is not measured, where that is no failure.
pub enum Peer {
    /// It was.
    Measured(Measured),
    /// It was not, because of this.
    Skipped(String),
}

/// Measures transfers among so many accounts for so long, with data below `dir`.
///
/// # Errors
/// If PostgreSQL is there and fails, or money is not conserved.
pub async fn transfers(
    dir: &Path,
    accounts: usize,
    duration: Duration,
    seed: u64,
) -> anyhow::Result<Peer> {
    let Some(programs) = programs() else {
        let all = PROGRAMS.join(", ");
        return Ok(Peer::Skipped(format!(
            "PostgreSQL is not installed: {all} are not in one directory"
        )));
    };
    let user = match rustix::process::getuid().is_root() {
        false => None,
        true => match user() {
            Some(user) => Some(user),
            None => {
                let why = "PostgreSQL does not run as root, and there is neither a user postgres nor nobody";
                return Ok(Peer::Skipped(why.to_owned()));
            }
        },
    };
    let cluster = Cluster::start(programs, user, dir).await?;
    if let Some(why) = cluster.is_too_old().await? {
        return Ok(Peer::Skipped(why));
    }
    cluster.load(accounts).await?;
    // As long before as is measured: plans, pages written for the first time since a checkpoint, segments of the log.
    cluster.pgbench(accounts, duration, seed + 1, false).await?;
    let measured = cluster.drive(accounts, duration, seed).await?;
    cluster.check(accounts).await?;
    Ok(Peer::Measured(measured))
}

/// The directory that has them all: one of `PATH`, or that of the latest version installed.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let version = |dir: &PathBuf| dir.file_name()?.to_str()?.parse::<u32>().ok();
    let entries = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    versions.sort_by_key(version);
    dirs.extend(versions.into_iter().rev().map(|dir| dir.join("bin")));
    dirs.into_iter()
        .find(|dir| PROGRAMS.iter().all(|name| dir.join(name).is_file()))
}

/// A user and its group, by number.
type User = (u32, u32);

fn user() -> Option<User> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    USERS.iter().find_map(|name| user_in(&users, name))
}

fn user_in(users: &str, name: &str) -> Option<User> {
    let mut lines = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let fields = lines.find(|fields| fields.first() == Some(&name))?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// A cluster of our own. Dropped, it is stopped and removed.
struct Cluster {
    programs: PathBuf,
    user: Option<User>,
    // In this order: what runs in the directory ends before it goes.
    postmaster: Option<Running>,
    dir: TempDir,
}

impl Cluster {
    async fn start(programs: PathBuf, user: Option<User>, below: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("ordain-postgres-")
            .tempdir_in(below)?;
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid))?;
        }
        let mut cluster = Self {
            programs,
            user,
            postmaster: None,
            dir,
        };
        let mut initdb = cluster.command("initdb");
        initdb.args([
            "--pgdata=data",
            "--username=bench",
            "--auth=trust",
            "--no-locale",
            "--encoding=UTF8",
        ]);
        cluster.done(initdb).await?;
        let mut postgres = cluster.command("postgres");
        postgres.args(["-D", "data", "-k"]).arg(cluster.dir.path());
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", *setting]));
        let log = fs::File::create(cluster.dir.path().join("log"))?;
        postgres
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        // SIGQUIT: at once, for nobody needs the data any more.
        cluster.postmaster =
            Some(Running::start(&mut postgres, Signal::QUIT).context("cannot start postgres")?);
        cluster.ready().await?;
        Ok(cluster)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            if output(self.psql("select 1")).await?.status.success() {
                return Ok(());
            }
            let ended = self.postmaster.as_mut().is_none_or(Running::has_ended);
            if ended || began.elapsed() > START_MAX {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                bail!("PostgreSQL does not start; it said:\n{log}");
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    async fn load(&self, accounts: usize) -> anyhow::Result<()> {
        let schema = self.dir.path().join("schema.sql");
        fs::write(&schema, SCHEMA.replace(":accounts", &accounts.to_string()))?;
        let mut psql = self.command("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
            .arg(&schema);
        self.done(psql).await.map(drop)
    }

    /// Why this version cannot be measured, if it cannot: before 15, pgbench does not try again.
    async fn is_too_old(&self) -> anyhow::Result<Option<String>> {
        let version = self.done(self.psql("show server_version_num")).await?;
        let version: u32 = version
            .out
            .trim()
            .parse()
            .context("PostgreSQL has no version")?;
        let major = version / 10_000;
        Ok((major < OLDEST).then(|| {
            format!("PostgreSQL {major} is installed; its pgbench does not try again what cannot be serialized, as that of {OLDEST} does")
        }))
    }

    /// Runs the script, and logs each transaction if that is wanted.
    async fn pgbench(
        &self,
        accounts: usize,
        duration: Duration,
        seed: u64,
        logged: bool,
    ) -> anyhow::Result<Said> {
        let script = self.dir.path().join("transfer.sql");
        fs::write(&script, SCRIPT)?;
        let mut pgbench = self.command("pgbench");
        let seconds = duration.as_secs_f64().ceil().max(1.0).to_string();
        pgbench.args([
            "-n", "-M", "prepared", "-c", CLIENTS, "-j", THREADS, "-T", &seconds,
        ]);
        // What cannot be serialized is tried again until it commits, as pgbench does it: that is the peer's price.
        pgbench.arg("--max-tries=0");
        if logged {
            pgbench.args(["--log", "--log-prefix=transactions"]);
        }
        pgbench.args([
            "-D",
            &format!("accounts={accounts}"),
            "--random-seed",
            &seed.to_string(),
            "-f",
        ]);
        pgbench.arg(&script).arg("postgres");
        self.done(pgbench).await
    }

    async fn drive(
        &self,
        accounts: usize,
        duration: Duration,
        seed: u64,
    ) -> anyhow::Result<Measured> {
        let spent = || {
            self.postmaster
                .as_ref()
                .and_then(|running| cpu_of_family(running.id()))
        };
        let before = spent();
        let said = self.pgbench(accounts, duration, seed, true).await?;
        let spent = spent()
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before));
        let per_second =
            number_after(&said.out, "tps = ").context("pgbench does not say how fast it was")?;
        let mut latencies = self.latencies()?;
        ensure!(!latencies.is_empty(), "pgbench logged no transaction");
        latencies.sort_unstable();
        let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize] as f64;
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / latencies.len() as f64;
        Ok(Measured {
            per_second,
            p50_us: Some(at(0.5)),
            p99_us: Some(at(0.99)),
            cpu_server_us: spent.map(each),
        })
    }

    /// Of every transaction, in microseconds: the third value of each line of pgbench's logs.
    fn latencies(&self) -> anyhow::Result<Vec<u64>> {
        let mut latencies = Vec::new();
        for entry in fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if !name.starts_with("transactions.") {
                continue;
            }
            let log = fs::read_to_string(&path)?;
            latencies.extend(
                log.lines()
                    .filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()),
            );
        }
        Ok(latencies)
    }

    async fn check(&self, accounts: usize) -> anyhow::Result<()> {
        let said = self
            .done(self.psql("select sum(balance), min(balance) >= 0 from account"))
            .await?;
        let expected = format!("{}|t", accounts as u64 * 1_000_000);
        let held = said.out.trim() == expected;
        ensure!(
            held,
            "PostgreSQL does not conserve money: {}, not {expected}",
            said.out.trim()
        );
        Ok(())
    }

    fn psql(&self, sql: &str) -> Command {
        let mut psql = self.command("psql");
        psql.args(["-X", "-A", "-t", "-c", sql]);
        psql
    }

    /// One of its programs, as the user that may, in its directory.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.dir.path());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
            .env("PGHOST", self.dir.path())
            .env("PGUSER", "bench")
            .env("PGDATABASE", "postgres");
        command.env("LC_ALL", "C");
        command
    }

    async fn done(&self, command: Command) -> anyhow::Result<Said> {
        let program = command.get_program().display().to_string();
        let said = output(command).await?;
        ensure!(
            said.status.success(),
            "{program} failed ({}): {}",
            said.status,
            said.err.trim()
        );
        Ok(said)
    }
}

fn number_after(text: &str, what: &str) -> Option<f64> {
    let rest = text.split_once(what)?.1;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_is_read() {
        let users =
            "root:x:0:0::/:/bin/sh\npostgres2:x:1:1::/:\npostgres:x:101:104:a,,,:/b:/bin/sh\n";
        assert_eq!(user_in(users, "postgres"), Some((101, 104)));
        assert_eq!(user_in(users, "nobody"), None);
        let said = "latency average = 1.5 ms\ntps = 1234.5 (without initial connection time)\n";
        assert_eq!(number_after(said, "tps = "), Some(1234.5));
        assert_eq!(number_after(said, "failed"), None);
    }
}
