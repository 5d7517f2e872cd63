//! The initial RAM disk of a guest of busybox alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::archive::Archive;
use crate::packages::{Kernel, busybox as busybox_program, kept, kernel};

/// What a NIC needs, each after those that it needs.
pub(super) const MODULES: [&str; 8] = [
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci",
    "drivers/net/virtio_net",
];

const INIT: &str = include_str!("init.sh");
const HOOK: &str = include_str!("../guest/hook.sh");

/// The disk, made once for each machine that tests run on.
pub(super) fn busybox() -> Result<PathBuf> {
    let kernel = kernel()?;
    let folder = kept(
        &name("busybox-disk", &[INIT, HOOK, &MODULES.concat()]),
        |folder| {
            let mut archive = base(&kernel)?;
            archive.file("init", 0o755, INIT.as_bytes())?;
            archive.write(&folder.join("disk"))
        },
    )?;
    Ok(folder.join("disk"))
}

/// A name that changes with what a thing is made from.
pub(super) fn name(what: &str, parts: &[&str]) -> String {
    let mut sum: u32 = 0;
    for octet in parts.concat().bytes() {
        sum = sum.rotate_left(5) ^ u32::from(octet).wrapping_mul(0x9e37_79b9);
    }
    format!("{what}-{sum:08x}")
}

/// Busybox under all its names, the modules and the DHCP hook.
pub(super) fn base(kernel: &Kernel) -> Result<Archive> {
    let mut archive = Archive::default();
    for folder in [
        "bin", "dev", "etc", "modules", "proc", "run", "sys", "tmp", "www",
    ] {
        archive.folder(folder)?;
    }
    archive.console()?;
    add_modules(&mut archive, kernel)?;
    archive.file("hook", 0o755, hook().as_bytes())?;
    archive.file("bin/busybox", 0o755, &fs::read(busybox_program()?)?)?;
    Ok(archive)
}

/// What a guest's DHCP client runs.
pub(super) fn hook() -> String {
    HOOK.replace("@LEASE@", "/run/lease")
}

/// The modules, and the order to load them in.
pub(super) fn add_modules(archive: &mut Archive, kernel: &Kernel) -> Result<()> {
    let mut order = String::new();
    for module in MODULES {
        let path = kernel.modules.join("kernel").join(format!("{module}.ko"));
        let name = Path::new(module)
            .file_name()
            .context("a module has a name")?;
        let name = format!("modules/{}.ko", name.to_string_lossy());
        let content = fs::read(&path).with_context(|| path.display().to_string())?;
        archive.file(&name, 0o644, &content)?;
        order.extend(["/", &name, "\n"]);
    }
    archive.file("modules/order", 0o644, order.as_bytes())
}
