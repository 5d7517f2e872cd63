//! What makes a lab, or a part of one, has in common.

use rackweave_daemon::output::Failure;

use super::progress::Progress;
use super::{Ended, failure, show};
use crate::interrupt::Interrupt;
use crate::lab::{self, Line};
use crate::place::Place;
use crate::step::StepError;

/// Makes it, says meanwhile how far it is, and shows the lab then. An interrupt takes the lab away; so does one that ends
/// the foreground.
pub(super) fn raise(
    place: &Place,
    foreground: bool,
    json: bool,
    make: impl FnOnce(&Interrupt, &mut dyn FnMut(Line<'_>)) -> Result<(), StepError>,
) -> Result<(), Ended> {
    let interrupt = Interrupt::listen()
        .map_err(|error| Failure::new("cannot listen to signals").cause(error.to_string()))?;
    let mut progress = Progress::default();
    let made = make(&interrupt, &mut |line| progress.say(line));
    progress.end();
    if interrupt.came() {
        lab::down(place).map_err(failure)?;
        return Err(Ended::Interrupted);
    }
    made.map_err(failure)?;
    show::show(&lab::status(place).map_err(failure)?, json)?;
    if foreground {
        interrupt.wait();
        lab::down(place).map_err(failure)?;
    }
    Ok(())
}
