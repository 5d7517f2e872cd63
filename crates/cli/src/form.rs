//! The forms in which values stand on the command line, and in tables.

use std::net::IpAddr;

use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser as _, ValueParser};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_types::{BytesPerSecond, MacAddr, PacketsPerSecond};
use serde_json::{Map, Value, json};

/// The form of a value: how it is read from a word of the command line, and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Any text.
    Text,
    /// The text of a file, whose name is said.
    File,
    /// A number, also with k, M or G for thousands, millions and milliards.
    Number,
    /// Octets a second, with their unit.
    ByteRate,
    /// Packets a second, with their unit.
    PacketRate,
    /// Whether something is so.
    Bool,
    /// An address.
    Ip,
    /// A prefix.
    Net,
    /// A prefix of IPv4.
    Net4,
    /// A prefix of IPv6.
    Net6,
    /// An Ethernet address.
    Mac,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `TAG:VALUE`, with one of these tags.
    Tagged(&'static [&'static str]),
    /// A transport port, or a range of them.
    Ports,
    /// An IP protocol.
    Protocol,
    /// A pool, or the default one where none is named.
    Pool,
    /// How a guest meets the sled.
    Device,
    /// A boundary group: its index, and its pools behind a colon.
    Group,
    /// Where a service is: `PRIORITY,WEIGHT,PORT,TARGET`.
    Service,
}

impl Form {
    /// What stands for the value in help.
    pub(crate) const fn placeholder(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::File => "FILE",
            Self::Number => "NUMBER",
            Self::ByteRate | Self::PacketRate => "RATE",
            Self::Bool => "BOOL",
            Self::Ip => "ADDRESS",
            Self::Net | Self::Net4 | Self::Net6 => "PREFIX",
            Self::Mac => "MAC",
            Self::Word(_) => "WORD",
            Self::Tagged(_) => "WHAT:WHICH",
            Self::Ports => "PORT[-PORT]",
            Self::Protocol => "PROTOCOL",
            Self::Pool => "POOL",
            Self::Device => "DEVICE",
            Self::Group => "INDEX[:POOL,…]",
            Self::Service => "PRIORITY,WEIGHT,PORT,TARGET",
        }
    }

    /// Whether the value may be left out behind the option's name, and what it is then.
    pub(crate) const fn missing(self) -> Option<&'static str> {
        match self {
            Self::Bool => Some("true"),
            Self::Pool => Some(""),
            _ => None,
        }
    }

    /// Reads words of the command line.
    pub(crate) fn parser(self) -> ValueParser {
        match self {
            Self::Bool => ValueParser::new(
                PossibleValuesParser::new(["true", "false"])
                    .map(|word| Value::Bool(word == "true")),
            ),
            Self::Word(words) => {
                ValueParser::new(PossibleValuesParser::new(words).map(|word| said(&word)))
            }
            form => {
                ValueParser::new(StringValueParser::new().try_map(move |text| form.read(&text)))
            }
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// What is wanted instead.
    pub(crate) fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(Value::from(text)),
            Self::File => file(text),
            Self::Number => number(text),
            Self::ByteRate => parsed::<BytesPerSecond>(text, "a rate, such as 125MB/s"),
            Self::PacketRate => parsed::<PacketsPerSecond>(text, "a rate, such as 10kpps"),
            Self::Bool => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err("`true` or `false` is wanted".to_owned()),
            },
            Self::Ip => parsed::<IpAddr>(text, "an address, such as 10.0.0.7 or fd00::7"),
            Self::Net => parsed::<IpNet>(text, "a prefix, such as 10.0.0.0/16 or fd00::/48"),
            Self::Net4 => parsed::<Ipv4Net>(text, "a prefix of IPv4, such as 10.0.0.0/16"),
            Self::Net6 => parsed::<Ipv6Net>(text, "a prefix of IPv6, such as fd12:3456:789a::/48"),
            Self::Mac => parsed::<MacAddr>(text, "an Ethernet address, such as 02:00:00:00:00:01"),
            Self::Word(words) if words.contains(&text) => Ok(said(text)),
            Self::Word(words) => Err(format!("one of {} is wanted", words.join(", "))),
            Self::Tagged(tags) => tagged(text, tags),
            Self::Ports => ports(text),
            Self::Protocol => protocol(text),
            Self::Pool if text.is_empty() => Ok(json!({})),
            Self::Pool => Ok(json!({ "pool": text })),
            Self::Device => device(text),
            Self::Group => group(text),
            Self::Service => service(text),
        }
    }

    /// A value as people read it: as they would write it.
    pub(crate) fn show(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Null) => String::new(),
            (Self::Bool, Value::Bool(yes)) => yes.to_string(),
            (Self::Word(_), Value::String(word)) => spoken(word),
            (Self::Ports, Value::Array(range)) => match range.as_slice() {
                [first, last] if first == last => plain(first),
                range => range.iter().map(plain).collect::<Vec<_>>().join("-"),
            },
            (Self::Tagged(_), value) => spoken(&pair(value)),
            (Self::Protocol, value) => shown_protocol(value),
            (Self::Pool, value) => match value.get("pool") {
                Some(pool) => plain(pool),
                None => "default".to_owned(),
            },
            (Self::Device, value) => shown_device(value),
            (_, value) => plain(value),
        }
    }
}

/// A value as people read it, whatever its form.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.len() == 1 => pair(value),
        Value::Object(fields) => {
            let pairs = fields
                .iter()
                .map(|(name, value)| format!("{name}={}", plain(value)));
            pairs.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// An object of one member as `NAME:VALUE`.
fn pair(value: &Value) -> String {
    let first = value.as_object().and_then(|fields| fields.iter().next());
    match first {
        Some((name, value)) => format!("{name}:{}", plain(value)),
        None => plain(value),
    }
}

/// A word of the API, as it stands on the command line.
fn spoken(word: &str) -> String {
    word.replace('_', "-")
}

/// A word of the command line, as it stands in the API.
fn said(word: &str) -> Value {
    Value::from(word.replace('-', "_"))
}

fn parsed<T: std::str::FromStr>(text: &str, wanted: &str) -> Result<Value, String> {
    match text.parse::<T>() {
        Ok(_) => Ok(Value::from(text)),
        Err(_) => Err(format!("{wanted} is wanted")),
    }
}

fn file(path: &str) -> Result<Value, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    Ok(Value::from(text))
}

fn number(text: &str) -> Result<Value, String> {
    let units = [("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000_u64)];
    let unit = units
        .iter()
        .find_map(|(unit, times)| Some((text.strip_suffix(unit)?, *times)));
    let (digits, times) = unit.unwrap_or((text, 1));
    let number = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(times));
    number
        .map(Value::from)
        .ok_or_else(|| "a number is wanted, such as 100 or 10M".to_owned())
}

fn tagged(text: &str, tags: &[&str]) -> Result<Value, String> {
    let wanted = || {
        format!(
            "WHAT:WHICH is wanted, where WHAT is one of {}",
            tags.join(", ")
        )
    };
    if tags.contains(&text) && text == "drop" {
        return Ok(said(text));
    }
    // An address or prefix says by itself what it is.
    if tags.contains(&"cidr") && text.parse::<IpNet>().is_ok() {
        return Ok(json!({ "cidr": text }));
    }
    if tags.contains(&"ip") && text.parse::<IpAddr>().is_ok() {
        return Ok(json!({ "ip": text }));
    }
    let (tag, which) = text.split_once(':').ok_or_else(wanted)?;
    if !tags.contains(&tag) || which.is_empty() {
        return Err(wanted());
    }
    match tag {
        "ip" => Form::Ip.read(which)?,
        "cidr" => Form::Net.read(which)?,
        _ => Value::Null,
    };
    Ok(single(&tag.replace('-', "_"), Value::from(which)))
}

fn single(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn ports(text: &str) -> Result<Value, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first <= last => Ok(json!([first, last])),
        _ => Err("a port or a range is wanted, such as 443 or 8000-8080".to_owned()),
    }
}

fn protocol(text: &str) -> Result<Value, String> {
    let wanted = || {
        "tcp, udp, icmp, icmpv6, icmp:TYPE, icmp:TYPE/CODE or a protocol's number is wanted"
            .to_owned()
    };
    if matches!(text, "tcp" | "udp") {
        return Ok(Value::from(text));
    }
    if let Ok(number) = text.parse::<u8>() {
        return Ok(json!({ "number": number }));
    }
    let (name, messages) = text.split_once(':').unwrap_or((text, ""));
    if !matches!(name, "icmp" | "icmpv6") {
        return Err(wanted());
    }
    let mut filter = Map::new();
    let (icmp_type, code) = match messages.split_once('/') {
        Some((icmp_type, code)) => (icmp_type, Some(code)),
        None => (messages, None),
    };
    if text.contains(':') {
        let icmp_type = icmp_type.parse::<u8>().map_err(|_| wanted())?;
        filter.insert("type".to_owned(), Value::from(icmp_type));
    }
    if let Some(code) = code {
        let code = code.parse::<u8>().map_err(|_| wanted())?;
        filter.insert("code".to_owned(), Value::from(code));
    }
    Ok(single(name, Value::Object(filter)))
}

fn shown_protocol(value: &Value) -> String {
    let Some((name, filter)) = value.as_object().and_then(|fields| fields.iter().next()) else {
        return plain(value);
    };
    if name == "number" {
        return plain(filter);
    }
    match (filter.get("type"), filter.get("code")) {
        (Some(icmp_type), Some(code)) => format!("{name}:{icmp_type}/{code}"),
        (Some(icmp_type), None) => format!("{name}:{icmp_type}"),
        _ => name.clone(),
    }
}

fn device(text: &str) -> Result<Value, String> {
    match text.split_once(':') {
        None if text == "vhost-user" => Ok(said(text)),
        None if text == "tap" => Ok(json!({ "tap": {} })),
        Some(("tap", netns)) if netns.starts_with('/') => Ok(json!({ "tap": { "netns": netns } })),
        _ => Err("vhost-user, tap or tap:/run/netns/NAME is wanted".to_owned()),
    }
}

/// A device as it was asked for, or as it was given: with its socket or name.
fn shown_device(value: &Value) -> String {
    if let Some(socket) = value.pointer("/vhost_user/socket") {
        return format!("vhost-user {}", plain(socket));
    }
    let netns = value.pointer("/tap/netns").map(plain);
    match (value.pointer("/tap/name").map(plain), netns) {
        (Some(name), Some(netns)) => format!("tap {name} in {netns}"),
        (Some(name), None) => format!("tap {name}"),
        (None, Some(netns)) => format!("tap:{netns}"),
        (None, None) if value.get("tap").is_some() => "tap".to_owned(),
        (None, None) => spoken(&plain(value)),
    }
}

fn group(text: &str) -> Result<Value, String> {
    let (index, pools) = text.split_once(':').unwrap_or((text, ""));
    let index = index.parse::<u8>();
    let index = index.map_err(|_| "a group's index is wanted, such as 0 or 0:public".to_owned())?;
    let pools: Vec<&str> = pools.split(',').filter(|pool| !pool.is_empty()).collect();
    Ok(json!({ "index": index, "pools": pools }))
}

fn service(text: &str) -> Result<Value, String> {
    let wanted = || "PRIORITY,WEIGHT,PORT,TARGET is wanted, such as 10,5,443,web".to_owned();
    let [priority, weight, port, target] =
        <[&str; 4]>::try_from(text.splitn(4, ',').collect::<Vec<_>>()).map_err(|_| wanted())?;
    let number = |text: &str| text.parse::<u16>().map_err(|_| wanted());
    Ok(json!({
        "priority": number(priority)?,
        "weight": number(weight)?,
        "port": number(port)?,
        "target": target,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: &[&str] = &["instance", "tag", "internet-gateway", "ip", "cidr", "drop"];

    #[test]
    fn words_are_read_and_shown_again() {
        for (form, text, value) in [
            (Form::Number, "7", json!(7)),
            (Form::Ip, "fd00::7", json!("fd00::7")),
            (Form::ByteRate, "125MB/s", json!("125MB/s")),
            (Form::PacketRate, "10kpps", json!("10kpps")),
            (
                Form::Word(&["in-service", "draining"]),
                "in-service",
                json!("in_service"),
            ),
            (Form::Tagged(TAGS), "tag:web", json!({"tag": "web"})),
            (
                Form::Tagged(TAGS),
                "internet-gateway:out",
                json!({"internet_gateway": "out"}),
            ),
            (
                Form::Tagged(TAGS),
                "cidr:10.0.0.0/8",
                json!({"cidr": "10.0.0.0/8"}),
            ),
            (Form::Tagged(TAGS), "drop", json!("drop")),
            (Form::Ports, "443", json!([443, 443])),
            (Form::Ports, "1-65535", json!([1, 65535])),
            (Form::Protocol, "tcp", json!("tcp")),
            (Form::Protocol, "icmp", json!({"icmp": {}})),
            (
                Form::Protocol,
                "icmp:3/4",
                json!({"icmp": {"type": 3, "code": 4}}),
            ),
            (
                Form::Protocol,
                "icmpv6:128",
                json!({"icmpv6": {"type": 128}}),
            ),
            (Form::Protocol, "132", json!({"number": 132})),
            (Form::Pool, "public", json!({"pool": "public"})),
            (Form::Device, "vhost-user", json!("vhost_user")),
            (Form::Device, "tap", json!({"tap": {}})),
            (
                Form::Device,
                "tap:/run/netns/a",
                json!({"tap": {"netns": "/run/netns/a"}}),
            ),
        ] {
            assert_eq!(form.read(text), Ok(value.clone()), "{text}");
            assert_eq!(form.show(&value), text);
        }
        assert_eq!(Form::Number.read("10M"), Ok(json!(10_000_000)));
        assert_eq!(
            Form::Tagged(TAGS).read("10.0.0.7"),
            Ok(json!({"ip": "10.0.0.7"}))
        );
        assert_eq!(
            Form::Tagged(TAGS).read("fd00::/8"),
            Ok(json!({"cidr": "fd00::/8"}))
        );
        let given = json!({"vhost_user": {"socket": "/run/a.sock"}});
        assert_eq!(Form::Device.show(&given), "vhost-user /run/a.sock");
        let given = json!({"tap": {"name": "rw7", "netns": "/run/netns/a"}});
        assert_eq!(Form::Device.show(&given), "tap rw7 in /run/netns/a");
        assert_eq!(Form::Pool.read(""), Ok(json!({})));
        assert_eq!(
            Form::Group.read("1:a,b"),
            Ok(json!({"index": 1, "pools": ["a", "b"]}))
        );
        let service = json!({"priority": 1, "weight": 2, "port": 3, "target": "a"});
        assert_eq!(Form::Service.read("1,2,3,a"), Ok(service));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_wanted() {
        for (form, text) in [
            (Form::Number, "1T"),
            (Form::Number, "99999999999G"),
            (Form::Bool, "yes"),
            (Form::ByteRate, "125M"),
            (Form::PacketRate, "7"),
            (Form::Ip, "10.0.0"),
            (Form::Net, "10.0.0.0"),
            (Form::Net4, "fd00::/48"),
            (Form::Net6, "10.0.0.0/8"),
            (Form::Mac, "02:00"),
            (Form::Word(&["a"]), "b"),
            (Form::Tagged(TAGS), "web"),
            (Form::Tagged(TAGS), "colour:red"),
            (Form::Tagged(TAGS), "tag:"),
            (Form::Tagged(TAGS), "ip:web"),
            (Form::Ports, "80-79"),
            (Form::Ports, "http"),
            (Form::Protocol, "sctp"),
            (Form::Protocol, "icmp:"),
            (Form::Protocol, "256"),
            (Form::Device, "tap:web"),
            (Form::Group, "a"),
            (Form::Service, "1,2,3"),
            (Form::File, "/nonexistent"),
        ] {
            let error = form.read(text).unwrap_err();
            assert!(
                error.contains("wanted") || error.contains("cannot be read"),
                "{error}"
            );
        }
    }
}
