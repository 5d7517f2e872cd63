//! `rackweave controller backup` and `restore`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rackweave_api::control::{RUN_DIR, SOCKET};
use rackweave_api::http::{Blocking, Client, ClientError, Endpoint};
use rackweave_daemon::output::{Failure, write_all, written};

use super::{BackupArgs, RestoreArgs};
use crate::backup::{self, Backup, BackupError, Replace};
use crate::run::open;

/// Standard output, as a file's name.
const STDOUT: &str = "-";

/// Writes a backup: beside the file first, so that one that is there is replaced by a whole one or not at all.
pub(super) fn backup(args: &BackupArgs) -> Result<(), Failure> {
    let usual = || Endpoint::Unix(Path::new(RUN_DIR).join(SOCKET));
    let mut client = Client::new(args.api.clone().unwrap_or_else(usual));
    if let Some(path) = &args.token_file {
        let token =
            std::fs::read_to_string(path).map_err(|error| unusable("read", path, &error))?;
        client = client.with_token(token.trim());
    }
    let asking = |error: ClientError| Failure::asking_http("controller", error);
    let blocking = Blocking::of(client).map_err(|error| Failure::new(error.to_string()))?;
    if args.file == Path::new(STDOUT) {
        let call = blocking.client().get("/v1/backup").stream();
        let mut stream = blocking.wait(call).map_err(asking)?;
        while let Some(octets) = blocking.wait(stream.next()).map_err(asking)? {
            written(write_all(&octets))?;
        }
        return Ok(());
    }
    let beside = beside(&args.file);
    let done = fetch(&blocking, &beside).and_then(|()| {
        let text = std::fs::read(&beside).map_err(|error| unusable("read", &beside, &error))?;
        Backup::read(&text).map_err(|error| {
            let failure = Failure::new("what the controller sent is no whole backup");
            failure.cause(error.to_string()).next("try again")
        })
    });
    match done {
        Ok(backup) => {
            let renamed = std::fs::rename(&beside, &args.file);
            renamed.map_err(|error| unusable("write", &args.file, &error))?;
            let (objects, revision) = (backup.objects(), backup.revision);
            let said = format!("{objects} objects of revision {revision}\n");
            written(write_all(said.as_bytes()))
        }
        Err(failure) => {
            // What is left of it is of no use; that it cannot be removed is not the failure.
            let _left = std::fs::remove_file(&beside);
            Err(failure)
        }
    }
}

fn fetch(blocking: &Blocking, path: &Path) -> Result<(), Failure> {
    let asking = |error: ClientError| Failure::asking_http("controller", error);
    let mut stream = blocking
        .wait(blocking.client().get("/v1/backup").stream())
        .map_err(asking)?;
    let failed = |error: io::Error| unusable("write", path, &error);
    let mut file = create(path).map_err(failed)?;
    while let Some(octets) = blocking.wait(stream.next()).map_err(asking)? {
        file.write_all(&octets).map_err(failed)?;
    }
    file.sync_all().map_err(failed)
}

/// A file that its owner alone reads.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn unusable(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {verb} {}", path.display())).cause(error.to_string())
}

/// Puts a backup into the store.
pub(super) fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    let text = std::fs::read(&args.file).map_err(|error| unusable("read", &args.file, &error))?;
    let backup = Backup::read(&text).map_err(|error| {
        let failure = Failure::new(format!("{} cannot be restored", args.file.display()));
        let failure = failure.cause(error.to_string());
        match error {
            BackupError::Other => failure.next("name a file of `rackweave controller backup`"),
            _ => failure.next("take another backup"),
        }
    })?;
    let (objects, revision) = (backup.objects(), backup.revision);
    if args.check {
        let said = format!("whole: {objects} objects of revision {revision}\n");
        return written(write_all(said.as_bytes()));
    }
    let config = args.store.config()?;
    let replace = if args.replace {
        Replace::Everything
    } else {
        Replace::Nothing
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(error.to_string()))?;
    let head = runtime.block_on(async {
        if config.etcd.is_empty() {
            rackweave_daemon::dir::private_dir(&config.state_dir)?;
        }
        let store = open(&config).await?;
        let restored = backup::restore(&store, &backup, replace).await;
        store.close().await;
        anyhow::Ok(restored?)
    })?;
    let said = format!(
        "{objects} objects of revision {revision} are restored; changes are counted from {head}\n"
    );
    written(write_all(said.as_bytes()))
}
