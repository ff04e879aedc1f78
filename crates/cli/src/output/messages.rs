//! Messages on their way to whoever reads them, which a thread of their own writes: whoever has something to say,
//! the executor among them, never waits for a reader. What does not fit meanwhile is left out, and counted.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of messages that may wait.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// How long the end of a process waits for a reader.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where messages go. Clones go to the same place.
#[derive(Clone)]
pub struct Messages(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Some are taken and not written yet.
    writing: bool,
    /// Messages left out since the last that was written.
    lost: u64,
}

impl Messages {
    /// Writes them to `out` from now on.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let messages = Self(Arc::default());
        let shared = messages.0.clone();
        let writer = thread::Builder::new().name("messages".to_owned());
        writer.spawn(move || shared.write_to(out))?;
        Ok(messages)
    }

    /// A message to be written, whole once it is dropped.
    pub fn message(&self) -> Message {
        let (to, bytes) = (self.clone(), Vec::new());
        Message { to, bytes }
    }

    /// Waits until all are written, and not for long.
    pub fn flush(&self) {
        let unwritten = |state: &mut State| state.writing || !state.waiting.is_empty();
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.0.state(), LAST_WORDS, unwritten);
        drop(waited);
    }

    fn put(&self, message: &[u8]) {
        let mut state = self.0.state();
        match state.waiting.len() + message.len() <= WAITING_BYTES_MAX {
            true => state.waiting.extend_from_slice(message),
            false => state.lost += 1,
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut out: impl Write) {
        loop {
            let (bytes, lost) = self.take();
            // That nobody takes them changes nothing.
            let _ = out.write_all(&bytes).and_then(|()| out.flush());
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "messages were left out: nobody took those before in time"
                );
            }
        }
    }

    /// What waits, once something does.
    fn take(&self) -> (Vec<u8>, u64) {
        let mut state = self.state();
        state.writing = false;
        self.changed.notify_all();
        let nothing = |state: &mut State| state.waiting.is_empty();
        let mut state = self
            .changed
            .wait_while(state, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        (
            std::mem::take(&mut state.waiting),
            std::mem::take(&mut state.lost),
        )
    }
}

/// One message, in parts.
pub struct Message {
    to: Messages,
    bytes: Vec<u8>,
}

impl Write for Message {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.to.put(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes bytes when the test does.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_and_what_fits_comes_whole_and_in_order() {
        let (slow, taken) = mpsc::sync_channel(0);
        let messages = Messages::start(Slow(slow)).unwrap();
        let text = |number: usize| format!("{number:01024}\n");
        let say = |number| {
            let text = text(number);
            let (one, other) = text.as_bytes().split_at(9);
            let mut message = messages.message();
            message.write_all(one).unwrap();
            message.write_all(other).unwrap();
        };
        say(0);
        while !messages.0.state().writing {
            thread::yield_now();
        }
        // It stands with the first. More than may wait: without a reader this would stand still.
        (1..2 * WAITING_BYTES_MAX / 1_024).for_each(say);
        let all = thread::spawn(move || taken.iter().take(2).collect::<Vec<_>>().concat());
        messages.flush();
        let all = String::from_utf8(all.join().unwrap()).unwrap();
        assert!(all.len() <= 2 * WAITING_BYTES_MAX, "{}", all.len());
        for (number, line) in all.split_inclusive('\n').enumerate() {
            assert_eq!(line, text(number));
        }
    }
}
