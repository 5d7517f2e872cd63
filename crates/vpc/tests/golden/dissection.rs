//! What tshark must read in the captures.

use crate::tshark::Dissection;

const ALL: &str = "frame";

#[test]
fn instance_to_instance_v4() {
    let there = "10.0.1.5 | 10.0.1.6 | 40000 | 80";
    let back = "10.0.1.6 | 10.0.1.5 | 80 | 40000";
    let [gateway, test, web] = ["ff:ff:01", "00:00:01", "00:00:02"];
    let row = |interface: &str, macs: [&str; 2], outer: &str, ttl: u8, ends: &str, flags: u8| {
        let [src, dst] = macs.map(|mac| format!("02:72:77:{mac}"));
        let ethernet = match outer.split_once(" > ") {
            None => format!("{src} | {dst} | | | |"),
            Some((from, to)) => format!(
                "a8:40:25:10:00:{from},{src} | a8:40:25:10:ff:{from},{dst} | \
                 fd52:7761:6b65:1{from}::1 | fd52:7761:6b65:1{to}::1 | 6081 | 4096"
            ),
        };
        let udp_status = if outer.is_empty() { "" } else { "3" };
        format!("{interface} | {ethernet} | {ttl} | {ends} | {flags} | 1 | 1 | {udp_status}")
    };
    let mut rows = Vec::new();
    // SYN, SYN-ACK, ACK, request, response, FIN, FIN, ACK.
    for (from_test, flags) in [
        (true, 0x02),
        (false, 0x12),
        (true, 0x10),
        (true, 0x18),
        (false, 0x18),
        (true, 0x11),
        (false, 0x11),
        (true, 0x10),
    ] {
        let (ends, names, macs, outer) = if from_test {
            (there, ["test", "web"], [test, web], "01 > 02")
        } else {
            (back, ["web", "test"], [web, test], "02 > 01")
        };
        let [from, to] = names;
        let [src, dst] = macs;
        let at = |name: &str, side: &str| format!("{name}/{side}");
        rows.push(row(&at(from, "guest"), [src, gateway], "", 64, ends, flags));
        rows.push(row(&at(from, "wire"), macs, outer, 63, ends, flags));
        rows.push(row(&at(to, "wire"), macs, outer, 63, ends, flags));
        rows.push(row(&at(to, "guest"), [gateway, dst], "", 63, ends, flags));
    }
    Dissection {
        capture: "instance_to_instance_v4",
        filter: ALL,
        fields: &[
            "frame.interface_name",
            "eth.src",
            "eth.dst",
            "ipv6.src",
            "ipv6.dst",
            "udp.dstport",
            "geneve.vni",
            "ip.ttl",
            "ip.src",
            "ip.dst",
            "tcp.srcport",
            "tcp.dstport",
            "tcp.flags",
            "ip.checksum.status",
            "tcp.checksum.status",
            "udp.checksum.status",
        ],
        rows: &rows.iter().map(String::as_str).collect::<Vec<_>>(),
    }
    .check();
}

#[test]
fn instance_to_instance_v6() {
    let (test, web) = ("fd12:3456:789a:1:72:77ff:fe00:1", "fd12:3456:789a:1::6");
    let sleds = ["fd52:7761:6b65:101::1", "fd52:7761:6b65:102::1"];
    let [one, two] = sleds;
    Dissection {
        capture: "instance_to_instance_v6",
        filter: "tcp.flags.syn == 1",
        fields: &[
            "frame.interface_name",
            "geneve.vni",
            "ipv6.src",
            "ipv6.dst",
            "ipv6.hlim",
            "tcp.srcport",
            "tcp.dstport",
        ],
        rows: &[
            &format!("test/guest | | {test} | {web} | 64 | 40000 | 80"),
            &format!("test/wire | 4096 | {one},{test} | {two},{web} | 64,63 | 40000 | 80"),
            &format!("web/wire | 4096 | {one},{test} | {two},{web} | 64,63 | 40000 | 80"),
            &format!("web/guest | | {test} | {web} | 63 | 40000 | 80"),
            &format!("web/guest | | {web} | {test} | 64 | 80 | 40000"),
            &format!("web/wire | 4096 | {two},{web} | {one},{test} | 64,63 | 80 | 40000"),
            &format!("test/wire | 4096 | {two},{web} | {one},{test} | 64,63 | 80 | 40000"),
            &format!("test/guest | | {web} | {test} | 63 | 80 | 40000"),
        ],
    }
    .check();
}

#[test]
fn http_inside_the_tunnel() {
    // tshark reassembles a stream from its first copy: the request is read where the guest sends
    // it, the response on its way.
    Dissection {
        capture: "floating_in",
        filter: "http && ip && geneve",
        fields: &["geneve.vni", "http.request.uri", "http.response.code"],
        rows: &["99 | /index.html |", "99 | | 200"],
    }
    .check();
}

#[test]
fn nat_out() {
    let boundary = "fd52:7761:6b65:ff10::1";
    let sled = "fd52:7761:6b65:101::1";
    Dissection {
        capture: "nat_out_ping",
        filter: "icmp && icmp.seq != 2",
        fields: &[
            "frame.interface_name",
            "ipv6.src",
            "ipv6.dst",
            "geneve.vni",
            "geneve.option.class",
            "geneve.option.type",
            "ip.src",
            "ip.dst",
            "icmp.type",
            "icmp.ident",
        ],
        rows: &[
            "test/guest | | | | | | 10.0.1.5 | 192.0.2.1 | 8 | 77",
            &format!(
                "test/wire | {sled} | {boundary} | 99 | | | 198.51.100.1 | 192.0.2.1 | 8 | 16460"
            ),
            // Boundary services mark what comes from outside: class 0xff52, EXTERNAL 0x81.
            &format!(
                "test/wire | {boundary} | {sled} | 99 | 65362 | 129 \
                 | 192.0.2.1 | 198.51.100.1 | 0 | 16460"
            ),
            "test/guest | | | | | | 192.0.2.1 | 10.0.1.5 | 0 | 77",
            &format!(
                "test/wire | {boundary} | {sled} | 99 | 65362 | 129 \
                 | 192.0.2.1 | 198.51.100.1 | 0 | 16461"
            ),
        ],
    }
    .check();
    Dissection {
        capture: "nat_out_udp",
        filter: "ipv6 && !ip",
        fields: &[
            "frame.interface_name",
            "ipv6.src",
            "ipv6.dst",
            "udp.srcport",
            "udp.dstport",
        ],
        rows: &[
            "test/guest | fd12:3456:789a:1:72:77ff:fe00:1 | 2001:db8:9::9 | 5000 | 7000",
            &format!(
                "test/wire | {sled},2001:db8:1::1 | {boundary},2001:db8:9::9 \
                 | 65204,17024 | 6081,7000"
            ),
            &format!(
                "test/wire | {boundary},2001:db8:9::9 | {sled},2001:db8:1::1 \
                 | 50000,7000 | 6081,17024"
            ),
            "test/guest | 2001:db8:9::9 | fd12:3456:789a:1:72:77ff:fe00:1 | 7000 | 5000",
        ],
    }
    .check();
}

#[test]
fn an_error_from_outside_quotes_the_guests_own_packet() {
    Dissection {
        capture: "nat_out_error",
        filter: "icmp || icmpv6",
        fields: &[
            "frame.interface_name",
            "icmp.type",
            "ip.src",
            "ip.dst",
            "icmpv6.type",
            "udp.srcport",
        ],
        rows: &[
            "test/wire | 11 | 192.0.2.254,198.51.100.1 | 198.51.100.1,192.0.2.1 | | 50000,16608",
            "test/guest | 11 | 192.0.2.254,10.0.1.5 | 10.0.1.5,192.0.2.1 | | 5000",
            "test/wire | | | | 3 | 50000,17024",
            "test/guest | | | | 3 | 5000",
        ],
    }
    .check();
}

#[test]
fn floating() {
    Dissection {
        capture: "floating_in",
        filter: "ip && tcp.flags.syn == 1",
        fields: &[
            "frame.interface_name",
            "geneve.vni",
            "ip.src",
            "ip.dst",
            "tcp.dstport",
        ],
        rows: &[
            "web/wire | 99 | 192.0.2.9 | 203.0.113.10 | 80",
            "web/guest | | 192.0.2.9 | 10.0.1.6 | 80",
            "web/guest | | 10.0.1.6 | 192.0.2.9 | 5555",
            "web/wire | 99 | 203.0.113.10 | 192.0.2.9 | 5555",
            // Refused: nothing follows.
            "web/wire | 99 | 192.0.2.9 | 203.0.113.10 | 23",
        ],
    }
    .check();
    Dissection {
        capture: "floating_from_inside",
        filter: ALL,
        fields: &["frame.interface_name", "ipv6.dst", "ip.src", "ip.dst"],
        rows: &[
            "test/guest | | 10.0.1.5 | 203.0.113.10",
            "test/wire | fd52:7761:6b65:102::1 | 198.51.100.1 | 203.0.113.10",
            "web/wire | fd52:7761:6b65:102::1 | 198.51.100.1 | 203.0.113.10",
            "web/guest | | 198.51.100.1 | 10.0.1.6",
            "web/guest | | 10.0.1.6 | 198.51.100.1",
            "web/wire | fd52:7761:6b65:ff10::1 | 203.0.113.10 | 198.51.100.1",
            "test/wire | fd52:7761:6b65:101::1 | 203.0.113.10 | 198.51.100.1",
            "test/guest | | 203.0.113.10 | 10.0.1.5",
        ],
    }
    .check();
}

#[test]
fn dns() {
    Dissection {
        capture: "internal_dns",
        filter: "dns",
        fields: &["dns.qry.name", "dns.flags.response", "dns.a", "dns.aaaa"],
        rows: &[
            "db.example.internal | 0 | |",
            "db.example.internal | 1 | 10.0.2.5 |",
            "db.example.internal | 0 | |",
            "db.example.internal | 1 | | fd12:3456:789a:2::5",
        ],
    }
    .check();
}

#[test]
fn arp() {
    Dissection {
        capture: "arp",
        filter: ALL,
        fields: &[
            "arp.opcode",
            "arp.src.hw_mac",
            "arp.src.proto_ipv4",
            "arp.dst.proto_ipv4",
        ],
        rows: &[
            "1 | 02:72:77:00:00:01 | 10.0.1.5 | 10.0.1.1",
            "2 | 02:72:77:ff:ff:01 | 10.0.1.1 | 10.0.1.5",
            "1 | 02:72:77:00:00:01 | 0.0.0.0 | 10.0.1.1",
            "2 | 02:72:77:ff:ff:01 | 10.0.1.1 | 0.0.0.0",
            "1 | 02:72:77:00:00:01 | 0.0.0.0 | 10.0.1.5",
            "1 | 02:72:77:00:00:01 | 10.0.1.5 | 10.0.1.6",
            "1 | 02:72:77:00:00:01 | 10.0.1.6 | 10.0.1.1",
        ],
    }
    .check();
}

#[test]
fn neighbour_advertisements() {
    Dissection {
        capture: "ndp",
        filter: "icmpv6.type == 136",
        fields: &[
            "ipv6.src",
            "ipv6.dst",
            "ipv6.hlim",
            "icmpv6.nd.na.target_address",
            "icmpv6.nd.na.flag.r",
            "icmpv6.nd.na.flag.s",
            "icmpv6.nd.na.flag.o",
            "icmpv6.opt.linkaddr",
        ],
        rows: &[
            "fe80::1 | fe80::72:77ff:fe00:1 | 255 | fe80::1 | 1 | 1 | 1 | 02:72:77:ff:ff:01",
            "fe80::1 | fd12:3456:789a:1:72:77ff:fe00:1 | 255 | fe80::1 | 1 | 1 | 1 \
             | 02:72:77:ff:ff:01",
            "fe80::1 | ff02::1 | 255 | fe80::1 | 1 | 0 | 1 | 02:72:77:ff:ff:01",
        ],
    }
    .check();
}

#[test]
fn router_advertisement() {
    Dissection {
        capture: "router_advertisement",
        filter: "icmpv6.type == 134",
        fields: &[
            "ipv6.hlim",
            "icmpv6.nd.ra.flag.m",
            "icmpv6.nd.ra.flag.o",
            "icmpv6.nd.ra.router_lifetime",
            "icmpv6.opt.prefix",
            "icmpv6.opt.prefix.length",
            "icmpv6.opt.prefix.flag.a",
            "icmpv6.opt.prefix.flag.l",
            "icmpv6.opt.mtu",
            "icmpv6.opt.rdnss",
            "icmpv6.opt.dnssl",
            "icmpv6.opt.linkaddr",
        ],
        rows: &[
            "255 | 1 | 1 | 65535 | fd12:3456:789a:1:: | 64 | 1 | 0 | 1500 | fd12:3456:789a:1::2 \
             | example.internal | 02:72:77:ff:ff:01",
        ],
    }
    .check();
}

#[test]
fn dhcpv4() {
    let settings = "10.0.1.5 | 255.255.255.255 | 10.0.1.1 | 10.0.1.2 | 10.0.1.1 | 86400 | 1500 \
                    | test | example.internal | example.internal";
    // RFC 3442: the gateway on the link, the default by way of it, metadata by way of it.
    let routes = "200a00010100000000,000a000101,20a9fea9fe0a000101";
    let nothing = "| | | | | | | | |";
    Dissection {
        capture: "dhcpv4",
        filter: ALL,
        fields: &[
            "dhcp.option.dhcp",
            "dhcp.ip.your",
            "dhcp.option.subnet_mask",
            "dhcp.option.router",
            "dhcp.option.domain_name_server",
            "dhcp.option.dhcp_server_id",
            "dhcp.option.ip_address_lease_time",
            "dhcp.option.interface_mtu",
            "dhcp.option.hostname",
            "dhcp.option.domain_name",
            "dhcp.option.dhcp_dns_domain_search_list_fqdn",
            "dhcp.option.classless_static_route",
        ],
        rows: &[
            &format!("1 | 0.0.0.0 {nothing} |"),
            &format!("2 | {settings} | {routes}"),
            "3 | 0.0.0.0 | | | | 10.0.1.1 | | | | | |",
            &format!("5 | {settings} | {routes}"),
        ],
    }
    .check();
}

#[test]
fn dhcpv6() {
    let own = "fd12:3456:789a:1:72:77ff:fe00:1";
    let told = "fd12:3456:789a:1::2 | example.internal.";
    Dissection {
        capture: "dhcpv6",
        filter: ALL,
        fields: &[
            "dhcpv6.msgtype",
            "dhcpv6.iaaddr.ip",
            "dhcpv6.iaaddr.valid_lifetime",
            "dhcpv6.dns_server",
            "dhcpv6.search_list_entry",
        ],
        rows: &[
            "1 | | | |",
            &format!("2 | {own} | 86400 | {told}"),
            &format!("3 | {own} | 0 | |"),
            &format!("7 | {own} | 86400 | {told}"),
            "11 | | | |",
            &format!("7 | | | {told}"),
        ],
    }
    .check();
}

#[test]
fn echo_of_the_gateway() {
    Dissection {
        capture: "gateway_echo",
        filter: "eth.src == 02:72:77:ff:ff:01",
        fields: &[
            "ip.src",
            "icmp.type",
            "icmp.ident",
            "ipv6.src",
            "icmpv6.type",
            "data.len",
        ],
        rows: &[
            "10.0.1.1 | 0 | 7 | | | 56",
            "| | | fe80::1 | 129 | 56",
            "| | | fe80::1 | 129 | 56",
        ],
    }
    .check();
}

#[test]
fn refusals_to_the_guest() {
    Dissection {
        capture: "reject_out",
        filter: "eth.src == 02:72:77:ff:ff:01",
        fields: &[
            "tcp.flags",
            "tcp.seq_raw",
            "tcp.ack_raw",
            "icmp.type",
            "icmp.code",
            "icmpv6.type",
            "icmpv6.code",
        ],
        rows: &[
            // RFC 9293 section 3.10.7.1: the answer to a SYN acknowledges it…
            "20 | 0 | 1000001 | | | |",
            // …and the answer to an acknowledgement takes its number.
            "4 | 1 | 0 | | | |",
            "| | | 3 | 13 | |",
            "| | | 3 | 13 | |",
            "20 | 0 | 1000001 | | | |",
            "| | | | | 1 | 1",
        ],
    }
    .check();
    Dissection {
        capture: "reject_in",
        filter: "frame.interface_name == \"test/guest\" && frame.packet_flags_direction == 2",
        fields: &[
            "tcp.flags",
            "tcp.ack_raw",
            "icmp.type",
            "icmp.code",
            "icmpv6.type",
        ],
        rows: &[
            "20 | 1000001 | | |",
            "| | 3 | 13 |",
            "20 | 1000001 | | |",
            "| | | | 1",
        ],
    }
    .check();
}

#[test]
fn too_big_and_time_exceeded() {
    Dissection {
        capture: "too_big",
        filter: "icmp || icmpv6",
        fields: &[
            "icmp.type",
            "icmp.code",
            "icmp.mtu",
            "icmpv6.type",
            "icmpv6.mtu",
        ],
        rows: &["3 | 4 | 1500 | |", "| | | 2 | 1500"],
    }
    .check();
    let own = "fd12:3456:789a:1:72:77ff:fe00:1";
    Dissection {
        capture: "time_exceeded",
        filter: "icmp.type == 11 || icmpv6.type == 3",
        fields: &["ip.src", "icmp.type", "ipv6.src", "icmpv6.type"],
        rows: &[
            "10.0.1.1,10.0.1.5 | 11 | |",
            "10.0.1.1,10.0.1.5 | 11,8 | |",
            &format!("| | fe80::1,{own} | 3"),
            &format!("| | fe80::1,{own} | 3,128"),
        ],
    }
    .check();
}
