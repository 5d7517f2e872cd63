//! Why something is refused: RFC 9457, with what our APIs add to it.

use std::fmt;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of problems (RFC 9457, 6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What types of problems begin with; a word in kebab case follows.
const URN: &str = "urn:rackweave:problem:";

/// Problem details (RFC 9457, 3). Members that a program does not know are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of problem, for programs: a URN whose last part is the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:rackweave:problem:not-found")]
    pub kind: String,
    /// The kind in words; the same for each problem of the kind.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong with this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field of the request that is at fault: names with dots between them, list items in brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "rules[2].ports")]
    pub field: Option<String>,
    /// What the person who asked can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The request, as the daemon's log names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of a kind of its own: `code` is its word in kebab case, `title` the same in words for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: &str) -> Self {
        Self {
            kind: format!("{URN}{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: None,
            field: None,
            next: None,
            request_id: None,
        }
    }

    /// A problem that says no more than its status: its code is the status' reason.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("error").to_lowercase();
        Self::new(status, &title.replace(' ', "-"), &title)
    }

    /// What was named is not there, or is none of the client's business.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::NOT_FOUND).detail(detail)
    }

    /// The request is malformed.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST).detail(detail)
    }

    /// The client may not do this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::FORBIDDEN).detail(detail)
    }

    /// What is asked for does not fit what is there.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::CONFLICT).detail(detail)
    }

    /// The daemon could not do it, and that is not the client's fault. The detail says no more than the client may know.
    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR).detail(detail)
    }

    /// The daemon cannot do it now.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE).detail(detail)
    }

    /// With what is wrong.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With the field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// With what to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The word that tells the kind.
    #[must_use]
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(URN).unwrap_or(&self.kind)
    }

    /// The status; 500 where the number is none of an error.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| status.is_client_error() || status.is_server_error())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(self.detail.as_ref().unwrap_or(&self.title))?;
        if let Some(next) = &self.next {
            write!(f, "; {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_standard() {
        let problem = Problem::not_found("no SP stands in cubby 40").next("`rackweave sp list`");
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:rackweave:problem:not-found",
                "title": "not found",
                "status": 404,
                "detail": "no SP stands in cubby 40",
                "next": "`rackweave sp list`",
            })
        );
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
        assert_eq!(problem.code(), "not-found");
        assert_eq!(
            problem.to_string(),
            "no SP stands in cubby 40; `rackweave sp list`"
        );
    }

    #[test]
    fn a_number_that_is_no_error_is_not_answered() {
        let mut problem = Problem::of(StatusCode::CONFLICT);
        for status in [0, 200, 302, 1000] {
            problem.status = status;
            assert_eq!(problem.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}
