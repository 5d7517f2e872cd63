//! Requests and responses of HTTP/1.1 (RFC 9112), as much of it as the service needs: bodies are read over and dropped.

/// The longest head of a request.
pub(crate) const MAX_HEAD: usize = 8192;
/// The longest body of a request: nobody needs one.
const MAX_BODY: usize = 4096;
/// The most header fields of a request.
const MAX_FIELDS: usize = 64;

/// A request, as far as the service looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The method.
    pub(super) method: String,
    /// The path, without query.
    pub(super) path: String,
    /// The fields the service knows.
    pub(super) fields: Fields,
    /// Whether the connection may stay open after the response (RFC 9112, section 9.3).
    pub(super) keep_alive: bool,
}

/// Header fields that the service knows; a field twice is the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// `X-aws-ec2-metadata-token`.
    pub(super) token: Option<String>,
    /// `X-aws-ec2-metadata-token-ttl-seconds`.
    pub(super) token_ttl: Option<String>,
    /// Whether there is an `X-Forwarded-For`: a proxy passes somebody else's request on.
    pub(super) forwarded: bool,
}

/// What the octets of a connection hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Not yet a whole request.
    Partial,
    /// A request, which takes this many octets.
    Request(Box<Request>, usize),
    /// No request that can be answered but with this; the connection ends.
    Bad(Response),
}

/// Reads the first request in `octets`.
pub(crate) fn parse(octets: &[u8]) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let len = match head.parse(octets) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if octets.len() < MAX_HEAD => return Parsed::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Bad(Response::closing(Status::HeadTooLarge));
        }
        Err(_) => return Parsed::Bad(Response::closing(Status::BadRequest)),
    };
    if len > MAX_HEAD {
        return Parsed::Bad(Response::closing(Status::HeadTooLarge));
    }
    let body = match body_len(head.headers) {
        Ok(body) => body,
        Err(status) => return Parsed::Bad(Response::closing(status)),
    };
    if octets.len() < len + body {
        return Parsed::Partial;
    }
    let target = head.path.unwrap_or_default();
    let request = Request {
        method: head.method.unwrap_or_default().into(),
        path: path(target).into(),
        fields: known(head.headers),
        keep_alive: keep_alive(head.version, head.headers),
    };
    Parsed::Request(Box::new(request), len + body)
}

/// The path of a target in origin or absolute form (RFC 9112, section 3.2).
fn path(target: &str) -> &str {
    let after_scheme = target.strip_prefix("http://");
    let path = after_scheme.map_or(target, |rest| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    path.split(['?', '#']).next().unwrap_or_default()
}

fn is(field: &httparse::Header<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

fn text(field: &httparse::Header<'_>) -> Option<String> {
    str::from_utf8(field.value)
        .ok()
        .map(|text| text.trim().to_owned())
}

fn known(fields: &[httparse::Header<'_>]) -> Fields {
    let mut known = Fields::default();
    for field in fields {
        if is(field, "x-aws-ec2-metadata-token") {
            known.token = text(field);
        } else if is(field, "x-aws-ec2-metadata-token-ttl-seconds") {
            known.token_ttl = text(field);
        } else if is(field, "x-forwarded-for") {
            known.forwarded = true;
        }
    }
    known
}

/// Octets of the body. RFC 9112, section 6.3: where it cannot be told, the connection cannot go on.
fn body_len(fields: &[httparse::Header<'_>]) -> Result<usize, Status> {
    if fields.iter().any(|field| is(field, "transfer-encoding")) {
        return Err(Status::NotImplemented);
    }
    let mut lengths = fields.iter().filter(|field| is(field, "content-length"));
    let Some(first) = lengths.next() else {
        return Ok(0);
    };
    if lengths.next().is_some() {
        return Err(Status::BadRequest);
    }
    let digits = text(first).filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()));
    let len = digits.and_then(|digits| digits.parse().ok());
    match len {
        Some(len) if len <= MAX_BODY => Ok(len),
        Some(_) => Err(Status::ContentTooLarge),
        None => Err(Status::BadRequest),
    }
}

fn keep_alive(version: Option<u8>, fields: &[httparse::Header<'_>]) -> bool {
    let mut options = fields
        .iter()
        .filter(|field| is(field, "connection"))
        .filter_map(text);
    // HTTP/1.0 closes unless told otherwise, 1.1 stays open unless told otherwise.
    let asked = |option: &str, text: &str| {
        text.split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(option))
    };
    if version == Some(1) {
        !options.any(|text| asked("close", &text))
    } else {
        options.any(|text| asked("keep-alive", &text))
    }
}

/// How a request went (RFC 9110, section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    ContentTooLarge,
    HeadTooLarge,
    NotImplemented,
}

impl Status {
    fn line(self) -> (u16, &'static str) {
        match self {
            Self::Ok => (200, "OK"),
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Not Allowed"),
            Self::ContentTooLarge => (413, "Content Too Large"),
            Self::HeadTooLarge => (431, "Request Header Fields Too Large"),
            Self::NotImplemented => (501, "Not Implemented"),
        }
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// How it went.
    pub(crate) status: Status,
    /// Further header fields.
    pub(super) fields: Vec<(&'static str, String)>,
    /// The type of the body.
    pub(super) content_type: &'static str,
    /// The body.
    pub(super) body: Vec<u8>,
    /// Whether the body is left out: the length is that of what a `GET` would give.
    pub(super) head_only: bool,
    /// Whether the connection stays open.
    pub(crate) keep_alive: bool,
}

impl Response {
    /// A response that says only how it went.
    pub(super) fn of(status: Status) -> Self {
        let (code, reason) = status.line();
        let body = match status {
            Status::Ok => Vec::new(),
            _ => format!("{code} - {reason}\n").into_bytes(),
        };
        Self {
            status,
            fields: Vec::new(),
            content_type: "text/plain",
            body,
            head_only: false,
            keep_alive: true,
        }
    }

    /// The same, after which the connection ends.
    pub(crate) fn closing(status: Status) -> Self {
        Self {
            keep_alive: false,
            ..Self::of(status)
        }
    }

    /// The octets.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (code, reason) = self.status.line();
        let mut head = format!(
            "HTTP/1.1 {code} {reason}\r\nServer: rackweave\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            self.content_type,
            self.body.len()
        );
        for (name, value) in &self.fields {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head.push_str(if self.keep_alive {
            "Connection: keep-alive\r\n\r\n"
        } else {
            "Connection: close\r\n\r\n"
        });
        let mut octets = head.into_bytes();
        if !self.head_only {
            octets.extend_from_slice(&self.body);
        }
        octets
    }
}
