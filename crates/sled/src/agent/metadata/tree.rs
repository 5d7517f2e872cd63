//! The tree of an instance's metadata, with EC2's names.

use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};
use rackweave_types::PortId;
use rackweave_types::state::InstanceState;
use serde_json::json;

use crate::agent::view::{InstanceView, NicView};

/// A place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// What is said here.
    Leaf(Leaf),
    /// Names below, in their order, and how they are listed.
    Directory(Vec<(String, Node)>, Listing),
}

/// How a directory is listed: a name in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// Bare names: the uppermost directories.
    Names,
    /// Directories have a slash behind.
    Slashes,
    /// Numbers, each with a name that cloud-init takes instead: `0=key-0`.
    Keys,
}

/// What is said at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// What it says.
    pub(super) body: Vec<u8>,
    /// What it is.
    pub(super) content_type: &'static str,
}

impl Node {
    /// The node at a path of names.
    pub(super) fn find<'a>(&self, mut path: impl Iterator<Item = &'a str>) -> Option<&Self> {
        match (path.next(), self) {
            (None, node) => Some(node),
            (Some(name), Self::Directory(entries, _)) => {
                let (_, node) = entries.iter().find(|(own, _)| own == name)?;
                node.find(path)
            }
            (Some(_), Self::Leaf(_)) => None,
        }
    }

    /// A directory as EC2 lists it.
    pub(super) fn list(entries: &[(String, Self)], listing: Listing) -> String {
        let line = |(name, node): &(String, Self)| match (listing, node) {
            (Listing::Slashes, Self::Directory(..)) => format!("{name}/"),
            (Listing::Keys, _) => format!("{name}=key-{name}"),
            _ => name.clone(),
        };
        entries.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn leaf(text: impl Into<String>) -> Node {
    Node::Leaf(Leaf {
        body: text.into().into_bytes(),
        content_type: "text/plain",
    })
}

/// Collects the entries of a directory, leaving out what is not known.
#[derive(Debug, Default)]
struct Entries(Vec<(String, Node)>);

impl Entries {
    fn text(&mut self, name: &str, text: Option<impl Into<String>>) -> &mut Self {
        self.0
            .extend(text.map(|text| (name.to_owned(), leaf(text))));
        self
    }

    fn directory(&mut self, name: &str, entries: Vec<(String, Node)>) -> &mut Self {
        if !entries.is_empty() {
            let directory = Node::Directory(entries, Listing::Slashes);
            self.0.push((name.to_owned(), directory));
        }
        self
    }

    /// A leaf with one value in a line.
    fn lines<T: ToString>(&mut self, name: &str, values: impl Iterator<Item = T>) -> &mut Self {
        let lines: Vec<_> = values.map(|value| value.to_string()).collect();
        let text = (!lines.is_empty()).then(|| lines.join("\n"));
        self.text(name, text)
    }
}

/// All that an instance is told, below a version. Where EC2 speaks of *the* NIC, it is the instance's first.
pub(super) fn tree(instance: &InstanceView) -> Node {
    let mut all = Entries::default();
    all.directory("dynamic", dynamic(instance));
    all.directory("meta-data", meta_data(instance));
    if let Some(user_data) = &instance.state.user_data {
        let leaf = Leaf {
            body: user_data.clone().into_bytes(),
            content_type: "application/octet-stream",
        };
        all.0.push(("user-data".into(), Node::Leaf(leaf)));
    }
    Node::Directory(all.0, Listing::Names)
}

fn dynamic(instance: &InstanceView) -> Vec<(String, Node)> {
    let state = &instance.state;
    let document = json!({
        "availabilityZone": state.availability_zone,
        "imageId": state.image,
        "instanceId": state.id.to_string(),
        "instanceType": state.size,
        "privateIp": v4(instance.nics.first()).next(),
        "region": region(state),
        "version": "2017-09-30",
    });
    let leaf = Leaf {
        body: format!("{document:#}").into_bytes(),
        content_type: "application/json",
    };
    let document = vec![("document".to_owned(), Node::Leaf(leaf))];
    Entries::default()
        .directory("instance-identity", document)
        .take()
}

fn meta_data(instance: &InstanceView) -> Vec<(String, Node)> {
    let state = &instance.state;
    let first = instance.nics.first();
    let hostname = state.hostname.to_string();
    let mut all = Entries::default();
    all.text("ami-id", state.image.clone());
    all.text("ami-launch-index", Some("0"));
    all.text("hostname", Some(hostname.clone()));
    all.text("instance-id", Some(state.id.to_string()));
    all.text("instance-type", state.size.clone());
    all.text("ipv6", v6(first).next().map(|addr| addr.to_string()));
    all.text("local-hostname", Some(hostname));
    all.text("local-ipv4", v4(first).next().map(|addr| addr.to_string()));
    all.text("mac", first.map(|nic| nic.mac.to_string()));
    let macs = instance
        .nics
        .iter()
        .map(|nic| nic_entry(nic, state))
        .collect();
    let interfaces = Entries::default().directory("macs", macs).take();
    let network = Entries::default()
        .directory("interfaces", interfaces)
        .take();
    all.directory("network", network);
    let mut placement = Entries::default();
    placement.text("availability-zone", state.availability_zone.clone());
    placement.text("region", region(state));
    all.directory("placement", placement.0);
    all.text(
        "public-ipv4",
        outside(first).next().map(|addr| addr.to_string()),
    );
    if !state.ssh_keys.is_empty() {
        let keys = Node::Directory(public_keys(state), Listing::Keys);
        all.0.push(("public-keys".to_owned(), keys));
    }
    all.0
}

impl Entries {
    fn take(&mut self) -> Vec<(String, Node)> {
        std::mem::take(&mut self.0)
    }
}

/// The keys' directories.
fn public_keys(state: &InstanceState) -> Vec<(String, Node)> {
    let keys = state.ssh_keys.iter().enumerate();
    keys.map(|(number, key)| {
        let forms = vec![("openssh-key".to_owned(), leaf(key.trim()))];
        (number.to_string(), Node::Directory(forms, Listing::Slashes))
    })
    .collect()
}

fn nic_entry(nic: &NicView, state: &InstanceState) -> (String, Node) {
    let mut all = Entries::default();
    all.text("device-number", Some(nic.slot.to_string()));
    all.text("interface-id", Some(interface_id(nic.port)));
    all.lines("ipv6s", v6(Some(nic)));
    all.text("local-hostname", Some(state.hostname.to_string()));
    all.lines("local-ipv4s", v4(Some(nic)));
    all.text("mac", Some(nic.mac.to_string()));
    all.lines("public-ipv4s", outside(Some(nic)));
    let subnet = nic.subnets.first();
    all.text(
        "subnet-id",
        subnet.map(|subnet| format!("subnet-{:08x}", subnet.id.get())),
    );
    let ipv4 = nic.subnets.iter().find_map(|subnet| subnet.ipv4);
    all.text(
        "subnet-ipv4-cidr-block",
        ipv4.map(|net| net.trunc().to_string()),
    );
    let ipv6 = nic.subnets.iter().filter_map(|subnet| subnet.ipv6);
    all.lines("subnet-ipv6-cidr-blocks", ipv6.map(|net| net.trunc()));
    all.text("vpc-id", Some(format!("vpc-{:08x}", nic.vni.get())));
    let block = nic.vpc_ipv4.first();
    all.text(
        "vpc-ipv4-cidr-block",
        block.map(|net| net.trunc().to_string()),
    );
    all.lines(
        "vpc-ipv4-cidr-blocks",
        nic.vpc_ipv4.iter().map(Ipv4Net::trunc),
    );
    all.lines(
        "vpc-ipv6-cidr-blocks",
        nic.vpc_ipv6.iter().map(Ipv6Net::trunc),
    );
    (
        nic.mac.to_string(),
        Node::Directory(all.0, Listing::Slashes),
    )
}

fn interface_id(port: PortId) -> String {
    format!("eni-{:016x}", port.get())
}

/// The region of an availability zone: its name without the last letter.
fn region(state: &InstanceState) -> Option<String> {
    let mut name = state.availability_zone.clone()?;
    name.pop();
    Some(name)
}

fn v4(nic: Option<&NicView>) -> impl Iterator<Item = IpAddr> {
    addresses(nic).filter(IpAddr::is_ipv4)
}

fn v6(nic: Option<&NicView>) -> impl Iterator<Item = IpAddr> {
    addresses(nic).filter(IpAddr::is_ipv6)
}

fn addresses(nic: Option<&NicView>) -> impl Iterator<Item = IpAddr> {
    nic.into_iter()
        .flat_map(|nic| nic.addresses.iter().copied())
}

fn outside(nic: Option<&NicView>) -> impl Iterator<Item = IpAddr> {
    let external = nic.into_iter().flat_map(|nic| nic.external.iter().copied());
    external.filter(IpAddr::is_ipv4)
}
