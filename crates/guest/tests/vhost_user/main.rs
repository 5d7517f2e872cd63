//! vhost-user devices against the driver of this crate: real sockets, rings and memory, no machine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod hostile;
mod restart;
mod traffic;

use std::path::PathBuf;
use std::thread;

use rackweave_guest::vhost_user::driver::{Driver, DriverError, DriverSettings};
use rackweave_guest::vhost_user::{Device, DeviceSettings, Features, VhostQueue};
use rackweave_guest::{MAX_FRAME, Received};
use rackweave_wire::virtio_net::NetHeader;
use tempfile::TempDir;

/// A device whose worker is the test itself.
struct Bench {
    /// Holds the folder as long as the socket is used.
    _folder: TempDir,
    socket: PathBuf,
    device: Device,
    queues: Vec<VhostQueue>,
}

impl Bench {
    fn new(queues: u16) -> Self {
        Self::offering(queues, Features::GUEST)
    }

    fn offering(queues: u16, features: Features) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("guest.sock");
        let (device, queues) = Device::listen(&settings(&socket, queues, features)).unwrap();
        Self {
            _folder: folder,
            socket,
            device,
            queues,
        }
    }

    /// Ends the device as a process does that is lost with what its worker had in hand, and starts it again at the
    /// same socket.
    fn restart(&mut self) {
        let queues = u16::try_from(self.queues.len()).unwrap();
        self.queues.clear();
        let elsewhere = self.socket.with_extension("other");
        (self.device, _) = Device::listen(&settings(&elsewhere, 1, Features::GUEST)).unwrap();
        (self.device, self.queues) =
            Device::listen(&settings(&self.socket, queues, Features::GUEST)).unwrap();
    }

    fn connect(&mut self, settings: &DriverSettings) -> Driver {
        let socket = self.socket.clone();
        self.while_working(move || Driver::connect(&socket, settings))
            .unwrap()
    }

    fn join(&mut self, driver: &mut Driver) -> Result<(), DriverError> {
        let socket = self.socket.clone();
        self.while_working(move || driver.join(&socket))
    }

    /// Runs something that waits for the worker.
    fn while_working<T: Send>(&mut self, job: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let job = scope.spawn(job);
            while !job.is_finished() {
                self.queues.iter_mut().for_each(VhostQueue::flush);
                thread::yield_now();
            }
            job.join().unwrap()
        })
    }

    /// Works until this is so.
    fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) {
        for _ in 0..5_000_000 {
            if so(self) {
                return;
            }
            self.queues.iter_mut().for_each(VhostQueue::flush);
            thread::yield_now();
        }
        panic!("it never came that {what}");
    }

    /// What the device has received, as long as it is no frame's refusal.
    fn next(&mut self, pair: usize) -> Option<(NetHeader, Vec<u8>)> {
        let mut buffer = vec![0; MAX_FRAME];
        let mut header = NetHeader::default();
        match self.queues[pair].receive(&mut header, &mut buffer) {
            Received::Frame { len } => Some((header, buffer[..len].to_vec())),
            Received::Empty => None,
            Received::Refused(claim) => panic!("{claim}"),
        }
    }
}

fn settings(socket: &std::path::Path, queues: u16, features: Features) -> DeviceSettings {
    DeviceSettings {
        socket: socket.to_owned(),
        queues,
        features,
    }
}

/// A frame of this length that no other number has.
fn frame(len: usize, number: u8) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from(at % 251).unwrap() ^ number)
        .collect()
}
