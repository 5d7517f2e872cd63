//! One queue of a TAP device.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rackweave_wire::virtio_net::NetHeader;

use super::setup::FORM;
use crate::check::checked_header;
use crate::{Claim, Claims, Received, Sent};

const HEADER_LEN: usize = FORM.header_len();

/// One queue: what the guest sent by it comes out, what is put in is for the guest. One worker owns it.
///
/// Its descriptor is readable when something has come. No call blocks.
#[derive(Debug)]
pub struct TapQueue {
    file: Arc<File>,
    claims: Claims,
}

impl TapQueue {
    pub(super) fn new(file: File) -> Self {
        Self {
            file: Arc::new(file),
            claims: Claims::default(),
        }
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Takes the next frame, with the header that says what is still to be done to it.
    ///
    /// # Errors
    /// Where the device is gone.
    pub fn receive(&mut self, header: &mut NetHeader, buffer: &mut [u8]) -> io::Result<Received> {
        let mut head = [0; HEADER_LEN];
        // The kernel cuts what does not fit; one byte of room more tells a frame that was cut.
        let mut spill = [0; 1];
        let room = buffer.len();
        let parts = &mut [
            IoSliceMut::new(&mut head),
            IoSliceMut::new(buffer),
            IoSliceMut::new(&mut spill),
        ];
        let read = match (&*self.file).read_vectored(parts) {
            Ok(read) => read,
            Err(error) if is_transient(&error) => return Ok(Received::Empty),
            Err(error) => return Err(error),
        };
        let Some(len) = read.checked_sub(HEADER_LEN) else {
            return Ok(self.refuse(Claim::Header));
        };
        if len > room {
            return Ok(self.refuse(Claim::TooLong));
        }
        match checked_header(FORM, &head, len) {
            Ok(found) => {
                *header = found;
                Ok(Received::Frame { len })
            }
            Err(claim) => Ok(self.refuse(claim)),
        }
    }

    /// Hands a frame to the guest.
    ///
    /// # Errors
    /// Where the device is gone.
    pub fn send(&self, header: &NetHeader, frame: &[u8]) -> io::Result<Sent> {
        let mut head = [0; HEADER_LEN];
        if header.emit(FORM, &mut head).is_err() {
            return Ok(Sent::Unsendable);
        }
        let parts = &[IoSlice::new(&head), IoSlice::new(frame)];
        match (&*self.file).write_vectored(parts) {
            Ok(written) if written < HEADER_LEN + frame.len() => Ok(Sent::Unsendable),
            Ok(_) => Ok(Sent::Taken),
            Err(error) => match error.raw_os_error() {
                // EIO: the guest has taken its interface down.
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EIO | libc::EINTR) => {
                    Ok(Sent::Full)
                }
                Some(libc::EINVAL | libc::EMSGSIZE | libc::EFAULT) => Ok(Sent::Unsendable),
                _ => Err(error),
            },
        }
    }

    /// What came that was no frame.
    pub fn claims(&self) -> Claims {
        self.claims
    }

    fn refuse(&mut self, claim: Claim) -> Received {
        self.claims.count(claim);
        Received::Refused(claim)
    }
}

/// Nothing there now, or a signal; not the end of the device.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

impl AsFd for TapQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
