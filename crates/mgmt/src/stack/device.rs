//! The link of a stack: whole frames in memory, without tags above and with the VLAN's below.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use rackweave_types::Vlan;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time;

/// Frames that may wait in each direction.
const WAITING_MAX: usize = 256;
/// The longest frame: 1,500 octets behind an Ethernet header.
const FRAME_MAX: usize = 1_514;
/// Both addresses of a frame; the tag comes behind them.
const ADDRESSES: usize = 12;
/// Octets of a tag.
const TAG: usize = 4;

/// A link.
#[derive(Debug)]
pub(super) struct Device {
    tag: [u8; TAG],
    incoming: VecDeque<Vec<u8>>,
    /// Frames to send, with their tags.
    pub(super) outgoing: Vec<Vec<u8>>,
}

impl Device {
    /// The link of a VLAN.
    pub(super) fn new(vlan: Vlan) -> Self {
        let [high, low] = vlan.get().to_be_bytes();
        Self {
            tag: [0x81, 0x00, high, low],
            incoming: VecDeque::new(),
            outgoing: Vec::new(),
        }
    }

    /// Gives the stack a frame without its tag.
    pub(super) fn push(&mut self, frame: Vec<u8>) {
        if self.incoming.len() < WAITING_MAX {
            self.incoming.push_back(frame);
        }
    }
}

impl phy::Device for Device {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, at: time::Instant) -> Option<(Received, Sender<'_>)> {
        if self.outgoing.len() >= WAITING_MAX {
            return None;
        }
        let frame = self.incoming.pop_front()?;
        let sender = self.transmit(at)?;
        Some((Received(frame), sender))
    }

    fn transmit(&mut self, _: time::Instant) -> Option<Sender<'_>> {
        let Self { tag, outgoing, .. } = self;
        (outgoing.len() < WAITING_MAX).then_some(Sender { tag, outgoing })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_MAX;
        capabilities
    }
}

/// A frame on its way into the stack.
#[derive(Debug)]
pub(super) struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

/// Room for a frame out of the stack.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    tag: &'a [u8; TAG],
    outgoing: &'a mut Vec<Vec<u8>>,
}

impl phy::TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; TAG + len];
        let result = write(&mut frame[TAG..]);
        // The addresses move to the front, and the tag comes behind them.
        let addresses = len.min(ADDRESSES);
        frame.copy_within(TAG..TAG + addresses, 0);
        frame[addresses..addresses + TAG].copy_from_slice(self.tag);
        self.outgoing.push(frame);
        result
    }
}
