//! Which bit of a record stands for which layer: a layer keeps its bit over changes of program, by its name.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::program::{Program, ProgramSpec};

/// The layers that connections may have passed statefully, each with its bit.
#[derive(Clone, Debug)]
pub(crate) struct LayerBits {
    /// The names by bit; a layer that is gone keeps its bit until another needs it.
    names: Vec<Box<str>>,
    /// The bits by place in the program.
    bits: [u16; ProgramSpec::MAX_LAYERS],
}

impl LayerBits {
    /// The layers of a port's first program: each has the bit of its place.
    pub(crate) fn new(program: &Program) -> Self {
        let mut layers = Self {
            names: Vec::new(),
            bits: [0; ProgramSpec::MAX_LAYERS],
        };
        layers.change(program);
        layers
    }

    /// Takes over the layers of a new program. Returns the bits that stood for a layer that is gone and stand for
    /// another one now: no record may go on having them.
    pub(crate) fn change(&mut self, program: &Program) -> u16 {
        let mut stale = 0;
        let mut bits = [0; ProgramSpec::MAX_LAYERS];
        for (place, name) in bits.iter_mut().zip(program.layer_names()) {
            let known = self.names.iter().position(|known| **known == *name);
            let at = match known {
                Some(at) => at,
                None if self.names.len() < ProgramSpec::MAX_LAYERS => {
                    self.names.push(name.into());
                    self.names.len() - 1
                }
                None => {
                    let Some(at) = self.disused(program) else {
                        continue;
                    };
                    self.names[at] = name.into();
                    stale |= 1 << at;
                    at
                }
            };
            *place = 1 << at;
        }
        self.bits = bits;
        stale
    }

    /// A bit whose layer the program does not have.
    fn disused(&self, program: &Program) -> Option<usize> {
        self.names
            .iter()
            .position(|known| program.layer_names().all(|name| *name != **known))
    }

    /// The bit of the layer at this place of the program.
    pub(crate) fn bit(&self, place: usize) -> u16 {
        self.bits.get(place).copied().unwrap_or(0)
    }

    /// The names by bit.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;
    use core::net::Ipv6Addr;

    use rackweave_types::MacAddr;

    use super::*;
    use crate::program::{Action, Layer, RuleSet, Timeouts, Underlay};

    fn program(names: &[&str]) -> Program {
        let layer = |name: &&str| {
            let set = RuleSet {
                rules: Vec::new(),
                default: vec![Action::Allow],
            };
            Layer {
                name: name.to_string(),
                outbound: set.clone(),
                inbound: set,
            }
        };
        let underlay = Underlay {
            source: Ipv6Addr::LOCALHOST,
            src_mac: MacAddr::ZERO,
            dst_mac: MacAddr::ZERO,
            guest_mtu: 1500,
        };
        let spec = ProgramSpec {
            layers: names.iter().map(layer).collect(),
            underlay,
            pools: Vec::new(),
            meters: Vec::new(),
            timeouts: Timeouts::default(),
        };
        Program::compile(&spec, Vec::new()).unwrap()
    }

    #[test]
    fn a_layer_keeps_its_bit_wherever_it_stands() {
        let mut layers = LayerBits::new(&program(&["a", "b", "c"]));
        assert_eq!([0, 1, 2].map(|place| layers.bit(place)), [1, 2, 4]);
        assert_eq!(layers.change(&program(&["c", "new", "a"])), 0);
        assert_eq!([0, 1, 2].map(|place| layers.bit(place)), [4, 8, 1]);
        assert_eq!(layers.change(&program(&["b"])), 0);
        assert_eq!(layers.bit(0), 2, "it was away for a while");
    }

    #[test]
    fn a_bit_that_changes_hands_is_named() {
        let first: Vec<_> = (0..16).map(|at| alloc::format!("old{at}")).collect();
        let names: Vec<&str> = first.iter().map(|name| &**name).collect();
        let mut layers = LayerBits::new(&program(&names));
        let mut changed = names.clone();
        changed[3] = "new";
        assert_eq!(layers.change(&program(&changed)), 1 << 3);
        assert_eq!(layers.bit(3), 1 << 3);
        assert_eq!(layers.names().nth(3), Some("new"));
    }
}
