//! What messages are for (RFC 8415 section 7.3).

use core::fmt;

use crate::dhcpv6::error::Dhcpv6Error;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// A client looks for servers.
    Solicit,
    /// A server offers itself.
    Advertise,
    /// A client asks one server for addresses and settings.
    Request,
    /// A client asks whether its addresses still suit the link.
    Confirm,
    /// A client asks its server for more time.
    Renew,
    /// A client asks any server for more time.
    Rebind,
    /// A server answers.
    Reply,
    /// A client gives addresses back.
    Release,
    /// A client found addresses in use.
    Decline,
    /// A server has a client ask again.
    Reconfigure,
    /// A client asks for settings alone.
    InformationRequest,
    /// A relay agent hands a message to a server.
    RelayForward,
    /// A server hands a message to a relay agent.
    RelayReply,
}

impl MessageType {
    /// Every type, in the order of the numbers from 1.
    const ALL: [(Self, &'static str); 13] = [
        (Self::Solicit, "solicit"),
        (Self::Advertise, "advertise"),
        (Self::Request, "request"),
        (Self::Confirm, "confirm"),
        (Self::Renew, "renew"),
        (Self::Rebind, "rebind"),
        (Self::Reply, "reply"),
        (Self::Release, "release"),
        (Self::Decline, "decline"),
        (Self::Reconfigure, "reconfigure"),
        (Self::InformationRequest, "information-request"),
        (Self::RelayForward, "relay-forward"),
        (Self::RelayReply, "relay-reply"),
    ];

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        match self {
            Self::Solicit => 1,
            Self::Advertise => 2,
            Self::Request => 3,
            Self::Confirm => 4,
            Self::Renew => 5,
            Self::Rebind => 6,
            Self::Reply => 7,
            Self::Release => 8,
            Self::Decline => 9,
            Self::Reconfigure => 10,
            Self::InformationRequest => 11,
            Self::RelayForward => 12,
            Self::RelayReply => 13,
        }
    }

    /// Whether relay agents and servers speak so to each other, not clients and servers.
    #[must_use]
    pub const fn is_relay(self) -> bool {
        matches!(self, Self::RelayForward | Self::RelayReply)
    }
}

impl TryFrom<u8> for MessageType {
    type Error = Dhcpv6Error;

    fn try_from(got: u8) -> Result<Self, Self::Error> {
        let found = Self::ALL
            .iter()
            .find(|(message_type, _)| message_type.get() == got);
        found
            .map(|&(message_type, _)| message_type)
            .ok_or(Dhcpv6Error::MessageType { got })
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL[usize::from(self.get()) - 1].1)
    }
}
