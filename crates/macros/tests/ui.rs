//! What does not compile, and what the compiler then says to write instead.

// Here, where nothing but the macro and what it stands on is built: how rustc writes a path depends on
// what other crates there are.
#[test]
fn wrong_entities_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
