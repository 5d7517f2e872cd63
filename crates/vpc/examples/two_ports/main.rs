//! Two instances on two engines exchange TCP through Geneve, all in memory: what the example
//! prints is what happened, packet by packet, and what both engines remember of it.

mod decision;
mod exchange;
mod headers;
mod page;

use std::error::Error;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use clap::Parser;

use crate::exchange::{Exchange, SEGMENTS};
use crate::page::Page;

/// Two instances on two engines exchange TCP through Geneve, in memory, and one packet is shown
/// step by step: what the guest sent, what each layer did to it, what went over the wire, and what
/// the other guest received.
#[derive(Debug, Parser)]
#[command(name = "two_ports", bin_name = "cargo run --example two_ports --")]
struct Args {
    /// The packet to show step by step: 1 meets the layers, 4 carries the request and is known
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..=i64::try_from(SEGMENTS.len()).unwrap_or(1))
    )]
    packet: u8,
    /// Write a capture of both sides of both ports, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let exchange = Exchange::run()?;
    if let Some(file) = &args.pcap {
        fs::write(file, exchange.capture.bytes())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    let bold = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    let text = tell(&exchange, args.packet, args.pcap.as_deref()).text(bold);
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// The whole story.
fn tell(exchange: &Exchange, packet: u8, file: Option<&Path>) -> Page {
    let mut page = Page::default();
    exchange.introduce(&mut page);
    exchange.overview(&mut page);
    if let Some(step) = exchange.steps.get(usize::from(packet) - 1) {
        page.title(&format!("Packet {packet} step by step"));
        step.tell(&mut page);
    }
    exchange.memory(&mut page);
    page.title("The capture");
    if let Some(file) = file {
        let file = file.display();
        page.line(&format!(
            "{file} holds both sides of both ports; comments say why each packet passed."
        ));
        page.line(
            "A segment is in it four times, and Geneve leaves its outer checksum out (RFC 8926);",
        );
        page.line("neither surprises Wireshark when it is told so:");
        page.gap();
        page.line(&format!(
            "  wireshark -o tcp.analyze_sequence_numbers:FALSE \\\n      \
             -o udp.ignore_ipv6_zero_checksum:TRUE {file}"
        ));
    } else {
        page.line("--pcap FILE writes both sides of both ports for Wireshark;");
        page.line("--packet 4 shows a packet that the record serves.");
    }
    page
}

#[expect(
    clippy::print_stderr,
    reason = "a program's error goes to its terminal"
)]
fn complain(error: &dyn Error) {
    eprintln!("error: {error}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_packet_is_told() {
        let exchange = Exchange::run().unwrap();
        for packet in 1..=8 {
            let text = tell(&exchange, packet, None).text(false);
            assert!(text.contains(&format!("Packet {packet} step by step")));
            assert_eq!(text.matches("verdict: forward").count(), 2, "{text}");
            assert!(!text.contains('\x1b'), "{text}");
            assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        }
    }

    #[test]
    fn the_first_packet_names_rules_changes_and_tunnel() {
        let text = tell(&Exchange::run().unwrap(), 1, None).text(false);
        for wanted in [
            "firewall  rule 1",
            "firewall  rule 5",
            "TTL 64 -> 63",
            "destination mac = 02:72:77:00:00:02",
            "fd52:7761:6b65:101::1 -> fd52:7761:6b65:102::1",
            "VNI 4096",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
        }
    }

    #[test]
    fn titles_are_bold_on_a_terminal() {
        let text = tell(&Exchange::run().unwrap(), 1, None).text(true);
        assert!(text.starts_with("\x1b[1mTwo instances"));
    }

    #[test]
    fn wrong_arguments_are_usage_errors() {
        Args::command().debug_assert();
        for wrong in [
            &["--packet", "9"][..],
            &["--packet", "0"],
            &["--pcap"],
            &["--nonsense"],
            &["nonsense"],
        ] {
            let arguments = ["two_ports"].iter().chain(wrong);
            let error = Args::try_parse_from(arguments).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong:?}: {error}");
        }
    }
}
