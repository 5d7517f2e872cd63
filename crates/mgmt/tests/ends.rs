//! Both ends of a link among datagrams of anybody; the fuzz targets try the same properties longer.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rackweave_testkit::property;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_service_processor_obeys_who_has_the_key(bytes in proptest::collection::vec(any::<u8>(), 0..1_500)) {
        property::service_processor(&bytes).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_gateway_believes_who_has_the_key(bytes in proptest::collection::vec(any::<u8>(), 0..1_500)) {
        property::gateway(&bytes).map_err(TestCaseError::fail)?;
    }
}
