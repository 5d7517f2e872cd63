//! Being called.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rackweave_linux::random;
use rackweave_types::BootstrapPrefix;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::call::{CallError, PATIENCE, read_line, write_line};
use super::local::Local;
use super::message::{Answer, Asked, Greeting, SERVICE, VERSION};
use super::service::Rack;

/// Calls at once; who comes then waits to be accepted.
const CALLS: usize = 64;
/// How long to wait where nothing can be accepted.
const AGAIN: Duration = Duration::from_millis(100);
/// How long to wait where the bootstrap address is not there yet: it comes within moments of the start.
const SOON: Duration = Duration::from_millis(10);

/// Serves calls at the bootstrap address, until the task is dropped.
#[expect(
    clippy::infinite_loop,
    reason = "a task that is joined with one that ends; it is dropped with it"
)]
pub(crate) async fn serve<L: Local>(rack: Rack<L>) {
    let address = SocketAddr::from((
        BootstrapPrefix::new(rack.own().hardware).address(),
        rack.port(),
    ));
    let listener = listen(address).await;
    let places = Arc::new(Semaphore::new(CALLS));
    loop {
        // The semaphore is never closed: there is always a place in the end.
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, from)) => {
                let rack = rack.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, from, &rack).await {
                        tracing::warn!(%from, %error, "a call of rack setup was refused");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a call of rack setup");
                sleep(AGAIN).await;
            }
        }
    }
}

/// The address comes when the node's machine has started: tries until it is there.
async fn listen(address: SocketAddr) -> TcpListener {
    let mut told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if error.raw_os_error() == Some(nix::libc::EADDRNOTAVAIL) => {
                sleep(SOON).await;
                continue;
            }
            Err(error) if !told => {
                tracing::warn!(%address, %error, "rack setup cannot be served yet");
                told = true;
            }
            Err(_) => (),
        }
        sleep(AGAIN).await;
    }
}

async fn converse<L: Local>(
    stream: TcpStream,
    from: SocketAddr,
    rack: &Rack<L>,
) -> Result<(), CallError> {
    let IpAddr::V6(address) = from.ip() else {
        return Ok(());
    };
    if BootstrapPrefix::of(address).is_err() {
        return Err(CallError::Refused(
            "it does not come over the bootstrap network".to_owned(),
        ));
    }
    let mut stream = BufReader::new(stream);
    let greeting = Greeting {
        rackweave: SERVICE.to_owned(),
        version: VERSION,
        nonce: random::bytes()?,
    };
    let asked = timeout(PATIENCE, async {
        write_line(&mut stream, &greeting).await?;
        read_line::<Asked>(&mut stream).await
    });
    let asked = asked.await.map_err(|_| CallError::Late)??;
    let caller = rack
        .trust()
        .caller(&greeting.nonce, rack.own().hardware, &asked);
    let (answer, refused) = match caller {
        Ok(caller) => (
            rack.answer(serde_json::from_str(&asked.body)?, caller)
                .await,
            None,
        ),
        Err(error) => {
            let why = Answer::Refused(format!("the call is not believed: {error}"));
            (why, Some(error))
        }
    };
    let body = serde_json::to_string(&answer)?;
    let answered = rack.trust().answer(&asked.nonce, body);
    timeout(PATIENCE, write_line(&mut stream, &answered))
        .await
        .map_err(|_| CallError::Late)??;
    refused.map_or(Ok(()), |error| Err(error.into()))
}
