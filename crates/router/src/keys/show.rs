//! What keys there are, who states them, and until when: nothing of the private ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rackweave_daemon::table::Table;
use rackweave_trust::{
    Anchor, AzCertificate, Chain, NodeCertificate, PublicKey, RackCertificate, Signed, Statement,
    UnixTime,
};
use rackweave_types::{AzPrefix, MacAddr, RackPrefix, Role};
use serde::Serialize;

use super::file::{self, FileError};
use super::node::{AZ_CERTIFICATE, NODE_CERTIFICATE, RACK_CERTIFICATE};
use super::tree::Tree;

/// What a tree holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    az: ShownAz,
    racks: Vec<ShownRack>,
    spines: Vec<ShownNode>,
}

/// A certificate, whatever it is of.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownCertificate {
    path: PathBuf,
    serial: u64,
    key: PublicKey,
    from: String,
    until: String,
    /// Why it proves nothing now; nothing where it does.
    fault: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct ShownAz {
    prefix: AzPrefix,
    #[serde(flatten)]
    certificate: ShownCertificate,
}

#[derive(Clone, Debug, Serialize)]
struct ShownRack {
    prefix: RackPrefix,
    #[serde(flatten)]
    certificate: ShownCertificate,
    nodes: Vec<ShownNode>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownNode {
    identity: String,
    role: Role,
    hardware: MacAddr,
    #[serde(flatten)]
    certificate: ShownCertificate,
}

impl ShownCertificate {
    /// Of this certificate, which lies there.
    pub(crate) fn new<T: Statement>(
        certificate: &Signed<T>,
        key: PublicKey,
        serial: u64,
        path: PathBuf,
        fault: Option<String>,
    ) -> Self {
        let validity = certificate.claims().validity();
        Self {
            path,
            serial,
            key,
            from: validity.from.to_string(),
            until: validity.until.to_string(),
            fault,
        }
    }
}

impl ShownNode {
    /// Of this node.
    pub(crate) fn new(
        certificate: &Signed<NodeCertificate>,
        path: PathBuf,
        fault: Option<String>,
    ) -> Self {
        let node = certificate.claims();
        Self {
            identity: node.identity.clone(),
            role: node.role,
            hardware: node.hardware,
            certificate: ShownCertificate::new(certificate, node.key, node.serial, path, fault),
        }
    }
}

/// The directories in one, in order; none where it is not there.
fn directories(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(file::io_error("read", dir))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths
        .collect::<Result<Vec<_>, _>>()
        .map_err(file::io_error("read", dir))?;
    paths.retain(|path| path.is_dir());
    paths.sort();
    Ok(paths)
}

/// The nodes of a rack, or the spines.
fn nodes(
    dir: &Path,
    rack: Option<&Signed<RackCertificate>>,
    anchor: &Anchor,
    now: UnixTime,
) -> Result<Vec<ShownNode>, FileError> {
    let mut nodes = Vec::new();
    for dir in directories(dir)? {
        let node: Signed<NodeCertificate> = file::read_certificate(&dir.join(NODE_CERTIFICATE))?;
        let chain = Chain {
            rack: rack.cloned(),
            node,
        };
        let fault = anchor.verify(&chain, now).err();
        let fault = fault.map(|error| error.to_string());
        nodes.push(ShownNode::new(&chain.node, dir, fault));
    }
    Ok(nodes)
}

/// Why the certificate does not hold at this time.
fn ended<T: Statement>(certificate: &Signed<T>, now: UnixTime) -> Option<String> {
    certificate.holds(now).err().map(|error| error.to_string())
}

/// All that the tree holds, checked at this time.
pub(crate) fn read(tree: &Tree, now: UnixTime) -> Result<Shown, FileError> {
    let path = tree.dir().join(AZ_CERTIFICATE);
    let root: Signed<AzCertificate> = file::read_certificate(&path)?;
    let (anchor, fault) = match Anchor::new(std::slice::from_ref(&root)) {
        Ok(anchor) => (anchor, ended(&root, now)),
        Err(error) => (Anchor::default(), Some(error.to_string())),
    };
    let mut racks = Vec::new();
    for dir in directories(&tree.racks())? {
        let rack: Signed<RackCertificate> = file::read_certificate(&dir.join(RACK_CERTIFICATE))?;
        let fault = rack.verify(&root.claims().key).err();
        let fault = fault.map(|error| format!("not signed by this AZ's root: {error}"));
        let fault = fault.or_else(|| ended(&rack, now));
        let claims = rack.claims();
        racks.push(ShownRack {
            prefix: claims.rack,
            nodes: nodes(&dir.join("nodes"), Some(&rack), &anchor, now)?,
            certificate: ShownCertificate::new(&rack, claims.key, claims.serial, dir, fault),
        });
    }
    let claims = root.claims();
    Ok(Shown {
        az: ShownAz {
            prefix: claims.az,
            certificate: ShownCertificate::new(
                &root,
                claims.key,
                claims.serial,
                tree.dir().to_owned(),
                fault,
            ),
        },
        racks,
        spines: nodes(&tree.spines(), None, &anchor, now)?,
    })
}

/// For people: one line for each key, indented below who states it.
pub(crate) fn render(shown: &Shown, bold: bool) -> String {
    let columns = [
        "WHO", "ROLE", "HARDWARE", ">SERIAL", "KEY", "UNTIL", "STATE",
    ];
    let mut table = Table::new(&columns);
    let az = &shown.az;
    table.row(row(format!("az {}", az.prefix), None, &az.certificate));
    for spine in &shown.spines {
        let who = format!("  {}", spine.identity);
        table.row(row(who, Some(spine), &spine.certificate));
    }
    for rack in &shown.racks {
        let who = format!("  rack {}", rack.prefix);
        table.row(row(who, None, &rack.certificate));
        for node in &rack.nodes {
            let who = format!("    {}", node.identity);
            table.row(row(who, Some(node), &node.certificate));
        }
    }
    table.render(bold)
}

fn row(who: String, node: Option<&ShownNode>, of: &ShownCertificate) -> Vec<String> {
    let role = node.map_or_else(String::new, |node| node.role.to_string());
    let hardware = node.map_or_else(String::new, |node| node.hardware.to_string());
    let key = of.key.to_string().chars().take(16).collect();
    let state = of.fault.clone().unwrap_or_else(|| "good".to_owned());
    let serial = of.serial.to_string();
    vec![who, role, hardware, serial, key, of.until.clone(), state]
}
