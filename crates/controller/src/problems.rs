//! What the store and the rules of intent refuse, as people read it.

use rackweave_api::http::{Problem, StatusCode};
use rackweave_control::{ProblemKind, Refusal};
use rackweave_store::{CommitError, ReadError};

/// Why something could not be read. What the store says stands in the log alone.
pub(crate) fn unreadable(error: &ReadError) -> Problem {
    tracing::warn!(%error, "the store cannot be read");
    Problem::unavailable("what is stored cannot be read now").next("try again")
}

/// Why something could not be stored. Nothing has changed, unless it says otherwise.
pub(crate) fn unwritten(error: &CommitError) -> Problem {
    match error {
        CommitError::Conflict(_) => {
            Problem::conflict("it was changed meanwhile").next("read it again")
        }
        CommitError::TooMany { .. } | CommitError::TooLarge { .. } => {
            let problem = Problem::new(StatusCode::CONFLICT, "too-much", "too much at once");
            problem.detail(error.to_string())
        }
        CommitError::Full(_) => {
            tracing::error!(%error, "the store is full");
            let full = StatusCode::INSUFFICIENT_STORAGE;
            let problem = Problem::new(full, "store-full", "the store is full");
            problem.detail("nothing was changed; what is stored can still be read")
        }
        CommitError::Unknown(_) => {
            tracing::warn!(%error, "it is not known whether a change was stored");
            let problem = Problem::unavailable("it is not known whether the change was stored");
            problem.next("read it again, or repeat the request with its idempotency key")
        }
        other => {
            tracing::warn!(error = %other, "the store cannot be written");
            Problem::unavailable("nothing can be stored now; nothing was changed").next("try again")
        }
    }
}

/// Why a request is refused. Its fields stand under `spec`, where users wrote them.
pub(crate) fn refused(refusal: &Refusal) -> Problem {
    match refusal.field.as_str() {
        "name" | "path" => refused_at(refusal, ""),
        _ => refused_at(refusal, "spec."),
    }
}

/// Why something is refused whose fields stand behind this.
pub(crate) fn refused_at(refusal: &Refusal, before: &str) -> Problem {
    let kind = refusal.problem.kind();
    let (status, code, title) = described(kind);
    let problem = Problem::new(status, code, title).detail(refusal.problem.to_string());
    if refusal.field.is_empty() {
        problem
    } else {
        problem.field(format!("{before}{}", refusal.field))
    }
}

fn described(kind: ProblemKind) -> (StatusCode, &'static str, &'static str) {
    match kind {
        ProblemKind::NotFound => (
            StatusCode::CONFLICT,
            "reference-not-found",
            "something that is named is not there",
        ),
        ProblemKind::Exists => (StatusCode::CONFLICT, "name-taken", "the name is taken"),
        ProblemKind::Conflict => (
            StatusCode::CONFLICT,
            "conflict",
            "it contradicts what is there",
        ),
        ProblemKind::InUse => (StatusCode::CONFLICT, "in-use", "something else needs it"),
        ProblemKind::Stale => (
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "it was changed meanwhile",
        ),
        ProblemKind::Quota => (
            StatusCode::FORBIDDEN,
            "quota-exceeded",
            "the project may have no more",
        ),
        ProblemKind::Exhausted => (StatusCode::CONFLICT, "exhausted", "there is no more"),
        _ => (StatusCode::BAD_REQUEST, "invalid", "it cannot be so"),
    }
}
