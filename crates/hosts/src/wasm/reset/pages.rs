//! Which pages of this process's memory were ever used, by what the system knows. Linux tells since 6.7; where no one
//! tells, nothing is set back.
//!
//! Too much may be said to be used, and never too little: a page that is no file's own and is there, or is swapped out,
//! may have other bytes than at first; even the page of zeros may have come into the place of one with others.

#![expect(
    unsafe_code,
    reason = "one call of the system that fills an array, and memory that is written by its address"
)]
#![expect(
    clippy::disallowed_types,
    reason = "a file of the system about this process: what it says decides what is written again, and no outcome"
)]

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use wasmtime::Store;

use super::super::instance::Data;

/// Pages used, beyond which it is cheaper to begin anew. They stay used, so each time after costs the same.
const USED_MAX: usize = 64;

/// The system's knowledge of the pages of the process that opened it.
pub(in super::super) struct Pages(File);

impl Pages {
    /// None where the system does not tell.
    pub fn open() -> Option<Self> {
        let pages = Self(File::open("/proc/self/pagemap").ok()?);
        pages.used(&(0..0), &mut [Region::default()])?;
        Some(pages)
    }

    /// Pages that were written since they were mapped, or read where nothing was; gives how many regions they are. None if
    /// the system does not tell, or they are too many.
    fn used(&self, range: &Range<usize>, found: &mut [Region]) -> Option<usize> {
        let scan = Scan {
            size: size_of::<Scan>() as u64,
            flags: 0,
            start: range.start as u64,
            end: range.end as u64,
            walk_end: 0,
            vec: found.as_mut_ptr().expose_provenance() as u64,
            vec_len: found.len() as u64,
            max_pages: USED_MAX as u64,
            inverted: FILE,
            mask: FILE,
            any_of: PRESENT | SWAPPED,
            returned: ZERO,
        };
        // SAFETY: wants the type and number of the call, which are those of `linux/fs.h`; and that what it points to
        // can be written, which is `found`, alive and of this length, and touched by no one meanwhile.
        let (count, end) = unsafe { ioctl(&self.0, scan) }.ok()?;
        (end >= range.end as u64).then_some(count)
    }
}

/// A part of a memory that was used.
pub(super) struct Place<'m> {
    /// Where in the memory.
    pub at: usize,
    pub bytes: &'m mut [u8],
    /// The system knows that all of it is zero now: it was only read, or was found to be.
    pub zero: bool,
}

/// The memory of an instance, by its address.
pub(super) struct Mapped(Range<usize>);

impl Mapped {
    /// The one that these bytes are all of.
    pub fn of(bytes: &[u8]) -> Self {
        let at = bytes.as_ptr().expose_provenance();
        Self(at..at + bytes.len())
    }

    /// Has `write` give each part that was used the bytes it should have. The store is that of the instance, in which
    /// nothing runs then. False if the system does not tell which parts they are, or they are too many.
    pub fn rewrite(
        &self,
        pages: &Pages,
        _: &mut Store<Data>,
        mut write: impl FnMut(Place<'_>),
    ) -> bool {
        let mut found = [Region::default(); USED_MAX];
        let Some(count) = pages.used(&self.0, &mut found) else {
            return false;
        };
        for region in &found[..count] {
            let (start, end) = (region.start as usize, region.end as usize);
            let at = std::ptr::with_exposed_provenance_mut::<u8>(start);
            // SAFETY: wants memory that is mapped to be written, and used by no one else. The system gives regions
            // within the range it was asked about; that is a linear memory, which the runtime itself writes by an
            // address it has exposed, which stays where it is and never shrinks while its store lives; and the store is
            // borrowed here, alone: no code of the module runs, and no one has a reference into its memory.
            let bytes = unsafe { std::slice::from_raw_parts_mut(at, end - start) };
            write(Place {
                at: start - self.0.start,
                bytes,
                zero: region.categories & ZERO != 0,
            });
        }
        true
    }
}

/// What can be known of a page: `PAGE_IS_FILE` and so on.
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4; // or on its way from one place to another
const ZERO: u64 = 1 << 5; // the one page of zeros that all share

/// `struct page_region`.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    /// Of which the contrary is meant.
    inverted: u64,
    /// All of which have to hold.
    mask: u64,
    /// One of which has to.
    any_of: u64,
    returned: u64,
}

// SAFETY: `opcode` is that of `PAGEMAP_SCAN`, whose argument is a `struct pm_scan_arg` that it reads and writes; its
// result is how many regions it has filled.
unsafe impl Ioctl for Scan {
    type Output = (usize, u64);

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Self>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut *self).cast()
    }

    unsafe fn output_from_ptr(
        out: IoctlOutput,
        scan: *mut c_void,
    ) -> rustix::io::Result<Self::Output> {
        // SAFETY: the pointer is that of `as_ptr`.
        let end = unsafe { (*scan.cast::<Self>()).walk_end };
        Ok((out as usize, end))
    }
}
