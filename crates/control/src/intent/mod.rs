//! All that was asked for, as one snapshot with its indexes.

mod index;

use std::collections::BTreeMap;
use std::net::IpAddr;

use rackweave_types::{Generation, MacAddr, NodePrefix, Vni};

use crate::change::{Change, Commit};
use crate::key::{Id, Key, Kind};
use crate::model::{
    AzGiven, AzSpec, Entry, FloatingIpGiven, FloatingIpSpec, NicGiven, NicSpec, Object,
};
use crate::name::Name;

pub(crate) use index::Holder;
use index::Index;

/// A NIC as it is kept.
pub(crate) type NicEntry = Entry<NicSpec, NicGiven>;
/// A floating address as it is kept.
pub(crate) type FloatingEntry = Entry<FloatingIpSpec, FloatingIpGiven>;

/// All that was asked for after a number of commits.
#[derive(Clone, Debug, Default)]
pub struct Intent {
    head: Generation,
    objects: BTreeMap<Key, Object>,
    index: Index,
}

impl Intent {
    /// The snapshot that these objects make.
    #[must_use]
    pub fn load(head: Generation, objects: impl IntoIterator<Item = Object>) -> Self {
        let mut intent = Self {
            head,
            ..Self::default()
        };
        for object in objects {
            intent.put(object);
        }
        intent
    }

    /// How many commits there were.
    #[must_use]
    pub const fn head(&self) -> Generation {
        self.head
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Every object, by key.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// An object.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Object> {
        self.objects.get(&key)
    }

    /// The object of this name under a parent.
    #[must_use]
    pub fn find(&self, kind: Kind, parent: Option<Id>, name: &Name) -> Option<&Object> {
        let id = self.index.named(kind, parent, name)?;
        self.get(Key::new(kind, id))
    }

    /// The objects of a kind under a parent, sorted by name, from behind `after`.
    pub fn children<'a>(
        &'a self,
        kind: Kind,
        parent: Option<Id>,
        after: Option<&Name>,
    ) -> impl Iterator<Item = &'a Object> + use<'a> {
        self.index
            .children(kind, parent, after)
            .filter_map(move |id| self.get(Key::new(kind, id)))
    }

    /// The AZ itself, once it was described.
    #[must_use]
    pub fn az(&self) -> Option<&Entry<AzSpec, AzGiven>> {
        match self.children(Kind::Az, None, None).next()? {
            Object::Az(az) => Some(az),
            _ => None,
        }
    }

    /// Applies a commit that was made on this snapshot.
    pub fn apply(&mut self, commit: &Commit) {
        // What one object gives up, another may take in the same commit.
        for change in &commit.changes {
            self.remove(change.key);
        }
        for object in commit
            .changes
            .iter()
            .filter_map(|change| change.object.as_ref())
        {
            self.put(object.clone());
        }
        self.head = commit.head();
    }

    /// What takes a commit back that is not made yet.
    pub(crate) fn undo(&self, commit: &Commit) -> Commit {
        let changes = commit.changes.iter().map(|change| Change {
            key: change.key,
            object: self.get(change.key).cloned(),
        });
        Commit {
            base: commit.head(),
            changes: changes.collect(),
        }
    }

    /// Says that there were so many commits, after one was taken back.
    pub(crate) const fn rewind(&mut self, head: Generation) {
        self.head = head;
    }

    fn put(&mut self, object: Object) {
        self.remove(object.key());
        self.index.add(&object);
        self.objects.insert(object.key(), object);
    }

    fn remove(&mut self, key: Key) {
        if let Some(object) = self.objects.remove(&key) {
            self.index.drop(&object);
        }
    }

    /// How many objects of a kind stand under a parent.
    pub(crate) fn count(&self, kind: Kind, parent: Option<Id>) -> usize {
        self.index.children(kind, parent, None).count()
    }

    /// The VPC with this network identifier.
    #[must_use]
    pub fn vpc_of(&self, vni: Vni) -> Option<Id> {
        self.index.vnis.get(&vni).copied()
    }

    /// The NIC with this Ethernet address.
    #[must_use]
    pub fn nic_of(&self, mac: MacAddr) -> Option<Id> {
        self.index.macs.get(&mac).copied()
    }

    /// The NIC that holds an address of a VPC.
    #[must_use]
    pub fn nic_at(&self, vpc: Id, address: IpAddr) -> Option<Id> {
        self.index.addresses.get(&(vpc, address)).copied()
    }

    /// Who holds an external address for itself.
    pub(crate) fn holder_of(&self, outside: IpAddr) -> Option<Holder> {
        self.index.outside.get(&outside).copied()
    }

    /// Who holds a block of shared addresses.
    pub(crate) fn nat_holder(&self, pool: Id, number: u32) -> Option<Holder> {
        self.index.nat.get(&(pool, number)).copied()
    }

    /// The numbers of a pool's blocks that are held, from `first` to before `behind`, ascending.
    pub(crate) fn nat_numbers(
        &self,
        pool: Id,
        first: u32,
        behind: u32,
    ) -> impl DoubleEndedIterator<Item = u32> {
        let held = self.index.nat.range((pool, first)..(pool, behind));
        held.map(|((_, number), _)| *number)
    }

    /// The external addresses that are held within a range, ascending.
    pub(crate) fn held_between(&self, first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
        self.index.outside.range(first..=last).map(|(at, _)| *at)
    }

    /// The addresses that are held within a range of a VPC, ascending.
    pub(crate) fn held_in_vpc(
        &self,
        vpc: Id,
        first: IpAddr,
        last: IpAddr,
    ) -> impl Iterator<Item = IpAddr> {
        let held = self.index.addresses.range((vpc, first)..=(vpc, last));
        held.map(|((_, address), _)| *address)
    }

    /// The NICs in a VPC.
    pub(crate) fn nics_of_vpc(&self, vpc: Id) -> impl Iterator<Item = &NicEntry> {
        let nics = self
            .index
            .vpc_nics
            .range((vpc, Id::new(0))..=(vpc, Id::new(Id::MAX)));
        nics.filter_map(|(_, nic)| self.nic(*nic))
    }

    /// The NICs in a VPC that may send with foreign sources.
    pub(crate) fn transit_of_vpc(&self, vpc: Id) -> impl Iterator<Item = &NicEntry> {
        let range = (vpc, Id::new(0))..=(vpc, Id::new(Id::MAX));
        let nics = self.index.vpc_transit.range(range);
        nics.filter_map(|(_, nic)| self.nic(*nic))
    }

    /// The NICs in a subnet.
    pub(crate) fn nics_of_subnet(&self, vpc: Id, subnet: Id) -> impl Iterator<Item = &NicEntry> {
        self.nics_of_vpc(vpc)
            .filter(move |nic| nic.given.subnet == Some(subnet))
    }

    /// The NICs of an instance, by slot.
    pub(crate) fn nics_of_instance(&self, instance: Id) -> Vec<&NicEntry> {
        let children = self.children(Kind::Nic, Some(instance), None);
        let mut nics: Vec<_> = children
            .filter_map(|object| match object {
                Object::Nic(nic) => Some(nic),
                _ => None,
            })
            .collect();
        nics.sort_by_key(|nic| nic.given.slot);
        nics
    }

    /// The instances on a sled.
    pub(crate) fn instances_on(&self, sled: Id) -> impl Iterator<Item = Id> {
        let range = (sled, Id::new(0))..=(sled, Id::new(Id::MAX));
        self.index.sled_instances.range(range).map(|(_, id)| *id)
    }

    /// How many NICs the instances on a sled have.
    pub(crate) fn load_of(&self, sled: Id) -> u32 {
        self.index.loads.get(&sled).copied().unwrap_or(0)
    }

    /// How many instances are on a sled.
    pub(crate) fn guests_of(&self, sled: Id) -> u32 {
        self.index.guests.get(&sled).copied().unwrap_or(0)
    }

    /// The floating addresses that lead to a NIC.
    pub(crate) fn floating_of(&self, nic: Id) -> impl Iterator<Item = &FloatingEntry> {
        let range = (nic, Id::new(0))..=(nic, Id::new(Id::MAX));
        let ids = self.index.nic_floating.range(range);
        ids.filter_map(|(_, id)| self.floating_ip(*id))
    }

    /// The sled with this prefix.
    #[must_use]
    pub fn sled_at(&self, prefix: NodePrefix) -> Option<Id> {
        self.index.sleds.get(&prefix).copied()
    }

    /// The switch with this prefix.
    #[must_use]
    pub fn switch_at(&self, prefix: NodePrefix) -> Option<Id> {
        self.index.switches.get(&prefix).copied()
    }

    /// The VPCs whose peerings wish to be joined with this one.
    pub(crate) fn suitors(&self, vpc: Id) -> impl Iterator<Item = Id> {
        let range = (vpc, Id::new(0))..=(vpc, Id::new(Id::MAX));
        self.index.suitors.range(range).map(|(_, from)| *from)
    }

    /// The VPCs joined with this one: each wishes it of the other.
    pub(crate) fn peers(&self, vpc: Id) -> impl Iterator<Item = Id> {
        let wished = self.suitors(vpc);
        wished.filter(move |other| self.index.suitors.contains(&(*other, vpc)))
    }

    /// The links to a pool.
    pub(crate) fn links_of(&self, pool: Id) -> impl Iterator<Item = Id> {
        let range = (pool, Id::new(0))..=(pool, Id::new(Id::MAX));
        self.index.pool_links.range(range).map(|(_, link)| *link)
    }

    /// The instance that a NIC is of.
    pub(crate) fn instance_of(
        &self,
        nic: &NicEntry,
    ) -> Option<&Entry<crate::model::InstanceSpec, crate::model::InstanceGiven>> {
        self.instance(nic.meta.parent?)
    }

    /// The sled on which a NIC is.
    pub(crate) fn sled_of(&self, nic: &NicEntry) -> Option<Id> {
        self.instance_of(nic)?.given.sled
    }
}
