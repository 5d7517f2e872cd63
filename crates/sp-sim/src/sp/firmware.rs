//! The images of a service processor: the one that runs, the one before, and the one that comes.

use std::time::Duration;

use rackweave_mgmt::sp::message::Image;

/// Octets that there are for an image.
pub(super) const ROOM: u32 = 32 << 20;
/// What an image begins with that does not start, however right its hash is.
pub(super) const BROKEN: &[u8] = b"broken";
/// How long a start takes.
const START: Duration = Duration::from_millis(50);
/// How long until the watchdog ends a start that comes to nothing.
const WATCHDOG: Duration = Duration::from_millis(200);

/// An image that is in place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Installed {
    name: String,
    starts: bool,
}

/// All images of a service processor.
#[derive(Clone, Debug)]
pub(super) struct Firmware {
    running: Installed,
    /// The image before, while the running one is on trial.
    before: Option<Installed>,
    /// To be started from at the next start.
    next: Option<Installed>,
    coming: Vec<u8>,
}

impl Firmware {
    /// A service processor as it is delivered.
    pub(super) fn delivered() -> Self {
        Self {
            running: Installed {
                name: "factory".into(),
                starts: true,
            },
            before: None,
            next: None,
            coming: Vec::new(),
        }
    }

    /// What runs, and whether it is on trial.
    pub(super) fn running(&self) -> (&str, bool) {
        (&self.running.name, self.before.is_some())
    }

    /// Writes a piece of the coming image.
    pub(super) fn write(&mut self, at: u32, octets: &[u8]) {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        self.coming.truncate(at);
        self.coming.extend(octets);
    }

    /// Starts from the coming image at the next start.
    pub(super) fn try_once(&mut self, image: &Image) {
        self.next = Some(Installed {
            name: image.name.clone(),
            starts: !self.coming.starts_with(BROKEN),
        });
        self.coming = Vec::new();
    }

    /// The running image stays.
    pub(super) fn keep(&mut self) {
        self.before = None;
    }

    /// Starts anew; how long until it runs. An image on trial that was not kept, or does not start, gives way to the
    /// one before.
    pub(super) fn start(&mut self) -> Duration {
        if let Some(before) = self.before.take() {
            self.running = before;
        }
        let Some(next) = self.next.take() else {
            return START;
        };
        if !next.starts {
            return START + WATCHDOG + START;
        }
        let before = std::mem::replace(&mut self.running, next);
        self.before = Some(before);
        START
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> Image {
        Image {
            name: name.into(),
            len: 0,
            hash: [0; 32],
        }
    }

    #[test]
    fn an_image_on_trial_stays_only_if_it_is_kept() {
        let mut firmware = Firmware::delivered();
        firmware.write(0, b"good");
        firmware.try_once(&image("two"));
        assert_eq!(
            firmware.running(),
            ("factory", false),
            "until the next start"
        );
        assert_eq!(firmware.start(), START);
        assert_eq!(firmware.running(), ("two", true));
        firmware.start();
        assert_eq!(firmware.running(), ("factory", false), "nobody kept it");
        firmware.try_once(&image("three"));
        firmware.start();
        firmware.keep();
        firmware.start();
        assert_eq!(firmware.running(), ("three", false));
    }

    #[test]
    fn an_image_that_does_not_start_gives_way() {
        let mut firmware = Firmware::delivered();
        firmware.write(0, b"xxxx");
        firmware.write(0, &BROKEN[..3]);
        firmware.write(3, &BROKEN[3..]);
        firmware.try_once(&image("bad"));
        assert!(firmware.start() > START);
        assert_eq!(firmware.running(), ("factory", false));
    }
}
