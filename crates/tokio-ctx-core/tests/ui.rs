//! What the compiler refuses, with the words it says it in.

#![cfg(not(any(loom, shuttle)))]

#[test]
fn bad_use_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
