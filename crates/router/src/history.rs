//! What happened: bounded, in memory and in the run directory, so that a restart of the router forgets nothing.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use rackweave_api::router::Event;
use tokio::sync::broadcast;

/// Events that are kept.
const KEPT: usize = 10_000;
/// Events that wait for a client that reads slowly.
const WAITING: usize = 1024;
/// The file's name in the run directory.
const FILE: &str = "events.jsonl";

/// What happened, the oldest first.
#[derive(Debug)]
pub struct History {
    events: VecDeque<Event>,
    forgotten: u64,
    new: broadcast::Sender<Event>,
    kept: Option<Kept>,
}

/// The file, and how many lines it has.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl History {
    /// The history of the run directory, with what routers before this one wrote down. Where the directory takes no
    /// file, it is kept in memory alone.
    #[must_use]
    pub fn open(run_dir: &Path) -> Self {
        let path = run_dir.join(FILE);
        let mut events = read(&path).unwrap_or_default();
        let surplus = events.len().saturating_sub(KEPT);
        events.drain(..surplus);
        let kept = match Kept::write(path, &events) {
            Ok(kept) => Some(kept),
            Err(error) => {
                tracing::warn!(%error, "the history is kept in memory alone");
                None
            }
        };
        Self {
            events,
            forgotten: u64::try_from(surplus).unwrap_or(u64::MAX),
            new: broadcast::channel(WAITING).0,
            kept,
        }
    }

    /// Something happened.
    pub fn push(&mut self, event: Event) {
        if self.events.len() == KEPT {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.events.push_back(event.clone());
        if let Some(kept) = &mut self.kept
            && let Err(error) = kept.append(&event, &self.events)
        {
            tracing::warn!(%error, "the history is kept in memory alone from now on");
            self.kept = None;
        }
        // Nobody may be listening.
        let _heard = self.new.send(event);
    }

    /// What happened since then, in milliseconds since 1970; all that is kept where nothing is said.
    #[must_use]
    pub fn since(&self, unix_ms: Option<u64>) -> Vec<Event> {
        let wanted = |event: &&Event| unix_ms.is_none_or(|since| event.unix_ms >= since);
        self.events.iter().filter(wanted).cloned().collect()
    }

    /// How many events were forgotten.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What happens from now on.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Event> {
        self.new.subscribe()
    }
}

/// The events in a file; a line that cannot be read (its router was killed while it wrote) is passed over.
fn read(path: &Path) -> io::Result<VecDeque<Event>> {
    let lines = BufReader::new(File::open(path)?).lines();
    let events = lines.map_while(Result::ok);
    Ok(events
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect())
}

impl Kept {
    /// A file with these events, in the place of what is there.
    fn write(path: PathBuf, events: &VecDeque<Event>) -> io::Result<Self> {
        let new = path.with_extension("new");
        let mut text = Vec::new();
        for event in events {
            line(event, &mut text)?;
        }
        fs::write(&new, &text)?;
        fs::rename(&new, &path)?;
        let file = OpenOptions::new().append(true).open(&path)?;
        Ok(Self {
            path,
            file,
            lines: events.len(),
        })
    }

    /// Adds an event, which is the last of all `events` that are kept.
    fn append(&mut self, event: &Event, events: &VecDeque<Event>) -> io::Result<()> {
        if self.lines >= 2 * KEPT {
            *self = Self::write(std::mem::take(&mut self.path), events)?;
            return Ok(());
        }
        let mut text = Vec::new();
        line(event, &mut text)?;
        self.file.write_all(&text)?;
        self.lines += 1;
        Ok(())
    }
}

fn line(event: &Event, text: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *text, event)?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(unix_ms: u64) -> Event {
        Event {
            unix_ms,
            kind: "link".to_owned(),
            what: format!("link {unix_ms} came"),
        }
    }

    #[test]
    fn a_restart_forgets_nothing_that_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open(dir.path());
        let mut heard = history.follow();
        history.push(event(1));
        history.push(event(2));
        assert_eq!(heard.try_recv().unwrap(), event(1));
        drop(history);
        // Its router was killed while it wrote.
        let mut file = OpenOptions::new()
            .append(true)
            .open(dir.path().join(FILE))
            .unwrap();
        file.write_all(b"{\"unix_ms\":3,\"ki").unwrap();
        let history = History::open(dir.path());
        assert_eq!(history.since(None), [event(1), event(2)]);
        assert_eq!(history.since(Some(2)), [event(2)]);
        assert_eq!(history.forgotten(), 0);
    }

    #[test]
    fn the_oldest_is_forgotten_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open(dir.path());
        let count = u64::try_from(2 * KEPT).unwrap() + 10;
        (0..count).for_each(|at| history.push(event(at)));
        assert_eq!(history.since(None).len(), KEPT);
        assert_eq!(history.forgotten(), count - u64::try_from(KEPT).unwrap());
        let lines = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(lines.lines().count() < 2 * KEPT);
    }
}
