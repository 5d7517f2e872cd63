//! All of intent as one file.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use rackweave_api::http::{JSON_LINES, Problem};
use rackweave_control::Key as IntentKey;
use rackweave_daemon::http::{Octets, Refused};
use rackweave_linux::clock;
use rackweave_store::{Key, ReadError, Revision, Store};
use rackweave_types::Generation;
use tokio::sync::mpsc;

use crate::app::App;
use crate::auth::Caller;
use crate::backup::{PREFIXES, Writer};
use crate::problems::unreadable;
use crate::world::Head;

/// Entries that are read at once.
const READ: usize = 500;
/// Lines that wait for a client.
const LINES: usize = 64;

/// Writes all that was asked for, and who may ask, as one file: lines of JSON with a count and a digest at their end.
/// `rackweave controller restore` reads it.
#[utoipa::path(
    get, path = "/v1/backup", tag = "backup",
    responses((status = 200, body = serde_json::Value, content_type = "application/x-ndjson"))
)]
pub(super) async fn backup(State(app): State<App>, caller: Caller) -> Result<Response, Refused> {
    caller.operator()?;
    let at = app.store.head().await.map_err(|error| unreadable(&error))?;
    let head = IntentKey::HEAD;
    let head = Key::new(head).map_err(|error| Problem::internal(error.to_string()))?;
    let head = app.store.get(&head, Some(at)).await;
    let count = match head.map_err(|error| unreadable(&error))? {
        Some(entry) => {
            let head: Result<Head, _> = serde_json::from_slice(&entry.value);
            let head = head.map_err(|_| Problem::internal("the count cannot be read"))?;
            head.revision
        }
        None => Generation::ZERO,
    };
    let (lines, told) = mpsc::channel(LINES);
    tokio::spawn(async move {
        if let Err(broken) = write(&app.store, at, count, &lines).await {
            // The file lacks its last line, and so it is known to be none.
            tracing::warn!(%broken, "a backup broke off");
        }
    });
    let mut response = Octets(told).into_response();
    let media = HeaderValue::from_static(JSON_LINES);
    response.headers_mut().insert(CONTENT_TYPE, media);
    Ok(response)
}

/// Why a backup broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the store cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("something is no JSON: {0}")]
    Form(#[from] serde_json::Error),
    #[error("whoever wanted it is gone")]
    Gone,
}

async fn write(
    store: &Store,
    at: Revision,
    count: Generation,
    lines: &mpsc::Sender<Bytes>,
) -> Result<(), Broken> {
    let tell = async |line: Vec<u8>| lines.send(line.into()).await.map_err(|_| Broken::Gone);
    let (mut writer, first) = Writer::begin(clock::unix_millis(), count)?;
    tell(first).await?;
    for prefix in PREFIXES {
        let mut after = None;
        loop {
            let page = store.page(prefix, Some(at), after.as_ref(), READ).await?;
            for entry in &page.entries {
                tell(writer.entry(entry)?).await?;
                after = Some(entry.key.clone());
            }
            if !page.more {
                break;
            }
        }
    }
    tell(writer.end()?).await
}
