//! Runs `fuzz_ledger::statement` under libfuzzer; the body lives there so that ordinary tests run it too.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| creditbank_tests::fuzz_ledger::statement(data));
