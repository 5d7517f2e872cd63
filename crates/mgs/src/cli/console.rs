//! `rackweave sp console`.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Args;
use nix::unistd::{User, getuid};
use rackweave_api::http::{Client, ClientError, Octets, segment};
use rackweave_api::mgs::{ConsoleRequest, ConsoleSession, ConsoleStatus};
use rackweave_daemon::output::{Failure, write_all, written};
use tokio::sync::mpsc;

use super::terminal::{Raw, typed};
use super::{AskArgs, asking};

/// What ends the session where it is typed: Ctrl and ].
const ESCAPE: u8 = 0x1d;

#[derive(Debug, Args)]
pub(super) struct ConsoleArgs {
    /// Its place, or the serial number of its unit.
    sp: String,
    /// Who you are: what others are told while you hold the console; your user name where nothing is said.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Takes the console from whoever holds it.
    #[arg(long)]
    force: bool,
}

pub(super) fn console(ask: &AskArgs, args: &ConsoleArgs) -> Result<(), Failure> {
    let blocking = ask.client()?;
    let request = ConsoleRequest {
        operator: args.operator.clone().unwrap_or_else(user),
        force: args.force,
    };
    let path = format!("/sps/{}/console", segment(&args.sp));
    let opened = blocking.answer::<ConsoleSession>(|client| client.post(&path).json(&request));
    let session = opened.map_err(asking)?.body.session;
    let raw = Raw::begin().map_err(|error| {
        Failure::new("the terminal cannot be taken over").cause(error.to_string())
    })?;
    if raw.is_terminal() {
        say(&format!(
            "{} is yours, {}; Ctrl-] lets it go",
            args.sp, request.operator
        ));
    }
    let client = blocking.client().clone();
    let held = blocking.wait(hold(&client, session, raw.is_terminal()));
    let terminal = raw.is_terminal();
    drop(raw);
    let why = held?;
    if terminal {
        say(&why);
    }
    Ok(())
}

/// Beside what the console says.
fn say(text: &str) {
    let mut line = String::new();
    let _written = write!(line, "\r\n[{text}]\r\n");
    // Nobody is left to be told where even that fails.
    let _told = io::stderr().write_all(line.as_bytes());
}

fn user() -> String {
    let user = User::from_uid(getuid()).ok().flatten();
    user.map_or_else(|| "operator".to_owned(), |user| user.name)
}

/// Passes octets both ways until the session is over; why it is.
async fn hold(client: &Client, session: u64, terminal: bool) -> Result<String, Failure> {
    let path = format!("/consoles/{session}");
    let output = client.get(&format!("{path}/output")).stream().await;
    let mut output = output.map_err(asking)?;
    let input = format!("{path}/input");
    let ended = tokio::select! {
        ended = show(&mut output) => ended.map(|()| false),
        ended = send(client, &input, typed(), terminal) => ended.map(|()| true),
    };
    if ended? {
        // The session may be over already.
        let _over = client.delete(&path).done().await;
        return Ok("the console is let go".into());
    }
    let status = client.get(&path).answer::<ConsoleStatus>().await;
    let why = status.ok().and_then(|status| status.body.ended_because);
    Ok(why.unwrap_or_else(|| "the console is over".into()))
}

async fn show(output: &mut Octets) -> Result<(), Failure> {
    while let Some(octets) = output.next().await.map_err(asking)? {
        written(write_all(&octets))?;
    }
    Ok(())
}

/// Sends what is typed; ends where the escape is. What is no terminal may end, and output goes on.
async fn send(
    client: &Client,
    path: &str,
    mut typed: mpsc::Receiver<Vec<u8>>,
    terminal: bool,
) -> Result<(), Failure> {
    while let Some(octets) = typed.recv().await {
        let escape = terminal.then(|| octets.iter().position(|octet| *octet == ESCAPE));
        let escape = escape.flatten();
        let before = octets[..escape.unwrap_or(octets.len())].to_vec();
        if !before.is_empty() {
            let sent: Result<(), ClientError> =
                client.post(path).octets(before.into()).done().await;
            sent.map_err(asking)?;
        }
        if escape.is_some() {
            return Ok(());
        }
    }
    if !terminal {
        std::future::pending::<()>().await;
    }
    Ok(())
}
