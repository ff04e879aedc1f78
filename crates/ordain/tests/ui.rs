//! What does not compile, and what the compiler then says to write instead.

// How rustc writes a path depends on what other crates are built: the texts are those with the server.
#![cfg(feature = "server")]

#[test]
fn wrong_entities_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
