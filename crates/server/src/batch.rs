//! `POST /v1/batch`: lines of calls in, lines of answers out, in order, both at the same time. A line
//! is a transaction; one that is refused does not keep the others from running. However long the
//! batch, only so many of its calls, and so much of its text, is held at once.

use bytes::{Bytes, BytesMut};
use compact_str::CompactString;
use http::header::EXPECT;
use hyper::body::Incoming;
use ordain_api::batch::{CallLine, write_problem, write_value};
use ordain_api::{Problem, routes};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::body::{self, HttpReply, streamed};
use crate::calls::{Calls, Order};
use crate::config::LINE_BYTES_MAX;
use crate::outlet::{Gone, Outlet, outlet};
use crate::params::Params;
use crate::service::{Asking, no_header_of_one_call};
use crate::shared::Shared;

/// Bytes of answers that are sent on together.
const CHUNK_BYTES: usize = 64 << 10;

/// The asker's own id of a line, as JSON text.
type LineId = Option<CompactString>;

/// Answers a batch, from its first line on.
pub(crate) async fn answer(asking: Asking) -> Result<HttpReply, Problem> {
    let Asking {
        shared,
        caller,
        request,
        held,
    } = asking;
    let (head, mut from) = request.into_parts();
    Params::of(head.uri.query(), &[])?;
    no_header_of_one_call(&head.headers)?;
    if !body::check_media(&head.headers, routes::MEDIA_NDJSON)? {
        return Err(Problem::unsupported_media_type(None, routes::MEDIA_NDJSON));
    }
    let node = shared.answering()?.node.clone();
    let limits = &shared.config.limits;
    let calls = Calls::new(node, caller, Order::AsAsked, limits.batch_calls_max);
    let (outlet, reply) = outlet(limits.write_timeout);
    let mut batch = Batch {
        calls,
        lines: Lines::default(),
        ended: false,
    };
    if waits_to_be_asked(&head) {
        batch.read(Ok(beginning(&shared, &mut from).await?));
    }
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let (busy, _in_flight) = held;
        if let Err(error) = batch.run(&shared, from, outlet).await {
            tracing::debug!(%error, "a batch broke off");
            busy.hang_up();
        }
    });
    Ok(streamed(routes::MEDIA_NDJSON, reply))
}

/// Whether the client sends no body before it is told to go on with `100 Continue` (RFC 9110, section 10.1.1).
fn waits_to_be_asked(head: &http::request::Parts) -> bool {
    let expects = head.headers.get(EXPECT);
    head.version == http::Version::HTTP_11
        && expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The first bytes of the body of such a client. Reading them is what tells it to go on, which is no longer done once
/// an answer has begun.
async fn beginning(shared: &Shared, from: &mut Incoming) -> Result<Option<Bytes>, Problem> {
    let patience = shared.config.limits.body_timeout;
    tokio::select! {
        read = body::next_in_time(from, Instant::now(), patience) => read,
        () = shared.stopping.cancelled() => Err(Problem::stopping()),
    }
}

struct Batch {
    calls: Calls<LineId>,
    lines: Lines,
    /// No more lines are read.
    ended: bool,
}

impl Batch {
    async fn run(mut self, shared: &Shared, mut from: Incoming, to: Outlet) -> Result<(), Gone> {
        let patience = shared.config.limits.body_timeout;
        let mut out = Vec::new();
        // Since when there is nothing to do but wait for a whole line, however its bytes trickle in.
        let mut waiting = Instant::now();
        loop {
            self.calls.take_turns().await;
            self.take_lines();
            let count = self.calls.submit() as u64;
            let counter = &shared.metrics.batch_calls;
            counter.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
            self.calls.collect();
            while out.len() < CHUNK_BYTES
                && let Some((id, answer)) = self.calls.answer()
            {
                write(&mut out, id, &answer);
            }
            if !out.is_empty() {
                waiting = Instant::now();
                to.write(std::mem::take(&mut out).into()).await?;
                continue;
            }
            if self.ended && self.calls.is_empty() {
                return to.end().await;
            }
            let reading = !self.ended && self.calls.has_room();
            if !reading || !self.calls.is_empty() {
                waiting = Instant::now();
            }
            tokio::select! {
                () = self.calls.came() => {}
                read = body::next(&mut from), if reading => self.read(read),
                () = shared.stopping.cancelled(), if !self.ended => {
                    self.end(Problem::stopping(), "the server is stopping");
                }
                () = to.closed() => return Err(Gone),
                () = tokio::time::sleep_until(waiting + patience) => match reading && self.calls.is_empty() {
                    true => {
                        let ms = patience.as_millis() as u64;
                        self.end(Problem::request_timeout(ms), &format!("no whole line came for {ms} ms"));
                    }
                    false => self.calls.give_up_if_halted(),
                },
            }
        }
    }

    fn read(&mut self, read: Result<Option<Bytes>, Problem>) {
        match read {
            Ok(Some(bytes)) => self.lines.push(&bytes),
            Ok(None) => {
                self.lines.end();
                self.take_lines();
                self.ended = true;
            }
            Err(problem) => {
                let why = problem.detail.clone();
                self.end(problem, &why);
            }
        }
    }

    /// Reads no further, and says why in a last line. What a single request is told, that nothing ran, would not be
    /// true of the lines before.
    fn end(&mut self, mut problem: Problem, why: &str) {
        problem.detail = format!(
            "{why}; no more lines are read. Those before are answered above, and none after them ran"
        );
        self.ended = true;
        self.lines = Lines::default();
        self.calls.take(None, Err(problem));
    }

    fn take_lines(&mut self) {
        while self.calls.has_room()
            && let Some(line) = self.lines.next()
        {
            let Some(line) = line else {
                let max = LINE_BYTES_MAX as u64;
                let problem = Problem::request_too_large("the line", "line_bytes", max);
                self.calls.take(None, Err(problem));
                continue;
            };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match CallLine::parse(&line) {
                Ok(line) => self
                    .calls
                    .take(line.id.map(CompactString::from), Ok(line.call)),
                Err(refused) => {
                    let id = refused.id.map(CompactString::from);
                    self.calls.take(id, Err(refused.problem));
                }
            }
        }
    }
}

/// Appends the line of an answer.
pub(crate) fn write(out: &mut Vec<u8>, id: LineId, answer: &Answer) {
    let id = id.as_deref();
    match &answer.result {
        Ok(value) => write_value(out, id, answer.seq, value),
        Err(problem) => write_problem(out, id, answer.seq, problem),
    }
}

/// Text on its way to become lines. It holds less than one line and one read.
#[derive(Default)]
struct Lines {
    text: BytesMut,
    /// So much of it has no line's end.
    seen: usize,
    /// Within a line that is too long: passed over up to its end.
    passing: bool,
}

impl Lines {
    fn push(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    /// The last line needs no end.
    fn end(&mut self) {
        if !self.text.is_empty() {
            self.push(b"\n");
        }
    }

    /// The next whole line; an inner none stands for one that is too long.
    fn next(&mut self) -> Option<Option<Bytes>> {
        loop {
            let end = self.text[self.seen..]
                .iter()
                .position(|&byte| byte == b'\n');
            let Some(end) = end else {
                self.seen = self.text.len();
                if self.passing {
                    self.text.clear();
                    self.seen = 0;
                } else if self.text.len() > LINE_BYTES_MAX {
                    self.passing = true;
                    return Some(None);
                }
                return None;
            };
            let line = self.text.split_to(self.seen + end + 1).freeze();
            self.seen = 0;
            if std::mem::take(&mut self.passing) {
                continue;
            }
            return Some((line.len() <= LINE_BYTES_MAX + 1).then_some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        let text = format!("one\n\n{}\ntwo\nlast", "x".repeat(LINE_BYTES_MAX + 2));
        for size in [1, 2, 3, 7, 4_096, text.len()] {
            let (mut lines, mut seen) = (Lines::default(), Vec::new());
            for chunk in text.as_bytes().chunks(size) {
                lines.push(chunk);
                while let Some(line) = lines.next() {
                    seen.push(line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
                }
                assert!(lines.text.len() <= LINE_BYTES_MAX + size);
            }
            lines.end();
            while let Some(line) = lines.next() {
                seen.push(line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
            }
            let seen: Vec<_> = seen.iter().map(Option::as_deref).collect();
            let expected = [
                Some("one\n"),
                Some("\n"),
                None,
                Some("two\n"),
                Some("last\n"),
            ];
            assert_eq!(seen, expected, "in chunks of {size}");
        }
    }
}
