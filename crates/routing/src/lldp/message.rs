//! A message: what a system says of itself and of the port that it sends from (IEEE 802.1AB, 8).

use std::num::NonZeroU16;

use super::MAX_LEN;
use super::capability::Capabilities;
use super::element::{Element, Elements, Flaw, Writer, kind, name};
use super::ethernet::{MAC_PHY, MAX_FRAME, MacPhy};
use super::identity::{ChassisId, IdError, PortId};
use super::management::ManagementAddress;
use super::organisation::{Organisation, Unknown};
use super::text;

/// What a system says of itself and of one of its ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The system.
    pub chassis: ChassisId,
    /// The port.
    pub port: PortId,
    /// How long to believe it, in seconds; with zero it takes back what it said.
    pub ttl: u16,
    /// The port, for people.
    pub port_description: Option<String>,
    /// The system's name.
    pub system_name: Option<String>,
    /// The system, for people.
    pub system_description: Option<String>,
    /// What the system does.
    pub capabilities: Option<Capabilities>,
    /// Where the system can be managed.
    pub management: Vec<ManagementAddress>,
    /// How the port talks to its cable.
    pub mac_phy: Option<MacPhy>,
    /// Octets of the longest frame of the port, its head and checksum included.
    pub max_frame: Option<NonZeroU16>,
    /// All else that it said, in order.
    pub unknown: Vec<Unknown>,
}

/// A message that was understood, and what of it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What was understood.
    pub message: Message,
    /// Elements that were left out, and why.
    pub flaws: Vec<Flaw>,
}

/// It cannot be told whose the message is, or for how long: nothing of it can be used (IEEE 802.1AB, 9.2.7.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It begins otherwise than with chassis id, port id, time to live.
    #[error("{} element where the message must have its {}", name(*got), name(*wanted))]
    Order {
        /// The type that comes here.
        wanted: u8,
        /// The type that came.
        got: u8,
    },
    /// It ends before it said whose it is.
    #[error("the message ends before its {}", name(*wanted))]
    Missing {
        /// The type that is missing.
        wanted: u8,
    },
    /// One of the first three elements is broken.
    #[error("the message's {} cannot be read", name(*wanted))]
    Broken {
        /// The type.
        wanted: u8,
        /// What is wrong with it.
        source: Flaw,
    },
    /// An id is empty or too long.
    #[error("the message's {} cannot be read", name(*wanted))]
    Id {
        /// The type.
        wanted: u8,
        /// What is wrong with it.
        source: IdError,
    },
}

impl Message {
    /// A message that says no more than it must.
    #[must_use]
    pub const fn new(chassis: ChassisId, port: PortId, ttl: u16) -> Self {
        Self {
            chassis,
            port,
            ttl,
            port_description: None,
            system_name: None,
            system_description: None,
            capabilities: None,
            management: Vec::new(),
            mac_phy: None,
            max_frame: None,
            unknown: Vec::new(),
        }
    }

    /// Reads a message: what follows the Ethernet header, padding included.
    ///
    /// # Errors
    /// Where it cannot be told whose it is, or for how long.
    pub fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
        let mut elements = Elements::of(bytes);
        let mut first = |wanted| mandatory(elements.next(), wanted);
        let chassis = id(kind::CHASSIS_ID, first(kind::CHASSIS_ID)?, ChassisId::new)?;
        let port = id(kind::PORT_ID, first(kind::PORT_ID)?, PortId::new)?;
        let ttl = first(kind::TIME_TO_LIVE)?;
        // What stands behind the two octets says nothing that is known.
        let [high, low, ..] = *ttl else {
            return Err(ParseError::Broken {
                wanted: kind::TIME_TO_LIVE,
                source: Flaw::Length {
                    kind: kind::TIME_TO_LIVE,
                    len: ttl.len(),
                },
            });
        };
        let message = Self::new(chassis, port, u16::from_be_bytes([high, low]));
        let mut parsed = Parsed {
            message,
            flaws: Vec::new(),
        };
        for element in elements {
            if let Err(flaw) = element.and_then(|element| parsed.message.add(element)) {
                parsed.flaws.push(flaw);
            }
        }
        Ok(parsed)
    }

    fn add(&mut self, element: Element<'_>) -> Result<(), Flaw> {
        let Element { kind, content } = element;
        let length = Flaw::Length {
            kind,
            len: content.len(),
        };
        match kind {
            kind::CHASSIS_ID | kind::PORT_ID | kind::TIME_TO_LIVE => Err(Flaw::Second { kind }),
            kind::PORT_DESCRIPTION => set_text(&mut self.port_description, element),
            kind::SYSTEM_NAME => set_text(&mut self.system_name, element),
            kind::SYSTEM_DESCRIPTION => set_text(&mut self.system_description, element),
            kind::SYSTEM_CAPABILITIES => {
                let read = Capabilities::parse(content).ok_or(length)?;
                set(&mut self.capabilities, kind, read)
            }
            kind::MANAGEMENT_ADDRESS => {
                self.management
                    .push(ManagementAddress::parse(content).ok_or(length)?);
                Ok(())
            }
            kind::ORGANISATION => match content {
                [a, b, c, subtype, octets @ ..] => {
                    self.organisation(Organisation([*a, *b, *c]), *subtype, octets, length)
                }
                _ => Err(length),
            },
            _ => {
                let octets = content.into();
                self.unknown.push(Unknown::Reserved { kind, octets });
                Ok(())
            }
        }
    }

    fn organisation(
        &mut self,
        organisation: Organisation,
        subtype: u8,
        octets: &[u8],
        length: Flaw,
    ) -> Result<(), Flaw> {
        let kind = kind::ORGANISATION;
        match (organisation, subtype) {
            (Organisation::ETHERNET, MAC_PHY) => {
                let read = MacPhy::parse(octets).ok_or(length)?;
                set(&mut self.mac_phy, kind, read)
            }
            (Organisation::ETHERNET, MAX_FRAME) => {
                let read = <[u8; 2]>::try_from(octets).map_err(|_| length)?;
                let read = NonZeroU16::new(u16::from_be_bytes(read)).ok_or(length)?;
                set(&mut self.max_frame, kind, read)
            }
            _ => {
                self.unknown.push(Unknown::Organisation {
                    organisation,
                    subtype,
                    octets: octets.into(),
                });
                Ok(())
            }
        }
    }

    /// Its octets, at most [`MAX_LEN`]: texts are cut to 255 octets, and what does not fit any more is left out, the
    /// last first.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAX_LEN);
        let chassis = &self.chassis;
        writer.put(kind::CHASSIS_ID, &[&[chassis.subtype()], chassis.octets()]);
        writer.put(kind::PORT_ID, &[&[self.port.subtype()], self.port.octets()]);
        writer.put(kind::TIME_TO_LIVE, &[&self.ttl.to_be_bytes()]);
        for (kind, text) in [
            (kind::PORT_DESCRIPTION, &self.port_description),
            (kind::SYSTEM_NAME, &self.system_name),
            (kind::SYSTEM_DESCRIPTION, &self.system_description),
        ] {
            if let Some(text) = text {
                writer.put(kind, &[text::fitting(text)]);
            }
        }
        if let Some(Capabilities { able, enabled }) = self.capabilities {
            let sets = [able.0.to_be_bytes(), enabled.0.to_be_bytes()];
            writer.put(kind::SYSTEM_CAPABILITIES, &[sets.as_flattened()]);
        }
        for address in &self.management {
            writer.put(kind::MANAGEMENT_ADDRESS, &[&address.content()]);
        }
        let ethernet = &Organisation::ETHERNET.0;
        if let Some(mac_phy) = self.mac_phy {
            let parts: [&[u8]; 3] = [ethernet, &[MAC_PHY], &mac_phy.octets()];
            writer.put(kind::ORGANISATION, &parts);
        }
        if let Some(octets) = self.max_frame {
            let parts: [&[u8]; 3] = [ethernet, &[MAX_FRAME], &octets.get().to_be_bytes()];
            writer.put(kind::ORGANISATION, &parts);
        }
        for unknown in &self.unknown {
            match unknown {
                Unknown::Reserved { kind, octets } => writer.put(*kind, &[octets]),
                Unknown::Organisation {
                    organisation,
                    subtype,
                    octets,
                } => writer.put(kind::ORGANISATION, &[&organisation.0, &[*subtype], octets]),
            }
        }
        writer.finish()
    }
}

/// The content of one of the first three elements.
fn mandatory(element: Option<Result<Element<'_>, Flaw>>, wanted: u8) -> Result<&[u8], ParseError> {
    match element {
        None => Err(ParseError::Missing { wanted }),
        Some(Err(source)) => Err(ParseError::Broken { wanted, source }),
        Some(Ok(Element { kind, content })) if kind == wanted => Ok(content),
        Some(Ok(Element { kind: got, .. })) => Err(ParseError::Order { wanted, got }),
    }
}

fn id<T>(
    wanted: u8,
    content: &[u8],
    make: impl Fn(u8, &[u8]) -> Result<T, IdError>,
) -> Result<T, ParseError> {
    let read = match content {
        [subtype, octets @ ..] => make(*subtype, octets),
        [] => Err(IdError { got: 0 }),
    };
    read.map_err(|source| ParseError::Id { wanted, source })
}

fn set<T>(to: &mut Option<T>, kind: u8, value: T) -> Result<(), Flaw> {
    if to.is_some() {
        return Err(Flaw::Second { kind });
    }
    *to = Some(value);
    Ok(())
}

fn set_text(to: &mut Option<String>, element: Element<'_>) -> Result<(), Flaw> {
    let Element { kind, content } = element;
    if content.len() > text::MAX_TEXT {
        let len = content.len();
        return Err(Flaw::Length { kind, len });
    }
    set(to, kind, text::read(content))
}
