//! Whole frames of a link with their VLAN tags, for those who are the switch or the tagged end themselves.
//!
//! The kernel takes the outermost 802.1Q or 802.1ad tag out of a frame that came in and tells it beside the frame
//! (packet(7), `PACKET_AUXDATA`). Here it is put back, so that a frame is what lay on the wire. Frames carry neither
//! unfinished checksums nor large sends: this is not for links of a kernel's own traffic.
#![expect(
    unsafe_code,
    reason = "what the kernel tells beside a frame has no safe wrapper in the crates we use"
)]

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use crate::frames::{FramesError, Opened};
use crate::udp::control;

/// The most octets of a frame with its tags; longer ones are cut.
pub const TAGGED_MAX: usize = 9_216;
/// Not in `libc` for this system (`linux/if_packet.h`).
const PACKET_AUXDATA: libc::c_int = 8;
/// Room in the kernel for frames that wait, in octets.
const BUFFER: libc::c_int = 8 << 20;
/// Both addresses of a frame; the tag comes behind them.
const ADDRESSES: usize = 12;
/// Octets of a tag.
const TAG: usize = 4;
/// Room for what the kernel tells beside a frame, aligned as it writes it.
const CONTROL: usize = 8;

/// Every frame that comes in on a link, with its tags, and a way to send others out of it.
#[derive(Debug)]
pub struct TaggedFrames {
    socket: Opened,
}

impl TaggedFrames {
    /// Opens a socket on the link of the calling thread's namespace. Frames that leave the link are not seen.
    ///
    /// # Errors
    /// [`FramesError`].
    pub fn open(name: &str) -> Result<Self, FramesError> {
        let options = [
            (libc::SOL_PACKET, PACKET_AUXDATA, 1),
            (libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1),
            (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER),
            (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, BUFFER),
        ];
        Opened::on(name, &options).map(|socket| Self { socket })
    }

    /// The next frame that waits, as it lay on the wire, in `buffer` ([`TAGGED_MAX`] octets hold any); `None` where
    /// none waits.
    ///
    /// # Errors
    /// What the kernel says, such as that the link is down or gone: then open it anew.
    pub fn receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        // Room is left for the tag in front of what the kernel writes.
        let Some(room) = buffer.get_mut(TAG..) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut control = [0_u64; CONTROL];
        let (len, told) = match self.receive_message(room, &mut control) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(tag) = tag(&control, told).filter(|_| len >= ADDRESSES) else {
            return Ok(buffer.get(TAG..TAG + len));
        };
        buffer.copy_within(TAG..TAG + ADDRESSES, 0);
        buffer[ADDRESSES..ADDRESSES + TAG].copy_from_slice(&tag);
        Ok(buffer.get(..TAG + len))
    }

    /// A frame into `room`, what is told beside it into `control`; their lengths.
    fn receive_message(
        &self,
        room: &mut [u8],
        control: &mut [u64; CONTROL],
    ) -> io::Result<(usize, usize)> {
        let mut part = libc::iovec {
            iov_base: room.as_mut_ptr().cast(),
            iov_len: room.len(),
        };
        // SAFETY: a message header is numbers and pointers; all zero is one.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(control);
        let fd = self.socket.as_fd().as_raw_fd();
        // SAFETY: the kernel writes into `room` and `control`, which are ours and as long as it is told.
        let got = unsafe { libc::recvmsg(fd, &raw mut message, libc::MSG_DONTWAIT) };
        let len = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        Ok((len, message.msg_controllen))
    }

    /// Sends a frame, with the tags it has, out of the link.
    ///
    /// # Errors
    /// What the kernel says, such as that the link is down or gone.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame)
    }
}

impl AsFd for TaggedFrames {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The tag that the kernel took out of a frame, if it did.
fn tag(control: &[u64; CONTROL], told: usize) -> Option<[u8; TAG]> {
    let mut octets = [0; CONTROL * size_of::<u64>()];
    for (octets, word) in octets.chunks_exact_mut(size_of::<u64>()).zip(control) {
        octets.copy_from_slice(&word.to_ne_bytes());
    }
    let mut rest = octets.get(..told)?;
    while let Some((message, behind)) = control::next(rest) {
        if (message.level, message.kind) == (libc::SOL_PACKET, PACKET_AUXDATA) {
            return of_auxdata(message.value);
        }
        rest = behind;
    }
    None
}

/// The tag in a `tpacket_auxdata`: status, lengths and offsets first, the tag's control word and type last.
fn of_auxdata(value: &[u8]) -> Option<[u8; TAG]> {
    const STATUS: usize = 0;
    const CONTROL_WORD: usize = 16;
    const TYPE: usize = 18;
    /// 802.1Q, where the kernel does not say.
    const USUAL: u16 = 0x8100;
    let half = |at: usize| Some(u16::from_ne_bytes(*value.get(at..)?.first_chunk()?));
    let status = u32::from_ne_bytes(*value.get(STATUS..)?.first_chunk()?);
    if status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let kind = if status & libc::TP_STATUS_VLAN_TPID_VALID == 0 {
        USUAL
    } else {
        half(TYPE)?
    };
    let [a, b] = kind.to_be_bytes();
    let [c, d] = half(CONTROL_WORD)?.to_be_bytes();
    Some([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::netlink::{LinkSettings, Netlink};
    use crate::netns::Netns;
    use crate::poll::{Events, Poller};
    use crate::testing::root;

    /// How long anything may take.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn frame(tags: &[u8]) -> Vec<u8> {
        let addresses = [[0xff; 6], [2, 0, 0, 0, 0, 1]].concat();
        [&addresses[..], tags, &[0x88, 0xb5], &[7; 50]].concat()
    }

    #[test]
    fn tags_are_as_they_lay_on_the_wire() {
        if !root("tags_are_as_they_lay_on_the_wire") {
            return;
        }
        let netns = Netns::temporary("rwt-tagged").unwrap();
        let frames = [
            &[][..],
            &[0x81, 0, 0x01, 0x02],
            &[0x81, 0, 0xa1, 0x02],
            &[0x81, 0, 0, 0],
            &[0x88, 0xa8, 0x01, 0x02],
            &[0x81, 0, 0x01, 0x02, 0x81, 0, 0x03, 0x01],
            &[0x81, 0, 0x01, 0x02, 0x81, 0, 0x03, 0x01, 0x81, 0, 0, 9],
        ]
        .map(frame);
        let received = netns.run_in(|| {
            let netlink = Netlink::open().unwrap();
            netlink.create_veth("one", "two").unwrap();
            for name in ["one", "two"] {
                crate::sysctl::ensure(&format!("net/ipv6/conf/{name}/disable_ipv6"), "1").unwrap();
                let up = LinkSettings {
                    up: Some(true),
                    ..LinkSettings::default()
                };
                netlink.ensure_link(name, &up).unwrap();
            }
            // What is sent before the kernel has taken note of both ends is lost.
            for name in ["one", "two"] {
                assert!(netlink.wait_for_link(name, PATIENCE).unwrap());
            }
            let [one, two] = ["one", "two"].map(|name| TaggedFrames::open(name).unwrap());
            let mut buffer = vec![0; TAGGED_MAX];
            let mut received = Vec::new();
            assert_eq!(two.receive(&mut buffer).unwrap(), None);
            let poller = Poller::new().unwrap();
            poller.add(&two, 0).unwrap();
            let mut events = Events::with_capacity(1);
            for frame in &frames {
                one.send(frame).unwrap();
                poller.wait(&mut events, Some(PATIENCE)).unwrap();
                received.push(two.receive(&mut buffer).unwrap().unwrap().to_vec());
                assert_eq!(one.receive(&mut buffer).unwrap(), None);
            }
            netlink.remove_link("one").unwrap();
            assert!(two.receive(&mut buffer).is_err() && two.send(&frames[0]).is_err());
            received
        });
        assert_eq!(received.unwrap(), frames);
    }

    #[test]
    fn what_the_kernel_tells_is_read_or_passed_over() {
        let mut told = [0_u8; 20];
        assert_eq!(of_auxdata(&told), None);
        told[..4].copy_from_slice(&libc::TP_STATUS_VLAN_VALID.to_ne_bytes());
        told[16..18].copy_from_slice(&0x0102_u16.to_ne_bytes());
        assert_eq!(of_auxdata(&told), Some([0x81, 0, 1, 2]));
        assert_eq!(of_auxdata(&told[..17]), None);
    }
}
