//! What a worker counts of its own, beside what the engine counts by port.

/// Frames and octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames; one that is to be cut is one.
    pub frames: u64,
    /// Octets from the Ethernet header on.
    pub bytes: u64,
}

impl Tally {
    /// Counts one frame.
    pub(crate) fn count(&mut self, len: usize) {
        self.frames += 1;
        self.bytes += u64::try_from(len).unwrap_or(u64::MAX);
    }

    /// Adds what another has counted.
    pub const fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

macro_rules! own_drops {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// Frames that a worker itself lost, by reason.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct OwnDrops {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl OwnDrops {
            /// Each reason's name and count.
            #[must_use]
            pub fn each(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field),)+]
            }

            /// Adds what another has counted.
            pub const fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)+
            }

            /// All of them.
            #[must_use]
            pub const fn total(&self) -> u64 {
                0 $(+ self.$field)+
            }
        }
    };
}

own_drops! {
    /// No port here has the inner Ethernet destination, or the port went while the frame was on its way.
    no_such_port,
    /// From the wire, and not for this sled's tunnel end point.
    wrong_outer_destination,
    /// From the wire, and its tunnel headers cannot be read or ask for what is not known.
    bad_tunnel,
    /// The ring of the worker it belongs to was full.
    hand_over_full,
    /// Handed over again and again.
    hand_over_loop,
    /// The agent's channel was full.
    punt_channel_full,
    /// The port has no guest's queue at present.
    guest_absent,
    /// The guest's queue did not take it.
    guest_full,
    /// There is no queue to the wire.
    wire_absent,
    /// The wire's queue did not take it.
    wire_full,
}

/// What went through a worker. Every frame that came in went somewhere: see [`Totals::unaccounted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Read from guests.
    pub guest_in: Tally,
    /// Read from the wire.
    pub wire_in: Tally,
    /// Given to guests by the agent, past the engine.
    pub injected: Tally,
    /// Waited for the agent in a port's state when the port came.
    pub thawed: u64,
    /// Taken by guests' queues, answers and injected ones included.
    pub guest_out: Tally,
    /// Taken by the wire's queue.
    pub wire_out: Tally,
    /// From one port of this sled to another; no end of a way.
    pub local: Tally,
    /// Given to the agent.
    pub punted: u64,
    /// Dropped by the engine, whose ports say why.
    pub engine_drops: u64,
    /// Of them, those in whose place a refusal was sent: frames that came from nowhere else.
    pub refusals: u64,
    /// Put into other workers' rings.
    pub handed_out: u64,
    /// Taken from this worker's own ring.
    pub handed_in: u64,
    /// Lost by the worker itself.
    pub drops: OwnDrops,
    /// Copies for a capture that found no room; no packet is lost with them.
    pub capture_lost: u64,
}

impl Totals {
    /// Adds what another worker has counted.
    pub const fn add(&mut self, other: &Self) {
        self.guest_in.add(&other.guest_in);
        self.wire_in.add(&other.wire_in);
        self.injected.add(&other.injected);
        self.thawed += other.thawed;
        self.guest_out.add(&other.guest_out);
        self.wire_out.add(&other.wire_out);
        self.local.add(&other.local);
        self.punted += other.punted;
        self.engine_drops += other.engine_drops;
        self.refusals += other.refusals;
        self.handed_out += other.handed_out;
        self.handed_in += other.handed_in;
        self.drops.add(&other.drops);
        self.capture_lost += other.capture_lost;
    }

    /// Frames that came in, and refusals made.
    #[must_use]
    pub const fn sources(&self) -> u64 {
        self.guest_in.frames
            + self.wire_in.frames
            + self.injected.frames
            + self.thawed
            + self.handed_in
            + self.refusals
    }

    /// Frames that went out, to the agent, to other workers, or are lost under a name.
    #[must_use]
    pub const fn ends(&self) -> u64 {
        self.guest_out.frames
            + self.wire_out.frames
            + self.punted
            + self.engine_drops
            + self.handed_out
            + self.drops.total()
    }

    /// By how much the two differ: zero between two batches.
    #[must_use]
    pub const fn unaccounted(&self) -> u64 {
        self.sources().abs_diff(self.ends())
    }
}
