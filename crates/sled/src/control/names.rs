//! Ports by what people call them.

use std::net::IpAddr;

use rackweave_api::local::{ApiError, Code};
use rackweave_types::state::{Attachment, Device, HostState, InstanceState, PortConfig};
use rackweave_types::{MacAddr, PortId};

/// What people may call a port.
const PORT_NAMES: &str = "its number, MAC, an address, its instance's name or its device's";

/// The port that is called so: by its number, MAC, an address, its instance's name or number, or its device.
pub(crate) fn find_port<'a>(state: &'a HostState, name: &str) -> Result<&'a PortConfig, ApiError> {
    let called = Called::new(name);
    let found: Vec<&PortConfig> = state
        .ports
        .iter()
        .filter(|port| called.is(state, port))
        .collect();
    match found.as_slice() {
        [port] => Ok(port),
        [] => Err(
            ApiError::new(Code::NotFound, format!("no port is called `{name}`"))
                .cause(format!("a port is called by {PORT_NAMES}"))
                .next("`rackweave sled ports` lists them"),
        ),
        several => {
            let ids: Vec<String> = several.iter().map(|port| port.id.to_string()).collect();
            Err(ApiError::new(
                Code::Ambiguous,
                format!("several ports are called `{name}`"),
            )
            .cause(ids.join(", "))
            .next("name one by its number"))
        }
    }
}

/// A name, read in every way that makes sense of it.
struct Called<'n> {
    text: &'n str,
    id: Option<PortId>,
    mac: Option<MacAddr>,
    address: Option<IpAddr>,
}

impl<'n> Called<'n> {
    fn new(text: &'n str) -> Self {
        let hexadecimal = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok();
        Self {
            text,
            id: number.filter(|_| hexadecimal).map(PortId::new),
            mac: text.parse().ok(),
            address: text.parse().ok(),
        }
    }

    fn is(&self, state: &HostState, port: &PortConfig) -> bool {
        let address = |wanted| {
            let own = port.addresses.iter().map(|own| own.address);
            let outside = port.external.iter().map(|external| external.outside);
            own.chain(outside).any(|address| address == wanted)
        };
        self.id == Some(port.id)
            || self.mac == Some(port.mac)
            || self.address.is_some_and(address)
            || instance_of(state, port.id).is_some_and(|instance| {
                instance.hostname.as_str() == self.text || instance.id.to_string() == self.text
            })
            || device_of(state, port.id).is_some_and(|device| device_name(device) == self.text)
            || (self.text == "system" && is_system(state, port.id))
    }
}

/// The instance that a port belongs to.
pub(crate) fn instance_of(state: &HostState, port: PortId) -> Option<&InstanceState> {
    let mut instances = state.instances.iter();
    instances.find(|instance| instance.ports.contains(&port))
}

/// The device through which a port's guest is reached.
pub(crate) fn device_of(state: &HostState, port: PortId) -> Option<&Device> {
    let mut attachments = state.attachments.iter();
    let of = |attachment: &&Attachment| attachment.port == port;
    Some(&attachments.find(of)?.device)
}

/// Whether the port is the sled's own.
pub(crate) fn is_system(state: &HostState, port: PortId) -> bool {
    state
        .system
        .as_ref()
        .is_some_and(|system| system.port == port)
}

/// The interface's name or the socket's path.
pub(crate) fn device_name(device: &Device) -> &str {
    match device {
        Device::Tap(tap) => tap.name.as_str(),
        Device::VhostUser(user) => &user.socket,
    }
}

/// The name of a port's instance; empty where it has none.
pub(crate) fn instance_label(state: &HostState, port: PortId) -> String {
    instance_of(state, port)
        .map(|instance| instance.hostname.to_string())
        .unwrap_or_default()
}

/// The name of a port's device; empty where it has none.
pub(crate) fn device_label(state: &HostState, port: PortId) -> String {
    device_of(state, port)
        .map(device_name)
        .unwrap_or_default()
        .to_owned()
}

/// A port as people know it: its number, and whose it is.
pub(crate) fn title(state: &HostState, port: PortId) -> String {
    let whose = match (instance_of(state, port), device_of(state, port)) {
        (Some(instance), _) => Some(instance.hostname.as_str()),
        (None, _) if is_system(state, port) => Some("system"),
        (None, Some(device)) => Some(device_name(device)),
        (None, None) => None,
    };
    whose.map_or_else(|| port.to_string(), |whose| format!("{port} ({whose})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::state;

    #[test]
    fn a_port_is_found_by_each_of_its_names() {
        let state = state();
        let test = state.ports[0].id;
        for name in [
            "0000000000000001",
            "1",
            "02:72:77:00:00:01",
            "10.0.1.5",
            "test",
            "i-0000000000000001",
            "tap-test",
        ] {
            assert_eq!(
                find_port(&state, name).map(|port| port.id),
                Ok(test),
                "{name}"
            );
        }
        assert_eq!(
            find_port(&state, "203.0.113.10").map(|port| port.id),
            Ok(PortId::new(2))
        );
        assert_eq!(title(&state, test), "0000000000000001 (test)");
    }

    #[test]
    fn what_is_not_there_or_there_twice_is_said() {
        let mut state = state();
        let error = find_port(&state, "nobody").unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert!(error.next.unwrap().contains("rackweave sled ports"));
        state.instances[0].ports.push(PortId::new(2));
        let error = find_port(&state, "test").unwrap_err();
        assert_eq!(error.code, Code::Ambiguous);
        assert_eq!(error.cause.unwrap(), "0000000000000001, 0000000000000002");
    }
}
