//! Queues: the flows that share an idle timeout, in lists by the time of their last use.

use core::time::Duration;

use super::FlowClass;
use crate::parse::protocol;
use crate::program::Timeouts;

/// Lists in a queue: one for each bit of [`Queue::occupied`].
pub(super) const LISTS: u32 = 64;

/// A timeout is at most this many lists wide, so that all flows within it stand in different lists by their time.
const MAX_WIDTH: u64 = 62;

/// The queues: one for each timeout, and half-open flows apart by what is to be expected of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum QueueId {
    TcpHalfOpen,
    Unanswered,
    IcmpUnanswered,
    /// As the three above, towards end points that answered lately.
    TcpHalfOpenHopeful,
    UnansweredHopeful,
    IcmpUnansweredHopeful,
    Closing,
    Answered,
    IcmpAnswered,
    Established,
}

/// How many queues there are.
pub(super) const QUEUES: usize = 10;

impl QueueId {
    pub(super) const ALL: [Self; QUEUES] = [
        Self::TcpHalfOpen,
        Self::Unanswered,
        Self::IcmpUnanswered,
        Self::TcpHalfOpenHopeful,
        Self::UnansweredHopeful,
        Self::IcmpUnansweredHopeful,
        Self::Closing,
        Self::Answered,
        Self::IcmpAnswered,
        Self::Established,
    ];
    pub(super) const PLAIN: [Self; 3] = [Self::TcpHalfOpen, Self::Unanswered, Self::IcmpUnanswered];
    pub(super) const HOPEFUL: [Self; 3] = [
        Self::TcpHalfOpenHopeful,
        Self::UnansweredHopeful,
        Self::IcmpUnansweredHopeful,
    ];
    pub(super) const ANSWERED: [Self; 2] = [Self::Answered, Self::IcmpAnswered];

    /// The queue of a connection of this class and protocol; `hopeful` is asked for half-open ones only.
    pub(super) const fn new(class: FlowClass, protocol: u8, hopeful: bool) -> Self {
        let icmp = matches!(protocol, protocol::ICMP | protocol::ICMPV6);
        match (class, protocol, hopeful) {
            (FlowClass::Opening, protocol::TCP, false) => Self::TcpHalfOpen,
            (FlowClass::Opening, protocol::TCP, true) => Self::TcpHalfOpenHopeful,
            (FlowClass::Opening, _, false) if icmp => Self::IcmpUnanswered,
            (FlowClass::Opening, _, true) if icmp => Self::IcmpUnansweredHopeful,
            (FlowClass::Opening, _, false) => Self::Unanswered,
            (FlowClass::Opening, _, true) => Self::UnansweredHopeful,
            (FlowClass::Closing, ..) => Self::Closing,
            (FlowClass::Answered, ..) if icmp => Self::IcmpAnswered,
            (FlowClass::Answered, ..) => Self::Answered,
            (FlowClass::Established, ..) => Self::Established,
        }
    }

    pub(super) const fn class(self) -> FlowClass {
        match self {
            Self::TcpHalfOpen
            | Self::Unanswered
            | Self::IcmpUnanswered
            | Self::TcpHalfOpenHopeful
            | Self::UnansweredHopeful
            | Self::IcmpUnansweredHopeful => FlowClass::Opening,
            Self::Closing => FlowClass::Closing,
            Self::Answered | Self::IcmpAnswered => FlowClass::Answered,
            Self::Established => FlowClass::Established,
        }
    }

    pub(super) const fn timeout(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::TcpHalfOpen | Self::TcpHalfOpenHopeful => timeouts.tcp_half_open,
            Self::Unanswered | Self::UnansweredHopeful => timeouts.unanswered,
            Self::IcmpUnanswered | Self::IcmpUnansweredHopeful | Self::IcmpAnswered => {
                timeouts.icmp
            }
            Self::Closing => timeouts.tcp_closing,
            Self::Answered => timeouts.answered,
            Self::Established => timeouts.tcp_established,
        }
    }

    /// The number that a record holds.
    pub(super) const fn number(self) -> u8 {
        // The enum is `repr(u8)`.
        self as u8
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.number())
    }
}

/// The class of the queue with this number; of numbers that no queue has, the least valuable.
#[inline]
pub(super) fn class_of(queue: u8) -> FlowClass {
    QueueId::ALL
        .get(usize::from(queue))
        .map_or(FlowClass::Opening, |queue| queue.class())
}

/// The flows of one timeout, by their last use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// In nanoseconds.
    pub(super) timeout: u64,
    /// A list is 2^`shift` nanoseconds wide.
    pub(super) shift: u32,
    pub(super) len: u32,
    /// No list is for an earlier tick (time divided by the width), nor for one 64 later.
    pub(super) base: u64,
    /// Which lists hold a record, by tick modulo 64.
    pub(super) occupied: u64,
}

impl Queue {
    pub(super) fn new(timeout: Duration) -> Self {
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let mut shift = 0;
        while timeout >> shift > MAX_WIDTH {
            shift += 1;
        }
        Self {
            timeout,
            shift,
            len: 0,
            base: 0,
            occupied: 0,
        }
    }

    /// The oldest tick whose list holds a record.
    pub(super) fn oldest(&self) -> Option<u64> {
        let ahead = self
            .occupied
            .rotate_right(list_of(self.base))
            .trailing_zeros();
        (ahead < LISTS).then(|| self.base + u64::from(ahead))
    }

    /// The tick under which a record of this last use is put: its own, unless that is too far from the others'.
    pub(super) fn tick_for(&mut self, last_use: u64) -> u64 {
        let tick = last_use >> self.shift;
        let Some(oldest) = self.oldest() else {
            self.base = tick;
            return tick;
        };
        let span = u64::from(LISTS - 1);
        let behind = self
            .occupied
            .rotate_right(list_of(self.base))
            .leading_zeros();
        let newest = self.base + (span - u64::from(behind));
        let tick = tick.clamp(newest.saturating_sub(span), oldest.saturating_add(span));
        self.base = oldest.min(tick);
        tick
    }
}

/// The list of a tick within its queue.
pub(super) fn list_of(tick: u64) -> u32 {
    let [low, ..] = tick.to_le_bytes();
    u32::from(low) % LISTS
}
