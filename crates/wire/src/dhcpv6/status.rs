//! What became of a request (RFC 8415 section 21.13).

use crate::dhcpv6::error::Dhcpv6Error;
use crate::dhcpv6::option::{OptionCode, Options};
use crate::number::registry;

registry! {
    /// How a request went.
    StatusCode: u16, "status {}" {
        /// Well.
        SUCCESS = 0, "success";
        /// Not, for no reason that has a number.
        UNSPECIFIED = 1, "unspecified failure";
        /// There are no addresses for the association.
        NO_ADDRESSES = 2, "no addresses available";
        /// The server does not know the association.
        NO_BINDING = 3, "no binding";
        /// An address does not suit the link.
        NOT_ON_LINK = 4, "not on link";
        /// The client must use multicast.
        USE_MULTICAST = 5, "use multicast";
        /// There are no prefixes for the association.
        NO_PREFIXES = 6, "no prefixes available";
    }
}

/// A status, with words for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// How the request went.
    pub code: StatusCode,
    /// Why, in words.
    pub message: &'a str,
}

impl<'a> Status<'a> {
    /// The status among these options; none means success.
    pub(super) fn among(options: &Options<'a>) -> Result<Option<Self>, Dhcpv6Error> {
        let Some(option) = options.only(OptionCode::STATUS_CODE)? else {
            return Ok(None);
        };
        let (code, message) = option
            .value
            .split_first_chunk()
            .ok_or_else(|| option.wrong_len("at least 2"))?;
        let message = core::str::from_utf8(message).map_err(|_| Dhcpv6Error::Text {
            code: option.code,
            at: option.at,
        })?;
        Ok(Some(Self {
            code: StatusCode(u16::from_be_bytes(*code)),
            message,
        }))
    }
}
