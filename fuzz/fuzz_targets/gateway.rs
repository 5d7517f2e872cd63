//! A gateway's end of a link among datagrams of anybody; see `rackweave_testkit::property`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rackweave_testkit::property;

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = property::gateway(bytes) {
        panic!("{fault}");
    }
});
