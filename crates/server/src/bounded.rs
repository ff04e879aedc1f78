//! What is read from files and pipes, with a bound: a name given by mistake may be that of a disk's image
//! or of a device that never ends.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// All bytes of a file.
///
/// # Errors
/// If it cannot be read or has more than `most` bytes, of which no more are read.
pub fn read_file(path: &Path, most: usize) -> Result<Vec<u8>> {
    read(File::open(path)?, most)
}

/// All that comes until the end.
///
/// # Errors
/// If it cannot be read or has more than `most` bytes, of which no more are read.
pub fn read(from: impl Read, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() > most {
        false => Ok(bytes),
        true => Err(Error::new(
            ErrorKind::FileTooLarge,
            format!("it has more than {most} bytes"),
        )),
    }
}

/// Bytes that are to be text.
///
/// # Errors
/// If they are no UTF-8: at which byte.
pub fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(ErrorKind::InvalidData, format!("byte {at} is not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_may_be() {
        assert_eq!(read(&b"four"[..], 4).unwrap(), b"four");
        let error = read(&b"five!"[..], 4).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 4 bytes");
        let endless = std::io::repeat(0);
        assert_eq!(
            read(endless, 1 << 16).unwrap_err().kind(),
            ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn what_is_no_text_has_a_place() {
        let error = text(b"ab\xffcd".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "byte 2 is not UTF-8");
    }
}
