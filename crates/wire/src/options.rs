//! Lists of options, of whatever header: one shape for IPv4, TCP, Geneve and neighbour discovery.
//!
//! A view gives an [`OptionIter`], which ends at the first malformed option with an error. A repr
//! holds [`Options`], a list in which every option is well-formed and all fit: read from a packet,
//! or given by the program as a slice. Both are equal when they hold the same options.

use core::fmt;
use core::marker::PhantomData;

use crate::error::BufferTooSmall;
use crate::raw;

/// An option of some header.
pub trait HeaderOption<'a>: Copy + PartialEq + fmt::Debug {
    /// What can be wrong with an option or with the list.
    type Error: Copy + PartialEq + fmt::Debug;
    /// Bytes that all options together may take, padding included.
    const LIMIT: usize;
    /// The list is padded with zeros to a multiple of this.
    const ALIGN: usize;

    /// Reads the first option at or after `at` and says where the next begins; nothing at the end.
    ///
    /// # Errors
    /// Where the option is malformed.
    fn read(area: &'a [u8], at: usize) -> Result<Option<(Self, usize)>, Self::Error>;

    /// Whether a packet can carry this option so that it is read as the same.
    ///
    /// # Errors
    /// Where it cannot.
    fn check(&self) -> Result<(), Self::Error>;

    /// Bytes that the option takes.
    fn buffer_len(&self) -> usize;

    /// Writes the option to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer has fewer than [`Self::buffer_len`] bytes.
    fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall>;

    /// The error for a list of `len` bytes.
    fn too_long(len: usize) -> Self::Error;
}

/// The options in some bytes: ends after the first malformed one.
#[derive(Clone, Debug)]
pub struct OptionIter<'a, O> {
    area: &'a [u8],
    at: usize,
    option: PhantomData<O>,
}

impl<'a, O: HeaderOption<'a>> OptionIter<'a, O> {
    pub(crate) const fn new(area: &'a [u8]) -> Self {
        Self {
            area,
            at: 0,
            option: PhantomData,
        }
    }
}

impl<'a, O: HeaderOption<'a>> Iterator for OptionIter<'a, O> {
    type Item = Result<O, O::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match O::read(self.area, self.at) {
            Ok(Some((option, next))) => {
                // An option of no bytes would be read for ever; no `read` gives one.
                debug_assert!(next > self.at);
                self.at = next;
                Some(Ok(option))
            }
            Ok(None) => None,
            Err(error) => {
                self.area = &[];
                self.at = 0;
                Some(Err(error))
            }
        }
    }
}

/// Options that are well-formed and fit into their header.
#[derive(Clone, Copy)]
pub struct Options<'a, O>(Source<'a, O>);

#[derive(Clone, Copy)]
enum Source<'a, O> {
    Packet(&'a [u8]),
    Program(&'a [O]),
}

impl<'a, O: HeaderOption<'a>> Options<'a, O> {
    /// No options.
    pub const EMPTY: Self = Self(Source::Packet(&[]));

    /// The options in this order.
    ///
    /// # Errors
    /// Where one of them cannot be carried, or all together are too long.
    pub fn new(options: &'a [O]) -> Result<Self, O::Error> {
        options.iter().try_for_each(O::check)?;
        Self(Source::Program(options)).fitting()
    }

    /// The options that these bytes hold.
    ///
    /// # Errors
    /// Where one of them is malformed, or all together are too long.
    pub fn parse(area: &'a [u8]) -> Result<Self, O::Error> {
        OptionIter::<O>::new(area).try_for_each(|option| option.map(|_| ()))?;
        Self(Source::Packet(area)).fitting()
    }

    /// The options in order.
    pub fn iter(&self) -> impl Iterator<Item = O> + use<'a, O> {
        let (area, list): (&[u8], &[O]) = match self.0 {
            Source::Packet(area) => (area, &[]),
            Source::Program(list) => (&[], list),
        };
        // The area was read to its end once, so no error is left in it.
        OptionIter::new(area)
            .map_while(Result::ok)
            .chain(list.iter().copied())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Bytes that [`Self::emit`] writes.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        self.iter()
            .map(|option| option.buffer_len())
            .sum::<usize>()
            .next_multiple_of(O::ALIGN)
    }

    /// Writes the options and their padding to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer has fewer than [`Self::buffer_len`] bytes.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let mut rest = raw::room(buffer, self.buffer_len())?;
        for option in self.iter() {
            let (head, tail) = rest.split_at_mut(option.buffer_len().min(rest.len()));
            option.emit(head)?;
            rest = tail;
        }
        rest.fill(0);
        Ok(())
    }

    fn fitting(self) -> Result<Self, O::Error> {
        let len = self.buffer_len();
        if len > O::LIMIT {
            Err(O::too_long(len))
        } else {
            Ok(self)
        }
    }
}

impl<'a, O: HeaderOption<'a>> Default for Options<'a, O> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a, O: HeaderOption<'a>> PartialEq for Options<'a, O> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, O: HeaderOption<'a>> fmt::Debug for Options<'a, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
