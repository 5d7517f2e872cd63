//! The commands that make the table be so.

use std::fmt::Write as _;

use ipnet::Ipv6Net;
use rackweave_routing::fabric::LinkId;

use super::FilterChange;

/// The table.
pub(super) const TABLE: &str = "inet rackweave_fabric";

/// Characters of an owner that a counter's name and comment hold at most.
const OWNER_LEN: usize = 64;

/// Appends what makes the kernel filter a link so, or no longer; it may be so already.
pub(super) fn append(commands: &mut String, change: &FilterChange) {
    if commands.is_empty() {
        begin(commands);
    }
    match &change.allowed {
        Some(allowed) => filtered(commands, change.link, &change.owner, allowed),
        None => open(commands, change.link),
    }
}

/// One rule for all links: where a link has sources, a packet goes by them.
fn begin(commands: &mut String) {
    // `raw` comes before connections are tracked: what is forged leaves no trace there.
    for command in [
        format!("add table {TABLE}"),
        format!(
            "add chain {TABLE} prerouting {{ type filter hook prerouting priority raw; policy accept; }}"
        ),
        format!("add map {TABLE} links {{ type iface_index : verdict; }}"),
        format!("flush chain {TABLE} prerouting"),
        format!("add rule {TABLE} prerouting iif vmap @links"),
    ] {
        line(commands, &command);
    }
}

fn filtered(commands: &mut String, LinkId(link): LinkId, owner: &str, allowed: &[Ipv6Net]) {
    let counter = counter(link, owner);
    let comment = comment(owner);
    for command in [
        format!("add chain {TABLE} link_{link}"),
        format!("flush chain {TABLE} link_{link}"),
        format!("add set {TABLE} from_{link} {{ type ipv6_addr; flags interval; }}"),
        format!("flush set {TABLE} from_{link}"),
        format!("add counter {TABLE} {counter} {{ comment \"{comment}\"; }}"),
        format!("add rule {TABLE} link_{link} ip6 saddr @from_{link} accept"),
        format!("add rule {TABLE} link_{link} ip6 saddr fe80::/10 accept"),
        // Before it has an address, a neighbour asks for groups and addresses from none (RFC 4861, 7.2.2; RFC 3810,
        // 5.2.13). No router passes such a packet on.
        format!("add rule {TABLE} link_{link} ip6 saddr :: ip6 daddr ff02::/16 accept"),
        format!("add rule {TABLE} link_{link} counter name \"{counter}\" drop"),
        format!("add element {TABLE} links {{ {link} : jump link_{link} }}"),
    ] {
        line(commands, &command);
    }
    // Ranges that touch or overlap are refused.
    let sources = Ipv6Net::aggregate(&allowed.to_vec());
    if !sources.is_empty() {
        admit(commands, LinkId(link), &sources);
    }
}

/// Appends what lets in more sources from a link that is filtered already.
pub(super) fn admit(commands: &mut String, LinkId(link): LinkId, more: &[Ipv6Net]) {
    let sources: Vec<_> = more.iter().map(ToString::to_string).collect();
    let sources = sources.join(", ");
    line(
        commands,
        &format!("add element {TABLE} from_{link} {{ {sources} }}"),
    );
}

/// What is to be taken away is added first, for it may not be there.
fn open(commands: &mut String, LinkId(link): LinkId) {
    for command in [
        format!("add chain {TABLE} link_{link}"),
        format!("add element {TABLE} links {{ {link} : jump link_{link} }}"),
        format!("delete element {TABLE} links {{ {link} }}"),
        format!("flush chain {TABLE} link_{link}"),
        format!("delete chain {TABLE} link_{link}"),
        format!("add set {TABLE} from_{link} {{ type ipv6_addr; flags interval; }}"),
        format!("delete set {TABLE} from_{link}"),
    ] {
        line(commands, &command);
    }
}

/// The name of the counter of what is dropped from an owner on a link.
fn counter(link: u32, owner: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let owner: String = owner.chars().take(OWNER_LEN).map(plain).collect();
    format!("drops_{link}_{owner}")
}

/// The owner as people read it.
fn comment(owner: &str) -> String {
    let plain = |c: &char| (c.is_ascii_graphic() || *c == ' ') && *c != '"' && *c != '\\';
    owner.chars().filter(plain).take(OWNER_LEN).collect()
}

fn line(commands: &mut String, command: &str) {
    // Writing to a `String` cannot fail.
    let _infallible = writeln!(commands, "{command}");
}
