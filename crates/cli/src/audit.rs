//! `rackweave audit …`: who changed what.

use clap::{Args, Subcommand};
use rackweave_api::control::{Action, Actor, AuditEntry, BASE, Page};
use rackweave_daemon::output::Failure;
use rackweave_daemon::table::Table;

use crate::ask::{AskArgs, asking};
use crate::time::utc;

/// The most entries of one page.
const PAGE: usize = 1000;

/// What stands under the help of `rackweave audit`.
const EXAMPLES: &str = "\
Examples:
  rackweave audit list --project shop
  rackweave audit list --limit 100000 --json

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// The audit log: who changed what, and when
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Lists changes, the oldest first
    List(ListArgs),
}

#[derive(Clone, Debug, Args)]
struct ListArgs {
    /// The project whose changes are wanted; without it all of them, for operators
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Begins behind this entry, as the list before told it
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<String>,
    /// How many entries at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    limit: usize,
}

impl AuditArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Command::List(args) = self.command;
        let asker = self.ask.asker()?;
        let mut page = Page {
            items: Vec::<AuditEntry>::new(),
            next: args.after.clone(),
        };
        while page.items.len() < args.limit {
            let some = PAGE.min(args.limit - page.items.len());
            let answer = asker.get::<Page<AuditEntry>>(|client| {
                let mut call = client.get(&format!("{BASE}/audit")).query("limit", some);
                if let Some(project) = &args.project {
                    call = call.query("project", project);
                }
                if let Some(after) = &page.next {
                    call = call.query("after", after);
                }
                call
            });
            let answer = answer.map_err(asking)?.body;
            page.items.extend(answer.items);
            page.next = answer.next;
            if page.next.is_none() {
                break;
            }
        }
        asker.output().show(&page, table)
    }
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Token { id, subject } => format!("{subject} (token {id})"),
        Actor::Local { uid } => format!("user {uid} of the controller's machine"),
        Actor::Node { identity } => format!("node {identity}"),
    }
}

fn table(page: &Page<AuditEntry>, bold: bool) -> String {
    let mut table = Table::new(&["TIME", "WHO", "WHAT", "OBJECT", ">REVISION", "REQUEST"]);
    for entry in &page.items {
        let what = match entry.action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
        };
        table.row(vec![
            utc(entry.at_ms),
            actor(&entry.actor),
            what.to_owned(),
            entry
                .path
                .strip_prefix(BASE)
                .unwrap_or(&entry.path)
                .to_owned(),
            entry
                .revision
                .map(|revision| revision.to_string())
                .unwrap_or_default(),
            entry.request_id.clone(),
        ]);
    }
    let mut text = table.render(bold);
    if let Some(next) = &page.next {
        text.extend(["\nthere are more: --after ", next, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use rackweave_api::control::Revision;

    use super::*;

    #[test]
    fn entries_say_who_did_what() {
        let entry = AuditEntry {
            sequence: "7".to_owned(),
            at_ms: 951_782_400_000,
            actor: Actor::Token {
                id: "3f2a".to_owned(),
                subject: "ada".to_owned(),
            },
            request_id: "r1".to_owned(),
            action: Action::Create,
            path: "/v1/projects/shop".to_owned(),
            id: None,
            project: None,
            revision: Some(Revision(9)),
        };
        let page = Page {
            items: vec![entry],
            next: Some("7".to_owned()),
        };
        assert_eq!(
            table(&page, false),
            "TIME                  WHO               WHAT    OBJECT          REVISION  REQUEST\n\
             2000-02-29T00:00:00Z  ada (token 3f2a)  create  /projects/shop         9  r1\n\n\
             there are more: --after 7\n"
        );
    }
}
