//! The socket file.

use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use tokio::net::UnixListener;

/// Readable and writable by its owner and its group.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another process answers there.
    #[error("another process listens on {}; stop it, or give this one its own --run-dir", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// The group is not known.
    #[error(
        "there is no group `{group}`; create it, or name another one in [control] of the configuration"
    )]
    Group {
        /// Its name.
        group: String,
    },
    /// The system refuses.
    #[error("cannot make the socket {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

/// Lets a group through a directory to the sockets in it.
///
/// # Errors
/// Where the group is not known, or the system refuses.
pub fn admit(dir: &Path, group: &str) -> Result<(), ListenError> {
    let gid = group_id(group, dir)?;
    chown(dir, None, Some(gid)).map_err(|source| ListenError::Io {
        path: dir.to_owned(),
        source,
    })
}

/// The number of a group, for the socket or directory at `path`.
fn group_id(group: &str, path: &Path) -> Result<u32, ListenError> {
    let found = Group::from_name(group).map_err(|errno| ListenError::Io {
        path: path.to_owned(),
        source: errno.into(),
    })?;
    let unknown = || ListenError::Group {
        group: group.to_owned(),
    };
    Ok(found.ok_or_else(unknown)?.gid.as_raw())
}

/// Makes the control socket, for root and for a group. What a process before left there is replaced.
///
/// It appears under its name with its final owner and mode.
///
/// # Errors
/// Where another process listens there, the group is not known, or the system refuses.
pub fn listen(path: &Path, group: Option<&str>) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Io {
        path: path.to_owned(),
        source,
    };
    let gid = group.map(|name| group_id(name, path)).transpose()?;
    if UnixStream::connect(path).is_ok() {
        return Err(ListenError::Taken {
            path: path.to_owned(),
        });
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(name);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&new).map_err(failed)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(MODE))
        .and_then(|()| gid.map_or(Ok(()), |gid| chown(&new, None, Some(gid))))
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(failed)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_groups_and_replaces_what_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sled.sock");
        drop(listen(&path, None).unwrap());
        let listener = listen(&path, None).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert!(matches!(
            listen(&path, None),
            Err(ListenError::Taken { .. })
        ));
        drop(listener);
        let error = listen(&path, Some("no-such-group-here")).unwrap_err();
        assert!(matches!(error, ListenError::Group { .. }), "{error}");
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
