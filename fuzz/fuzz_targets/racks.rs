//! What nodes of a rack tell each other while it is set up; see `rackweave_testkit::property`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rackweave_testkit::property;

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = property::racks(bytes) {
        panic!("{fault}");
    }
});
