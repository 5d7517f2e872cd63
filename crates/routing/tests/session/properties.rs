//! The properties of [`rackweave_testkit::property`] for bytes that a property test draws; `fuzz/` tries more.

use proptest::collection::vec;
use proptest::prelude::*;
use rackweave_testkit::property;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_neighbours_say_is_read_or_refused(bytes in vec(any::<u8>(), 0..160)) {
        property::neighbors(&bytes).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_switch_survives_its_neighbours(bytes in vec(any::<u8>(), 0..2500)) {
        property::hostile(&bytes).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn ends_come_together_whatever_came_between(bytes in vec(any::<u8>(), 0..1200)) {
        property::sessions(&bytes).map_err(TestCaseError::fail)?;
    }
}
