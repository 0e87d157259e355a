#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tritondeploy_fuzz::checks::v1(bytes));
