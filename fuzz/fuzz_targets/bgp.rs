//! What a customer's router sends in a session; see `rackweave_testkit::property`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rackweave_testkit::property;

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = property::bgp(bytes) {
        panic!("{fault}");
    }
});
