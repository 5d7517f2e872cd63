//! Calling another node.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rackweave_linux::random;
use rackweave_trust::SecretKey;
use rackweave_types::{BootstrapPrefix, MacAddr};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::message::{Answer, Answered, Call, Greeting, LINE_MAX, SERVICE, VERSION};
use super::proof::{Caller, ProofError, Trust};

/// How long a call may take, from connecting to the answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CallError {
    /// It cannot be reached, or the connection broke.
    #[error("it cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// It did not answer in time.
    #[error("it does not answer")]
    Late,
    /// It said what this release does not understand.
    #[error("it says what is not understood here: {0}")]
    Form(#[from] serde_json::Error),
    /// It is another service, or of another release.
    #[error("it speaks {service} version {version}, and not {SERVICE} version {VERSION}")]
    Version {
        /// What it calls itself.
        service: String,
        /// Its version.
        version: u32,
    },
    /// Its answer is not believed.
    #[error("its answer is not believed: {0}")]
    Proof(#[from] ProofError),
    /// No nonce can be drawn.
    #[error("{0}")]
    Random(#[from] random::RandomError),
    /// It will not.
    #[error("{0}")]
    Refused(String),
}

/// Reads a line.
pub(crate) async fn read_line<T: DeserializeOwned>(
    stream: &mut (impl AsyncBufRead + Unpin),
) -> Result<T, CallError> {
    let mut line = Vec::new();
    let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    stream.take(most).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the line does not end");
        return Err(error.into());
    }
    Ok(serde_json::from_slice(&line)?)
}

/// Writes a line.
pub(crate) async fn write_line<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    line: &T,
) -> Result<(), CallError> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    stream.flush().await?;
    Ok(())
}

/// How to call others.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) trust: Trust,
    pub(crate) port: u16,
}

impl Line {
    /// Calls the node with this hardware address; signed with the rack's key where there is one.
    pub(crate) async fn call(
        &self,
        to: MacAddr,
        call: &Call,
        rack: Option<&SecretKey>,
    ) -> Result<(Answer, Caller), CallError> {
        self.call_within(PATIENCE, to, call, rack).await
    }

    /// The same, for what takes its time.
    pub(crate) async fn call_within(
        &self,
        patience: Duration,
        to: MacAddr,
        call: &Call,
        rack: Option<&SecretKey>,
    ) -> Result<(Answer, Caller), CallError> {
        let called = timeout(patience, self.converse(to, call, rack)).await;
        match called.map_err(|_| CallError::Late)?? {
            (Answer::Refused(why), _) => Err(CallError::Refused(why)),
            answered => Ok(answered),
        }
    }

    async fn converse(
        &self,
        to: MacAddr,
        call: &Call,
        rack: Option<&SecretKey>,
    ) -> Result<(Answer, Caller), CallError> {
        let address = SocketAddr::from((BootstrapPrefix::new(to).address(), self.port));
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let greeting: Greeting = read_line(&mut stream).await?;
        if greeting.rackweave != SERVICE || greeting.version != VERSION {
            return Err(CallError::Version {
                service: greeting.rackweave,
                version: greeting.version,
            });
        }
        let (nonce, body) = (random::bytes()?, serde_json::to_string(call)?);
        let asked = self.trust.ask((&greeting.nonce, to), nonce, body, rack);
        write_line(&mut stream, &asked).await?;
        let answered: Answered = read_line(&mut stream).await?;
        let caller = self.trust.answerer(&nonce, &answered)?;
        Ok((serde_json::from_str(&answered.body)?, caller))
    }
}
