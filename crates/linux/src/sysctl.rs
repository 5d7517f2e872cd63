//! The kernel's settings under `/proc/sys`.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Where they are.
const ROOT: &str = "/proc/sys";

/// Why a setting was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SysctlError {
    /// There is no such setting, by its name.
    #[error("`{name}` names no setting: give it like net/ipv6/conf/all/forwarding")]
    Name {
        /// The name.
        name: String,
    },
    /// The setting cannot be read; the module that has it may not be loaded.
    #[error("cannot read the setting {name}")]
    Read {
        /// The setting.
        name: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// The setting cannot be changed.
    #[error("cannot set {name} to {value}")]
    Write {
        /// The setting.
        name: String,
        /// What it was to be.
        value: String,
        /// The kernel's word.
        source: io::Error,
    },
}

/// The value of a setting, such as `net/ipv6/conf/all/forwarding`, without the line's end. Settings
/// of `net` are those of the calling thread's namespace.
///
/// # Errors
/// [`SysctlError`].
pub fn get(name: &str) -> Result<String, SysctlError> {
    let text = fs::read_to_string(path(name)?).map_err(|source| SysctlError::Read {
        name: name.into(),
        source,
    })?;
    Ok(text.trim_end().to_owned())
}

/// Gives a setting this value; one that has it already is not written to. A name that begins with
/// a link's, such as `net/ipv6/conf/eth0.5/forwarding`, holds dots as they are.
///
/// # Errors
/// [`SysctlError`].
pub fn ensure(name: &str, value: &str) -> Result<(), SysctlError> {
    if get(name)? == value {
        return Ok(());
    }
    fs::write(path(name)?, value).map_err(|source| SysctlError::Write {
        name: name.into(),
        value: value.into(),
        source,
    })
}

/// The file of a setting; a name cannot lead out of the settings.
fn path(name: &str) -> Result<PathBuf, SysctlError> {
    let relative = Path::new(name);
    let plain = |part| matches!(part, Component::Normal(_));
    if name.is_empty() || !relative.components().all(plain) {
        return Err(SysctlError::Name { name: name.into() });
    }
    Ok(Path::new(ROOT).join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Netns;
    use crate::testing::root;

    #[test]
    fn settings_of_a_namespace_are_its_own() {
        if !root("settings_of_a_namespace_are_its_own") {
            return;
        }
        let name = "net/ipv6/conf/all/forwarding";
        let netns = Netns::temporary("rwt-sysctl").unwrap();
        let here = get(name).unwrap();
        let there = netns.run_in(|| {
            ensure(name, "1").unwrap();
            ensure(name, "1").unwrap();
            get(name).unwrap()
        });
        assert_eq!(there.unwrap(), "1");
        assert_eq!(get(name).unwrap(), here);
    }

    #[test]
    fn names_do_not_lead_elsewhere() {
        for name in ["", "/etc/passwd", "net/../../../etc/passwd", "./net"] {
            assert!(
                matches!(get(name), Err(SysctlError::Name { .. })),
                "{name:?}"
            );
        }
        let error = get("net/no-such-setting").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the setting net/no-such-setting"
        );
    }
}
