//! Numbers that name the parts of a VPC.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            )]
            #[serde(transparent)]
            pub struct $name(u32);

            impl $name {
                /// The one with this number.
                #[must_use]
                pub const fn new(number: u32) -> Self {
                    Self(number)
                }

                /// The number.
                #[must_use]
                pub const fn get(self) -> u32 {
                    self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }
        )+
    };
}

ids! {
    /// Names a subnet within its VPC.
    SubnetId,
    /// Names a router within its VPC.
    RouterId,
    /// Names a route within its VPC, over every change of it: counters go by it.
    RouteId,
    /// Names a set of firewall rules within its VPC.
    RuleSetId,
    /// Names a firewall rule within its VPC, over every change of it: counters go by it.
    FirewallRuleId,
}
