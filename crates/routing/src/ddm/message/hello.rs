//! Who a node is, and its part of a handshake.

use core::time::Duration;

use minicbor::Decoder;

use rackweave_types::{AzPrefix, MacAddr, RackNumber, RackPrefix, Role};

use super::cbor::{BodyError, Writer, array, read_body};
use super::{Frame, Kind, MAX_DATAGRAM};
use crate::ddm::item::NodeId;

/// The most octets of a node's name.
pub const MAX_NAME: usize = 64;

const INSTANCE: u8 = 0;
const NONCE: u8 = 1;
const ECHO: u8 = 2;
const STREAM: u8 = 3;
const HARDWARE: u8 = 4;
const NAME: u8 = 5;
const ROLE: u8 = 6;
const HOLD: u8 = 7;
const RACK: u8 = 8;
const AZ: u8 = 9;
const AGREEMENT: u8 = 10;
const CHAIN: u8 = 11;
const ASSIGNMENT: u8 = 12;

/// Who a node is, and its part of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Drawn at the start of the sender's process.
    pub instance: u64,
    /// Drawn for this handshake.
    pub nonce: [u8; 16],
    /// The receiver's nonce, where this answers a hello.
    pub echo: Option<[u8; 16]>,
    /// The session in which the stream of items began that the sender would go on with, where it has one.
    pub stream: Option<[u8; 16]>,
    /// The sender's hardware address.
    pub id: NodeId,
    /// The sender's identity.
    pub name: &'a str,
    /// What the sender does.
    pub role: Role,
    /// How long silence lasts until the sender takes control for dead.
    pub hold: Duration,
    /// The sender's rack.
    pub rack: Option<RackPrefix>,
    /// The sender's AZ, where it has no rack.
    pub az: Option<AzPrefix>,
    /// In signed mode, the sender's public key for this handshake (X25519, RFC 7748).
    pub agreement: Option<[u8; 32]>,
    /// In signed mode, the sender's certificates.
    pub chain: Option<&'a [u8]>,
    /// The sender's assignment.
    pub assignment: Option<&'a [u8]>,
}

#[derive(Default)]
struct Fields<'a> {
    instance: Option<u64>,
    nonce: Option<[u8; 16]>,
    echo: Option<[u8; 16]>,
    stream: Option<[u8; 16]>,
    id: Option<NodeId>,
    name: Option<&'a str>,
    role: Option<Role>,
    hold: Option<Duration>,
    rack: Option<RackPrefix>,
    az: Option<AzPrefix>,
    agreement: Option<[u8; 32]>,
    chain: Option<&'a [u8]>,
    assignment: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: u64, decoder: &mut Decoder<'a>) -> Result<(), BodyError> {
        match u8::try_from(key) {
            Ok(INSTANCE) => self.instance = Some(decoder.u64()?),
            Ok(NONCE) => self.nonce = Some(array(decoder, "nonce")?),
            Ok(ECHO) => self.echo = Some(array(decoder, "echo")?),
            Ok(STREAM) => self.stream = Some(array(decoder, "stream")?),
            Ok(HARDWARE) => {
                self.id = Some(NodeId(MacAddr::new(array(decoder, "hardware address")?)));
            }
            Ok(NAME) => self.name = Some(name(decoder.str()?)?),
            Ok(ROLE) => self.role = Some(role(decoder.u64()?)?),
            Ok(HOLD) => self.hold = Some(Duration::from_millis(u64::from(decoder.u32()?))),
            Ok(RACK) => self.rack = Some(rack(array(decoder, "rack")?)?),
            Ok(AZ) => self.az = Some(az(array(decoder, "az")?)?),
            Ok(AGREEMENT) => self.agreement = Some(array(decoder, "agreement key")?),
            Ok(CHAIN) => self.chain = Some(decoder.bytes()?),
            Ok(ASSIGNMENT) => self.assignment = Some(decoder.bytes()?),
            _ => decoder.skip()?,
        }
        Ok(())
    }
}

impl<'a> Hello<'a> {
    /// Reads the body of a message of [`Kind::Hello`].
    ///
    /// # Errors
    ///
    /// [`BodyError`] says what is wrong with it.
    pub fn parse(body: &'a [u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::default();
        read_body(body, |key, decoder| fields.take(key, decoder))?;
        Ok(Self {
            instance: fields.instance.ok_or(BodyError::Missing("instance"))?,
            nonce: fields.nonce.ok_or(BodyError::Missing("nonce"))?,
            echo: fields.echo,
            stream: fields.stream,
            id: fields.id.ok_or(BodyError::Missing("hardware address"))?,
            name: fields.name.ok_or(BodyError::Missing("name"))?,
            role: fields.role.ok_or(BodyError::Missing("role"))?,
            hold: fields.hold.ok_or(BodyError::Missing("hold time"))?,
            rack: fields.rack,
            az: fields.az,
            agreement: fields.agreement,
            chain: fields.chain,
            assignment: fields.assignment,
        })
    }

    /// The datagram, as yet without signature.
    #[must_use]
    pub fn emit(&self, signed: bool) -> Vec<u8> {
        let mut bytes = Frame::begin(Kind::Hello, signed, MAX_DATAGRAM / 2);
        let mut map = Writer::map(&mut bytes, self.fields());
        let hold = u32::try_from(self.hold.as_millis()).unwrap_or(u32::MAX);
        map.uint(INSTANCE, self.instance).bytes(NONCE, &self.nonce);
        if let Some(echo) = &self.echo {
            map.bytes(ECHO, echo);
        }
        if let Some(stream) = &self.stream {
            map.bytes(STREAM, stream);
        }
        map.bytes(HARDWARE, &self.id.0.octets())
            .text(NAME, self.name)
            .uint(ROLE, role_code(self.role))
            .uint(HOLD, u64::from(hold));
        if let Some(rack) = self.rack {
            let mut octets = [0; 7];
            octets[..6].copy_from_slice(&rack.az().octets());
            octets[6] = rack.rack().get();
            map.bytes(RACK, &octets);
        }
        if let Some(az) = self.az {
            map.bytes(AZ, &az.octets());
        }
        if let Some(agreement) = &self.agreement {
            map.bytes(AGREEMENT, agreement);
        }
        if let Some(chain) = self.chain {
            map.bytes(CHAIN, chain);
        }
        if let Some(assignment) = self.assignment {
            map.bytes(ASSIGNMENT, assignment);
        }
        bytes
    }

    fn fields(&self) -> usize {
        let optional = [
            self.echo.is_some(),
            self.stream.is_some(),
            self.rack.is_some(),
            self.az.is_some(),
            self.agreement.is_some(),
            self.chain.is_some(),
            self.assignment.is_some(),
        ];
        6 + optional.into_iter().filter(|there| *there).count()
    }
}

/// A name that can stand in a line of a log.
fn name(text: &str) -> Result<&str, BodyError> {
    if text.len() <= MAX_NAME && !text.is_empty() && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(BodyError::Field("name"))
    }
}

const fn role_code(role: Role) -> u64 {
    match role {
        Role::Sled => 0,
        Role::Switch => 1,
        Role::Spine => 2,
    }
}

fn role(code: u64) -> Result<Role, BodyError> {
    Role::ALL
        .into_iter()
        .find(|role| role_code(*role) == code)
        .ok_or(BodyError::Field("role"))
}

fn az(octets: [u8; 6]) -> Result<AzPrefix, BodyError> {
    AzPrefix::new(octets).map_err(|_| BodyError::Field("az"))
}

fn rack([az_octets @ .., number]: [u8; 7]) -> Result<RackPrefix, BodyError> {
    let number = RackNumber::new(number).map_err(|_| BodyError::Field("rack"))?;
    Ok(RackPrefix::new(az(az_octets)?, number))
}
