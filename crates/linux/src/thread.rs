//! Processors, and pinning a thread to one.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Why a thread could not be pinned, or the processors not be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThreadError {
    /// The kernel would not say which processors there are for us.
    #[error("cannot list the processors that this process may use")]
    List(#[source] io::Error),
    /// The kernel would not run the thread there.
    #[error(
        "cannot pin a thread to processor {cpu}: `nproc` and the service's AllowedCPUs= say which exist"
    )]
    Pin {
        /// The processor's number.
        cpu: usize,
        /// The kernel's word.
        source: io::Error,
    },
    /// The kernel would not run the thread before others.
    #[error("cannot run a thread in real time: it needs CAP_SYS_NICE or LimitRTPRIO=")]
    Realtime(#[source] io::Error),
    /// The kernel would not prefer the thread.
    #[error("cannot prefer a thread: it needs CAP_SYS_NICE or LimitNICE=")]
    Nice(#[source] io::Error),
}

/// The numbers of the processors that this thread may run on, ascending.
///
/// # Errors
/// [`ThreadError::List`].
pub fn cpus() -> Result<Vec<usize>, ThreadError> {
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(|e| ThreadError::List(e.into()))?;
    Ok((0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu) == Ok(true))
        .collect())
}

/// Lets the calling thread run on this processor alone.
///
/// # Errors
/// [`ThreadError::Pin`] where there is no such processor for us.
pub fn pin(cpu: usize) -> Result<(), ThreadError> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .map_err(|e| ThreadError::Pin {
            cpu,
            source: e.into(),
        })
}

/// Runs the calling thread before all that are not of its kind, as soon as it has something to do (`SCHED_FIFO` at its
/// lowest priority). Processes that it starts are not.
///
/// # Errors
/// [`ThreadError::Realtime`] where the process may not.
#[expect(unsafe_code, reason = "nix does not wrap sched_setscheduler(2)")]
pub fn realtime() -> Result<(), ThreadError> {
    // SAFETY: numbers, for which zero is a value; on some C libraries the structure has more than the priority.
    let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
    param.sched_priority = 1;
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: `param` outlives the call, which changes the calling thread alone.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const param) } {
        0 => Ok(()),
        _ => Err(ThreadError::Realtime(io::Error::last_os_error())),
    }
}

/// Prefers the calling thread among the ordinary ones as far as the kernel goes (nice -20).
///
/// # Errors
/// [`ThreadError::Nice`] where the process may not.
#[expect(unsafe_code, reason = "nix does not wrap setpriority(2)")]
pub fn prefer() -> Result<(), ThreadError> {
    // SAFETY: it takes numbers and changes the calling thread alone.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) } {
        0 => Ok(()),
        _ => Err(ThreadError::Nice(io::Error::last_os_error())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_has_one_processor() {
        let pinned = std::thread::spawn(|| {
            let last = *cpus().unwrap().last().unwrap();
            pin(last).unwrap();
            (last, cpus().unwrap())
        });
        let (last, left) = pinned.join().unwrap();
        assert_eq!(left, [last]);
    }

    #[test]
    fn a_processor_that_is_not_there_is_named() {
        let error = pin(CpuSet::count()).unwrap_err();
        assert!(error.to_string().contains("processor 1024"), "{error}");
    }
}
