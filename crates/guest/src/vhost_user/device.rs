//! A device's socket, and the thread that listens to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::{fs, thread};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use thiserror::Error;
use tracing::{info, warn};
use vhost::vhost_user::{
    BackendReqHandler, Error as ProtocolError, VhostUserBackendReqHandlerMut as _,
};

use super::control::{Connection, Link};
use super::enable::Enable;
use super::features::Features;
use super::queue::{Bell, VhostQueue};

/// The most queue pairs of one device.
pub const MAX_QUEUES: u16 = 64;
/// How many commands wait for a worker: more than one ring of a pair is never being changed.
const COMMANDS: usize = 4;
/// How long nothing is accepted after accepting has failed, in milliseconds.
const PAUSE: u16 = 1000;

/// How a vhost-user device is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSettings {
    /// Where its socket is; machines connect there. The folder must exist.
    pub socket: PathBuf,
    /// How many queue pairs it has, 1 to [`MAX_QUEUES`].
    pub queues: u16,
    /// What is offered to the driver: [`Features::GUEST`], or [`Features::PLAIN`] for a wire.
    pub features: Features,
}

/// A vhost-user network device. It listens as long as it lives, and serves one machine at a time; machines come and
/// go as they like.
#[derive(Debug)]
pub struct Device {
    socket: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What is known about a device's machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether a machine is connected.
    pub connected: bool,
    /// How many connections there were.
    pub connections: u64,
    /// How many connections were ended because of what the machine said.
    pub protocol_errors: u64,
}

/// What the device and its thread share.
#[derive(Debug)]
struct Shared {
    ending: Arc<AtomicBool>,
    end: EventFd,
    connected: AtomicBool,
    connections: AtomicU64,
    protocol_errors: AtomicU64,
    current: Current,
}

/// The connection of now, for ending it while the thread reads from it.
#[derive(Debug, Default)]
#[expect(
    clippy::disallowed_types,
    reason = "taken when a machine comes or goes, by no worker"
)]
struct Current(std::sync::Mutex<Option<UnixStream>>);

impl Current {
    fn set(&self, stream: Option<UnixStream>) {
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = stream;
    }

    fn shut(&self) {
        let current = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(stream) = &*current {
            // One that is closed already needs no closing.
            let _closed = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Why a device cannot listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The number of queue pairs.
    #[error("a vhost-user device has 1 to {MAX_QUEUES} queue pairs, {asked} were asked for")]
    Queues {
        /// How many.
        asked: u16,
    },
    /// Somebody listens there.
    #[error(
        "vhost-user socket {}: another process listens there; stop it, or use another path",
        socket.display()
    )]
    InUse {
        /// The socket.
        socket: PathBuf,
    },
    /// There is a file that is no socket.
    #[error(
        "vhost-user socket {}: a file that is no socket is in the way; move it, or use another path",
        socket.display()
    )]
    NoSocket {
        /// The path.
        socket: PathBuf,
    },
    /// The socket cannot be made.
    #[error(
        "vhost-user socket {} cannot be made; does its folder exist, and may this process write to it?",
        socket.display()
    )]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The kernel gives no thread or descriptor.
    #[error("vhost-user socket {}: the kernel gives no more {what}; raise the limit", socket.display())]
    Resources {
        /// The socket.
        socket: PathBuf,
        /// Of what there is no more.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
}

impl Device {
    /// Listens at the socket. A socket that a process has left behind is replaced.
    ///
    /// # Errors
    /// Where the socket cannot be made, or somebody listens there.
    pub fn listen(settings: &DeviceSettings) -> Result<(Self, Vec<VhostQueue>), DeviceError> {
        if !(1..=MAX_QUEUES).contains(&settings.queues) {
            return Err(DeviceError::Queues {
                asked: settings.queues,
            });
        }
        let lack = |what, source| DeviceError::Resources {
            socket: settings.socket.clone(),
            what,
            source,
        };
        let mut queues = Vec::new();
        let mut links = Vec::new();
        for _ in 0..settings.queues {
            let wake = event().map_err(|source| lack("descriptors", source))?;
            let bell = Arc::new(Bell::new(wake));
            let (commands, inbox) = sync_channel(COMMANDS);
            let queue = VhostQueue::new(Arc::clone(&bell), inbox)
                .map_err(|errno| lack("descriptors", errno.into()))?;
            queues.push(queue);
            links.push(Link { bell, commands });
        }
        let shared = Arc::new(Shared {
            ending: Arc::default(),
            end: event().map_err(|source| lack("descriptors", source))?,
            connected: AtomicBool::default(),
            connections: AtomicU64::default(),
            protocol_errors: AtomicU64::default(),
            current: Current::default(),
        });
        let listener = bind(&settings.socket)?;
        let thread = thread::Builder::new()
            .name("vhost-user".into())
            .spawn({
                let (shared, settings) = (Arc::clone(&shared), settings.clone());
                move || serve(&listener, &settings, &links, &shared)
            })
            .map_err(|source| lack("threads", source))?;
        let device = Self {
            socket: settings.socket.clone(),
            shared,
            thread: Some(thread),
        };
        Ok((device, queues))
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What is known about its machine now.
    pub fn status(&self) -> Status {
        Status {
            connected: self.shared.connected.load(Ordering::Relaxed),
            connections: self.shared.connections.load(Ordering::Relaxed),
            protocol_errors: self.shared.protocol_errors.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Device {
    /// Ends the connection and the listening; the socket goes away.
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Relaxed);
        let _told = self.shared.end.write(1);
        self.shared.current.shut();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ended = thread.join();
        }
        // Where it is gone already, nothing is left to do.
        let _removed = fs::remove_file(&self.socket);
    }
}

fn event() -> io::Result<EventFd> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    Ok(EventFd::from_flags(flags)?)
}

fn bind(socket: &Path) -> Result<UnixListener, DeviceError> {
    let path = || socket.to_owned();
    match fs::symlink_metadata(socket) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(DeviceError::NoSocket { socket: path() });
        }
        Ok(_) if UnixStream::connect(socket).is_ok() => {
            return Err(DeviceError::InUse { socket: path() });
        }
        Ok(_) => fs::remove_file(socket),
        Err(_) => Ok(()),
    }
    .and_then(|()| UnixListener::bind(socket))
    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
    .map_err(|source| DeviceError::Socket {
        socket: path(),
        source,
    })
}

/// Waits until one of two descriptors is readable, or for so many milliseconds; whether the first one is.
fn wait(first: BorrowedFd<'_>, end: &EventFd, timeout: PollTimeout) -> bool {
    let mut both = [
        PollFd::new(first, PollFlags::POLLIN),
        PollFd::new(end.as_fd(), PollFlags::POLLIN),
    ];
    // An interrupted wait is one in which nothing came.
    let _count = poll(&mut both, timeout);
    both[0].any().unwrap_or(false)
}

fn serve(listener: &UnixListener, settings: &DeviceSettings, links: &[Link], shared: &Shared) {
    let socket = settings.socket.display();
    while !shared.ending.load(Ordering::Relaxed) {
        if !wait(listener.as_fd(), &shared.end, PollTimeout::NONE) {
            continue;
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => {
                warn!(%socket, %error, "a machine cannot be accepted");
                wait(shared.end.as_fd(), &shared.end, PAUSE.into());
                continue;
            }
        };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        shared.connected.store(true, Ordering::Relaxed);
        info!(%socket, "machine connected");
        let connection = Connection::new(
            settings.features,
            links.to_vec(),
            Arc::clone(&shared.ending),
        );
        match converse(stream, connection, shared) {
            Ok(()) => info!(%socket, "machine left"),
            Err(error) => {
                shared.protocol_errors.fetch_add(1, Ordering::Relaxed);
                warn!(%socket, %error, "machine sent away");
            }
        }
        shared.connected.store(false, Ordering::Relaxed);
    }
}

/// Serves one machine until it goes, or until it says what makes no sense.
#[expect(
    clippy::disallowed_types,
    reason = "the protocol's crate asks for a lock around what one thread owns"
)]
fn converse(
    stream: UnixStream,
    connection: Connection,
    shared: &Shared,
) -> Result<(), ProtocolError> {
    stream
        .set_nonblocking(false)
        .map_err(ProtocolError::SocketError)?;
    let mut socket = stream.try_clone().map_err(ProtocolError::SocketError)?;
    let for_ending = stream.try_clone().map_err(ProtocolError::SocketError)?;
    shared.current.set(Some(for_ending));
    let connection = Arc::new(std::sync::Mutex::new(connection));
    let mut requests = BackendReqHandler::from_stream(stream, Arc::clone(&connection));
    let result = loop {
        wait(socket.as_fd(), &shared.end, PollTimeout::NONE);
        if shared.ending.load(Ordering::Relaxed) {
            break Ok(());
        }
        match request(&mut socket, &mut requests, &connection) {
            Ok(()) => {}
            Err(ProtocolError::Disconnected | ProtocolError::SocketBroken(_)) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    connection
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .end();
    shared.current.set(None);
    result
}

/// Serves the next message.
#[expect(
    clippy::disallowed_types,
    reason = "the protocol's crate asks for a lock around what one thread owns"
)]
fn request(
    socket: &mut UnixStream,
    requests: &mut BackendReqHandler<std::sync::Mutex<Connection>>,
    connection: &std::sync::Mutex<Connection>,
) -> Result<(), ProtocolError> {
    let Some(enable) = Enable::take(socket).map_err(ProtocolError::SocketBroken)? else {
        return requests.handle_request();
    };
    let mut connection = connection
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let result = match enable.state {
        0 => connection.set_vring_enable(enable.ring, false),
        1 => connection.set_vring_enable(enable.ring, true),
        _ => Err(ProtocolError::InvalidParam),
    };
    if connection.answers() {
        enable
            .answer(socket, result.is_ok())
            .map_err(ProtocolError::SocketBroken)?;
    }
    result
}
