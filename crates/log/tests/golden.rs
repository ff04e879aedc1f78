//! The bytes on disk, pinned: whoever changes them changes the format's version.

use ordain_log::disk::MemoryDisk;
use ordain_log::{FORMAT_VERSION, Log};
use ordain_types::Seq;
use std::sync::Arc;

mod common;
use common::{SMALL, segment};

fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).map(|line| {
        let line: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        line.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn header_record_and_acked_are_these_bytes() {
    assert_eq!(FORMAT_VERSION, 1);
    let disk = MemoryDisk::new();
    let mut log = Log::create(Arc::new(disk.clone()), SMALL, Seq(258)).expect("a new log");
    log.append(Seq(258), 3, b"opaque to the log")
        .expect("it is appended");
    let bytes = disk.contents(&segment(1)).expect("a file");
    assert_eq!(bytes.len(), 8192);
    assert_eq!(
        hex(&bytes[..48]),
        "\
         4f 52 44 41 49 4e 4c 47 01 00 00 00 00 00 00 00\n\
         01 00 00 00 00 00 00 00 02 01 00 00 00 00 00 00\n\
         00 20 00 00 00 00 00 00 41 20 73 65 67 6d 65 6e"
    );
    assert_eq!(
        hex(&bytes[496..528]),
        "\
         00 00 00 00 00 00 00 00 51 a5 4e 34 00 00 00 e5\n\
         00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
    );
    assert_eq!(
        hex(&bytes[4096..4192]),
        "\
         4f 52 45 43 11 00 00 00 02 01 00 00 00 00 00 00\n\
         03 00 00 00 00 00 00 00 17 70 95 9f bb a9 c7 99\n\
         6f 70 61 71 75 65 20 74 6f 20 74 68 65 20 6c 6f\n\
         67 00 00 00 00 00 00 00 00 00 00 00 00 00 00 e5\n\
         00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n\
         00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
    );
    assert_eq!(
        hex(&disk.contents("acked").expect("a file")),
        "\
         4f 52 44 41 43 4b 45 44 01 00 00 00 01 00 00 00\n\
         04 01 00 00 00 00 00 00 da c5 ea 77"
    );
}
