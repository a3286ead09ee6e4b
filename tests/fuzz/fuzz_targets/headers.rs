//! See `workspace_tests::inputs::headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| workspace_tests::inputs::headers(bytes));
