//! All kinds as one type, as they are kept.

use std::fmt;

use rackweave_types::Generation;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    AzGiven, AzSpec, BgpPeerSpec, DnsRecordSpec, FirewallRuleGiven, FirewallRuleSpec,
    FloatingIpGiven, FloatingIpSpec, InstanceGiven, InstanceSpec, InternetGatewaySpec, IpPoolSpec,
    NicGiven, NicSpec, Nothing, PeeringGiven, PeeringSpec, PoolLinkGiven, PoolLinkSpec,
    ProjectSpec, RackSpec, RouteGiven, RouteSpec, RouterGiven, RouterSpec, SledGiven, SledSpec,
    StaticRouteSpec, SubnetGiven, SubnetSpec, SwitchSpec, UplinkSpec, VpcGiven, VpcSpec,
};
use crate::key::{Id, Key, Kind};
use crate::name::Name;

/// What every object has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Names it over its life.
    pub id: Id,
    /// What it belongs to, of the kind [`Kind::parent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    /// What users call it.
    pub name: Name,
    /// What users say of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The commit that changed it last.
    pub generation: Generation,
}

/// An object: what was asked for, and what it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<S, G = Nothing> {
    /// What every object has.
    pub meta: Meta,
    /// What was asked for.
    pub spec: S,
    /// What it was given.
    #[serde(default)]
    pub given: G,
}

/// The version in which objects are written.
const VERSION: u16 = 1;
/// The newest version that is read: one release ahead, its additions ignored.
const NEWEST: u16 = 2;

/// An object as it is kept.
#[derive(Serialize)]
struct Written<'a, T> {
    version: u16,
    #[serde(flatten)]
    entry: &'a T,
}

/// The version of what is kept.
#[derive(Deserialize)]
struct Version {
    version: u16,
}

/// What is kept is no object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is not of the form of its kind.
    #[error("what is kept of this {0} is not of its form")]
    Malformed(Kind, #[source] serde_json::Error),
    /// It was written by a release that is too new.
    #[error("what is kept of this {0} has version {1}, and this release reads up to {NEWEST}")]
    Version(Kind, u16),
}

macro_rules! objects {
    ($($(#[$doc:meta])* $kind:ident($spec:ty, $given:ty) = $find:ident;)+) => {
        /// What is asked for, of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Spec {
            $($(#[$doc])* $kind($spec),)+
        }

        impl Spec {
            /// The kind of object that is asked for.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind,)+
                }
            }

            /// What is asked for, as JSON.
            #[must_use]
            pub fn to_json(&self) -> serde_json::Value {
                match self {
                    $(Self::$kind(spec) => serde_json::to_value(spec).unwrap_or_default(),)+
                }
            }

            /// Reads what is asked for.
            ///
            /// # Errors
            /// What the deserializer found.
            pub fn read<'de, D: Deserializer<'de>>(kind: Kind, from: D) -> Result<Self, D::Error> {
                match kind {
                    $(Kind::$kind => Deserialize::deserialize(from).map(Self::$kind),)+
                }
            }
        }

        /// An object of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(clippy::large_enum_variant, reason = "those that are many are the large ones")]
        pub enum Object {
            $($(#[$doc])* $kind(Entry<$spec, $given>),)+
        }

        impl Object {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind,)+
                }
            }

            /// What every object has.
            #[must_use]
            pub const fn meta(&self) -> &Meta {
                match self {
                    $(Self::$kind(entry) => &entry.meta,)+
                }
            }

            /// What every object has, to change.
            pub const fn meta_mut(&mut self) -> &mut Meta {
                match self {
                    $(Self::$kind(entry) => &mut entry.meta,)+
                }
            }

            /// What was asked for.
            #[must_use]
            pub fn spec(&self) -> Spec {
                match self {
                    $(Self::$kind(entry) => Spec::$kind(entry.spec.clone()),)+
                }
            }

            /// The object as it is kept, as JSON.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                match self {
                    $(Self::$kind(entry) => encode(entry),)+
                }
            }

            /// Reads an object as it was kept.
            ///
            /// # Errors
            /// Where it is of another form, or of a version that is too new.
            pub fn decode(kind: Kind, octets: &[u8]) -> Result<Self, DecodeError> {
                let malformed = |error| DecodeError::Malformed(kind, error);
                let version: Version = serde_json::from_slice(octets).map_err(malformed)?;
                if !(VERSION..=NEWEST).contains(&version.version) {
                    return Err(DecodeError::Version(kind, version.version));
                }
                match kind {
                    $(Kind::$kind => serde_json::from_slice(octets)
                        .map(Self::$kind)
                        .map_err(malformed),)+
                }
            }
        }

        $(
            impl From<Entry<$spec, $given>> for Object {
                fn from(entry: Entry<$spec, $given>) -> Self {
                    Self::$kind(entry)
                }
            }
        )+

        impl crate::intent::Intent {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $find(&self, id: Id) -> Option<&Entry<$spec, $given>> {
                    match self.get(Key::new(Kind::$kind, id))? {
                        Object::$kind(entry) => Some(entry),
                        _ => None,
                    }
                }
            )+
        }
    };
}

objects! {
    /// The AZ itself.
    Az(AzSpec, AzGiven) = az_by_id;
    /// A rack.
    Rack(RackSpec, Nothing) = rack;
    /// A sled.
    Sled(SledSpec, SledGiven) = sled;
    /// A rack switch.
    Switch(SwitchSpec, Nothing) = switch;
    /// A link of a switch to the customer's network.
    Uplink(UplinkSpec, Nothing) = uplink;
    /// A BGP session of a switch.
    BgpPeer(BgpPeerSpec, Nothing) = bgp_peer;
    /// A static route of a switch.
    StaticRoute(StaticRouteSpec, Nothing) = static_route;
    /// External addresses.
    IpPool(IpPoolSpec, Nothing) = ip_pool;
    /// A project.
    Project(ProjectSpec, Nothing) = project;
    /// A pool that a project may take addresses from.
    PoolLink(PoolLinkSpec, PoolLinkGiven) = pool_link;
    /// A VPC.
    Vpc(VpcSpec, VpcGiven) = vpc;
    /// A subnet.
    Subnet(SubnetSpec, SubnetGiven) = subnet;
    /// A routing table.
    Router(RouterSpec, RouterGiven) = router;
    /// A route.
    Route(RouteSpec, RouteGiven) = route;
    /// A firewall rule.
    FirewallRule(FirewallRuleSpec, FirewallRuleGiven) = firewall_rule;
    /// A way to the world outside.
    InternetGateway(InternetGatewaySpec, Nothing) = internet_gateway;
    /// A wish to be joined with another VPC.
    Peering(PeeringSpec, PeeringGiven) = peering;
    /// A DNS record of a user.
    DnsRecord(DnsRecordSpec, Nothing) = dns_record;
    /// A guest.
    Instance(InstanceSpec, InstanceGiven) = instance;
    /// A NIC of a guest.
    Nic(NicSpec, NicGiven) = nic;
    /// An external address that outlives instances.
    FloatingIp(FloatingIpSpec, FloatingIpGiven) = floating_ip;
}

impl Object {
    /// What it is kept under.
    #[must_use]
    pub const fn key(&self) -> Key {
        Key::new(self.kind(), self.meta().id)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.meta().name)
    }
}

#[expect(
    clippy::expect_used,
    reason = "every field is a text, a number or a list, and keys of maps there are none"
)]
fn encode<T: Serialize>(entry: &T) -> Vec<u8> {
    let written = Written {
        version: VERSION,
        entry,
    };
    serde_json::to_vec(&written).expect("an object is JSON")
}
