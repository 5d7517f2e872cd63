//! A chain of descriptors, followed one buffer at a time.

use super::memory::Run;
use super::table::{DESCRIPTOR_LEN, Descriptor, Tables};
use crate::Claim;

/// The most descriptors of one frame: 64 KiB in buffers of 128 bytes. It bounds what a guest can make a worker do for
/// one frame.
pub(super) const MAX_DESCRIPTORS: u16 = 512;

/// The buffers of one chain, all for one direction. Nothing is believed twice: every step is checked.
pub(super) struct Chain<'t> {
    tables: &'t Tables,
    /// The indirect table that the chain has gone into.
    indirect: Option<Run<'t>>,
    next: Option<u16>,
    /// How many descriptors may still come.
    left: u16,
    writable: bool,
    /// The rest of a buffer that spans regions.
    rest: Option<(u64, usize)>,
}

impl<'t> Chain<'t> {
    #[inline]
    pub(super) fn new(tables: &'t Tables, head: u16, writable: bool, left: u16) -> Self {
        Self {
            tables,
            indirect: None,
            next: Some(head),
            left,
            writable,
            rest: None,
        }
    }

    /// How many descriptors may still come.
    #[inline]
    pub(super) fn left(&self) -> u16 {
        self.left
    }

    /// The next bytes of the chain that lie together; `None` at its end.
    #[inline]
    pub(super) fn next_run(&mut self, hint: &mut usize) -> Result<Option<Run<'t>>, Claim> {
        let (address, len) = match self.rest.take() {
            Some(rest) => rest,
            None => match self.next_buffer(hint)? {
                Some(buffer) => buffer,
                None => return Ok(None),
            },
        };
        let run = self
            .tables
            .memory()
            .guest(address, len, hint)
            .ok_or(Claim::Address)?;
        if run.len() < len {
            // Region ends do not wrap, so neither does this.
            self.rest = Some((address.wrapping_add(widened(run.len())), len - run.len()));
        }
        Ok(Some(run))
    }

    /// The next buffer that is not empty.
    #[inline]
    fn next_buffer(&mut self, hint: &mut usize) -> Result<Option<(u64, usize)>, Claim> {
        while let Some(index) = self.next {
            let descriptor = match self.indirect {
                None => self.tables.descriptor(index),
                Some(table) => Descriptor::in_table(table, index),
            };
            let descriptor = descriptor.ok_or(Claim::DescriptorIndex)?;
            self.left = self.left.checked_sub(1).ok_or(Claim::ChainLength)?;
            if descriptor.indirect {
                self.enter(descriptor, hint)?;
                continue;
            }
            if descriptor.writable != self.writable {
                return Err(Claim::Direction);
            }
            self.next = descriptor.next;
            let len = usize::try_from(descriptor.len).map_err(|_| Claim::Address)?;
            if len > 0 {
                return Ok(Some((descriptor.address, len)));
            }
        }
        Ok(None)
    }

    /// Goes on in an indirect table (Virtio 1.3 section 2.7.5.3): the chain ends with it, and it has none in it.
    fn enter(&mut self, descriptor: Descriptor, hint: &mut usize) -> Result<(), Claim> {
        let len = usize::try_from(descriptor.len).map_err(|_| Claim::Indirect)?;
        if self.indirect.is_some()
            || descriptor.next.is_some()
            || len == 0
            || !len.is_multiple_of(DESCRIPTOR_LEN)
        {
            return Err(Claim::Indirect);
        }
        let table = self
            .tables
            .memory()
            .guest(descriptor.address, len, hint)
            .ok_or(Claim::Address)?;
        if table.len() < len {
            return Err(Claim::Address);
        }
        self.indirect = Some(table);
        self.next = Some(0);
        Ok(())
    }
}

fn widened(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
