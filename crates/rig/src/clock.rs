//! The one clock of the rig, and the one way to wait.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a thing may take that takes well under a second on a machine with nothing else to do.
pub const SHORT: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "a rig waits for real programs; this is its one clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets other threads and programs go on for a moment.
#[expect(
    clippy::disallowed_methods,
    reason = "real programs are polled at this one place"
)]
pub(crate) fn pause(duration: Duration) {
    thread::sleep(duration);
}

/// Waits until a condition holds.
///
/// # Errors
/// What the condition's last look found wrong, or, where it found nothing, that it does not hold after `within`.
pub fn wait_until(
    within: Duration,
    what: &str,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = now();
    loop {
        let held = condition();
        if matches!(held, Ok(true)) {
            return Ok(());
        }
        if start.elapsed() >= within {
            held.with_context(|| format!("after {within:?}: {what}"))?;
            bail!("not so after {within:?}: {what}");
        }
        pause(STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_condition_or_says_why_not() {
        let mut looks = 0;
        wait_until(SHORT, "three looks", || {
            looks += 1;
            Ok(looks == 3)
        })
        .unwrap();
        let error = wait_until(Duration::ZERO, "pigs fly", || bail!("no wings")).unwrap_err();
        assert_eq!(format!("{error:#}"), "after 0ns: pigs fly: no wings");
    }
}
