//! Making a TAP device what it should be.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use rackweave_wire::virtio_net::Form;

use super::{MAX_QUEUES, NameError, TapError, TapSettings, ioctl, within};
use crate::Offloads;

/// The header in front of every frame.
pub(super) const FORM: Form = Form::Mergeable;

const CSUM: u32 = 0x01;
const TSO4: u32 = 0x02;
const TSO6: u32 = 0x04;
const TSO_ECN: u32 = 0x08;
const USO4: u32 = 0x20;
const USO6: u32 = 0x40;

/// A device with its queues.
pub(super) struct Opened {
    pub(super) files: Vec<File>,
    pub(super) offloads: Offloads,
}

pub(super) fn open(settings: &TapSettings) -> Result<Opened, TapError> {
    check_name(&settings.name).map_err(|source| TapError::Name {
        device: settings.name.clone(),
        source,
    })?;
    if !(1..=MAX_QUEUES).contains(&settings.queues) {
        return Err(TapError::Queues {
            asked: settings.queues,
        });
    }
    within(
        settings.netns.as_deref(),
        |netns| enter(settings, netns),
        || open_here(settings),
    )
}

/// Every byte that the kernel takes in a name, less the percent sign, which asks it to choose a number.
fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() >= ioctl::NAME_LEN {
        return Err(NameError::Length { got: name.len() });
    }
    let odd = |c: char| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control();
    if name.contains(odd) || name == "." || name == ".." {
        return Err(NameError::Character);
    }
    Ok(())
}

fn enter(settings: &TapSettings, netns: &Path) -> Result<(), TapError> {
    let refused = |source: io::Error| TapError::Namespace {
        device: settings.name.clone(),
        netns: netns.to_owned(),
        source,
    };
    let namespace = File::open(netns).map_err(refused)?;
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| refused(errno.into()))
}

/// Makes the device in the namespace of this thread.
fn open_here(settings: &TapSettings) -> Result<Opened, TapError> {
    let name = settings.name.as_str();
    let refused = |what| {
        move |source| TapError::Set {
            device: name.to_owned(),
            what,
            source,
        }
    };
    let mut files = Vec::with_capacity(usize::from(settings.queues));
    let mut offloads = Offloads::default();
    for _ in 0..settings.queues {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .map_err(|source| TapError::Open {
                device: name.to_owned(),
                source,
            })?;
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
        ioctl::attach(&file, name, flags).map_err(|source| attach_error(name, source))?;
        let header_len = i32::try_from(FORM.header_len()).unwrap_or_default();
        ioctl::set_header_len(&file, header_len).map_err(refused("header size"))?;
        offloads = set_offloads(&file).map_err(refused("offloads"))?;
        files.push(file);
    }
    if let Some(first) = files.first() {
        ioctl::set_persist(first, true).map_err(refused("persistence"))?;
    }
    // Any socket will do: what is asked of it concerns its namespace.
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map_err(|errno| refused("state, for want of a socket")(errno.into()))?;
    if let Some(mac) = settings.mac {
        ioctl::set_mac(&socket, name, mac).map_err(refused("address"))?;
    }
    ioctl::set_mtu(&socket, name, settings.mtu.get()).map_err(refused("mtu"))?;
    ioctl::set_up(&socket, name).map_err(refused("link up"))?;
    Ok(Opened { files, offloads })
}

fn attach_error(name: &str, source: io::Error) -> TapError {
    let device = name.to_owned();
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TapError::Permission { device, source },
        Some(libc::EBUSY | libc::E2BIG) => TapError::Busy { device, source },
        Some(libc::EINVAL) => TapError::Kind { device, source },
        _ => TapError::Set {
            device,
            what: "queue",
            source,
        },
    }
}

/// Asks for all offloads, and for fewer where the kernel knows not all of them.
fn set_offloads(file: &File) -> io::Result<Offloads> {
    let tcp = CSUM | TSO4 | TSO6 | TSO_ECN;
    let attempts = [
        (tcp | USO4 | USO6, offloads(true, true)),
        (tcp, offloads(true, false)),
        (CSUM, offloads(false, false)),
    ];
    for (bits, granted) in attempts {
        match ioctl::set_offload(file, bits) {
            Ok(()) => return Ok(granted),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(error),
        }
    }
    ioctl::set_offload(file, 0)?;
    Ok(Offloads::default())
}

const fn offloads(tcp: bool, udp: bool) -> Offloads {
    Offloads {
        checksum: true,
        tcp4: tcp,
        tcp6: tcp,
        udp,
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_such_as_the_kernel_takes() {
        for name in ["t", "rw-0123456789ab", "täp"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "rw-0123456789abc",
            "a/b",
            "a b",
            "tap%d",
            "a:1",
            "..",
            "a\0",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
