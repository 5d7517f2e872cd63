//! The members of a cluster: which one is asked, and what its failures mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error};
use tokio::time::Instant;

use super::EtcdOptions;
use crate::ReadError;
use crate::error::Cause;

/// etcd refuses pings that come more often than every 5 s.
const PING: Duration = Duration::from_secs(6);
const PONG: Duration = Duration::from_secs(3);
/// How long is waited after a round over all members, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(320);

// Codes of gRPC: <https://grpc.io/docs/guides/status-codes>.
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const OUT_OF_RANGE: i32 = 11;
const UNIMPLEMENTED: i32 = 12;
const UNAUTHENTICATED: i32 = 16;

/// One client for each member, so that the next one is asked when one fails.
pub(super) struct Members {
    clients: Vec<Client>,
    /// The one that is asked first.
    preferred: AtomicUsize,
    patience: Duration,
    deadline: Duration,
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members")
            .field("preferred", &self.preferred)
            .finish_non_exhaustive()
    }
}

/// What a member said no to, or why none answered.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The revision is no longer kept.
    Compacted,
    /// The revision is one that the cluster has not reached.
    Future,
    /// There is no such lease.
    NoLease,
    /// The members have no room.
    Full(Cause),
    /// The request will never be done.
    Refused(Cause),
    /// No member answered in time; the request may have been done.
    Silent(Cause),
}

impl Failure {
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Full(cause) | Self::Refused(cause) | Self::Silent(cause) => cause,
            other => Arc::new(other.into_read_error()),
        }
    }

    pub(super) fn into_read_error(self) -> ReadError {
        match self {
            Self::Compacted => ReadError::Compacted,
            Self::Future => ReadError::Future,
            Self::NoLease => ReadError::Damaged("a lease is missing".to_owned()),
            Self::Full(cause) | Self::Refused(cause) | Self::Silent(cause) => {
                ReadError::Unavailable(cause)
            }
        }
    }
}

/// Why a member that was asked did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct Late(Duration);

impl Members {
    pub(super) async fn new(options: &EtcdOptions) -> Result<Self, Error> {
        let mut clients = Vec::new();
        for endpoint in &options.endpoints {
            let connect = ConnectOptions::new()
                .with_keep_alive(PING, PONG)
                .with_connect_timeout(options.patience)
                .with_require_leader(true);
            // This only describes the connection.
            clients.push(Client::connect([endpoint], Some(connect)).await?);
        }
        Ok(Self {
            clients,
            preferred: AtomicUsize::new(0),
            patience: options.patience,
            deadline: options.deadline,
        })
    }

    /// Asks the members in turn, until one answers or the deadline is over. A request that changes something must bear to
    /// be done twice.
    pub(super) async fn ask<T, F>(&self, request: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.ask_in_turn(request)
            .await
            .map_err(|(failure, _)| failure)
    }

    /// Asks like [`Members::ask`], for something that must not be taken for undone where an earlier member was silent: what
    /// a later one says no to may have happened by then.
    pub(super) async fn ask_to_write<T, F>(
        &self,
        request: impl Fn(Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let answer = self.ask_in_turn(request).await;
        answer.map_err(|(failure, silent)| match silent {
            0 => failure,
            _ => Failure::Silent(failure.cause()),
        })
    }

    /// Says with a failure how many members were silent before.
    async fn ask_in_turn<T, F>(&self, request: impl Fn(Client) -> F) -> Result<T, (Failure, usize)>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let until = Instant::now() + self.deadline;
        let mut pause = FIRST_PAUSE;
        let mut silent = 0;
        loop {
            let (member, client) = self.preferred();
            let answer = tokio::time::timeout(self.patience, request(client)).await;
            let cause: Cause = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => match judge(error) {
                    Failure::Silent(cause) => cause,
                    failure => return Err((failure, silent)),
                },
                Err(_) => Arc::new(Late(self.patience)),
            };
            self.avoid(member);
            silent += 1;
            if Instant::now() >= until {
                return Err((Failure::Silent(cause), silent));
            }
            tracing::debug!(member, error = %cause, "a member of etcd does not answer");
            if silent % self.clients.len() == 0 {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }

    /// The member that is asked now.
    pub(super) fn preferred(&self) -> (usize, Client) {
        let member = self.preferred.load(Ordering::Relaxed) % self.clients.len();
        (member, self.clients[member].clone())
    }

    /// Asks the next one from now on, unless somebody else has said so already.
    pub(super) fn avoid(&self, member: usize) {
        let next = (member + 1) % self.clients.len();
        let swap =
            self.preferred
                .compare_exchange(member, next, Ordering::Relaxed, Ordering::Relaxed);
        // Where it fails, another one is preferred already.
        let _ = swap;
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// What an error of a member means. What is not known to be final is asked again, of the next member.
pub(super) fn judge(error: Error) -> Failure {
    let Error::GRpcStatus(status) = &error else {
        return match error {
            Error::InvalidArgs(_) | Error::InvalidUri(_) => Failure::Refused(Arc::new(error)),
            error => Failure::Silent(Arc::new(error)),
        };
    };
    let message = status.message();
    match i32::from(status.code()) {
        OUT_OF_RANGE if message.contains("compacted") => Failure::Compacted,
        OUT_OF_RANGE if message.contains("future") => Failure::Future,
        NOT_FOUND if message.contains("lease") => Failure::NoLease,
        RESOURCE_EXHAUSTED if message.contains("space exceeded") => Failure::Full(Arc::new(error)),
        INVALID_ARGUMENT | NOT_FOUND | PERMISSION_DENIED | FAILED_PRECONDITION | OUT_OF_RANGE
        | UNIMPLEMENTED | UNAUTHENTICATED => Failure::Refused(Arc::new(error)),
        _ => Failure::Silent(Arc::new(error)),
    }
}
