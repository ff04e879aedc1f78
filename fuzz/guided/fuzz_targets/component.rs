//! libFuzzer on `ordain_fuzz`'s target of this name.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ordain_fuzz::Target::find("component").expect("a target").run(data));
