//! One question and its answer.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::client::Connection;
use super::{ANSWER_MAX, Client, ClientError, HeaderMap, Lines, Octets, PROBLEM_JSON, Problem};

/// How long an answer may take where the caller says nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that is being put together. An error in it is told when it is sent.
#[derive(Debug)]
#[must_use = "a request does nothing before it is sent"]
pub struct Call<'c> {
    client: &'c Client,
    builder: hyper::http::request::Builder,
    path: String,
    body: Result<Bytes, serde_json::Error>,
    patience: Duration,
    max: usize,
}

/// What a daemon answers.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The status, of success.
    pub status: StatusCode,
    /// The header fields: `etag`, `x-request-id`.
    pub headers: HeaderMap,
    /// The body.
    pub body: T,
}

impl<T> Answer<T> {
    /// A header field's value, if it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A name as it can stand between the slashes of a path, or in a query (RFC 3986, 2.1).
#[must_use]
pub fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for octet in name.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            text.push(char::from(octet));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(text, "%{octet:02X}");
        }
    }
    text
}

impl<'c> Call<'c> {
    pub(super) fn new(client: &'c Client, method: Method, path: &str) -> Self {
        let mut builder = Request::builder()
            .method(method)
            .header(HOST, client.endpoint().authority());
        if let Some(token) = client.token() {
            builder = builder.header(AUTHORIZATION, token);
        }
        Self {
            client,
            builder,
            path: path.to_owned(),
            body: Ok(Bytes::new()),
            patience: PATIENCE,
            max: ANSWER_MAX,
        }
    }

    /// With a parameter of the query.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        let mark = if self.path.contains('?') { '&' } else { '?' };
        let (name, value) = (segment(name), segment(&value.to_string()));
        // Writing to a text cannot fail.
        let _written = write!(self.path, "{mark}{name}={value}");
        self
    }

    /// With a header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// With a body of JSON.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Self {
        self.builder = self.builder.header(CONTENT_TYPE, "application/json");
        self.body = serde_json::to_vec(body).map(Bytes::from);
        self
    }

    /// With a body of octets.
    pub fn octets(self, body: Bytes) -> Self {
        self.body("application/octet-stream", body)
    }

    /// With a body of this media type.
    pub fn body(mut self, media: &str, body: Bytes) -> Self {
        self.builder = self.builder.header(CONTENT_TYPE, media);
        self.body = Ok(body);
        self
    }

    /// With this patience instead of 30 s, until the answer is whole, or its stream begins.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// With an answer of so many octets at most, instead of [`ANSWER_MAX`].
    pub const fn at_most(mut self, octets: usize) -> Self {
        self.max = octets;
        self
    }

    /// Sends it; the answer's body is JSON.
    ///
    /// # Errors
    /// What the daemon refuses, or why it could not be asked.
    pub async fn answer<T: DeserializeOwned>(self) -> Result<Answer<T>, ClientError> {
        let answer = self.bytes().await?;
        let body = serde_json::from_slice(&answer.body).map_err(|source| ClientError::Garbled {
            status: answer.status,
            source,
        })?;
        Ok(Answer {
            status: answer.status,
            headers: answer.headers,
            body,
        })
    }

    /// Sends it; of the answer only its success matters.
    ///
    /// # Errors
    /// What the daemon refuses, or why it could not be asked.
    pub async fn done(self) -> Result<(), ClientError> {
        self.bytes().await.map(drop)
    }

    /// Sends it; the answer's body is octets.
    ///
    /// # Errors
    /// What the daemon refuses, or why it could not be asked.
    pub async fn bytes(self) -> Result<Answer<Bytes>, ClientError> {
        let (client, patience, max) = (self.client, self.patience, self.max);
        let whole = async {
            let (response, connection) = self.begin().await?;
            whole(client, response, connection, max).await
        };
        let answered = timeout(patience, whole).await;
        answered.map_err(|_| ClientError::Late(patience))?
    }

    /// Sends it; the answer is a stream of JSON values.
    ///
    /// # Errors
    /// What the daemon refuses, or why it could not be asked.
    pub async fn lines<T: DeserializeOwned>(self) -> Result<Lines<T>, ClientError> {
        Ok(Lines::new(self.stream().await?))
    }

    /// Sends it; the answer is a stream of octets.
    ///
    /// # Errors
    /// What the daemon refuses, or why it could not be asked.
    pub async fn stream(self) -> Result<Octets, ClientError> {
        let (client, patience) = (self.client, self.patience);
        let begun = timeout(patience, self.begin()).await;
        let (response, connection) = begun.map_err(|_| ClientError::Late(patience))??;
        Ok(Octets::new(
            client.clone(),
            response.into_body(),
            connection,
        ))
    }

    /// Sends it, and reads the answer as far as it says whether the daemon refuses.
    async fn begin(self) -> Result<(Response<Incoming>, Connection), ClientError> {
        let body = self.body.map_err(ClientError::Body)?;
        let request = self.builder.uri(self.path).body(Full::new(body));
        let request = request.map_err(ClientError::Form)?;
        let (response, connection) = self.client.send(request).await?;
        if response.status().is_success() {
            return Ok((response, connection));
        }
        let answer = whole(self.client, response, connection, ANSWER_MAX).await?;
        Err(ClientError::Problem(Box::new(problem(&answer))))
    }
}

/// Reads an answer to its end.
async fn whole(
    client: &Client,
    response: Response<Incoming>,
    connection: Connection,
    max: usize,
) -> Result<Answer<Bytes>, ClientError> {
    let (head, body) = response.into_parts();
    let collected = Limited::new(body, max).collect().await;
    let body = match collected {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(ClientError::TooLong(max)),
        Err(error) => {
            return Err(match error.downcast::<hyper::Error>() {
                Ok(error) => client.broken(*error),
                Err(_) => ClientError::TooLong(max),
            });
        }
    };
    client.keep(connection).await;
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// The problem that an answer tells, also where whoever answers does not know the standard: a proxy, say.
fn problem(answer: &Answer<Bytes>) -> Problem {
    let told = (answer.header(CONTENT_TYPE.as_str()) == Some(PROBLEM_JSON))
        .then(|| serde_json::from_slice::<Problem>(&answer.body).ok());
    told.flatten().unwrap_or_else(|| {
        let problem = Problem::of(answer.status);
        match std::str::from_utf8(&answer.body) {
            Ok(text) if !text.trim().is_empty() => {
                problem.detail(text.trim().chars().take(200).collect::<String>())
            }
            _ => problem,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_between_slashes() {
        assert_eq!(segment("cubby-5_a.~"), "cubby-5_a.~");
        assert_eq!(segment("a/b c?%ü"), "a%2Fb%20c%3F%25%C3%BC");
    }

    #[test]
    fn who_does_not_know_the_standard_is_understood() {
        let answer = Answer {
            status: StatusCode::BAD_GATEWAY,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"<h1>bad gateway</h1>\n"),
        };
        let problem = problem(&answer);
        assert_eq!(problem.code(), "bad-gateway");
        assert_eq!(problem.detail.as_deref(), Some("<h1>bad gateway</h1>"));
    }
}
