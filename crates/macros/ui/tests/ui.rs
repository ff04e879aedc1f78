//! What does not compile, and what the compiler then says to write instead.

#[test]
fn wrong_entities_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
