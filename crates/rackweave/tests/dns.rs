//! Names: the zones of a guest's own VPC, and forwarding of all others.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Guest, Lab, SHORT, Server, Site, on_each_underlay, wait_until};

on_each_underlay! {
    guests_see_the_zones_of_their_vpc,
    other_names_are_forwarded,
}

/// What `dig` says in short.
fn dig(guest: &Guest, words: &[&str]) -> Result<Vec<String>> {
    let server = format!("@{}", guest.resolver());
    let base = ["dig", "+short", "+time=2", "+tries=3", &server];
    let said = guest.namespace.must(&[&base, words].concat())?;
    let mut lines: Vec<_> = said.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

fn guests_see_the_zones_of_their_vpc(lab: &Lab) -> Result<()> {
    let [test, _, other] = lab.configured(["test", "web", "test-b"])?;
    for transport in ["+notcp", "+tcp"] {
        for (question, answer) in [
            (&["web.vpc.internal", "A"][..], "10.0.1.6"),
            (&["web.vpc.internal", "AAAA"], "fd12:3456:789a:1::6"),
            (&["-x", "10.0.1.6"], "web.vpc.internal."),
            (&["-x", "fd12:3456:789a:1::6"], "web.vpc.internal."),
            (
                &["_http._tcp.vpc.internal", "SRV"],
                "1 1 80 db.vpc.internal.",
            ),
        ] {
            let said = dig(test, &[&[transport], question].concat())?;
            ensure!(said == [answer], "{transport} {question:?}: {said:?}");
        }
        let said = dig(test, &[transport, "www.vpc.internal", "A"])?;
        ensure!(said == ["10.0.2.5", "db.vpc.internal."], "{said:?}");
    }
    // Too long for a datagram of 512 octets: cut there, and whole over TCP, to which dig turns by itself.
    let long = ["+noedns", "long.vpc.internal", "TXT"];
    let said = dig(test, &long)?;
    ensure!(said.len() == 4, "{said:?}");
    let server = format!("@{}", test.resolver());
    let cut = [
        "dig",
        "+ignore",
        "+noedns",
        &server,
        "long.vpc.internal",
        "TXT",
    ];
    let said = test.namespace.must(&cut)?;
    ensure!(said.contains(" tc"), "{said}");

    let said = test
        .namespace
        .must(&["dig", &server, "nobody.vpc.internal"])?;
    ensure!(said.contains("NXDOMAIN"), "{said}");
    let over_v6 = ["dig", "+short", "@fd12:3456:789a:1::2", "web.vpc.internal"];
    let said = test.namespace.must(&over_v6)?;
    ensure!(said == "10.0.1.6\n", "{said}");

    ensure!(dig(other, &["web.vpc.internal"])?.is_empty());
    ensure!(dig(other, &["web-b.vpc.internal"])? == ["10.0.1.6"]);
    Ok(())
}

fn other_names_are_forwarded(lab: &Lab) -> Result<()> {
    let [test] = lab.configured(["test"])?;
    let at = Site::outside_address(test.v4());
    let says = Ipv4Addr::new(198, 18, 0, 7);
    let resolver = Server::resolver(&lab.site.outside, at, says)?;
    for transport in ["+notcp", "+tcp"] {
        wait_until(SHORT, "an answer from outside", || {
            let said = dig(test, &[transport, "rackweave.example", "A"])?;
            Ok(said == [says.to_string()])
        })
        .with_context(|| {
            format!(
                "{transport}; the boundary refused {}",
                lab.boundary.refused()
            )
        })?;
    }
    ensure!(resolver.asked() > 0);
    Ok(())
}
