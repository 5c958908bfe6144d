//! What means nothing does not compile.

#[test]
fn meaningless_arithmetic_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile-fail/*.rs");
}
