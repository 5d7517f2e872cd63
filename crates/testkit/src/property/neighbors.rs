//! What neighbours of the fabric say to each other, damaged or made up.

use std::time::Duration;

use rackweave_routing::bfd::message::Message;
use rackweave_routing::ddm::message::{Frame, Hello, Items, Keepalive, Kind, Update, emit_item};
use rackweave_routing::lldp;
use rackweave_routing::probe::message::Beacon;
use rackweave_trust::{
    Assignment, AzCertificate, Chain, NodeCertificate, RackCertificate, Signed, Statement,
};
use rackweave_types::Instant;

use super::reading::told;
use super::{Fault, hold};
use crate::ends::{Ends, Perfect, Wire, item};
use crate::keys::Tree;
use crate::source::Source;

/// Every parser of messages between neighbours; the first byte says which. What was read can be written and read again.
///
/// # Errors
/// What does not hold.
pub fn neighbors(bytes: &[u8]) -> Result<(), Fault> {
    let Some((which, bytes)) = bytes.split_first() else {
        return Ok(());
    };
    match which % 12 {
        0 => frame(bytes),
        1 => hello(bytes),
        2 => update(bytes),
        3 => keepalive(bytes),
        4 => items(bytes),
        5 => bfd_message(bytes),
        6 => lldp_message(bytes),
        7 => beacon(bytes),
        8 => chain(bytes),
        9 => assignment(bytes),
        10 => certificate::<RackCertificate>(bytes).and(certificate::<AzCertificate>(bytes)),
        _ => certificate::<NodeCertificate>(bytes),
    }
}

fn frame(bytes: &[u8]) -> Result<(), Fault> {
    let Some(frame) = told(Frame::parse(bytes))? else {
        return Ok(());
    };
    let signature = frame.signature.map_or(0, |signature| signature.len());
    hold(frame.signed.len() + signature == bytes.len(), || {
        format!("{frame:?} does not sign what it should")
    })?;
    match frame.kind {
        Kind::Hello => hello(frame.body),
        Kind::Update => update(frame.body),
        Kind::Keepalive => keepalive(frame.body),
    }
}

/// The body of a message that was written.
fn body(bytes: &[u8]) -> Result<&[u8], Fault> {
    let frame = Frame::parse(bytes).map_err(|error| error.to_string())?;
    Ok(frame.body)
}

fn same<T: PartialEq + core::fmt::Debug>(read: &T, again: &T) -> Result<(), Fault> {
    hold(read == again, || format!("{read:?} was read as {again:?}"))
}

fn hello(bytes: &[u8]) -> Result<(), Fault> {
    let Some(hello) = told(Hello::parse(bytes))? else {
        return Ok(());
    };
    let written = hello.emit(false);
    if written.len() > rackweave_routing::ddm::message::MAX_DATAGRAM {
        return Ok(());
    }
    let again = Hello::parse(body(&written)?).map_err(|error| error.to_string())?;
    same(&hello, &again)
}

fn update(bytes: &[u8]) -> Result<(), Fault> {
    let Some(update) = told(Update::parse(bytes))? else {
        return Ok(());
    };
    items(update.items)?;
    let written = update.emit(false);
    if written.len() > rackweave_routing::ddm::message::MAX_DATAGRAM {
        return Ok(());
    }
    let again = Update::parse(body(&written)?).map_err(|error| error.to_string())?;
    same(&update, &again)
}

fn keepalive(bytes: &[u8]) -> Result<(), Fault> {
    let Some(keepalive) = told(Keepalive::parse(bytes))? else {
        return Ok(());
    };
    let written = keepalive.emit(false);
    let again = Keepalive::parse(body(&written)?).map_err(|error| error.to_string())?;
    same(&keepalive, &again)
}

fn items(bytes: &[u8]) -> Result<(), Fault> {
    let mut written = Vec::new();
    let mut read = Vec::new();
    for item in Items::new(bytes) {
        let Some(item) = told(item)? else {
            break;
        };
        emit_item(&mut written, &item);
        read.push(item);
    }
    let again = Items::new(&written).collect::<Result<Vec<_>, _>>();
    same(&Ok(read), &again)
}

fn bfd_message(bytes: &[u8]) -> Result<(), Fault> {
    let Some(message) = told(Message::parse(bytes))? else {
        return Ok(());
    };
    let again = Message::parse(&message.emit()).map_err(|error| error.to_string())?;
    same(&message, &again)
}

fn lldp_message(bytes: &[u8]) -> Result<(), Fault> {
    let Some(parsed) = told(lldp::Message::parse(bytes))? else {
        return Ok(());
    };
    for flaw in &parsed.flaws {
        hold(!flaw.to_string().is_empty(), || {
            "a flaw without a word".to_owned()
        })?;
    }
    // What does not fit is left out; what was written stays as it is.
    let written = parsed.message.emit();
    let again = lldp::Message::parse(&written).map_err(|error| error.to_string())?;
    hold(again.flaws.is_empty(), || {
        format!("{again:?} of our own writing is flawed")
    })?;
    same(&written, &again.message.emit())
}

fn beacon(bytes: &[u8]) -> Result<(), Fault> {
    let key = [7; 32];
    let mut source = Source::new(bytes);
    // Without the right tag nothing of a beacon is looked at; so one is written, and its octets are changed.
    told(Beacon::parse(bytes, &[key]))?;
    let beacon = Beacon {
        closer: source.one_in(2),
        instance: u32::from_be_bytes(source.octets()),
        seq: u32::from_be_bytes(source.octets()),
        echo_instance: u32::from_be_bytes(source.octets()),
        echo: u32::from_be_bytes(source.octets()),
        received: u32::from_be_bytes(source.octets()),
        held: source.maybe(2, |source| u32::from(source.word())),
    };
    let mut written = beacon.emit(&key);
    let again = Beacon::parse(&written, &[[8; 32], key]).map_err(|error| error.to_string())?;
    same(&(beacon, 1), &again)?;
    let place = source.below(written.len());
    written[place] ^= source.octet().max(1);
    hold(told(Beacon::parse(&written, &[key]))?.is_none(), || {
        format!("a beacon is taken though its octet {place} was changed")
    })
}

fn chain(bytes: &[u8]) -> Result<(), Fault> {
    let Some(chain) = told(Chain::from_bytes(bytes))? else {
        return Ok(());
    };
    let again = Chain::from_bytes(&chain.to_bytes()).map_err(|error| error.to_string())?;
    same(&chain, &again)
}

fn assignment(bytes: &[u8]) -> Result<(), Fault> {
    let Some(assignment) = told(Assignment::from_bytes(bytes))? else {
        return Ok(());
    };
    same(&assignment.to_bytes(), &bytes.to_vec())
}

fn certificate<T: Statement>(bytes: &[u8]) -> Result<(), Fault> {
    let Some(signed) = told(Signed::<T>::from_bytes(bytes))? else {
        return Ok(());
    };
    same(&signed.as_bytes(), &bytes)
}

/// Delays and loses as the bytes say.
struct Drawn<'a, 'b>(&'a mut Source<'b>);

impl Wire for Drawn<'_, '_> {
    fn arrivals(&mut self, now: Instant, _: usize) -> Vec<Instant> {
        let copies = self.0.pick(&[1, 1, 1, 1, 1, 1, 0, 2]);
        let mut arrival = || now.after(Duration::from_micros(10 + 50 * u64::from(self.0.octet())));
        (0..copies).map(|_| arrival()).collect()
    }
}

/// Two ends of a session, between which datagrams are lost, doubled, delayed, altered and made up: neither panics; in
/// signed mode nothing altered or made up is taken; and once all that is over, they understand each other.
///
/// # Errors
/// What does not hold.
pub fn sessions(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let is_signed = source.one_in(4);
    let mut tree = Tree::new(1)?;
    let mut ends = if is_signed {
        Ends::new([tree.own(1)?, tree.own(2)?])
    } else {
        Ends::unsigned()
    };
    for number in 0..40 {
        step(&mut ends, &mut source, is_signed, number)?;
    }
    ends.flying.clear();
    for number in 1000..1004 {
        ends.run(Duration::from_secs(25), &mut Perfect);
        for end in &mut ends.ends {
            end.session.push(&item(number));
        }
        ends.run(Duration::from_millis(100), &mut Perfect);
        let came = |at: usize| ends.items(at).last() == Some(&item(number));
        if ends.established() && ends.key(0) == ends.key(1) && came(0) && came(1) {
            return Ok(());
        }
    }
    Err(format!("they do not come together: {ends:?}"))
}

fn step(
    ends: &mut Ends,
    source: &mut Source<'_>,
    is_signed: bool,
    number: u16,
) -> Result<(), Fault> {
    let at = source.below(2);
    match source.below(10) {
        0..=3 => {
            let span = Duration::from_millis(u64::from(source.octet()));
            ends.run(span, &mut Drawn(source));
        }
        4 => {
            for _ in 0..=source.below(40) {
                ends.ends[at].session.push(&item(number));
            }
        }
        5 => ends.restart(at),
        6 => ends.ends[at].own.revision += 1,
        7 => {
            if let Some((to, bytes)) = source.pick_of(&ends.captured).cloned() {
                // A replay, or late.
                let _ = ends.deliver(to, &bytes);
            }
        }
        8 => {
            let Some((to, mut bytes)) = source.pick_of(&ends.captured).cloned() else {
                return Ok(());
            };
            let place = source.below(bytes.len());
            bytes[place] ^= source.octet().max(1);
            made_up(ends, to, &bytes, is_signed)?;
        }
        _ => {
            let kind = source.pick(&[Kind::Hello, Kind::Update, Kind::Keepalive]);
            let mut bytes = Frame::begin(kind, source.one_in(2), 0);
            let len = source.below(200);
            bytes.extend_from_slice(source.take(len));
            made_up(ends, at, &bytes, is_signed)?;
        }
    }
    Ok(())
}

/// What no end sent is delivered.
fn made_up(ends: &mut Ends, to: usize, bytes: &[u8], is_signed: bool) -> Result<(), Fault> {
    let before = ends.ends[to].events.len();
    let result = ends.deliver(to, bytes);
    let events = ends.ends[to].events.get(before..).unwrap_or_default();
    let nothing = result.is_err() && events.is_empty();
    hold(nothing || !is_signed, || {
        format!("a message that nobody signed was taken: {events:?}")
    })
}
