//! Two workers with a shard each, against one worker with one shard.

use std::sync::Barrier;
use std::thread;

use anyhow::{Context, Result, anyhow};
use rackweave_engine::{Direction, Frame, Port, Shard};

use crate::clock::Moment;
use crate::established::{Established, How};
use crate::network;
use crate::traffic::{self, Kind, Part};

/// Flows of the port, shared out among its shards.
const FLOWS: u32 = 65_536;

/// A port with established flows, one bench for each of its shards.
#[derive(Debug)]
pub struct Workers {
    shards: Vec<Established>,
}

impl Workers {
    /// A port of this many shards.
    ///
    /// # Errors
    /// Where the count is no power of two, or a flow cannot be opened.
    pub fn new(shards: u16, kind: Kind) -> Result<Self> {
        // Shares are never quite even: room for more than half of the flows each.
        let limits = network::limits(FLOWS * 2);
        let port = Port::new(shards, network::SECRET, limits, &network::program()?)?;
        let mut flows = vec![Vec::new(); usize::from(shards)];
        let first = port.shards().first().context("a port without shards")?;
        for flow in 0..FLOWS {
            flows[usize::from(owner(first, kind, flow)?)].push(flow);
        }
        let pairs = port.into_shards().into_iter().zip(flows);
        let shards = pairs.map(|(shard, flows)| Established::open_on(shard, kind, &flows));
        Ok(Self {
            shards: shards.collect::<Result<_>>()?,
        })
    }

    /// Packets a second that all workers process together, a thread each, in batches; each sends
    /// a packet of each of its flows `passes` times. The copies into frames are theirs, too.
    ///
    /// # Errors
    /// Where a packet did not pass.
    pub fn packets_per_second(&mut self, passes: u32) -> Result<f64> {
        let barrier = Barrier::new(self.shards.len());
        let rates = thread::scope(|scope| {
            let workers: Vec<_> = self
                .shards
                .iter_mut()
                .map(|shard| scope.spawn(|| work(shard, &barrier, passes)))
                .collect();
            let join = |worker: thread::ScopedJoinHandle<'_, Result<f64>>| {
                worker.join().map_err(|_| anyhow!("a worker panicked"))?
            };
            workers.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        Ok(rates.iter().sum())
    }
}

fn work(shard: &mut Established, barrier: &Barrier, passes: u32) -> Result<f64> {
    shard.prepare(Direction::Out);
    barrier.wait();
    let start = Moment::now();
    for _ in 0..passes {
        shard.send(How::Batch)?;
    }
    Ok(f64::from(passes * shard.round()) / start.elapsed().as_secs_f64())
}

fn owner(shard: &Shard, kind: Kind, flow: u32) -> Result<u16> {
    let frame = Frame::new(&traffic::frame(kind, flow, Direction::Out, Part::First));
    let owner = shard.owner(Direction::Out, &frame);
    owner.map_err(|reason| anyhow!("flow {flow} has no shard: {reason}"))
}
