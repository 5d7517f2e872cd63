//! Initial RAM disks: cpio archives of the "new ASCII" form (Linux, Documentation/driver-api/early-userspace).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive in the making. Who adds a path adds its folders before it.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    number: u32,
}

impl Archive {
    pub(super) fn folder(&mut self, path: &str) -> Result<()> {
        self.entry(path.as_bytes(), FOLDER | 0o755, (0, 0), &[])
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entry(path.as_bytes(), FILE | mode, (0, 0), content)
    }

    /// The kernel opens `/dev/console` for the first program before anybody has mounted anything.
    pub(super) fn console(&mut self) -> Result<()> {
        self.entry(b"dev/console", CHARACTER_DEVICE | 0o600, (5, 1), &[])
    }

    /// Everything below `root`, but for paths that `skip` names.
    pub(super) fn tree(&mut self, root: &Path, skip: &dyn Fn(&Path) -> bool) -> Result<()> {
        self.branch(root, Path::new(""), skip)
    }

    fn branch(&mut self, root: &Path, below: &Path, skip: &dyn Fn(&Path) -> bool) -> Result<()> {
        let mut entries: Vec<_> = fs::read_dir(root.join(below))?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = below.join(entry.file_name());
            if skip(&path) {
                continue;
            }
            let (kind, name) = (entry.file_type()?, path.as_os_str().as_bytes());
            let mode = entry.metadata()?.permissions().mode() & 0o7777;
            if kind.is_dir() {
                self.entry(name, FOLDER | mode, (0, 0), &[])?;
                self.branch(root, &path, skip)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?;
                self.entry(name, LINK | 0o777, (0, 0), target.as_os_str().as_bytes())?;
            } else if kind.is_file() {
                self.entry(name, FILE | mode, (0, 0), &fs::read(entry.path())?)?;
            }
        }
        Ok(())
    }

    /// Writes the archive to a file.
    pub(super) fn write(mut self, path: &Path) -> Result<()> {
        self.entry(b"TRAILER!!!", 0, (0, 0), &[])?;
        fs::write(path, self.bytes).with_context(|| path.display().to_string())
    }

    fn entry(&mut self, name: &[u8], mode: u32, device: (u32, u32), content: &[u8]) -> Result<()> {
        self.number += 1;
        let (size, name_size) = (
            u32::try_from(content.len())?,
            u32::try_from(name.len() + 1)?,
        );
        let fields = [
            self.number,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            device.0,
            device.1,
            name_size,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(name);
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
        Ok(())
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_its_header_and_is_aligned() {
        let mut archive = Archive::default();
        archive.file("init", 0o755, b"hello").unwrap();
        assert!(archive.bytes.starts_with(b"07070100000001000081ed"));
        assert_eq!(archive.bytes.len(), (110 + 5_usize).next_multiple_of(4) + 8);
    }
}
