//! What every frame of a guest must be, whatever device it came by.

use rackweave_wire::ethernet;
use rackweave_wire::virtio_net::{Checksum, Form, NetHeader};

use crate::Claim;

/// The header in front of a frame of `len` bytes, where it speaks of that frame.
#[inline]
pub(crate) fn checked_header(form: Form, head: &[u8], len: usize) -> Result<NetHeader, Claim> {
    if len < ethernet::HEADER_LEN {
        return Err(Claim::TooShort);
    }
    let header = NetHeader::parse(form, head).map_err(|_| Claim::Header)?;
    match header.checksum {
        Checksum::Needed { start, offset }
            if usize::from(start) + usize::from(offset) + 2 > len =>
        {
            Err(Claim::Header)
        }
        _ => Ok(header),
    }
}

#[cfg(test)]
mod tests {
    use super::checked_header;
    use crate::Claim;
    use rackweave_wire::virtio_net::Form;

    #[test]
    fn the_checksum_is_inside_the_frame() {
        let head = [1, 0, 0, 0, 0, 0, 34, 0, 16, 0];
        assert!(checked_header(Form::Legacy, &head, 52).is_ok());
        assert_eq!(checked_header(Form::Legacy, &head, 51), Err(Claim::Header));
        assert_eq!(
            checked_header(Form::Legacy, &[0; 10], 13),
            Err(Claim::TooShort)
        );
        assert_eq!(
            checked_header(Form::Mergeable, &[0; 10], 60),
            Err(Claim::Header)
        );
    }
}
