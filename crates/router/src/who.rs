//! Who the node is: from its keys, its configuration, what it was before, its machine, and its links, in this order.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rackweave_linux::netlink::Link;
use rackweave_routing::ddm::session::Security;
use rackweave_routing::fabric::Settings;
use rackweave_routing::lldp::{Capabilities, Capability, System};
use rackweave_trust::{Assignment, check_identity};
use rackweave_types::{AzPrefix, BootstrapPrefix, MacAddr, NodePrefix, Role};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::keys::NodeKeys;

/// What the node was called last, in the state directory.
const NODE: &str = "node.json";
/// What its rack states of it, in the state directory.
const ASSIGNMENT: &str = "assignment.json";
/// The machine's serial number (SMBIOS type 1).
const SERIAL: &str = "/sys/class/dmi/id/product_serial";
/// Serial numbers that a maker wrote who wrote none.
const NO_SERIALS: [&str; 6] = [
    "0",
    "none",
    "default string",
    "not specified",
    "system serial number",
    "to be filled by o.e.m.",
];

/// Who the node is.
#[derive(Clone, Debug)]
pub struct Who {
    /// What assignments belong to.
    pub identity: String,
    /// What the bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
    /// Its AZ's /48, of a spine.
    pub az: Option<AzPrefix>,
    /// What its rack states of it, if it does.
    pub assignment: Option<Assignment>,
    /// Whom it believes.
    pub security: Security,
}

/// What outlives a restart of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    identity: String,
    hardware: MacAddr,
}

impl Who {
    /// Finds out, with the links that there are, and keeps it for the next start.
    ///
    /// # Errors
    /// Where keys cannot be read or contradict the configuration, nothing tells a hardware address, or the state directory
    /// takes no file.
    pub fn find(config: &Config, links: &[Link]) -> anyhow::Result<Self> {
        let mut who = if config.signed {
            Self::proven(config)?
        } else {
            Self::told(config, links)?
        };
        let kept = Kept {
            identity: who.identity.clone(),
            hardware: who.hardware,
        };
        write(&config.state_dir.join(NODE), &kept)?;
        who.assignment = read(&config.state_dir.join(ASSIGNMENT))?;
        if let Some(of) = who.assignment.take_if(|of| {
            (of.identity != who.identity) || (of.hardware != who.hardware) || (of.role != who.role)
        }) {
            tracing::warn!(
                identity = of.identity, prefix = %of.prefix,
                "the kept assignment is another node's, and is not used"
            );
        }
        Ok(who)
    }

    /// As its certificate says.
    fn proven(config: &Config) -> anyhow::Result<Self> {
        let dir = config.keys_dir();
        let keys = NodeKeys::read(&dir).with_context(|| {
            format!(
                "no keys in {}: make them with `rackweave keys node`, or say `signed = false`",
                dir.display()
            )
        })?;
        let node = keys.credentials.chain().node.claims();
        let (identity, hardware, role) = (node.identity.clone(), node.hardware, node.role);
        let differs = |what: &str, certificate: &dyn std::fmt::Display| {
            anyhow::bail!(
                "the certificate in {} is of {what} {certificate}: configure the same, or take this node's keys",
                dir.display()
            )
        };
        if config.role != role {
            return differs("role", &role);
        }
        if config.id.as_ref().is_some_and(|id| *id != identity) {
            return differs("id", &identity);
        }
        if config.hardware.is_some_and(|mac| mac != hardware) {
            return differs("hardware", &hardware);
        }
        Ok(Self {
            identity,
            hardware,
            role,
            az: config.az,
            assignment: None,
            security: Security::Signed {
                credentials: Arc::new(keys.credentials),
                anchor: Arc::new(keys.anchor),
            },
        })
    }

    /// The keys as they lie there now, where they are this node's: after `rackweave keys rotate`.
    ///
    /// # Errors
    /// Where messages are not signed, or the keys cannot be read or are another node's.
    pub fn renewed(&self, config: &Config) -> anyhow::Result<Security> {
        if !config.signed {
            anyhow::bail!("messages are not signed: there are no keys to read again");
        }
        let now = Self::proven(config)?;
        if (&now.identity, now.hardware) != (&self.identity, self.hardware) {
            anyhow::bail!(
                "the keys are of {}, and this node is {}",
                now.identity,
                self.identity
            );
        }
        Ok(now.security)
    }

    /// As it is told, or was before, or finds itself.
    fn told(config: &Config, links: &[Link]) -> anyhow::Result<Self> {
        let kept: Option<Kept> = read(&config.state_dir.join(NODE))?;
        let found = || least(config, links);
        let hardware = config.hardware.or(kept.as_ref().map(|kept| kept.hardware));
        let hardware = hardware.or_else(found).context(
            "no link tells a hardware address: plug one in, name links that exist in `links`, or set `hardware`",
        )?;
        let kept = kept.map(|kept| kept.identity);
        let serial = || serial(Path::new(SERIAL));
        let identity = config.id.clone().or(kept).or_else(serial);
        Ok(Self {
            identity: identity.unwrap_or_else(|| hardware.to_string()),
            hardware,
            role: config.role,
            az: config.az,
            assignment: None,
            security: Security::Unsigned,
        })
    }

    /// What the node says of itself to people (LLDP), with the /64 that it has.
    #[must_use]
    pub fn describe(&self, prefix: Option<NodePrefix>) -> System {
        let does = if self.role.is_transit() {
            Capability::Router
        } else {
            Capability::Station
        };
        let bootstrap = BootstrapPrefix::new(self.hardware).address();
        let own = prefix.map(NodePrefix::tunnel_endpoint);
        System {
            chassis: self.hardware,
            name: self.identity.clone(),
            description: format!("Rackweave {} {}", self.role, env!("CARGO_PKG_VERSION")),
            capabilities: Capabilities::only(does),
            management: own.into_iter().chain([bootstrap]).collect(),
        }
    }

    /// What the node's machine is told of it.
    #[must_use]
    pub fn settings(&self, config: &Config) -> Settings {
        Settings {
            hardware: self.hardware,
            identity: self.identity.clone(),
            role: self.role,
            az: self.az,
            assignment: self.assignment.clone(),
            hold: config.timers.hold(),
            security: self.security.clone(),
        }
    }
}

/// Keeps what the rack states of the node.
///
/// # Errors
/// What the system says.
pub fn keep_assignment(state_dir: &Path, assignment: &Assignment) -> anyhow::Result<()> {
    write(&state_dir.join(ASSIGNMENT), assignment)
}

/// The least permanent hardware address of the machine, whichever of its links are up, renamed or of the fabric; where no
/// driver says one, the least of the fabric's links.
fn least(config: &Config, links: &[Link]) -> Option<MacAddr> {
    let hardware = links.iter().filter(|link| link.hardware);
    let permanent = hardware.filter_map(|link| link.permanent).min();
    permanent.or_else(|| {
        let patterns = config.patterns().ok()?;
        let ours = links.iter().filter(|link| patterns.match_link(link));
        ours.filter_map(|link| link.mac).min()
    })
}

/// The machine's serial number, if it has a true one.
fn serial(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    let none = NO_SERIALS.contains(&text.to_ascii_lowercase().as_str());
    (!none && check_identity(text).is_ok()).then(|| text.to_owned())
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    let value = serde_json::from_slice(&text);
    let next = || format!("{} is damaged: remove it, or restore it", path.display());
    Ok(Some(value.with_context(next)?))
}

fn write<T: Serialize>(path: &Path, value: &T) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        fs::write(&new, serde_json::to_vec(value)?)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddr {
        MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, last])
    }

    fn link(name: &str, last: u8) -> Link {
        Link {
            index: last.into(),
            name: name.to_owned(),
            mac: Some(mac(last)),
            permanent: None,
            hardware: false,
            mtu: 9000,
            up: true,
            running: true,
        }
    }

    fn config(dir: &Path) -> Config {
        Config {
            state_dir: dir.to_owned(),
            signed: false,
            links: vec!["up*".to_owned()],
            ..Config::default()
        }
    }

    #[test]
    fn the_least_hardware_address_makes_the_node_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let links = [link("up1", 9), link("up2", 7), link("other", 2)];
        let who = Who::told(&config, &links).unwrap();
        assert_eq!(who.hardware, mac(7));
        let first = Who::find(&config, &links).unwrap();
        // Another card came up first: the node stays who it is.
        let again = Who::find(&config, &links[..1]).unwrap();
        assert_eq!((again.hardware, again.identity), (mac(7), first.identity));
        let error = Who::told(&self::config(Path::new("/nowhere")), &[]).unwrap_err();
        assert!(error.to_string().contains("hardware"), "{error}");
    }

    #[test]
    fn permanent_addresses_go_before_those_that_links_have_now() {
        let dir = tempfile::tempdir().unwrap();
        let mut links = [link("up1", 1), link("up2", 2), link("bmc0", 9)];
        links[1].permanent = Some(mac(8));
        links[1].hardware = true;
        // Not of the fabric, and of the machine all the same.
        links[2].permanent = Some(mac(5));
        links[2].hardware = true;
        // A bridge or a bond has the address of one of its members.
        links[0].permanent = Some(mac(3));
        let who = Who::told(&config(dir.path()), &links).unwrap();
        assert_eq!(who.hardware, mac(5));
    }

    #[test]
    fn the_configuration_goes_before_what_was_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        Who::find(&config, &[link("up0", 1)]).unwrap();
        config.id = Some("BRM-7".to_owned());
        config.hardware = Some(mac(3));
        let who = Who::find(&config, &[]).unwrap();
        assert_eq!((who.identity.as_str(), who.hardware), ("BRM-7", mac(3)));
        assert_eq!(who.settings(&config).identity, "BRM-7");
    }

    #[test]
    fn an_assignment_is_its_node_s() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.id = Some("BRM-7".to_owned());
        config.hardware = Some(mac(3));
        let assignment = Assignment {
            identity: "BRM-7".to_owned(),
            hardware: mac(3),
            role: Role::Sled,
            prefix: NodePrefix::of("fd00:1122:3344:101::1".parse().unwrap()).unwrap(),
            signature: Vec::new(),
        };
        keep_assignment(dir.path(), &assignment).unwrap();
        let who = Who::find(&config, &[]).unwrap();
        assert_eq!(who.assignment, Some(assignment));
        config.id = Some("BRM-8".to_owned());
        assert_eq!(Who::find(&config, &[]).unwrap().assignment, None);
    }

    #[test]
    fn a_serial_number_is_one_that_a_maker_gave() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial");
        for (text, found) in [
            ("BRM44220001\n", Some("BRM44220001")),
            ("To Be Filled By O.E.M.\n", None),
            ("\n", None),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(serial(&path).as_deref(), found);
        }
    }
}
