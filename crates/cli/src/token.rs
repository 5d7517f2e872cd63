//! `rackweave token …`: what opens the API, and for whom.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rackweave_api::control::{BASE, Grant, NewToken, Role, Token, TokenMade};
use rackweave_api::http::{Method, segment};
use rackweave_daemon::output::Failure;
use rackweave_daemon::table::Table;

use crate::ask::{AskArgs, Asker, asking};
use crate::render::fact;
use crate::time::{seconds, utc};

/// What stands under the help of `rackweave token`.
const EXAMPLES: &str = "\
Examples:
  rackweave token create --subject ada --grant shop:developer --lifetime 30d --write ada.token
  rackweave token list
  rackweave token delete 3f2a9c51d0e4b768

Roles: a viewer reads; a developer makes, changes and removes objects; an admin gives out tokens and reads the audit log.
A token is told once, when it is made. Its holder puts it into ~/.config/rackweave/token.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// Tokens: what opens the API, and for whom
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Lists those that you may take back
    List,
    /// Shows what a token opens
    Show(OneArgs),
    /// Makes a token, and tells it once
    Create(CreateArgs),
    /// Takes a token back: it opens nothing from now on
    Delete(OneArgs),
}

#[derive(Clone, Debug, Args)]
struct OneArgs {
    /// The token's id, as `rackweave token list` shows it
    id: String,
}

#[derive(Clone, Debug, Args)]
struct CreateArgs {
    /// Whose it is, for the audit log
    #[arg(long, value_name = "WHO")]
    subject: String,
    /// A project that it opens, and for what: viewer, developer or admin; may be said many times
    #[arg(long, value_name = "PROJECT:ROLE", value_parser = grant, required_unless_present = "operator")]
    grant: Vec<Grant>,
    /// It opens everything: the fleet, and all projects
    #[arg(long)]
    operator: bool,
    /// For how long it is good, such as 12h or 30d; without end where nothing is said
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    lifetime: Option<u64>,
    /// Writes the token into a new file that its owner alone can read, and does not show it
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Reads `PROJECT:ROLE`.
fn grant(text: &str) -> Result<Grant, String> {
    let wanted = || "PROJECT:ROLE is wanted, where ROLE is viewer, developer or admin".to_owned();
    let (project, role) = text.split_once(':').ok_or_else(wanted)?;
    let role = match role {
        "viewer" => Role::Viewer,
        "developer" => Role::Developer,
        "admin" => Role::Admin,
        _ => return Err(wanted()),
    };
    Ok(Grant::Project {
        project: project.to_owned(),
        role,
    })
}

/// What a token opens, as people read it.
fn opened(grants: &[Grant]) -> String {
    let words = grants.iter().map(|grant| match grant {
        Grant::Operator {} => "everything".to_owned(),
        Grant::Project { project, role } => {
            let role = match role {
                Role::Viewer => "viewer",
                Role::Developer => "developer",
                Role::Admin => "admin",
            };
            format!("{project}:{role}")
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

impl TokenArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let asker = self.ask.asker()?;
        match self.command {
            Command::List => {
                let tokens = tokens(&asker)?;
                asker
                    .output()
                    .show(&tokens, |tokens, bold| table(tokens, bold))
            }
            Command::Show(one) => {
                let found = tokens(&asker)?.into_iter().find(|token| token.id == one.id);
                let token = found.ok_or_else(|| {
                    Failure::new(format!("there is no token {} that you may see", one.id))
                        .next("`rackweave token list` shows them by id")
                })?;
                asker.output().show(&token, |token, _| shown(token))
            }
            Command::Create(args) => create(&asker, args),
            Command::Delete(one) => {
                let path = format!("{BASE}/tokens/{}", segment(&one.id));
                let gone = asker.change::<()>(&Method::DELETE, &path, None, None);
                gone.map(drop).map_err(asking)
            }
        }
    }
}

fn tokens(asker: &Asker) -> Result<Vec<Token>, Failure> {
    let tokens = asker.get(|client| client.get(&format!("{BASE}/tokens")));
    Ok(tokens.map_err(asking)?.body)
}

fn create(asker: &Asker, args: CreateArgs) -> Result<(), Failure> {
    let operator = args.operator.then_some(Grant::Operator {});
    let new = NewToken {
        subject: args.subject,
        grants: args.grant.into_iter().chain(operator).collect(),
        lifetime_s: args.lifetime,
    };
    // A file that cannot be made is told before there is a token that nobody has.
    let file = args.write.as_deref().map(fresh).transpose()?;
    // Asked once: a second token of which nobody knows is worse than an error.
    let made = asker.get::<TokenMade>(|client| client.post(&format!("{BASE}/tokens")).json(&new));
    let made = made.map_err(asking)?.body;
    let Some(mut file) = file else {
        return asker.output().show(&made, |made, _| {
            let mut text = shown(&made.token);
            fact(&mut text, "token", &made.secret);
            text
        });
    };
    file.write_all(format!("{}\n", made.secret).as_bytes())
        .map_err(|error| {
            Failure::new("the token is made, and cannot be written")
                .cause(error.to_string())
                .next(format!(
                    "`rackweave token delete {}`, and another one",
                    made.token.id
                ))
        })?;
    asker.output().show(&made.token, |token, _| shown(token))
}

/// A new file that its owner alone can read.
fn fresh(path: &Path) -> Result<std::fs::File, Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.map_err(|error| {
        Failure::new(format!("cannot make {}", path.display())).cause(error.to_string())
    })
}

fn table(tokens: &[Token], bold: bool) -> String {
    let mut table = Table::new(&["ID", "SUBJECT", "OPENS", "MADE", "ENDS"]);
    for token in tokens {
        table.row(vec![
            token.id.clone(),
            token.subject.clone(),
            opened(&token.grants),
            utc(token.made_ms),
            token.ends_ms.map(utc).unwrap_or_default(),
        ]);
    }
    table.render(bold)
}

fn shown(token: &Token) -> String {
    let mut text = String::new();
    fact(&mut text, "id", &token.id);
    fact(&mut text, "subject", &token.subject);
    fact(&mut text, "opens", opened(&token.grants));
    fact(&mut text, "made", utc(token.made_ms));
    fact(
        &mut text,
        "ends",
        token.ends_ms.map(utc).unwrap_or_default(),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_as_they_are_shown() {
        let grants = vec![grant("shop:developer").unwrap(), Grant::Operator {}];
        assert_eq!(opened(&grants), "shop:developer, everything");
        for text in ["shop", "shop:owner", "shop:"] {
            assert!(grant(text).unwrap_err().contains("PROJECT:ROLE"), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fresh(&path).unwrap();
        assert!(
            fresh(&path)
                .unwrap_err()
                .to_string()
                .contains("cannot make")
        );
    }
}
