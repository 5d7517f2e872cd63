//! A switch's service processor that obeys somebody else, and has rewired its switch: it reaches the others, and none
//! obeys.

use rackweave_api::sp_sim::{Request as Tell, SubvertRequest};
use rackweave_api::switch_sim::{self, ChipRequest, Done};
use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::sp::Request;
use rackweave_mgmt::sp::message::{Power, Response};
use rackweave_rig::{SHORT, may_run, wait_until};

use crate::gateway::Gateway;
use crate::place::Place;

const ATTACKER: Unit = Unit::Switch(Position::A);
const VICTIMS: [Unit; 3] = [Unit::Cubby(5), Unit::Cubby(6), Unit::Psc(0)];

#[test]
fn it_reaches_others_and_none_obeys() {
    if !may_run("it_reaches_others_and_none_obeys") {
        return;
    }
    let place = Place::new(&[VICTIMS[0], VICTIMS[1], VICTIMS[2], ATTACKER]);
    let mut gateway = Gateway::new(&place, Position::A);
    for unit in VICTIMS {
        gateway.discover(unit);
    }
    let unit = "swa".to_owned();
    let subverted = true;
    place.tell_sps(&Tell::Subvert(SubvertRequest { unit, subverted }));
    // As long as the switch is as it should be, nobody is reached.
    let refused = |place: &Place| VICTIMS.map(|unit| place.unit(unit).refused);
    for _ in 0..10 {
        gateway.discover(VICTIMS[0]);
    }
    assert_eq!(refused(&place), [0; 3]);
    // It rewires both chips that it programs: its own too, so that it hears what is for others.
    let chips = ["sw-a", "swa"].map(|chip| ChipRequest { chip: chip.into() });
    for chip in chips.clone() {
        let subvert = switch_sim::Request::Subvert(chip);
        place.ask_switches::<Done>(&subvert).unwrap();
    }
    // What is ordered now is overheard, sent again and altered.
    let mut orders = 0;
    wait_until(SHORT, "all are attacked", || {
        for unit in &VICTIMS[..2] {
            let power = if orders % 2 == 0 {
                Power::On
            } else {
                Power::Off
            };
            let done = gateway.answer(*unit, &Request::SetPower(power));
            anyhow::ensure!(done == Response::Done, "{done:?}");
        }
        orders += 1;
        let overheard = place.unit(ATTACKER).overheard;
        Ok(overheard > 20 && refused(&place).iter().all(|count| *count > 100))
    })
    .unwrap();
    for unit in &VICTIMS[..2] {
        let victim = place.unit(*unit);
        assert_eq!(
            (victim.switched, victim.resets, victim.starts),
            (orders, 0, 1)
        );
        assert_eq!(victim.powered, orders % 2 == 1);
    }
    let shelf = place.unit(VICTIMS[2]);
    assert_eq!((shelf.resets, shelf.starts), (0, 1));
    for chip in chips {
        let restore = switch_sim::Request::Restore(chip);
        place.ask_switches::<Done>(&restore).unwrap();
    }
    // What was under way still arrives; then nothing does.
    wait_until(SHORT, "nobody is reached any more", || {
        let before = refused(&place);
        for _ in 0..20 {
            gateway.discover(VICTIMS[0]);
        }
        Ok(refused(&place) == before)
    })
    .unwrap();
}
