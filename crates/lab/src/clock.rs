//! The lab's one clock, and the one way to wait.

use std::thread;
use std::time::Duration;

use rackweave_linux::clock::now;

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Waits until `look` finds something, for so long at most.
pub(crate) fn wait<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = now();
    loop {
        let found = look();
        if found.is_some() || now().since(start) >= patience {
            return found;
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lab waits for programs that it does not hear; this is the one place"
)]
fn pause() {
    thread::sleep(STEP);
}
