//! A host state for the tests of this folder: sled 1 of the test kit's scene, with all three ports on it.

use rackweave_testkit::vpc::Scene;
use rackweave_types::Generation;
use rackweave_types::state::{
    Attachment, Device, HostState, InstanceId, InstanceState, StateVersion, TapDevice,
};

/// The scene's objects as a host state; `test` is an instance behind a TAP.
pub(crate) fn state() -> HostState {
    let mut scene = Scene::new().unwrap();
    scene.sleds[1] = scene.sleds[0];
    scene.remap();
    state_of(&scene)
}

/// A scene's objects as the host state of its first sled.
pub(crate) fn state_of(scene: &Scene) -> HostState {
    let generation = Generation::new(1);
    let version = StateVersion::CURRENT;
    HostState {
        version,
        generation: Generation::new(7),
        underlay: scene.sleds[0],
        boundary: scene.boundary.clone(),
        system: None,
        vpcs: vec![scene.vpc.clone()],
        mappings: vec![scene.mappings.clone(), scene.external.clone()],
        ports: vec![scene.test.clone(), scene.web.clone(), scene.db.clone()],
        attachments: vec![Attachment {
            version,
            generation,
            port: scene.test.id,
            queues: std::num::NonZeroU16::MIN,
            device: Device::Tap(TapDevice {
                name: "tap-test".parse().unwrap(),
                netns: Some("/run/netns/test".to_owned()),
            }),
        }],
        zones: Vec::new(),
        instances: vec![InstanceState {
            version,
            generation,
            id: InstanceId::new(1),
            hostname: "test".parse().unwrap(),
            ports: vec![scene.test.id],
            image: None,
            size: None,
            availability_zone: None,
            ssh_keys: Vec::new(),
            user_data: None,
        }],
    }
}
