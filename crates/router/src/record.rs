//! Records what the node's machine is told, and tells it again.
//!
//! A recording is lines of JSON: first what the machine began with, then each input with its time, and when it went over to
//! other keys. It holds the chance that the machine's sessions are made of, so it is as secret as they are and can be read
//! by its owner alone; it holds no key of the node.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rackweave_routing::ddm::session::Security;
use rackweave_routing::fabric::{Fabric, Input, Now, Output, Settings};
use rackweave_trust::Assignment;
use rackweave_types::{AzPrefix, MacAddr, Role};
use serde::{Deserialize, Serialize};

/// The version of recordings.
const VERSION: u16 = 1;

/// What the machine began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Begin {
    version: u16,
    now: Now,
    seed: [u8; 32],
    identity: String,
    hardware: MacAddr,
    role: Role,
    az: Option<AzPrefix>,
    assignment: Option<Assignment>,
    hold_ms: u64,
    signed: bool,
}

/// What it was told, or that it went over to other keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told<I> {
    now: Now,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<I>,
}

/// What it did then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// When.
    pub now: Now,
    /// What it was told; nothing where it went over to other keys.
    pub input: Option<Input>,
    /// What it had done.
    pub outputs: Vec<Output>,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read the recording")]
    Read(#[from] io::Error),
    /// A line is none of a recording.
    #[error("line {line} is no line of a recording")]
    Line {
        /// Which one.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is empty.
    #[error("the recording is empty")]
    Empty,
    /// It is of another release.
    #[error("the recording has version {0}, and this release reads version {VERSION}")]
    Version(u16),
    /// It is a signed node's.
    #[error(
        "the recording is of a node that signs: name a directory with its keys, or with other keys of the same fabric, by --keys"
    )]
    Keys,
}

/// Writes a recording.
#[derive(Debug)]
pub(crate) struct Recorder(Option<BufWriter<File>>);

impl Recorder {
    /// Begins a recording in a new file, for its owner alone.
    ///
    /// # Errors
    /// Also where the file is there.
    pub(crate) fn begin(
        path: &Path,
        settings: &Settings,
        now: Now,
        seed: [u8; 32],
    ) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let mut file = BufWriter::new(file);
        let begin = Begin {
            version: VERSION,
            now,
            seed,
            identity: settings.identity.clone(),
            hardware: settings.hardware,
            role: settings.role,
            az: settings.az,
            assignment: settings.assignment.clone(),
            hold_ms: crate::view::millis(settings.hold),
            signed: matches!(settings.security, Security::Signed { .. }),
        };
        line(&mut file, &begin)?;
        Ok(Self(Some(file)))
    }

    /// Writes an input down. Where the disk is full, the recording ends, and nothing else.
    pub(crate) fn input(&mut self, now: Now, input: &Input) {
        self.told(&Told {
            now,
            input: Some(input),
        });
    }

    /// Writes down that the node went over to other keys.
    pub(crate) fn rotated(&mut self, now: Now) {
        self.told::<&Input>(&Told { now, input: None });
    }

    fn told<I: Serialize>(&mut self, told: &Told<I>) {
        if let Some(file) = &mut self.0
            && let Err(error) = line(file, told)
        {
            tracing::error!(%error, "the recording ends here");
            self.0 = None;
        }
    }
}

fn line(file: &mut BufWriter<File>, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, value)?;
    file.write_all(b"\n")?;
    file.flush()
}

/// Tells a machine what a recording says, and `show` what it did. `keys` are those of a node that signs: at first, and
/// after each time that it went over to others; the last ones stay.
///
/// # Errors
/// [`ReplayError`], or where `show` takes no more.
pub fn replay(
    path: &Path,
    keys: Vec<Security>,
    mut show: impl FnMut(Done) -> io::Result<()>,
) -> Result<(), ReplayError> {
    let mut lines = (1..).zip(BufReader::new(File::open(path)?).lines());
    let (line, text) = lines.next().ok_or(ReplayError::Empty)?;
    let begin: Begin = read(line, &text?)?;
    if begin.version != VERSION {
        return Err(ReplayError::Version(begin.version));
    }
    let mut keys = keys.into_iter();
    let mut security = match (begin.signed, keys.next()) {
        (false, _) => Security::Unsigned,
        (true, Some(security)) => security,
        (true, None) => return Err(ReplayError::Keys),
    };
    let settings = Settings {
        hardware: begin.hardware,
        identity: begin.identity,
        role: begin.role,
        az: begin.az,
        assignment: begin.assignment,
        hold: Duration::from_millis(begin.hold_ms),
        security: security.clone(),
    };
    let mut fabric = Fabric::new(settings, begin.now, begin.seed);
    for (line, text) in lines {
        let Told { now, input } = read::<Told<Input>>(line, &text?)?;
        let mut outputs = Vec::new();
        if let Some(input) = input.clone() {
            fabric.handle(now, input, &mut outputs);
        } else {
            security = keys.next().unwrap_or(security);
            fabric.rotate(now, security.clone(), &mut outputs);
        }
        show(Done {
            now,
            input,
            outputs,
        })?;
    }
    Ok(())
}

fn read<T: for<'de> Deserialize<'de>>(line: usize, text: &str) -> Result<T, ReplayError> {
    serde_json::from_str(text).map_err(|source| ReplayError::Line { line, source })
}

#[cfg(test)]
mod tests {
    use rackweave_routing::fabric::{LinkId, LinkState};
    use rackweave_types::Instant;

    use super::*;

    fn now(millis: u64) -> Now {
        Now {
            at: Instant::START.after(Duration::from_millis(millis)),
            unix: 1_800_000_000,
        }
    }

    fn inputs() -> Vec<(Now, Input)> {
        let mac = MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, 1]);
        let (link, from) = (LinkId(7), "fe80::1".parse().unwrap());
        let state = LinkState {
            link,
            name: "up0".to_owned(),
            mac,
            address: Some("fe80::7".parse().unwrap()),
            up: true,
            mtu: Some(1_500),
        };
        vec![
            (now(1), Input::Kernel(Vec::new())),
            (now(2), Input::Link(state)),
            (now(3), Input::Solicited { link, from }),
            (now(30), Input::Tick),
        ]
    }

    #[test]
    fn what_was_recorded_happens_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.rec");
        let mac = MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, 1]);
        let settings = Settings::new(mac, Role::Switch);
        let seed = [7; 32];
        let mut recorder = Recorder::begin(&path, &settings, now(0), seed).unwrap();
        let mut fabric = Fabric::new(settings, now(0), seed);
        let mut first = Vec::new();
        for (now, input) in inputs() {
            recorder.input(now, &input);
            let mut outputs = Vec::new();
            fabric.handle(now, input.clone(), &mut outputs);
            let input = Some(input);
            first.push(Done {
                now,
                input,
                outputs,
            });
        }
        recorder.rotated(now(40));
        let mut outputs = Vec::new();
        fabric.rotate(now(40), Security::Unsigned, &mut outputs);
        first.push(Done {
            now: now(40),
            input: None,
            outputs,
        });
        assert!(first.iter().any(|done| {
            let mut sent = done.outputs.iter();
            sent.any(|output| matches!(output, Output::Send { .. }))
        }));
        let mut again = Vec::new();
        replay(&path, Vec::new(), |done| {
            again.push(done);
            Ok(())
        })
        .unwrap();
        assert_eq!(again, first);
    }

    #[test]
    fn what_is_no_recording_is_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.rec");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            replay(&path, Vec::new(), |_| Ok(())).unwrap_err()
        };
        assert!(matches!(error(""), ReplayError::Empty));
        assert!(matches!(error("{}\n"), ReplayError::Line { line: 1, .. }));
    }
}
