//! Which code runs the native methods: the hash of the program itself, so that whatever changes it
//! is another build.

use std::io;
use std::sync::OnceLock;

use xxhash_rust::xxh3::Xxh3Default;

/// The hash of the running program's file, 32 hex digits.
///
/// # Errors
/// If the file cannot be read.
pub fn build_of_this_program() -> io::Result<String> {
    // A pure function of the program: computing it once is no state.
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash.clone());
    }
    let mut file = std::fs::File::open(std::env::current_exe()?)?;
    let mut hasher = Xxh3Default::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(HASH
        .get_or_init(|| format!("{:032x}", hasher.digest128()))
        .clone())
}
