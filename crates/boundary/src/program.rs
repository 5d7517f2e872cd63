//! The transformation in the kernel: loading it, filling its table, reading its counters.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aya::maps::lpm_trie::{self, LpmTrie};
use aya::maps::{Array, Map, MapData, MapError, PerCpuArray};
use aya::programs::{
    ProgramError, SchedClassifier, TcAttachType, TestRun, TestRunOptions, Xdp, XdpMode,
};
use aya::{Ebpf, EbpfError, EbpfLoader, include_bytes_aligned};
use ipnet::IpNet;
use rackweave_linux::bpf::MappedArray;

use crate::event::Event;
use crate::mapping::{Change, Mappings};
use crate::settings::Settings;
use crate::table::{self, Full, Memory, Table};

/// Octets of the program's context of a test run, `struct __sk_buff`; where the segments' number and size are in it.
const CONTEXT: usize = 192;
const SEGMENTS: usize = 164;
const SEGMENT_SIZE: usize = 176;
/// Octets that a packet may grow by.
const HEADROOM: usize = 256;

/// How the kernel runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As a classifier of traffic control: on every link, and large segments stay whole.
    Tc,
    /// Before the kernel's own packet: on links whose driver can.
    Xdp,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the customer to a sled.
    In,
    /// From a sled to the customer.
    Out,
}

impl Way {
    const fn program(self) -> &'static str {
        match self {
            Self::In => "boundary_in",
            Self::Out => "boundary_out",
        }
    }
}

/// Why the program is not to be had, or does not do what it shall.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramFault {
    /// The kernel, or this machine's libraries of it, refuse the object.
    #[error(
        "cannot load the boundary's program: it takes CAP_BPF and CAP_NET_ADMIN, and Linux 6.1 or later"
    )]
    Load(#[from] EbpfError),
    /// The verifier refuses a program, or a run of it failed.
    #[error("the boundary's program does not run")]
    Program(#[from] ProgramError),
    /// A map could not be read or written.
    #[error("the boundary's maps cannot be used")]
    Map(#[from] MapError),
    /// The table could not be mapped.
    #[error("the boundary's table cannot be mapped")]
    Memory(#[source] io::Error),
    /// The object has no such part: it is not of this version.
    #[error("the boundary's program has no `{0}`")]
    Missing(&'static str),
    /// The table has no room.
    #[error(transparent)]
    Full(#[from] Full),
}

/// The table's memory, which programs read.
#[derive(Debug)]
struct Shared(MappedArray);

impl Shared {
    fn word(&self, at: usize) -> &AtomicU64 {
        &self.0.words()[at]
    }
}

impl Memory for Shared {
    fn len(&self) -> usize {
        self.0.words().len()
    }

    fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    fn store(&mut self, at: usize, word: u64) {
        self.word(at).store(word, Ordering::Release);
    }
}

/// What a test run made of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the program returned.
    pub code: u32,
    /// The packet afterwards.
    pub frame: Vec<u8>,
    /// The time of a run, the mean of all.
    pub time: Duration,
}

/// How often something was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Octets of their IP packets, where they were forwarded.
    pub octets: u64,
}

/// How the program is loaded for measuring (`bpf/timing.h`): each run draws an address, and undoes what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How many addresses are drawn from.
    pub addresses: u32,
    /// The first of them.
    pub first: Ipv4Addr,
    /// Which bits of the destination port are drawn.
    pub port_mask: u16,
    /// The headers of an outbound packet, up to and with the inner Ethernet header.
    pub headers: Vec<u8>,
}

/// The program, loaded.
#[derive(Debug)]
pub struct Program {
    ebpf: Ebpf,
    kind: Kind,
    table: Table<Shared>,
}

impl Program {
    /// Loads the program with room for what `mappings` holds and as much again, and puts that into its table.
    ///
    /// # Errors
    /// [`ProgramFault`].
    pub fn load(
        kind: Kind,
        settings: &Settings,
        pools: &[IpNet],
        mappings: &Mappings,
    ) -> Result<Self, ProgramFault> {
        let object: &[u8] = match kind {
            Kind::Tc => include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tc.o")),
            Kind::Xdp => include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xdp.o")),
        };
        let entries = mappings.entries();
        let buckets = buckets(entries.len() * 2)?;
        let settings = settings.octets(buckets - 1, false);
        let mut loader = EbpfLoader::new();
        loader.override_global("settings", &settings, true);
        let mut program = Self::new(kind, &mut loader, object, buckets)?;
        program.set_pools(pools)?;
        for (key, value) in entries {
            program.table.insert(key, value)?;
        }
        Ok(program)
    }

    /// Loads the program as it is timed, with room for so many keys.
    ///
    /// # Errors
    /// [`ProgramFault`].
    pub fn load_timed(
        kind: Kind,
        settings: &Settings,
        timing: &Timing,
        room: usize,
    ) -> Result<Self, ProgramFault> {
        let object: &[u8] = match kind {
            Kind::Tc => include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tc-timing.o")),
            Kind::Xdp => include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xdp-timing.o")),
        };
        let buckets = buckets(room)?;
        let settings = settings.octets(buckets - 1, true);
        let first = timing.first.to_bits();
        let mask = u32::from(timing.port_mask);
        let mut loader = EbpfLoader::new();
        loader
            .override_global("settings", &settings, true)
            .override_global("timing_addresses", &timing.addresses, true)
            .override_global("timing_first", &first, true)
            .override_global("timing_port_mask", &mask, true);
        let mut program = Self::new(kind, &mut loader, object, buckets)?;
        let map = program.ebpf.map_mut("timing");
        let map = map.ok_or(ProgramFault::Missing("timing"))?;
        let mut state = Array::<_, [u8; 104]>::try_from(map)?;
        let mut octets = [0; 104];
        octets[..8].copy_from_slice(&0x9e37_79b9_7f4a_7c15_u64.to_ne_bytes());
        for (place, octet) in octets[8..].iter_mut().zip(&timing.headers) {
            *place = *octet;
        }
        state.set(0, octets, 0)?;
        Ok(program)
    }

    fn new(
        kind: Kind,
        loader: &mut EbpfLoader<'_>,
        object: &[u8],
        buckets: u32,
    ) -> Result<Self, ProgramFault> {
        let mut ebpf = loader.map_max_entries("table", buckets).load(object)?;
        for way in [Way::In, Way::Out] {
            let program = ebpf.program_mut(way.program());
            let program = program.ok_or(ProgramFault::Missing(way.program()))?;
            match kind {
                Kind::Tc => <&mut SchedClassifier>::try_from(program)?.load()?,
                Kind::Xdp => <&mut Xdp>::try_from(program)?.load()?,
            }
        }
        let words = usize::try_from(buckets).map_err(|_| Full)? * table::BUCKET;
        let words = NonZeroUsize::new(words).ok_or(Full)?;
        let Some(Map::Array(map)) = ebpf.map("table") else {
            return Err(ProgramFault::Missing("table"));
        };
        let memory = MappedArray::map(map.fd(), words).map_err(ProgramFault::Memory)?;
        Ok(Self {
            ebpf,
            kind,
            table: Table::new(Shared(memory)),
        })
    }

    /// Lets the packets that a link of this namespace receives pass through the program, until it is dropped.
    ///
    /// # Errors
    /// [`ProgramFault::Program`], where there is no such link or its driver cannot.
    pub fn attach(&mut self, way: Way, link: &str) -> Result<(), ProgramFault> {
        let program = self.ebpf.program_mut(way.program());
        let program = program.ok_or(ProgramFault::Missing(way.program()))?;
        match self.kind {
            Kind::Tc => {
                let program = <&mut SchedClassifier>::try_from(program)?;
                program.attach(link, TcAttachType::Ingress)?;
            }
            Kind::Xdp => {
                let program = <&mut Xdp>::try_from(program)?;
                program.attach(link, XdpMode::Driver)?;
            }
        }
        Ok(())
    }

    /// Makes changes of who holds what. After an error, and where [`is_crowded`](Self::is_crowded), another program is
    /// to be loaded.
    ///
    /// # Errors
    /// [`ProgramFault::Full`]; what comes after the change that found no room is not made.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), ProgramFault> {
        for change in changes {
            match change {
                Change::Put(key, value) => self.table.insert(*key, *value)?,
                Change::Remove(key) => {
                    self.table.remove(*key);
                }
            }
        }
        Ok(())
    }

    /// Whether the table should give way to a larger one.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.table.is_crowded()
    }

    /// How many keys the table holds.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.table.len()
    }

    /// Says which external addresses are ours, held or not; what is none of them is left to the kernel.
    ///
    /// # Errors
    /// [`ProgramFault::Map`].
    pub fn set_pools(&mut self, pools: &[IpNet]) -> Result<(), ProgramFault> {
        let map = self.ebpf.map_mut("pools");
        let map = map.ok_or(ProgramFault::Missing("pools"))?;
        let mut trie = LpmTrie::<_, [u8; 16], u8>::try_from(map)?;
        let wanted: Vec<(u32, [u8; 16])> = pools.iter().map(mapped).collect();
        for (length, address) in &wanted {
            trie.insert(&lpm_trie::Key::new(*length, *address), 1, 0)?;
        }
        let held: Vec<_> = trie.keys().collect::<Result<_, _>>()?;
        for key in held {
            if !wanted.contains(&(key.prefix_len(), key.data())) {
                trie.remove(&key)?;
            }
        }
        Ok(())
    }

    /// How often each thing happened to a packet, in the order of [`Event::ALL`].
    ///
    /// # Errors
    /// [`ProgramFault::Map`].
    pub fn counts(&self) -> Result<Vec<(Event, Count)>, ProgramFault> {
        let map = self.ebpf.map("counts");
        let map = map.ok_or(ProgramFault::Missing("counts"))?;
        let counts = PerCpuArray::<&MapData, [u64; 2]>::try_from(map)?;
        let each = (0..).zip(Event::ALL).map(|(at, event)| {
            let mut count = Count::default();
            for [packets, octets] in counts.get(&at, 0)?.iter() {
                count.packets += packets;
                count.octets += octets;
            }
            Ok((event, count))
        });
        each.collect()
    }

    /// Runs the program on a frame that is on no link (`BPF_PROG_TEST_RUN`), `repeat` times on its own output.
    ///
    /// # Errors
    /// [`ProgramFault::Program`], where the kernel takes no such frame.
    pub fn run(
        &self,
        way: Way,
        frame: &[u8],
        segment: u16,
        repeat: u32,
    ) -> Result<Run, ProgramFault> {
        let program = self.ebpf.program(way.program());
        let program = program.ok_or(ProgramFault::Missing(way.program()))?;
        let mut out = vec![0; frame.len() + HEADROOM];
        let mut context = [0; CONTEXT];
        context[SEGMENT_SIZE..][..4].copy_from_slice(&u32::from(segment).to_ne_bytes());
        context[SEGMENTS..][..4].copy_from_slice(&u32::from(segment > 0).to_ne_bytes());
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut out);
        options.repeat = repeat;
        let done = match self.kind {
            Kind::Tc => {
                options.ctx_in = Some(&context);
                <&SchedClassifier>::try_from(program)?.test_run(options)?
            }
            Kind::Xdp => <&Xdp>::try_from(program)?.test_run(options)?,
        };
        out.truncate(usize::try_from(done.data_size_out).unwrap_or(usize::MAX));
        Ok(Run {
            code: done.return_value,
            frame: out,
            time: done.duration,
        })
    }
}

/// How many buckets a table for so many keys has, as the kernel counts them.
fn buckets(keys: usize) -> Result<u32, Full> {
    u32::try_from(table::buckets(keys)).map_err(|_| Full)
}

/// A prefix as the program's: of IPv6, an IPv4 one mapped into it.
fn mapped(net: &IpNet) -> (u32, [u8; 16]) {
    let length = u32::from(net.prefix_len());
    match net.network() {
        IpAddr::V4(network) => (96 + length, network.to_ipv6_mapped().octets()),
        IpAddr::V6(network) => (length, network.octets()),
    }
}
