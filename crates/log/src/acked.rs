//! The file `acked`: the last seq known to be durable, as a hint for recovery. It is written after
//! each sync and never synced, so it is exact after a kill and may be old or gone after a power
//! loss; it is never ahead of the truth. It knows nothing of segments.

use std::io::ErrorKind;

use ordain_types::Seq;

use crate::OpenError;
use crate::disk::{Disk, File, Mode, read_exact_at};
use crate::error::io_error;
use crate::format::{ACKED_BYTES, decode_acked, encode_acked};

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

    /// Notes that everything up to `seq` is durable. A failure is no matter: an old value proves
    /// less than a new one but nothing false, and the next append writes it again.
    pub fn note(&self, seq: Seq) {
        let _ = self.file.write_at(&encode_acked(seq), 0);
    }
}

/// The last seq known to be durable; [`Seq::ZERO`] if nothing is known.
pub(crate) fn read(disk: &dyn Disk) -> Result<Seq, OpenError> {
    let file = match disk.open(NAME, Mode::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Seq::ZERO),
        opened => opened.map_err(io_error("open", NAME))?,
    };
    let mut bytes = [0; ACKED_BYTES];
    match read_exact_at(&*file, &mut bytes, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Seq::ZERO),
        Err(error) => Err(io_error("read", NAME)(error)),
        Ok(()) => Ok(decode_acked(&bytes).unwrap_or(Seq::ZERO)),
    }
}
