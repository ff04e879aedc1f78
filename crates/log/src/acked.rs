//! The file `acked`: the last seq known to be durable, as a hint for recovery. It is written after
//! each sync and never synced, so it is exact after a kill and may be old or gone after a power
//! loss; it is never ahead of the truth. It knows nothing of segments.
//!
//! It also says whether the log is *settled*. After a failed sync the system may show bytes which the
//! disk never got, for as long as it runs; and for just as long it shows this file as it was
//! last written. So an open that finds it unsettled writes the end of the log again, and one that
//! finds it settled and in step with the log need not.

use std::io::ErrorKind;

use ordain_types::Seq;

use crate::OpenError;
use crate::disk::{Disk, File, Mode, read_exact_at};
use crate::error::io_error;
use crate::format::{ACKED_BYTES, AckedNote, decode_acked, encode_acked};

const NAME: &str = "acked";

pub(crate) struct Acked {
    file: Box<dyn File>,
}

impl Acked {
    pub fn create(disk: &dyn Disk) -> Result<Acked, OpenError> {
        let file = disk
            .open(NAME, Mode::Create)
            .map_err(io_error("open", NAME))?;
        Ok(Acked { file })
    }

    /// Notes that everything up to `seq` is durable, and that nothing else was written.
    pub fn settle(&self, seq: Seq) {
        self.note(AckedNote { seq, settled: true });
    }

    /// Notes that something after `seq` was written of which nobody knows what landed.
    pub fn unsettle(&self, seq: Seq) {
        self.note(AckedNote {
            seq,
            settled: false,
        });
    }

    /// A failure is no matter: an old note proves less than a new one, but nothing false.
    fn note(&self, note: AckedNote) {
        let _ = self.file.write_at(&encode_acked(note), 0);
    }
}

/// What is known; if nothing is, that nothing was acknowledged and nothing is settled.
pub(crate) fn read(disk: &dyn Disk) -> Result<AckedNote, OpenError> {
    let nothing = AckedNote {
        seq: Seq::ZERO,
        settled: false,
    };
    let file = match disk.open(NAME, Mode::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(nothing),
        opened => opened.map_err(io_error("open", NAME))?,
    };
    let mut bytes = [0; ACKED_BYTES];
    match read_exact_at(&*file, &mut bytes, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(nothing),
        Err(error) => Err(io_error("read", NAME)(error)),
        Ok(()) => Ok(decode_acked(&bytes).unwrap_or(nothing)),
    }
}
