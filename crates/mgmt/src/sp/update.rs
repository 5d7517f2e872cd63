//! Firmware in resumable, verified chunks.
//!
//! An image is announced with its length and hash, comes in chunks from the front, and is started once when its hash is
//! right. It stays only if it is kept; else the next start is of the image before (roll-back).

use super::message::{Failure, Image, Progress, Response};

/// Where a unit keeps images.
pub trait Flash {
    /// Octets that there are for an image.
    fn room(&self) -> u32;
    /// Writes a piece of the coming image.
    fn write(&mut self, at: u32, octets: &[u8]);
    /// Starts from the coming image at the next start, and from the one before at the start after that.
    fn try_once(&mut self, image: &Image);
    /// Starts from the running image from now on.
    fn keep(&mut self);
}

/// An update under way.
#[derive(Clone, Debug, Default)]
pub struct Update {
    taking: Option<Taking>,
}

#[derive(Clone, Debug)]
struct Taking {
    image: Image,
    next: u32,
    hasher: blake3::Hasher,
}

impl Update {
    pub(super) fn begin(&mut self, flash: &impl Flash, image: Image) -> Result<Response, Failure> {
        if image.len > flash.room() {
            return Err(Failure::TooLarge(flash.room()));
        }
        if self
            .taking
            .as_ref()
            .is_none_or(|taking| taking.image != image)
        {
            let hasher = blake3::Hasher::new();
            self.taking = Some(Taking {
                image,
                next: 0,
                hasher,
            });
        }
        Ok(self.status())
    }

    pub(super) fn chunk(
        &mut self,
        flash: &mut impl Flash,
        at: u32,
        octets: &[u8],
    ) -> Result<Response, Failure> {
        let taking = self.taking.as_mut().ok_or(Failure::NoUpdate)?;
        let out_of_place = Err(Failure::OutOfPlace(taking.next));
        let Some(known) = taking.next.checked_sub(at) else {
            return out_of_place;
        };
        let new = usize::try_from(known)
            .ok()
            .and_then(|known| octets.get(known..));
        let new = new.unwrap_or_default();
        let end = u32::try_from(new.len())
            .ok()
            .and_then(|len| taking.next.checked_add(len));
        let Some(end) = end.filter(|end| *end <= taking.image.len) else {
            return out_of_place;
        };
        flash.write(taking.next, new);
        taking.hasher.update(new);
        taking.next = end;
        Ok(self.status())
    }

    pub(super) fn status(&self) -> Response {
        Response::Update(Progress {
            image: self.taking.as_ref().map(|taking| taking.image.clone()),
            next: self.taking.as_ref().map_or(0, |taking| taking.next),
        })
    }

    pub(super) fn finish(&mut self, flash: &mut impl Flash) -> Result<Response, Failure> {
        let taking = self.taking.take().ok_or(Failure::NoUpdate)?;
        if taking.next < taking.image.len {
            let next = taking.next;
            self.taking = Some(taking);
            return Err(Failure::OutOfPlace(next));
        }
        if taking.hasher.finalize() != blake3::Hash::from(taking.image.hash) {
            return Err(Failure::WrongHash);
        }
        flash.try_once(&taking.image);
        Ok(Response::Done)
    }

    pub(super) fn abort(&mut self) -> Response {
        self.taking = None;
        Response::Done
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[derive(Default)]
    struct Memory {
        octets: Vec<u8>,
        tried: usize,
    }

    impl Flash for Memory {
        fn room(&self) -> u32 {
            64
        }
        fn write(&mut self, at: u32, octets: &[u8]) {
            assert_eq!(usize::try_from(at), Ok(self.octets.len()));
            self.octets.extend(octets);
        }
        fn try_once(&mut self, _image: &Image) {
            self.tried += 1;
        }
        fn keep(&mut self) {}
    }

    fn image(octets: &[u8]) -> Image {
        Image {
            name: "sled-2".into(),
            len: u32::try_from(octets.len()).unwrap(),
            hash: *blake3::hash(octets).as_bytes(),
        }
    }

    fn next(response: Result<Response, Failure>) -> u32 {
        match response {
            Ok(Response::Update(progress)) => progress.next,
            Err(Failure::OutOfPlace(next)) => next,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_image_goes_on_where_it_was_left_and_is_tried_once_it_is_right() {
        let octets: Vec<u8> = (0..50).collect();
        let (mut flash, mut update) = (Memory::default(), Update::default());
        assert_eq!(next(update.begin(&flash, image(&octets))), 0);
        assert_eq!(next(update.chunk(&mut flash, 0, &octets[..20])), 20);
        assert_eq!(
            next(update.chunk(&mut flash, 30, &octets[30..])),
            20,
            "a gap"
        );
        assert_eq!(
            next(update.begin(&flash, image(&octets))),
            20,
            "another gateway goes on"
        );
        assert_eq!(
            next(update.chunk(&mut flash, 10, &octets[10..40])),
            40,
            "an overlap"
        );
        assert_eq!(next(update.finish(&mut flash)), 40, "too early");
        assert_eq!(next(update.chunk(&mut flash, 40, &octets[40..])), 50);
        assert_eq!(
            next(update.chunk(&mut flash, 50, &[1])),
            50,
            "beyond the end"
        );
        assert_eq!(update.finish(&mut flash), Ok(Response::Done));
        assert_eq!((flash.octets, flash.tried), (octets, 1));
    }

    #[test]
    fn a_wrong_image_is_never_tried() {
        let (mut flash, mut update) = (Memory::default(), Update::default());
        update.begin(&flash, image(&[1; 10])).unwrap();
        update.chunk(&mut flash, 0, &[2; 10]).unwrap();
        assert_eq!(update.finish(&mut flash), Err(Failure::WrongHash));
        assert_eq!(flash.tried, 0);
        assert_eq!(
            update.chunk(&mut flash, 0, &[1; 10]),
            Err(Failure::NoUpdate)
        );
        assert_eq!(
            update.begin(&flash, image(&[0; 65])),
            Err(Failure::TooLarge(64))
        );
    }
}
