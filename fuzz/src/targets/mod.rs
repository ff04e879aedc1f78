//! The list of targets.

use crate::Target;

pub mod component;
pub mod config;
pub mod frames;
pub mod granule;
pub mod http;
pub mod json;
pub mod lines;
pub mod log_segment;
pub mod module_files;
pub mod names;
pub mod path;
pub mod records;
pub mod replay;
pub mod rows;
pub mod snapshot;
pub mod store_files;
pub mod values;

const fn target(name: &'static str, check: fn(&[u8]), mutations: u64) -> Target {
    Target {
        name,
        check,
        bytes_base: 256 << 10,
        bytes_each: 64,
        mutations,
    }
}

/// With buffers of a fixed size, or what is made before the input is looked at.
const fn with_buffers(target: Target, bytes_base: u64) -> Target {
    Target {
        bytes_base,
        ..target
    }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    with_buffers(target("log_segment", log_segment::check, 4_000), 16 << 20),
    // serde makes room for up to a mebibyte of a list before it has read any of it.
    with_buffers(target("records", records::check, 100_000), 4 << 20),
    target("granule", granule::check, 200_000),
    with_buffers(target("rows", rows::check, 3_000), 16 << 20),
    with_buffers(target("replay", replay::check, 800), 16 << 20),
    with_buffers(target("store_files", store_files::check, 600), 32 << 20),
    with_buffers(target("snapshot", snapshot::check, 10_000), 1 << 20),
    with_buffers(target("http", http::check, 2_000), 4 << 20),
    target("path", path::check, 50_000),
    target("call_lines", lines::calls, 20_000),
    target("reply_lines", lines::replies, 20_000),
    target("call_frames", frames::calls, 60_000),
    target("reply_frames", frames::replies, 60_000),
    target("json", json::check, 30_000),
    target("module_files", module_files::check, 20_000),
    // The parser makes room for the types of a group by their number, which may be a million.
    with_buffers(target("component", component::check, 20_000), 128 << 20),
    target("names", names::check, 15_000),
    with_buffers(target("values", values::check, 40_000), 2 << 20),
    // Two bytes of a key with dots are a table, which begins with room for eleven entries.
    Target {
        bytes_each: 1 << 10,
        ..target("config_file", config::file, 4_000)
    },
    target("setting", config::setting, 20_000),
];
