//! The token that is shown, and names for changes. A token never stands on a command line, where everybody on the
//! machine could read it.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rackweave_daemon::output::Failure;

use crate::ask::variable;

/// The variable that holds a token.
pub(crate) const TOKEN_ENV: &str = "RACKWEAVE_TOKEN";
/// The variable that names the file of a token.
const FILE_ENV: &str = "RACKWEAVE_TOKEN_FILE";
/// The file's bits that let others than its owner read it.
const OTHERS: u32 = 0o077;

/// A token, and where it is from.
pub(crate) struct Token {
    pub(crate) secret: String,
    pub(crate) from: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// The token to show: of the file that is named, of the environment, of the usual file if that is there.
///
/// # Errors
/// Where a file cannot be used.
pub(crate) fn token(named: Option<&Path>) -> Result<Option<Token>, Failure> {
    if let Some(file) = named {
        return read(file).map(Some);
    }
    if let Some(secret) = variable(TOKEN_ENV) {
        return Ok(Some(Token {
            secret,
            from: TOKEN_ENV.to_owned(),
        }));
    }
    if let Some(file) = variable(FILE_ENV) {
        return read(Path::new(&file)).map(Some);
    }
    let usual = usual_file();
    if usual.exists() {
        read(&usual).map(Some)
    } else {
        Ok(None)
    }
}

/// The file that is read where nothing is said.
pub(crate) fn usual_file() -> PathBuf {
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(Path::new(&variable("HOME")?).join(".config")));
    config
        .unwrap_or_else(|| "/etc".into())
        .join("rackweave/token")
}

fn read(path: &Path) -> Result<Token, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("cannot read the token of {shown}")).cause(error.to_string())
    };
    let mode = fs::metadata(path).map_err(unreadable)?.mode();
    if mode & OTHERS != 0 {
        return Err(Failure::new(format!("the token of {shown} is not used"))
            .cause("others than its owner can read the file")
            .next(format!(
                "`chmod 600 {shown}`; whoever read it may have the token: `rackweave token delete`"
            )));
    }
    let secret = fs::read_to_string(path)
        .map_err(unreadable)?
        .trim()
        .to_owned();
    if secret.is_empty() || secret.contains(char::is_whitespace) {
        return Err(Failure::new(format!("{shown} holds no token"))
            .next("write into it what `rackweave token create` told, and nothing else"));
    }
    Ok(Token {
        secret,
        from: shown.to_string(),
    })
}

/// A name for a change that no other one has; none where the kernel draws none.
pub(crate) fn draw() -> Option<String> {
    let mut drawn = [0; 16];
    File::open("/dev/urandom")
        .ok()?
        .read_exact(&mut drawn)
        .ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(drawn)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_read_from_a_file_of_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(&file, "rwt_abc\n").unwrap();
        mode(0o600);
        assert_eq!(token(Some(&file)).unwrap().unwrap().secret, "rwt_abc");
        mode(0o640);
        let failure = token(Some(&file)).unwrap_err().to_string();
        assert!(failure.contains("chmod 600"), "{failure}");
        mode(0o600);
        fs::write(&file, "\n").unwrap();
        assert!(token(Some(&file)).is_err());
        assert!(token(Some(&dir.path().join("none"))).is_err());
    }

    #[test]
    fn a_token_is_not_told() {
        let token = Token {
            secret: "rwt_abc".to_owned(),
            from: "f".to_owned(),
        };
        assert!(!format!("{token:?}").contains("rwt_abc"));
    }

    #[test]
    fn no_two_names_are_alike() {
        let name = draw().unwrap();
        assert_eq!(name.len(), 32);
        assert_ne!(draw().unwrap(), name);
    }
}
