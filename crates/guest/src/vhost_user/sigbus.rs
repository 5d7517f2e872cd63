//! Memory that a machine takes away while it is in use.
//!
//! A machine shares its guest's memory by a file, and may cut that file shorter. Whoever touches what was cut off gets
//! `SIGBUS`, which would end the process and every guest's network with it. So each mapping is entered into a table; the
//! handler puts empty memory of our own in place of a mapping that faults, and marks it. The worker goes on, finds the
//! mark and stops that guest's rings. A fault anywhere else is what it was before: the end.
#![expect(
    unsafe_code,
    clippy::fn_to_numeric_cast_any,
    reason = "a signal handler, and what it replaces, are C calls and addresses"
)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::{c_int, c_void, sigaction, siginfo_t};
use thiserror::Error;

/// How many mappings can be guarded at once: those of some hundred guests.
const SLOTS: usize = 4096;

/// A guarded mapping: `start` is 0 where the slot is free, and is written last.
struct Slot {
    taken: AtomicBool,
    start: AtomicUsize,
    len: AtomicUsize,
    gone: AtomicBool,
}

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        gone: AtomicBool::new(false),
    }
}; SLOTS];

/// The handler that was there before; an error of the call that put ours in its place.
static BEFORE: OnceLock<Result<sigaction, c_int>> = OnceLock::new();

/// Why a mapping cannot be guarded.
#[derive(Debug, Error)]
pub(super) enum GuardError {
    #[error("the table of guarded mappings is full")]
    Full,
    #[error("the handler of SIGBUS cannot be set")]
    Handler { source: io::Error },
}

/// Keeps a fault in one mapping from ending the process, as long as it lives.
#[derive(Debug)]
pub(super) struct Guard {
    slot: usize,
}

impl Guard {
    /// Guards the mapping of `len` bytes at `start`, which must stay until the guard is dropped.
    pub(super) fn new(start: usize, len: usize) -> Result<Self, GuardError> {
        if let Err(errno) = BEFORE.get_or_init(install) {
            let source = io::Error::from_raw_os_error(*errno);
            return Err(GuardError::Handler { source });
        }
        let free = |slot: &Slot| {
            slot.taken
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        };
        let slot = TABLE.iter().position(free).ok_or(GuardError::Full)?;
        let guard = Self { slot };
        let slot = guard.slot();
        slot.gone.store(false, Ordering::Relaxed);
        slot.len.store(len, Ordering::Relaxed);
        slot.start.store(start, Ordering::Release);
        Ok(guard)
    }

    /// Whether the mapping faulted and is ours alone now.
    pub(super) fn is_gone(&self) -> bool {
        self.slot().gone.load(Ordering::Relaxed)
    }

    fn slot(&self) -> &'static Slot {
        &TABLE[self.slot]
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let slot = self.slot();
        slot.start.store(0, Ordering::Release);
        slot.taken.store(false, Ordering::Release);
    }
}

fn install() -> Result<sigaction, c_int> {
    // SAFETY: a `sigaction` is integers and an optional function; all of them may be zero.
    let mut ours: sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = on_fault;
    ours.sa_sigaction = handler as libc::sighandler_t;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    let mut before = MaybeUninit::<sigaction>::uninit();
    // SAFETY: both structures live until the call returns, and the handler has the signature that SA_SIGINFO asks for.
    let result = unsafe { sigaction(libc::SIGBUS, &raw const ours, before.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or_default());
    }
    // SAFETY: the call succeeded, so it has filled in what was there before.
    Ok(unsafe { before.assume_init() })
}

/// Runs on the thread that faulted, in the midst of whatever it did: only atomics and two system calls.
extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with SA_SIGINFO.
    let info_ref = unsafe { &*info };
    // SAFETY: for SIGBUS the kernel fills in the address; where somebody else sent the signal it is only looked up.
    let address = unsafe { info_ref.si_addr() }.addr();
    for slot in &TABLE {
        let start = slot.start.load(Ordering::Acquire);
        let len = slot.len.load(Ordering::Relaxed);
        if start == 0 || address < start || address - start >= len {
            continue;
        }
        slot.gone.store(true, Ordering::Relaxed);
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: the range is one mapping of ours, which its guard says is still there, and which is reached by
        // raw pointers alone; its contents may change at any time anyway.
        let empty =
            unsafe { libc::mmap(ptr::without_provenance_mut(start), len, prot, flags, -1, 0) };
        if empty != libc::MAP_FAILED {
            return;
        }
    }
    pass_on(signal, info, context);
}

/// Does what would have been done without us.
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(Ok(before)) = BEFORE.get() else {
        return;
    };
    match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // The instruction faults again after this handler, and then ends the process.
            // SAFETY: `before` is what the kernel gave us, and no result is wanted.
            unsafe { sigaction(signal, before, ptr::null_mut()) };
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the flag says that this number is a function of this signature.
            let handler = unsafe {
                std::mem::transmute::<usize, extern "C" fn(c_int, *mut siginfo_t, *mut c_void)>(
                    handler,
                )
            };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without the flag it is a function of the signal's number.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}
