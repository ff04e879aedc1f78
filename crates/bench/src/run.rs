//! What every measurement needs around it: an end when somebody wants one, a directory, a seed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// Runs it to its end, or until somebody wants this process to end. Whatever is dropped then takes its
/// own with it: a server is killed, a directory removed.
///
/// # Errors
/// Its own; or that it was interrupted.
pub fn until_interrupted<T, F: Future<Output = anyhow::Result<T>>>(
    work: impl FnOnce(Handle) -> F,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = work(runtime.handle().clone()) => done,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    runtime.shutdown_background();
    done
}

/// A seed that is not chosen. The clock is chance enough.
pub fn new_seed() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_nanos() as u64 % 1_000_000_000
}

/// The directory of that name, which must have nothing in it; or a temporary one, which goes with the
/// value beside it.
///
/// # Errors
/// If it is in use, or none can be made.
pub fn new_dir(dir: Option<&Path>, prefix: &str) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    let Some(dir) = dir else {
        let temp = tempfile::Builder::new().prefix(prefix).tempdir();
        let temp = temp.context("cannot make a temporary directory")?;
        warn_of_memory(temp.path());
        return Ok((temp.path().to_owned(), Some(temp)));
    };
    let empty = std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    ensure!(
        empty,
        "{} is not empty: give a new directory",
        dir.display()
    );
    warn_of_memory(dir);
    Ok((dir.to_owned(), None))
}

/// What the system calls a file system that is nowhere but in memory.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// Says so where a directory, or the one that it will be made in, has no disk: figures of what is durable mean
/// nothing there.
pub fn warn_of_memory(dir: &Path) {
    let there = dir.ancestors().find(|dir| dir.exists());
    if there.is_some_and(is_memory) {
        eprintln!(
            "warning: {} is in memory (tmpfs), where a sync costs nothing: set TMPDIR, or give --dir on a disk",
            dir.display()
        );
    }
}

fn is_memory(dir: &Path) -> bool {
    rustix::fs::statfs(dir).is_ok_and(|about| about.f_type == TMPFS)
}

/// Returns when somebody wants this process to end.
pub async fn interrupted() {
    let listen = |kind| signal(kind).expect("the system lets us listen to signals");
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Runs what blocks, aside.
///
/// # Errors
/// Its own.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_memory_is_known() {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounts = mounts.lines().filter_map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            (words.get(2) == Some(&"tmpfs")).then(|| words[1].to_owned())
        });
        // The last one that lies there is what is seen.
        for place in mounts.filter(|place| place == "/dev/shm") {
            assert!(is_memory(Path::new(&place)), "{place}");
        }
        assert!(!is_memory(Path::new("/proc")) && !is_memory(Path::new("/no/such")));
    }
}
