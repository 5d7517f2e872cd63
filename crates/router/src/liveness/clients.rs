//! Those who talk to the process: routers, and people who look.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use rackweave_api::local::{
    ApiError, Code, Failure, FromDaemon, Hello, LineDecoder, REQUEST_MAX, Reply, Request, ToDaemon,
    encode,
};
use rackweave_linux::poll::Poller;
use serde_json::Value;

use super::message::{self, SERVICE};

/// Clients at once; more are turned away.
const CLIENTS: usize = 16;
/// What waits for a client at most; one that reads more slowly is let go.
const WAITING: usize = 1 << 20;

/// A conversation.
#[derive(Debug)]
struct Client {
    token: u64,
    stream: UnixStream,
    lines: LineDecoder,
    waiting: Vec<u8>,
    /// Whether it said hello.
    known: bool,
    /// Under which number it follows.
    follows: Option<u64>,
    gone: bool,
}

/// All conversations.
#[derive(Debug)]
pub(super) struct Clients {
    listener: UnixListener,
    clients: Vec<Client>,
    next_token: u64,
}

/// Whom a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    token: u64,
    id: u64,
}

impl Clients {
    /// Nobody yet; they get tokens from `first` on.
    pub(super) fn new(listener: UnixListener, first: u64) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            clients: Vec::new(),
            next_token: first,
        })
    }

    /// The listener, to be waited for.
    pub(super) const fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Lets those in who wait.
    pub(super) fn accept(&mut self, poller: &Poller) {
        while let Ok((stream, _)) = self.listener.accept() {
            let token = self.next_token;
            let fits = self.clients.len() < CLIENTS && stream.set_nonblocking(true).is_ok();
            // One that is turned away reads the end of the conversation.
            if !fits || poller.add(&stream, token).is_err() {
                continue;
            }
            self.next_token += 1;
            self.clients.push(Client {
                token,
                stream,
                lines: LineDecoder::new(REQUEST_MAX),
                waiting: Vec::new(),
                known: false,
                follows: None,
                gone: false,
            });
        }
    }

    /// What the client of this token asks.
    pub(super) fn read(&mut self, token: u64) -> Vec<(Asker, message::Request)> {
        let mut asked = Vec::new();
        let client = self.clients.iter_mut().find(|client| client.token == token);
        if let Some(client) = client {
            client.read(&mut asked);
        }
        asked
    }

    /// Replies once.
    pub(super) fn reply(&mut self, to: Asker, body: message::Reply) {
        self.say(to, body, false);
    }

    /// Refuses.
    pub(super) fn refuse(&mut self, to: Asker, error: ApiError) {
        if let Some(client) = self.client(to) {
            client.refuse(Some(to.id), error);
        }
    }

    /// Tells this client all news from now on.
    pub(super) fn follow(&mut self, asker: Asker) {
        if let Some(client) = self.client(asker) {
            client.follows = Some(asker.id);
        }
    }

    /// Tells one of those who follow.
    pub(super) fn tell(&mut self, to: Asker, body: message::Reply) {
        self.say(to, body, true);
    }

    /// All who follow.
    pub(super) fn followers(&self) -> Vec<Asker> {
        let follows = |client: &Client| {
            let token = client.token;
            client.follows.map(|id| Asker { token, id })
        };
        self.clients.iter().filter_map(follows).collect()
    }

    /// Writes what waits, and lets those go who are gone. Whether something still waits.
    pub(super) fn flush(&mut self) -> bool {
        self.clients.iter_mut().for_each(Client::flush);
        self.clients.retain(|client| !client.gone);
        self.clients.iter().any(|client| !client.waiting.is_empty())
    }

    fn client(&mut self, asker: Asker) -> Option<&mut Client> {
        self.clients
            .iter_mut()
            .find(|client| client.token == asker.token)
    }

    fn say(&mut self, to: Asker, body: message::Reply, more: bool) {
        if let Some(client) = self.client(to) {
            let id = to.id;
            client.write(&FromDaemon::Reply(Reply { id, body, more }));
        }
    }
}

impl Client {
    fn read(&mut self, asked: &mut Vec<(Asker, message::Request)>) {
        let mut buf = [0; 4096];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => self.gone = true,
                Ok(len) => self.lines.feed(&buf[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
            loop {
                let line = match self.lines.next_line() {
                    Ok(Some(line)) => serde_json::from_slice::<ToDaemon<Value>>(line),
                    Ok(None) => break,
                    Err(_) => {
                        self.gone = true;
                        return;
                    }
                };
                self.handle(line, asked);
            }
            if self.gone {
                return;
            }
        }
    }

    fn handle(
        &mut self,
        line: serde_json::Result<ToDaemon<Value>>,
        asked: &mut Vec<(Asker, message::Request)>,
    ) {
        match line {
            Ok(ToDaemon::Hello(theirs)) => {
                let ours = hello();
                match ours.agree(&theirs) {
                    Ok(_) => self.known = true,
                    Err(error) => self.refuse(None, error),
                }
                self.write(&FromDaemon::<message::Reply>::Hello(ours));
            }
            Ok(ToDaemon::Request(Request { id, body })) if self.known => {
                match serde_json::from_value(body) {
                    Ok(request) => asked.push((
                        Asker {
                            token: self.token,
                            id,
                        },
                        request,
                    )),
                    Err(error) => {
                        let unknown =
                            ApiError::new(Code::UnknownRequest, "this is no request of liveness");
                        self.refuse(Some(id), unknown.cause(error.to_string()));
                    }
                }
            }
            Ok(ToDaemon::Cancel(cancel)) => {
                self.follows = self.follows.filter(|id| *id != cancel.id);
            }
            Ok(ToDaemon::Request(_)) | Err(_) => {
                let error = ApiError::new(Code::BadRequest, "the line is not understood");
                self.refuse(None, error.next("begin with a hello"));
                self.gone = true;
            }
        }
    }

    fn refuse(&mut self, id: Option<u64>, error: ApiError) {
        self.write(&FromDaemon::<message::Reply>::Error(Failure { id, error }));
    }

    fn write(&mut self, line: &FromDaemon<message::Reply>) {
        let written = encode(line, &mut self.waiting);
        self.gone |= written.is_err() || self.waiting.len() > WAITING;
    }

    fn flush(&mut self) {
        while !self.waiting.is_empty() {
            match self.stream.write(&self.waiting) {
                Ok(0) => self.gone = true,
                Ok(len) => {
                    self.waiting.drain(..len);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
            if self.gone {
                return;
            }
        }
    }
}

/// What the process says of itself.
pub(super) fn hello() -> Hello {
    Hello::new(SERVICE, concat!("rackweave ", env!("CARGO_PKG_VERSION")))
}
