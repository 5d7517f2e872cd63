//! What the programs of a management network are told.

use std::fmt::Write as _;
use std::path::Path;

use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::rack::Rack;

use super::keys::{Keys, write_secret};
use super::{Management, Program, first_mac, kind, serial, unit_name};
use crate::place::Place;
use crate::step::StepError;

/// Writes the configurations of all programs, and the rack's description.
///
/// # Errors
/// What the file system says.
pub(super) fn write(
    place: &Place,
    management: &Management,
    rack: &Rack,
    keys: &Keys,
) -> Result<(), StepError> {
    for program in Program::ALL {
        for dir in [program.run_dir(place), program.state_dir(place)] {
            place.ensure(&dir)?;
        }
    }
    let description = place.root().join("rack.toml");
    write_secret(&description, &management.rack)?;
    let known = place.root().join("sp-keys.toml");
    write_secret(&known, &keys.file())?;
    for program in Program::ALL {
        let text = match program {
            Program::Switch(position) => head(place, program) + &switch(position, &description),
            Program::Chips => head(place, program) + &chips(rack),
            Program::ServiceProcessors => head(place, program) + &sps(rack, keys),
            Program::Gateway(position) => {
                let peer = Program::Gateway(position.other()).socket(place);
                head(place, program)
                    + &state(place, program)
                    + &gateway(&description, &known, &peer)
            }
        };
        write_secret(&program.config(place), &text)?;
    }
    Ok(())
}

fn head(place: &Place, program: Program) -> String {
    format!("run_dir = {}\n", quoted(&program.run_dir(place)))
}

fn state(place: &Place, program: Program) -> String {
    format!("state_dir = {}\n", quoted(&program.state_dir(place)))
}

/// A path as TOML has it.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn switch(position: Position, description: &Path) -> String {
    let name = super::switch(position);
    let rack = quoted(description);
    format!("\n[[vsc7448]]\nname = {name:?}\nrack = {rack}\n")
}

fn chips(rack: &Rack) -> String {
    let chip = |unit| format!("\n[[ksz8463]]\nunit = {:?}\n", unit_name(unit));
    rack.units().into_iter().map(chip).collect()
}

fn sps(rack: &Rack, keys: &Keys) -> String {
    let sp = |unit: Unit| {
        let mut text = format!(
            "\n[[sp]]\nunit = {:?}\nkind = {:?}\nserial = {:?}\nfirst_mac = \"{}\"\nkey = {:?}\n",
            unit_name(unit),
            kind(unit),
            serial(unit),
            first_mac(unit),
            keys.of(unit),
        );
        if let Unit::Switch(position) = unit {
            let ports: Vec<_> = rack
                .ends(position)
                .map(|(port, _)| port.get().to_string())
                .collect();
            let _never = writeln!(text, "ignition = [{}]", ports.join(", "));
        }
        text
    };
    rack.units().into_iter().map(sp).collect()
}

fn gateway(description: &Path, keys: &Path, peer: &Path) -> String {
    format!(
        "uplink = \"up\"\nracks = [{}]\nkeys = {}\npeer = \"unix:{}\"\n",
        quoted(description),
        quoted(keys),
        peer.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_name_every_chip_and_service_processor() {
        let text = include_str!("../../../../dist/racks/rack-1.toml");
        let management = Management::new(text).unwrap();
        let rack = management.sound().unwrap();
        let keys = Keys::draw(&rack.units()).unwrap();
        let tables = |text: &str, name: &str| -> Vec<toml::Table> {
            let table: toml::Table = toml::from_str(text).unwrap();
            let rows = table[name].as_array().unwrap();
            rows.iter()
                .map(|row| row.as_table().unwrap().clone())
                .collect()
        };
        let sps = tables(&sps(&rack, &keys), "sp");
        assert_eq!(sps.len(), 36);
        let named = |name: &str| sps.iter().find(|sp| sp["unit"].as_str() == Some(name));
        assert_eq!(
            named("swb").unwrap()["ignition"].as_array().unwrap().len(),
            36
        );
        let chips = tables(&chips(&rack), "ksz8463");
        let units = |rows: &[toml::Table]| -> Vec<String> {
            let units = rows
                .iter()
                .map(|row| row["unit"].as_str().unwrap().to_owned());
            units.collect()
        };
        assert_eq!(units(&chips), units(&sps));
        for unit in units(&chips) {
            for port in [1, 2] {
                let interface = format!("{unit}-{port}");
                let ends = management.links.iter().flat_map(|link| &link.ends);
                let ends = ends.filter(|end| end.interface == interface);
                assert_eq!(ends.count(), 1, "{interface}");
            }
        }
        let known: toml::Table = toml::from_str(&keys.file()).unwrap();
        assert_eq!(known["RWC05"].as_str().unwrap().len(), 64);
    }
}
