//! Queue numbers of the packets that go to the agent.

/// DNS queries to a subnet's DNS server, over UDP and TCP.
pub const DNS: u8 = 1;
/// Requests to the metadata service, TCP port 80 of its two addresses.
pub const METADATA: u8 = 2;
