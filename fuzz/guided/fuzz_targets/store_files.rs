//! libFuzzer on `ordain_fuzz`'s target of this name. The store catches panics of its tree and reports them
//! as damage, so a panic by itself is no finding: only one that comes out of the target ends the process.
#![no_main]
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))),
    |data: &[u8]| ordain_fuzz::Target::find("store_files").expect("a target").run(data)
);
