//! Guests in QEMU, whose NICs are vhost-user devices of the sled.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rackweave_rig::{CloudGuest, Conversation, Device, Lab, Machine, PAIRS, SHORT, World, may_run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");

/// A folder for sockets, which goes with its value.
struct Sockets(PathBuf);

impl Sockets {
    fn new(pair: usize) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("rwqemu-{}-{pair}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Gives an instance a socket, and says what QEMU must know of it.
    fn attach(&self, world: &mut World, name: &str) -> Result<Device> {
        let socket = self.0.join(format!("{name}.sock"));
        world.attach_socket(name, &socket)?;
        let mac = world.member(name)?.port.mac;
        Ok(Device::VhostUser { socket, mac })
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // Left behind, it is empty.
        let _ = std::fs::remove_dir_all::<&Path>(&self.0);
    }
}

/// `test` and `db` in QEMU, on two sleds; everybody else behind a TAP.
fn guests_in_qemu(pair: usize) -> Result<()> {
    if !may_run("guests_in_qemu") {
        return Ok(());
    }
    let sockets = Sockets::new(pair)?;
    let mut world = World::new()?;
    let devices = [
        sockets.attach(&mut world, "test")?,
        sockets.attach(&mut world, "db")?,
    ];
    let mut lab = Lab::start_with(PROGRAM, PAIRS[pair], world)?;
    let done = machines(&mut lab, &devices);
    lab.with_logs(done)
}

fn machines(lab: &mut Lab, devices: &[Device; 2]) -> Result<()> {
    let mut test = Machine::boot("test", &devices[0])?;
    let mut db = Machine::boot("db", &devices[1])?;
    for (machine, name) in [(&mut test, "test"), (&mut db, "db")] {
        machine.dhcp()?;
        let own = lab.world.member(name)?.addresses()?[0].to_string();
        let said = machine.must("ip -o -4 address show dev eth0")?;
        ensure!(said.contains(&own), "{said}");
    }
    let db_addr = lab.world.member("db")?.addresses()?[0];
    test.wait_for_ping(db_addr)?;

    db.must("echo hello > /www/index.html && httpd -h /www")?;
    let page = test.must(&format!("wget -q -O - http://{db_addr}/"))?;
    ensure!(page.trim() == "hello", "{page}");
    large_file(&mut db, &mut test, &db_addr.to_string())?;
    survives(lab, &mut test)
}

/// A file of 100 MB that no two parts of are the same.
fn large_file(server: &mut Machine, client: &mut Machine, addr: &str) -> Result<()> {
    server.must("head -c 1000000 /dev/urandom > /part")?;
    server.must(
        "for i in $(seq 101); do cat /part; echo $i; done | head -c 100000000 > /www/large",
    )?;
    let right = server.must("sha256sum < /www/large")?;
    let fetched = client.must(&format!("wget -q -O - http://{addr}/large | sha256sum"))?;
    ensure!(right == fetched, "sent {right}, received {fetched}");
    Ok(())
}

/// A connection into the machine carries on when its sled's program is killed.
fn survives(lab: &mut Lab, machine: &mut Machine) -> Result<()> {
    machine.spawn("nc -ll -p 7000 -e cat")?;
    let [web] = lab.configured(["web"])?;
    let to = SocketAddr::new(lab.world.member("test")?.addresses()?[0], 7000);
    web.wait_for_ping(to.ip())?;
    let talk = Conversation::with_echo(&web.namespace, to)?;
    for sled in [0, 1, 0] {
        talk.wait_for(50_000, SHORT)?;
        lab.sleds[sled].kill()?;
        lab.restart(sled)?;
        talk.wait_for(50_000, SHORT)
            .with_context(|| format!("after sled {sled} was killed"))?;
    }
    talk.finish()?;
    Ok(())
}

#[test]
fn guests_in_qemu_over_udp() -> Result<()> {
    guests_in_qemu(0)
}

#[test]
fn guests_in_qemu_over_tap() -> Result<()> {
    guests_in_qemu(1)
}

#[test]
fn guests_in_qemu_over_a_mixed_pair() -> Result<()> {
    guests_in_qemu(2)
}

#[test]
fn cloud_init_finds_its_data_source() -> Result<()> {
    if !may_run("cloud_init_finds_its_data_source") {
        return Ok(());
    }
    let sockets = Sockets::new(9)?;
    let mut world = World::new()?;
    let device = sockets.attach(&mut world, "test")?;
    let user_data = "#cloud-config\nwrite_files:\n- path: /run/made\n  content: by cloud-init\n";
    world.member_mut("test")?.user_data = Some(user_data.into());
    let lab = Lab::start_with(PROGRAM, PAIRS[0], world)?;
    lab.with_logs(cloud_guest(&device))
}

fn cloud_guest(device: &Device) -> Result<()> {
    let mut guest = CloudGuest::boot(device)?;
    let machine = guest.machine();
    let done = what_cloud_init_did(machine);
    done.with_context(|| machine.console())
}

fn what_cloud_init_did(machine: &mut Machine) -> Result<()> {
    let source = machine.must("cat /var/lib/cloud/data/status.json")?;
    ensure!(source.contains("DataSourceEc2"), "{source}");
    let name = machine.must("hostname")?;
    ensure!(name.trim() == "test", "{name}");
    let keys = machine.must("cat /home/debian/.ssh/authorized_keys")?;
    ensure!(keys.contains("rig@rackweave"), "{keys}");
    let made = machine.must("cat /run/made")?;
    ensure!(made.trim() == "by cloud-init", "{made}");
    Ok(())
}
