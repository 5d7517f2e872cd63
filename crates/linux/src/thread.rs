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
