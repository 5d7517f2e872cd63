//! lldpd, another implementation of IEEE 802.1AB, sees the router, and the router sees it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Daemon, Namespace, SHORT, may_run, wait_until};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");

/// A router and an lldpd in namespaces of their own, joined by a cable with the name `e0` at both ends.
struct Rig {
    near: Namespace,
    far: Namespace,
    dir: TempDir,
}

/// Whether there is an lldpd here. Where not, says on standard error that the test is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn has_lldpd(test: &str) -> bool {
    let has = Command::new("lldpd").arg("-v").output().is_ok();
    if !has {
        eprintln!("{test}: skipped, for lldpd is not installed (Debian: apt-get install lldpd)");
    }
    has
}

impl Rig {
    fn new() -> Result<Self> {
        let (near, far) = (Namespace::new("router")?, Namespace::new("lldpd")?);
        near.ip(&format!(
            "link add e0 mtu 9000 type veth peer name e0 mtu 9000 netns {}\nlink set dev e0 up",
            far.name()
        ))?;
        far.ip(
            "link set dev e0 up\naddr add 192.0.2.7/24 dev e0\naddr add 2001:db8::7/64 dev e0 nodad",
        )?;
        let dir = tempfile::tempdir()?;
        // lldpd gives up root before it looks at its socket.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
        Ok(Self { near, far, dir })
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn router(&self) -> Result<Daemon> {
        let (run, state) = (self.path("run"), self.path("state"));
        let words = [
            PROGRAM,
            "router",
            "run",
            "--unsigned",
            "--role",
            "switch",
            "--id",
            "switch-fd",
            "--link",
            "e0",
            "--run-dir",
            &run,
            "--state-dir",
            &state,
        ];
        self.near
            .start(&words, &[], Path::new(&self.path("router.log")))
    }

    fn lldpd(&self) -> Result<Daemon> {
        let socket = self.path("lldpd.sock");
        let words = [
            "lldpd",
            "-d",
            "-u",
            &socket,
            "-I",
            "e0",
            "-m",
            "192.0.2.7,2001:db8::7",
            "-O",
            "/dev/null",
        ];
        self.far
            .start(&words, &[], Path::new(&self.path("lldpd.log")))
    }

    /// What the router says of those at the other end of its link.
    fn seen_by_router(&self) -> Result<Vec<Value>> {
        let run = self.path("run");
        let said = self
            .near
            .must(&[PROGRAM, "router", "lldp", "--json", "--run-dir", &run])?;
        let said: Value = serde_json::from_str(&said)?;
        let all = said["neighbors"]
            .as_array()
            .context("a list of neighbours")?;
        Ok(all.clone())
    }

    /// What lldpd says of those at the other end of its link.
    fn seen_by_lldpd(&self) -> Result<Vec<Value>> {
        let socket = self.path("lldpd.sock");
        let words = [
            "lldpcli",
            "-u",
            &socket,
            "-f",
            "json0",
            "show",
            "neighbors",
            "details",
        ];
        let said: Value = serde_json::from_str(&self.far.must(&words)?)?;
        let all = said["lldp"][0]["interface"].as_array();
        Ok(all.cloned().unwrap_or_default())
    }
}

/// The address of the link in a namespace.
fn mac(namespace: &Namespace) -> Result<String> {
    let mac = namespace.must(&["cat", "/sys/class/net/e0/address"])?;
    Ok(mac.trim().to_owned())
}

/// Fails where a value is not the text that it should be.
fn is(what: &str, said: &Value, wanted: &str) -> Result<()> {
    ensure!(
        said.as_str() == Some(wanted),
        "{what} is {said}, not {wanted}"
    );
    Ok(())
}

#[test]
fn lldpd_and_the_router_see_each_other() -> Result<()> {
    const TEST: &str = "lldpd_and_the_router_see_each_other";
    if !may_run(TEST) || !has_lldpd(TEST) {
        return Ok(());
    }
    let rig = Rig::new()?;
    let (mut lldpd, mut router) = (rig.lldpd()?, rig.router()?);
    wait_until(SHORT, "lldpd sees the router", || {
        Ok(!rig.seen_by_lldpd()?.is_empty())
    })?;
    wait_until(SHORT, "the router sees lldpd", || {
        // What it said before the router listened it says again after half a minute, or when it is told to.
        rig.far
            .must(&["lldpcli", "-u", &rig.path("lldpd.sock"), "update"])?;
        Ok(!rig.seen_by_router()?.is_empty())
    })?;
    lldpd_has_all(&rig, &rig.seen_by_lldpd()?[0])?;
    router_has_all(&rig, &rig.seen_by_router()?[0])?;

    // Each says to the other that it leaves.
    lldpd.stop(SHORT)?;
    wait_until(SHORT, "the router forgets lldpd", || {
        Ok(rig.seen_by_router()?.is_empty())
    })?;
    let mut lldpd = rig.lldpd()?;
    wait_until(SHORT, "lldpd sees the router again", || {
        Ok(!rig.seen_by_lldpd()?.is_empty())
    })?;
    // For good, not for a moment: with all that outlives the router.
    let run = rig.path("run");
    rig.near
        .must(&[PROGRAM, "router", "stop", "--all", "--run-dir", &run])?;
    wait_until(SHORT, "the router ends", || Ok(!router.is_running()?))?;
    wait_until(SHORT, "lldpd forgets the router", || {
        Ok(rig.seen_by_lldpd()?.is_empty())
    })?;
    lldpd.stop(SHORT)?;
    Ok(())
}

/// What the router says is what lldpd understood.
fn lldpd_has_all(rig: &Rig, seen: &Value) -> Result<()> {
    let (chassis, port) = (&seen["chassis"][0], &seen["port"][0]);
    let mac = mac(&rig.near)?;
    is("chassis kind", &chassis["id"][0]["type"], "mac")?;
    is("chassis", &chassis["id"][0]["value"], &mac)?;
    is("system name", &chassis["name"][0]["value"], "switch-fd")?;
    let description = chassis["descr"][0]["value"].as_str().unwrap_or_default();
    ensure!(description.contains("switch"), "{chassis:#}");
    let management = chassis["mgmt-ip"][0]["value"].as_str().unwrap_or_default();
    ensure!(management.starts_with("fdb0:"), "{chassis:#}");
    let capabilities = chassis["capability"].as_array().context("capabilities")?;
    ensure!(
        capabilities
            .iter()
            .any(|one| one["type"] == "Router" && one["enabled"] == true),
        "{chassis:#}"
    );
    is("port kind", &port["id"][0]["type"], "ifname")?;
    is("port", &port["id"][0]["value"], "e0")?;
    let description = port["descr"][0]["value"].as_str().unwrap_or_default();
    ensure!(description.contains(&mac), "{port:#}");
    is("longest frame", &port["mfs"][0]["value"], "9018")?;
    is("time to live", &port["ttl"][0]["value"], "121")?;
    Ok(())
}

/// What lldpd says is what the router understood.
fn router_has_all(rig: &Rig, seen: &Value) -> Result<()> {
    let mac = mac(&rig.far)?;
    is("link", &seen["link"], "e0")?;
    is("sender", &seen["from"], &mac)?;
    is("chassis kind", &seen["chassis_kind"], "mac")?;
    is("chassis", &seen["chassis"], &mac)?;
    is("port kind", &seen["port_kind"], "mac")?;
    is("port", &seen["port"], &mac)?;
    is("port description", &seen["port_description"], "e0")?;
    let name = rig.far.must(&["hostname"])?;
    let named = seen["system_name"].as_str().unwrap_or_default();
    ensure!(named.starts_with(name.trim()), "{seen:#}");
    let description = seen["system_description"].as_str().unwrap_or_default();
    ensure!(description.contains("Linux"), "{seen:#}");
    let able = seen["capabilities"].as_array().context("capabilities")?;
    for one in ["bridge", "router", "station"] {
        ensure!(able.iter().any(|is| is == one), "{one}: {seen:#}");
    }
    let management = seen["management"].as_array().context("management")?;
    for address in ["192.0.2.7", "2001:db8::7"] {
        ensure!(
            management.iter().any(|one| one["address"] == address),
            "{address}: {seen:#}"
        );
    }
    ensure!(
        seen["autonegotiates"].is_boolean() && seen["mau"].is_u64(),
        "{seen:#}"
    );
    // What lldpd says of link aggregation (IEEE 802.3, 79.3.3) is kept as it came.
    let unknown = seen["unknown"].as_array().context("unknown elements")?;
    let is_aggregation = |one: &&Value| one["organisation"] == "00-12-0f" && one["subtype"] == 3;
    let aggregation = unknown.iter().find(is_aggregation).context("aggregation")?;
    ensure!(aggregation["octets"] == json!([1, 0, 0, 0, 0]), "{seen:#}");
    ensure!(seen["ttl"] == 120, "{seen:#}");
    Ok(())
}
