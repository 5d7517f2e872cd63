//! Every message between neighbours of the fabric; see `rackweave_testkit::property`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rackweave_testkit::property;

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = property::neighbors(bytes) {
        panic!("{fault}");
    }
});
