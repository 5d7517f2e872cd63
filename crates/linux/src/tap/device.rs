//! The device: a file of `/dev/net/tun`, and the requests that make it an underlay TAP.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use libc::{IFNAMSIZ, c_int, c_short, c_ulong};

/// `TUN_F_UDP_TUNNEL_GSO` and `TUN_F_UDP_TUNNEL_GSO_CSUM` (`linux/if_tun.h`, Linux since 6.17), which libc does not name.
const TUN_F_UDP_TUNNEL_GSO: u32 = 0x080;
const TUN_F_UDP_TUNNEL_GSO_CSUM: u32 = 0x100;

/// What we take from the kernel whole: unfinished checksums, TCP and UDP to be segmented, in tunnels too.
const OFFLOADS: u32 = libc::TUN_F_CSUM
    | libc::TUN_F_TSO4
    | libc::TUN_F_TSO6
    | libc::TUN_F_TSO_ECN
    | libc::TUN_F_USO4
    | libc::TUN_F_USO6
    | TUN_F_UDP_TUNNEL_GSO
    | TUN_F_UDP_TUNNEL_GSO_CSUM;

/// Why there is no underlay TAP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// The kernel's TUN driver cannot be opened.
    #[error("cannot open /dev/net/tun: load the module `tun`, and run as root")]
    Open(#[source] io::Error),
    /// No device can have that name.
    #[error("`{name}` cannot name a device: it has 1 to 15 octets")]
    Name {
        /// The name.
        name: String,
    },
    /// The device cannot be made, or is something else than an underlay TAP.
    #[error("cannot attach to the tap {name}: `ip -d link show {name}` says what has the name")]
    Attach {
        /// The device.
        name: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// The kernel is older than 6.17.
    #[error(
        "the kernel has no tunnel segmentation offload for taps (linux 6.17 has): use the underlay `udp`"
    )]
    Offload(#[source] io::Error),
    /// The device would not outlive the process.
    #[error("cannot make a tap persistent")]
    Persist(#[source] io::Error),
    /// The host could not be set up around the device.
    #[error("cannot set the host up for the underlay tap {name}")]
    Host {
        /// The device.
        name: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Whether the kernel has what an underlay TAP needs: tries it with a device that goes at once.
///
/// # Errors
/// What is missing.
pub fn supported() -> Result<(), TapError> {
    Device::open("rwprobe%d", super::FORM.header_len()).map(|_| ())
}

/// One queue of the device.
#[derive(Debug)]
pub(super) struct Device(File);

/// The kernel's `struct ifreq`, as far as `TUNSETIFF` reads it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; IFNAMSIZ],
    flags: c_short,
    rest: [u8; 22],
}

const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());

impl Device {
    /// Attaches to the device, or makes it; `%d` in the name stands for a number that is free.
    pub(super) fn open(name: &str, header_len: usize) -> Result<Self, TapError> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK);
        let device = Self(options.open("/dev/net/tun").map_err(TapError::Open)?);
        device.attach(name)?;
        let attach = |source| TapError::Attach {
            name: name.into(),
            source,
        };
        let header_len = c_int::try_from(header_len).unwrap_or(0);
        device
            .request(Request::HeaderLen(header_len))
            .map_err(attach)?;
        device
            .request(Request::Offloads(OFFLOADS))
            .map_err(TapError::Offload)?;
        Ok(device)
    }

    fn attach(&self, name: &str) -> Result<(), TapError> {
        let mut request = InterfaceRequest {
            name: [0; IFNAMSIZ],
            flags: 0,
            rest: [0; 22],
        };
        let fits = !name.is_empty() && name.len() < IFNAMSIZ && !name.contains('\0');
        if !fits {
            return Err(TapError::Name { name: name.into() });
        }
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
        request.flags = c_short::try_from(flags).unwrap_or(0);
        self.request(Request::Attach(&mut request))
            .map_err(|source| TapError::Attach {
                name: name.into(),
                source,
            })
    }

    /// Lets the device outlive the process.
    pub(super) fn persist(&self) -> Result<(), TapError> {
        self.request(Request::Persist(1)).map_err(TapError::Persist)
    }

    #[expect(unsafe_code, reason = "the TUN driver is spoken to by ioctl(2) alone")]
    fn request(&self, request: Request<'_>) -> io::Result<()> {
        let fd = self.0.as_raw_fd();
        let result = match request {
            // SAFETY: the driver reads and writes a `struct ifreq`, whose size this has, borrowed for the call.
            Request::Attach(to) => unsafe { libc::ioctl(fd, libc::TUNSETIFF, &raw mut *to) },
            // SAFETY: the driver reads one `int`.
            Request::HeaderLen(len) => unsafe {
                libc::ioctl(fd, libc::TUNSETVNETHDRSZ, &raw const len)
            },
            // SAFETY: the argument is a number.
            Request::Offloads(bits) => unsafe {
                libc::ioctl(fd, libc::TUNSETOFFLOAD, c_ulong::from(bits))
            },
            // SAFETY: the argument is a number.
            Request::Persist(on) => unsafe { libc::ioctl(fd, libc::TUNSETPERSIST, on) },
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

/// What the driver is asked.
enum Request<'a> {
    Attach(&'a mut InterfaceRequest),
    HeaderLen(c_int),
    Offloads(u32),
    Persist(c_ulong),
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
