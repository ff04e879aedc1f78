//! Exit codes, and failures with theirs. `docs/cli.md` and `--help` list them from here.

use std::fmt;
use std::io;
use std::process::ExitCode;

use ordain_api::{Code, Problem};
use ordain_client::Error as ClientError;
use ordain_node::{BackupError, DirError, Halt, OpenError, StoreTrouble, Unavailable};

use crate::config::ConfigError;

macro_rules! exits {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal, $meaning:literal;)+) => {
        /// How the program ends.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Exit {
            $($(#[$doc])+ $variant,)+
        }

        impl Exit {
            /// Every one, by code.
            pub const ALL: &'static [Exit] = &[$(Exit::$variant,)+];

            /// The exit code.
            pub fn code(self) -> u8 {
                match self { $(Exit::$variant => $code,)+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Exit::$variant => $meaning,)+ }
            }
        }
    };
}

exits! {
    /// All went well.
    Done = 0, "done; of serve: stopped as asked";
    /// None of the others.
    Failed = 1, "something else failed";
    /// The words or the settings.
    Usage = 2, "the command line or a setting cannot be used";
    /// No server, or none that answers now.
    NoAnswer = 3, "no answer: cannot connect, timed out, or the server cannot answer now";
    /// The server did not accept the request.
    Refused = 4, "the server refused the request; nothing ran";
    /// The method said no.
    Rejected = 5, "the method rejected the call; all it did is undone";
    /// The call broke a limit or crashed.
    Fault = 6, "the call ended in a fault; all it did is undone";
    /// Files that are not what was written.
    Damaged = 7, "data is damaged, incomplete, or of another version";
    /// The log needs other code.
    OtherBuild = 8, "the log or a module in force needs another build, or the log's replay came out differently";
    /// Somebody else has it open.
    InUse = 9, "the data directory is in use by another process";
    /// What the log has and no checkpoint.
    Unsaved = 10, "of serve: stopped as asked, but without a last checkpoint of all that the log may hold: only the same build can start again";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        exit.code().into()
    }
}

/// Why a command ended, with its exit code. The message says what was attempted and what to do.
#[derive(Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// For people, on standard error; none to end without a word.
    pub message: Option<String>,
}

impl Failure {
    /// A failure with a message.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        let message = Some(message.to_string());
        Self { exit, message }
    }

    /// What the command line lacks or has too much of.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file or directory that the system refused.
    pub fn file(attempt: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(
            Exit::Failed,
            format!("cannot {attempt} {}: {error}", path.display()),
        )
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        // With a context it is of something else than standard output, and the context says what was attempted.
        let said = format!("{error:#}");
        let bare = error.chain().count() == 1;
        match error.downcast::<io::Error>() {
            Ok(error) if bare => error.into(),
            _ => Self::new(Exit::Failed, said),
        }
    }
}

/// Of writing to standard output: whoever reads it may have seen enough.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self {
                exit: Exit::Done,
                message: None,
            },
            _ => Self::new(Exit::Failed, error),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Rejected(_) => Exit::Rejected,
            ClientError::Fault(_) => Exit::Fault,
            ClientError::Refused(_) => Exit::Refused,
            ClientError::Unavailable(answer) if answer.table_code() == Some(Code::StoreDamaged) => {
                Exit::Damaged
            }
            ClientError::Unavailable(_)
            | ClientError::Connect { .. }
            | ClientError::Certificate { .. }
            | ClientError::Lost { .. }
            | ClientError::Timeout { .. }
            | ClientError::Incomplete { .. } => Exit::NoAnswer,
            ClientError::Request(_) | ClientError::Url { .. } | ClientError::Setting { .. } => {
                Exit::Usage
            }
            _ => Exit::Failed,
        };
        let Some(problem) = error.problem() else {
            return Self::new(exit, error);
        };
        let kind = match exit {
            Exit::Rejected => "rejected",
            Exit::Fault => "fault",
            Exit::Refused => "refused",
            Exit::Damaged => "damaged",
            _ => "no answer",
        };
        let place = problem
            .at
            .as_ref()
            .map_or(String::new(), |at| format!(" in {at}"));
        let mut message = format!("{kind}: {}{place}: {}", problem.code, problem.detail);
        message.push_str(way_out(problem));
        if let Some(details) = &problem.details {
            message.push_str(&format!("\ndetails: {details}"));
        }
        if let Some(trace) = &problem.trace {
            message.push_str(&format!("\n{trace}"));
        }
        Self::new(exit, message)
    }
}

/// What the command line has for who is refused so: the server, which others ask as well, does not name it.
pub fn way_out(problem: &Problem) -> &'static str {
    match problem.table_code() {
        Some(Code::Unauthenticated) => "; give it to this command as ORDAIN_BEARER_TOKEN",
        Some(Code::ModuleClash) if problem.detail.contains("the server's own program") => {
            "; or serve without the program's own entities (--modules-only)"
        }
        _ => "",
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        use ordain_log::OpenError as Log;
        let exit = match &error {
            OpenError::OtherBuild { .. }
            | OpenError::Diverged { .. }
            | OpenError::Engine(Halt::Module(..) | Halt::Clash(..)) => Exit::OtherBuild,
            OpenError::Dir(error) => dir(error),
            OpenError::Store(ordain_store::Error::Locked { .. }) => Exit::InUse,
            OpenError::Options(_) => Exit::Usage,
            OpenError::Io { .. }
            | OpenError::Thread { .. }
            | OpenError::Catalog(_)
            | OpenError::Engine(Halt::Machine(_))
            | OpenError::Log(Log::Io { .. } | Log::NoSpace { .. } | Log::Prepare(_))
            | OpenError::Store(ordain_store::Error::Io { .. }) => Exit::Failed,
            _ => Exit::Damaged,
        };
        let mut failure = Self::new(exit, &error);
        if let OpenError::Engine(Halt::Clash(..)) = error
            && let Some(message) = &mut failure.message
        {
            message.push_str("; if it was served with --modules-only, do so again");
        }
        failure
    }
}

impl From<ordain_log::ReadError> for Failure {
    fn from(error: ordain_log::ReadError) -> Self {
        use ordain_log::{OpenError, ReadError};
        let exit = match &error {
            ReadError::Removed { .. } | ReadError::Log(OpenError::Io { .. }) => Exit::Failed,
            _ => Exit::Damaged,
        };
        Self::new(exit, error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let exit = match &error {
            BackupError::Dir(error) => dir(error),
            BackupError::Store(error) => return store_failure(error),
            BackupError::Unavailable(why) => return why.clone().into(),
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<Unavailable> for Failure {
    fn from(why: Unavailable) -> Self {
        let exit = match why {
            Unavailable::Store {
                trouble: StoreTrouble::Damaged,
                ..
            } => Exit::Damaged,
            _ => Exit::Failed,
        };
        Self::new(exit, why)
    }
}

impl From<ordain_store::Error> for Failure {
    fn from(error: ordain_store::Error) -> Self {
        store_failure(&error)
    }
}

/// Nothing is wrong with a directory that is not ours, or that the system refused.
fn dir(error: &DirError) -> Exit {
    match error {
        DirError::InUse { .. } => Exit::InUse,
        DirError::Foreign { .. } | DirError::Mixed { .. } | DirError::Io { .. } => Exit::Failed,
        DirError::Unfinished { .. } | DirError::Marker { .. } | DirError::Format { .. } => {
            Exit::Damaged
        }
    }
}

fn store_failure(error: &ordain_store::Error) -> Failure {
    use ordain_store::Error;
    let exit = match error {
        Error::Io { .. } | Error::SnapshotIo { .. } => Exit::Failed,
        Error::Locked { .. } => Exit::InUse,
        _ => Exit::Damaged,
    };
    Failure::new(exit, error)
}

/// The codes as lines, for `--help`.
pub fn table() -> String {
    let lines = Exit::ALL
        .iter()
        .map(|exit| format!("  {}  {}", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_a_backup_does_not_fit_on_damaged_nothing() {
        let full = ordain_store::Error::SnapshotIo {
            attempt: "write",
            offset: 7,
            source: io::ErrorKind::StorageFull.into(),
        };
        let failure = Failure::from(BackupError::Store(full));
        assert_eq!(failure.exit.code(), Exit::Failed.code());
    }

    #[test]
    fn what_was_attempted_is_said_with_why_the_system_refused() {
        use anyhow::Context;
        let refused = |kind: io::ErrorKind| anyhow::Error::from(io::Error::from(kind));
        let bare = Failure::from(refused(io::ErrorKind::BrokenPipe));
        assert_eq!((bare.exit, bare.message), (Exit::Done, None));
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::BrokenPipe] {
            let attempted = Err::<(), _>(refused(kind)).context("cannot start taskst");
            let failure = Failure::from(attempted.unwrap_err());
            let said = format!("cannot start taskst: {}", io::Error::from(kind));
            assert_eq!((failure.exit, failure.message), (Exit::Failed, Some(said)));
        }
    }

    #[test]
    fn the_documentation_lists_every_code() {
        let page = include_str!("../../../docs/cli.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(page.contains(&row), "docs/cli.md lacks {row}");
        }
    }
}
