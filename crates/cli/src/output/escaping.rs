//! What a server logs, as people and programs may see it: messages and fields hold what modules and clients say.

use std::fmt::{self, Debug};
use std::io::{self, Write};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use super::printable;

/// Fields of messages for people: no terminal takes what they hold for an order, and no line of a value begins as a
/// message does.
pub fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    debug_fn(field).delimited(" ")
}

fn field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = printable(&value).replace('\n', "\n    ");
    match (field.name(), out.has_ansi_escapes()) {
        ("message", _) => write!(out, "{value}"),
        (name, false) => write!(out, "{name}={value}"),
        (name, true) => write!(out, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
    }
}

/// A writer of whole texts that hold no orders of their own, as JSON does not.
pub struct Escaping<W>(pub W);

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(printable(text).as_bytes()),
            Err(_) => self.0.write_all(bytes), // half a character: no message, each is written whole
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;pwn\u{7}\u{1b}[31m\u{9b}31m\u{7f}\u{202e}\nWARN forged";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() {
        tracing::info!(at = %HOSTILE, "{HOSTILE}");
        tracing::warn!(fault = %HOSTILE, trace = %HOSTILE, text = HOSTILE, "a method failed");
    }

    #[test]
    fn a_log_for_people_holds_no_orders_and_no_forged_lines() {
        let written = Written::default();
        let out = written.clone();
        let builder = tracing_subscriber::fmt().with_ansi(false);
        let builder = builder.with_writer(move || out.clone());
        tracing::subscriber::with_default(builder.fmt_fields(fields()).finish(), log);
        let text = written.text();
        assert!(
            !text.contains(|it: char| it.is_control() && it != '\n'),
            "{text:?}"
        );
        assert!(!text.contains('\u{202e}'));
        assert!(!text.contains("\nWARN"), "{text}");
        assert!(text.contains("fault=a\\u001b]0;pwn\\u0007"), "{text}");
    }

    #[test]
    fn a_log_on_a_terminal_holds_only_the_logs_own_colours() {
        let written = Written::default();
        let out = written.clone();
        let builder = tracing_subscriber::fmt().with_ansi(true);
        let builder = builder.with_writer(move || out.clone());
        tracing::subscriber::with_default(builder.fmt_fields(fields()).finish(), log);
        let text = written.text();
        assert!(text.contains("\x1b[3mfault\x1b[0m"), "{text:?}");
        for order in ["\u{1b}]", "\u{1b}[31m", "\u{9b}", "\u{7f}", "\u{7}"] {
            assert!(!text.contains(order), "{text:?}");
        }
    }

    #[test]
    fn a_log_in_json_says_the_same_without_orders() {
        let written = Written::default();
        let out = written.clone();
        let builder = tracing_subscriber::fmt().json().flatten_event(true);
        let builder = builder.with_writer(move || Escaping(out.clone()));
        tracing::subscriber::with_default(builder.finish(), log);
        let text = written.text();
        assert!(
            !text.contains(|it: char| it.is_control() && it != '\n'),
            "{text:?}"
        );
        let first = text.lines().next().unwrap();
        let first: serde_json::Value = serde_json::from_str(first).unwrap();
        assert_eq!(first["message"], HOSTILE);
    }
}
