//! What carries a session once it stands: `Update` and `Keepalive`.

use super::cbor::{BodyError, Writer, array, read_body};
use super::{Frame, Kind};

const SESSION: u8 = 0;
const NUMBER: u8 = 1;
const ACK: u8 = 2;
const UPDATE: u8 = 3;
const ITEMS: u8 = 4;
const RESTARTING: u8 = 5;

/// The most octets of an update's body that are no items: the map's head, five keys, and their longest values.
pub(super) const AROUND_ITEMS: usize = 1 + 5 + 17 + 3 * 9 + 3;

/// What every message of a session says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Which session, by the handshake that made it.
    pub session: [u8; 16],
    /// The number of the message in the session and direction: never used twice.
    pub number: u64,
    /// The number of the update that the sender waits for: it has all before.
    pub ack: u64,
}

/// Acknowledges, and says that the sender lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// What every message of a session says.
    pub envelope: Envelope,
    /// Whether the sender is about to be started anew.
    pub restarting: bool,
}

/// Carries items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// What every message of a session says.
    pub envelope: Envelope,
    /// The number of the update: a retransmission has a new message number and the same update number.
    pub update: u64,
    /// The items, to be read by [`Items`](super::Items).
    pub items: &'a [u8],
}

#[derive(Default)]
struct Fields<'a> {
    session: Option<[u8; 16]>,
    number: Option<u64>,
    ack: Option<u64>,
    update: Option<u64>,
    items: Option<&'a [u8]>,
    restarting: bool,
}

impl<'a> Fields<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, BodyError> {
        let mut fields = Self::default();
        read_body(body, |key, decoder| {
            match u8::try_from(key) {
                Ok(SESSION) => fields.session = Some(array(decoder, "session")?),
                Ok(NUMBER) => fields.number = Some(decoder.u64()?),
                Ok(ACK) => fields.ack = Some(decoder.u64()?),
                Ok(UPDATE) => fields.update = Some(decoder.u64()?),
                Ok(ITEMS) => fields.items = Some(decoder.bytes()?),
                Ok(RESTARTING) => fields.restarting = decoder.bool()?,
                _ => decoder.skip()?,
            }
            Ok(())
        })?;
        Ok(fields)
    }

    fn envelope(&self) -> Result<Envelope, BodyError> {
        Ok(Envelope {
            session: self.session.ok_or(BodyError::Missing("session"))?,
            number: self.number.ok_or(BodyError::Missing("number"))?,
            ack: self.ack.ok_or(BodyError::Missing("acknowledgement"))?,
        })
    }
}

impl Envelope {
    fn emit<'a>(&self, bytes: &'a mut Vec<u8>, more: usize) -> Writer<'a> {
        let mut map = Writer::map(bytes, 3 + more);
        map.bytes(SESSION, &self.session)
            .uint(NUMBER, self.number)
            .uint(ACK, self.ack);
        map
    }
}

impl Keepalive {
    /// Reads the body of a message of [`Kind::Keepalive`].
    ///
    /// # Errors
    ///
    /// [`BodyError`] says what is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, BodyError> {
        let fields = Fields::parse(body)?;
        Ok(Self {
            envelope: fields.envelope()?,
            restarting: fields.restarting,
        })
    }

    /// The datagram, as yet without signature.
    #[must_use]
    pub fn emit(&self, signed: bool) -> Vec<u8> {
        let mut bytes = Frame::begin(Kind::Keepalive, signed, AROUND_ITEMS);
        let mut map = self.envelope.emit(&mut bytes, usize::from(self.restarting));
        if self.restarting {
            map.flag(RESTARTING, true);
        }
        bytes
    }
}

impl<'a> Update<'a> {
    /// Reads the body of a message of [`Kind::Update`], all but the items.
    ///
    /// # Errors
    ///
    /// [`BodyError`] says what is wrong with it.
    pub fn parse(body: &'a [u8]) -> Result<Self, BodyError> {
        let fields = Fields::parse(body)?;
        Ok(Self {
            envelope: fields.envelope()?,
            update: fields.update.ok_or(BodyError::Missing("update number"))?,
            items: fields.items.ok_or(BodyError::Missing("items"))?,
        })
    }

    /// The datagram, as yet without signature.
    #[must_use]
    pub fn emit(&self, signed: bool) -> Vec<u8> {
        let mut bytes = Frame::begin(Kind::Update, signed, AROUND_ITEMS + self.items.len());
        self.envelope
            .emit(&mut bytes, 2)
            .uint(UPDATE, self.update)
            .bytes(ITEMS, self.items);
        bytes
    }
}
