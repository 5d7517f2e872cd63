//! Connections survive the sled's program.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};
use rackweave_rig::{Conversation, Lab, SHORT, Site, on_each_underlay};

on_each_underlay! {
    connections_between_guests_survive_a_kill,
    connections_through_source_nat_survive_a_kill,
    connections_to_a_floating_address_survive_a_kill,
    a_planned_restart_is_noticed_by_nobody,
}

/// What has to flow before and after something happens.
const SOME: u64 = 50_000;

fn any(addr: IpAddr, port: u16) -> SocketAddr {
    let any: IpAddr = match addr {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0; 16].into(),
    };
    SocketAddr::new(any, port)
}

/// Kills a sled's program in the middle of conversations and starts it again.
fn kill(lab: &mut Lab, sled: usize, talks: &[Conversation]) -> Result<()> {
    for talk in talks {
        talk.wait_for(SOME, SHORT)?;
    }
    lab.sleds[sled].kill()?;
    lab.restart(sled)?;
    for talk in talks {
        talk.wait_for(SOME, SHORT)?;
    }
    Ok(())
}

fn connections_between_guests_survive_a_kill(lab: &mut Lab) -> Result<()> {
    let [test, web, db] = lab.configured(["test", "web", "db"])?;
    let mut talks = Vec::new();
    for (addr, port) in [(db.v4(), 7000), (db.v6(), 7001)] {
        test.wait_for_ping(addr)?;
        let to = SocketAddr::new(addr, port);
        talks.push(Conversation::start(&db.namespace, to, &test.namespace, to)?);
        // On one sled.
        let to = SocketAddr::new(addr, port + 10);
        web.wait_for_ping(addr)?;
        talks.push(Conversation::start(&db.namespace, to, &web.namespace, to)?);
    }
    for sled in [0, 1] {
        kill(lab, sled, &talks)?;
    }
    for talk in talks {
        talk.finish()?;
    }
    // And there is a way for new ones.
    let (test, db) = (lab.guest("test")?, lab.guest("db")?);
    ensure!(test.pings(db.v4())? && db.pings(test.v6())?);
    Ok(())
}

fn connections_through_source_nat_survive_a_kill(lab: &mut Lab) -> Result<()> {
    let [test] = lab.configured(["test"])?;
    let mut talks = Vec::new();
    for (own, port) in [(test.v4(), 7000), (test.v6(), 7001)] {
        let outside = Site::outside_address(own);
        test.wait_for_ping(outside)?;
        let (at, to) = (any(outside, port), SocketAddr::new(outside, port));
        talks.push(Conversation::start(
            &lab.site.outside,
            at,
            &test.namespace,
            to,
        )?);
    }
    kill(lab, 0, &talks)?;
    kill(lab, 0, &talks)?;
    for talk in talks {
        talk.finish()?;
    }
    Ok(())
}

fn connections_to_a_floating_address_survive_a_kill(lab: &mut Lab) -> Result<()> {
    let [web] = lab.configured(["web"])?;
    let mut talks = Vec::new();
    for floating in ["203.0.113.10", "2001:db8:2::10"] {
        let to = SocketAddr::new(floating.parse()?, 80);
        let at = any(to.ip(), 80);
        talks.push(Conversation::start(
            &web.namespace,
            at,
            &lab.site.outside,
            to,
        )?);
        if talks.len() == 1 {
            // The other family's socket would take this port too.
            talks[0].wait_for(SOME, SHORT)?;
        }
    }
    kill(lab, 1, &talks)?;
    for talk in talks {
        talk.finish()?;
    }
    Ok(())
}

fn a_planned_restart_is_noticed_by_nobody(lab: &mut Lab) -> Result<()> {
    let [test, db] = lab.configured(["test", "db"])?;
    test.wait_for_ping(db.v4())?;
    let to = SocketAddr::new(db.v4(), 7000);
    let talk = Conversation::start(&db.namespace, to, &test.namespace, to)?;
    talk.wait_for(SOME, SHORT)?;
    for sled in [0, 1] {
        lab.sleds[sled].stop()?;
        lab.restart(sled)?;
        talk.wait_for(SOME, SHORT)?;
    }
    talk.finish()?;
    Ok(())
}
