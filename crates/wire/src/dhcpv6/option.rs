//! Options: code, length, value (RFC 8415 section 21.1).

use crate::dhcpv6::error::Dhcpv6Error;
use crate::number::registry;

registry! {
    /// What an option is (RFC 8415 section 21, and as noted).
    OptionCode: u16, "option {}" {
        /// Identity of the client.
        CLIENT_ID = 1, "client identifier";
        /// Identity of the server.
        SERVER_ID = 2, "server identifier";
        /// Association of addresses that are not temporary.
        IA_NA = 3, "ia_na";
        /// Association of temporary addresses.
        IA_TA = 4, "ia_ta";
        /// Address of an association.
        IA_ADDRESS = 5, "ia address";
        /// Options that the client wants.
        OPTION_REQUEST = 6, "option request";
        /// How much the server wants to be chosen.
        PREFERENCE = 7, "preference";
        /// How long the client has been trying.
        ELAPSED_TIME = 8, "elapsed time";
        /// Message of a relay agent.
        RELAY_MESSAGE = 9, "relay message";
        /// What became of a request.
        STATUS_CODE = 13, "status code";
        /// The client wants, or the server gives, addresses in two messages.
        RAPID_COMMIT = 14, "rapid commit";
        /// DNS servers (RFC 3646 section 3).
        DNS_SERVERS = 23, "dns servers";
        /// Domains that the client searches (RFC 3646 section 4).
        DOMAIN_LIST = 24, "domain list";
        /// Association of delegated prefixes.
        IA_PD = 25, "ia_pd";
    }
}

/// Octets of code and length.
pub(super) const OPTION_HEADER_LEN: usize = 4;

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcpv6Option<'a> {
    /// What it is.
    pub code: OptionCode,
    /// Its value.
    pub value: &'a [u8],
    /// Where it begins in the message.
    pub at: usize,
}

impl<'a> Dhcpv6Option<'a> {
    /// The error for a value of a wrong length.
    pub(super) const fn wrong_len(&self, expected: &'static str) -> Dhcpv6Error {
        Dhcpv6Error::OptionLen {
            code: self.code,
            at: self.at,
            got: self.value.len(),
            expected,
        }
    }

    /// The value, where it has exactly `N` octets.
    pub(super) fn fixed<const N: usize>(
        &self,
        expected: &'static str,
    ) -> Result<[u8; N], Dhcpv6Error> {
        self.value.try_into().map_err(|_| self.wrong_len(expected))
    }

    /// The first `N` octets of the value, and the options behind them.
    pub(super) fn head<const N: usize>(
        &self,
        expected: &'static str,
    ) -> Result<(&'a [u8; N], Options<'a>), Dhcpv6Error> {
        let (head, rest) = self
            .value
            .split_first_chunk()
            .ok_or_else(|| self.wrong_len(expected))?;
        Ok((head, Options::parse(rest, self.at + OPTION_HEADER_LEN + N)?))
    }
}

/// Options that follow each other, each of them whole.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Options<'a> {
    /// Checks that each option in `bytes` is whole; they begin at offset `at` of the message.
    pub(super) fn parse(bytes: &'a [u8], at: usize) -> Result<Self, Dhcpv6Error> {
        let options = Self { bytes, at };
        let mut walk = options.clone();
        while walk.take_one()?.is_some() {}
        Ok(options)
    }

    fn take_one(&mut self) -> Result<Option<Dhcpv6Option<'a>>, Dhcpv6Error> {
        let (at, got) = (self.at, self.bytes.len());
        if got == 0 {
            return Ok(None);
        }
        let cut = |code, needed| Dhcpv6Error::OptionCut {
            code: OptionCode(code),
            at,
            needed,
            got,
        };
        let (&[high, low, len_high, len_low], rest) = self
            .bytes
            .split_first_chunk()
            .ok_or_else(|| cut(0, OPTION_HEADER_LEN))?;
        let code = u16::from_be_bytes([high, low]);
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let (value, rest) = rest
            .split_at_checked(len)
            .ok_or_else(|| cut(code, OPTION_HEADER_LEN + len))?;
        self.bytes = rest;
        self.at += OPTION_HEADER_LEN + len;
        Ok(Some(Dhcpv6Option {
            code: OptionCode(code),
            value,
            at,
        }))
    }

    /// The option with this code.
    ///
    /// # Errors
    /// Where there are two: each that is looked up so "MUST NOT appear more than once".
    pub fn only(&self, code: OptionCode) -> Result<Option<Dhcpv6Option<'a>>, Dhcpv6Error> {
        let mut found = self.clone().filter(|option| option.code == code);
        match (found.next(), found.next()) {
            (_, Some(second)) => Err(Dhcpv6Error::Repeated {
                code,
                at: second.at,
            }),
            (option, None) => Ok(option),
        }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Dhcpv6Option<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take_one().ok().flatten()
    }
}
