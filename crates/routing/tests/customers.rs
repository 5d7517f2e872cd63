//! Any octets in a session with a customer's router; see `rackweave_testkit::property`.

use proptest::collection::vec;
use proptest::prelude::*;
use rackweave_testkit::property;

proptest! {
    #[test]
    fn any_octets_in_a_session(bytes in vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(property::bgp(&bytes), Ok(()));
    }
}

#[test]
fn a_right_update_is_held() {
    let update = [
        &[2_u8, 27][..],
        &[
            0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea,
        ],
        &[0x40, 3, 4, 192, 0, 2, 2, 16, 10, 1],
    ]
    .concat();
    assert_eq!(property::bgp(&update), Ok(()));
}
