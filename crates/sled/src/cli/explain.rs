//! `rackweave sled explain`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use clap::Args;
use rackweave_api::sled::{Description, End, ExplainRequest, Explanation, PacketSpec, Request};
use rackweave_daemon::output::{Failure, Output};
use rackweave_types::{Direction, MacAddr, Vni};

use super::show::{asking, connect};
use super::{ShowArgs, render};
use crate::control::{FLAG_LETTERS, protocol as number};

/// A packet, and where it appears.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave sled explain web --out --from 10.0.1.5:40000 --to 192.0.2.7:443
  rackweave sled explain web --in --from 192.0.2.7:40000 --to 203.0.113.10:80
  rackweave sled explain web --in --proto icmp --from 10.0.1.6 --to 10.0.1.5 --icmp 8/0
  rackweave sled explain web --out --hex '027277ffff01 0272770000 01 0800 …'

Nothing is sent and nothing changes: the sled asks its engine what it would do now. An inbound packet comes from
whoever holds its source in the host state, or from boundary services.")]
pub(super) struct ExplainArgs {
    /// The port.
    port: String,
    /// The guest sends it (the default).
    #[arg(long, conflicts_with = "inbound")]
    out: bool,
    /// It comes for the guest.
    #[arg(long = "in")]
    inbound: bool,
    /// tcp, udp, icmp, icmpv6 or a number; where it is not said, tcp for ends with ports, icmp for others.
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol)]
    proto: Option<u8>,
    /// Who sends it.
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = end, required_unless_present = "hex")]
    from: Option<End>,
    /// To whom.
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = end, required_unless_present = "hex")]
    to: Option<End>,
    /// TCP flags by their letters: S (SYN) where it is not said; F, S, R, P, A, U, E, W.
    #[arg(long, value_name = "LETTERS", value_parser = flags)]
    flags: Option<u8>,
    /// ICMP type, and code: an echo request where it is not said.
    #[arg(long, value_name = "TYPE[/CODE]", value_parser = icmp)]
    icmp: Option<[u8; 2]>,
    /// Octets of payload.
    #[arg(long, value_name = "OCTETS", default_value_t = 0)]
    payload: u16,
    /// Ethernet source; the guest's own where it is not said.
    #[arg(long, value_name = "MAC")]
    src_mac: Option<MacAddr>,
    /// The tunnel end point it comes from.
    #[arg(long, value_name = "ADDRESS", requires = "inbound")]
    outer_from: Option<Ipv6Addr>,
    /// The network identifier it comes with.
    #[arg(long, value_name = "NUMBER", requires = "inbound", value_parser = vni)]
    vni: Option<Vni>,
    /// The Ethernet frame itself, in hexadecimal digits.
    #[arg(long, value_name = "DIGITS", conflicts_with_all = ["from", "to", "proto", "flags", "icmp", "src_mac", "outer_from", "vni"])]
    hex: Option<String>,
    #[command(flatten)]
    show: ShowArgs,
}

impl ExplainArgs {
    fn request(&self) -> ExplainRequest {
        let direction = if self.inbound {
            Direction::In
        } else {
            Direction::Out
        };
        let packet = match (&self.hex, self.from, self.to) {
            (None, Some(from), Some(to)) => {
                let has_ports = from.port != 0 || to.port != 0;
                let guess = if has_ports && self.icmp.is_none() {
                    number::TCP
                } else {
                    number::ICMP
                };
                PacketSpec::Described(Description {
                    protocol: self.proto.unwrap_or(guess),
                    from,
                    to,
                    tcp_flags: self.flags,
                    icmp: self.icmp,
                    payload: self.payload,
                    src_mac: self.src_mac,
                    outer_source: self.outer_from,
                    vni: self.vni,
                })
            }
            (hex, ..) => PacketSpec::Hex(hex.clone().unwrap_or_default()),
        };
        ExplainRequest {
            port: self.port.clone(),
            direction,
            packet,
        }
    }
}

pub(super) fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let request = Request::Explain(args.request());
    let reply: Explanation = connect(&args.show)?.ask(&request).map_err(asking)?;
    Output::new(args.show.json).show(&reply, render::explanation)
}

/// A protocol's number or name.
pub(super) fn protocol(text: &str) -> Result<u8, String> {
    match text {
        "tcp" => Ok(number::TCP),
        "udp" => Ok(number::UDP),
        "icmp" => Ok(number::ICMP),
        "icmpv6" | "icmp6" => Ok(number::ICMPV6),
        other => other
            .parse()
            .map_err(|_| "tcp, udp, icmp, icmpv6 or a number up to 255".to_owned()),
    }
}

/// An address with or without a port.
fn end(text: &str) -> Result<End, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(End { address, port: 0 });
    }
    let end: SocketAddr = text.parse().map_err(|_| {
        "an address and perhaps a port, such as 10.0.1.5:443 or [fd12::5]:443".to_owned()
    })?;
    Ok(End {
        address: end.ip(),
        port: end.port(),
    })
}

/// TCP flags by their letters; `A` is as good as the dot of tcpdump.
fn flags(text: &str) -> Result<u8, String> {
    text.chars().try_fold(0, |octet, letter| {
        let letter = match letter.to_ascii_uppercase() {
            'A' => '.',
            other => other,
        };
        let found = FLAG_LETTERS.iter().find(|(_, known)| *known == letter);
        let (bit, _) = found.ok_or_else(|| "letters of F, S, R, P, A, U, E, W".to_owned())?;
        Ok(octet | bit)
    })
}

fn icmp(text: &str) -> Result<[u8; 2], String> {
    let (kind, code) = text.split_once('/').unwrap_or((text, "0"));
    let number = |text: &str| {
        text.parse()
            .map_err(|_| "type or type/code, such as 8/0".to_owned())
    };
    Ok([number(kind)?, number(code)?])
}

fn vni(text: &str) -> Result<Vni, String> {
    text.parse()
        .map_err(|_| "a number up to 16777215".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: ExplainArgs,
    }

    fn request(line: &str) -> Result<ExplainRequest, clap::Error> {
        let words = ["explain"].into_iter().chain(line.split_whitespace());
        Ok(Line::try_parse_from(words)?.args.request())
    }

    fn described(line: &str) -> Description {
        match request(line).unwrap().packet {
            PacketSpec::Described(description) => description,
            PacketSpec::Hex(_) => panic!("a description"),
        }
    }

    #[test]
    fn a_line_describes_a_packet() {
        let packet = described(
            "web --in --from [fd12::1]:40000 --to [fd12::2]:80 --flags SA --outer-from fd00::1 --vni 99",
        );
        assert_eq!((packet.protocol, packet.tcp_flags), (6, Some(0x12)));
        assert_eq!(packet.from.port, 40_000);
        assert_eq!(packet.vni, Some(Vni::BOUNDARY));
        let packet = described("web --from 10.0.1.5 --to 10.0.1.6 --icmp 3/4");
        assert_eq!((packet.protocol, packet.icmp), (1, Some([3, 4])));
        let packet = described("web --proto 132 --from 10.0.1.5 --to 10.0.1.6");
        assert_eq!(packet.protocol, 132);
        assert_eq!(
            request("web --from 10.0.1.5 --to 10.0.1.6")
                .unwrap()
                .direction,
            Direction::Out
        );
    }

    #[test]
    fn what_does_not_fit_is_a_usage_error() {
        for line in [
            "web",
            "web --from 10.0.1.5",
            "web --in --out --from 1.1.1.1 --to 1.1.1.2",
            "web --hex 00 --from 1.1.1.1",
            "web --from 10.0.1 --to 10.0.1.6",
            "web --from 1.1.1.1 --to 1.1.1.2 --flags X",
            "web --from 1.1.1.1 --to 1.1.1.2 --vni 99",
        ] {
            assert_eq!(request(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
