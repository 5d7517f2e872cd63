//! Sets of node numbers.

use rackweave_types::NodeNumber;

use super::item::Members;

impl Members {
    /// The set of one.
    #[must_use]
    pub fn of(node: NodeNumber) -> Self {
        let mut set = Self::default();
        set.insert(node);
        set
    }

    /// Whether the node is of the set.
    #[must_use]
    pub fn contains(&self, node: NodeNumber) -> bool {
        let (word, bit) = place(node);
        self.0[word] & bit != 0
    }

    /// Adds the node.
    pub fn insert(&mut self, node: NodeNumber) {
        let (word, bit) = place(node);
        self.0[word] |= bit;
    }

    /// The nodes of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// The nodes of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// The nodes of this set that are not of the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// Whether nobody is of the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// How many are of the set.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The nodes, least first.
    pub fn iter(&self) -> impl Iterator<Item = NodeNumber> + '_ {
        (0..=u8::MAX)
            .filter_map(|number| NodeNumber::new(number).ok())
            .filter(|node| self.contains(*node))
    }

    fn zip(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let mut set = *self;
        for (word, with) in set.0.iter_mut().zip(other.0) {
            *word = join(*word, with);
        }
        set
    }
}

/// The word of a node's bit, and the bit in it.
fn place(node: NodeNumber) -> (usize, u64) {
    (usize::from(node.get() / 64), 1 << (node.get() % 64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(numbers: &[u8]) -> Members {
        let mut set = Members::default();
        for number in numbers {
            set.insert(NodeNumber::new(*number).unwrap());
        }
        set
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in(mut numbers in proptest::collection::vec(1_u8..=0xfe, 0..40)) {
            let members = set(&numbers);
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(members.len() as usize, numbers.len());
            prop_assert_eq!(members.is_empty(), numbers.is_empty());
            prop_assert_eq!(members.iter().map(NodeNumber::get).collect::<Vec<_>>(), numbers);
        }
    }

    #[test]
    fn sets_join_and_part() {
        let (a, b) = (set(&[1, 64, 253]), set(&[64, 254]));
        assert_eq!(a.union(&b), set(&[1, 64, 253, 254]));
        assert_eq!(a.intersection(&b), set(&[64]));
        assert_eq!(a.without(&b), set(&[1, 253]));
    }
}
