//! The argument tree, made of the table of kinds, and what is done by it.

use std::process::ExitCode;

use clap::builder::{Styles, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use rackweave_daemon::output::Failure;

use crate::act::{self, Said};
use crate::apply::{ApplyArgs, PlanArgs};
use crate::ask::{AskArgs, ChangeArgs};
use crate::audit::AuditArgs;
use crate::export::ExportArgs;
use crate::host::HostArgs;
use crate::ip::IpArgs;
use crate::kind::{Field, Kind, Verb, Whose};
use crate::kinds;
use crate::token::TokenArgs;

/// What stands under the help of each command.
const EXIT_CODES: &str =
    "Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";
/// The option whose values are names of fields to take back.
const UNSET: &str = "unset";
/// The name of the object.
const NAME: &str = "name";
/// What the object is for.
const DESCRIPTION: &str = "description";

/// A command of users or operators.
#[derive(Clone, Debug)]
pub struct Commands(Task);

#[derive(Clone, Debug)]
enum Task {
    Object(&'static Kind, Verb, Box<ArgMatches>),
    Token(TokenArgs),
    Audit(AuditArgs),
    Ip(IpArgs),
    Host(HostArgs),
    Apply(ApplyArgs),
    Export(ExportArgs),
    Plan(PlanArgs),
}

impl Subcommand for Commands {
    fn augment_subcommands(command: Command) -> Command {
        let command =
            kinds::of(Whose::Users).fold(command, |tree, kind| tree.subcommand(object(kind)));
        command
            .subcommand(IpArgs::augment_args(Command::new("ip")))
            .subcommand(TokenArgs::augment_args(Command::new("token")))
            .subcommand(AuditArgs::augment_args(Command::new("audit")))
            .subcommand(fleet())
            .subcommand(ApplyArgs::augment_args(Command::new("apply")))
            .subcommand(ExportArgs::augment_args(Command::new("export")))
            .subcommand(PlanArgs::augment_args(Command::new("plan")))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        let others = ["ip", "token", "audit", "fleet", "apply", "export", "plan"];
        others.contains(&name) || kinds::of(Whose::Users).any(|kind| kind.command == name)
    }
}

impl FromArgMatches for Commands {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let task = match matches.subcommand() {
            Some(("ip", matches)) => Task::Ip(IpArgs::from_arg_matches(matches)?),
            Some(("token", matches)) => Task::Token(TokenArgs::from_arg_matches(matches)?),
            Some(("audit", matches)) => Task::Audit(AuditArgs::from_arg_matches(matches)?),
            Some(("apply", matches)) => Task::Apply(ApplyArgs::from_arg_matches(matches)?),
            Some(("export", matches)) => Task::Export(ExportArgs::from_arg_matches(matches)?),
            Some(("plan", matches)) => Task::Plan(PlanArgs::from_arg_matches(matches)?),
            Some(("fleet", matches)) => match matches.subcommand() {
                Some(("host", matches)) => Task::Host(HostArgs::from_arg_matches(matches)?),
                found => of_kind(Whose::Operators, found)?,
            },
            found => of_kind(Whose::Users, found)?,
        };
        Ok(Self(task))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The command for objects of a kind.
fn of_kind(whose: Whose, found: Option<(&str, &ArgMatches)>) -> Result<Task, clap::Error> {
    let missing = || clap::Error::new(ErrorKind::MissingSubcommand);
    let (command, matches) = found.ok_or_else(missing)?;
    let kind = kinds::of(whose)
        .find(|kind| kind.command == command)
        .ok_or_else(missing)?;
    let (word, matches) = matches.subcommand().ok_or_else(missing)?;
    let verb = Verb::ALL
        .iter()
        .find(|verb| verb.word() == word)
        .ok_or_else(missing)?;
    Ok(Task::Object(kind, *verb, Box::new(matches.clone())))
}

impl Commands {
    /// Does what the command line says.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let done = match self.0 {
            Task::Object(kind, verb, matches) => run(kind, verb, &matches),
            Task::Token(args) => args.run(),
            Task::Audit(args) => args.run(),
            Task::Ip(args) => args.run(),
            Task::Host(args) => args.run(),
            Task::Apply(args) => args.run(),
            Task::Export(args) => args.run(),
            Task::Plan(args) => args.run(),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(),
        }
    }
}

fn run(kind: &'static Kind, verb: Verb, matches: &ArgMatches) -> Result<(), Failure> {
    let ask =
        AskArgs::from_arg_matches(matches).map_err(|error| Failure::new(error.to_string()))?;
    let said = said(kind, verb, matches)?;
    act::run(&ask, kind, verb, &said)
}

/// What the command line says of an object.
fn said(kind: &'static Kind, verb: Verb, matches: &ArgMatches) -> Result<Said, Failure> {
    let parents = kind.parents().into_iter().map(|parent| {
        let named = matches.get_one::<String>(parent.name).cloned();
        named
            .or_else(|| crate::ask::variable(&in_environment(parent)))
            .ok_or_else(|| {
                Failure::new(format!("the {} is not named", parent.name)).next(format!(
                    "--{} NAME or {}; `{} list` shows them",
                    parent.name,
                    in_environment(parent),
                    parent.typed()
                ))
            })
    });
    let parents = parents.collect::<Result<Vec<_>, _>>()?;
    let mut said = Said {
        parents,
        ..Said::default()
    };
    if verb != Verb::List {
        said.name = matches.get_one::<String>(NAME).cloned().unwrap_or_default();
    }
    if matches!(verb, Verb::Create | Verb::Update) {
        said.description = matches.get_one::<String>(DESCRIPTION).cloned();
        for field in kind.fields {
            let values = matches.get_many::<serde_json::Value>(field.flag);
            if let Some(values) = values {
                said.values.push((field, values.cloned().collect()));
            }
        }
    }
    if verb == Verb::Update {
        let unset = matches.get_many::<String>(UNSET).into_iter().flatten();
        let fields = unset.filter_map(|flag| kind.fields.iter().find(|field| field.flag == flag));
        said.unset = fields.collect();
    }
    if matches!(verb, Verb::Create | Verb::Update | Verb::Delete) {
        let change = ChangeArgs::from_arg_matches(matches);
        said.change = Some(change.map_err(|error| Failure::new(error.to_string()))?);
    }
    Ok(said)
}

/// The variable that names the parent where the command line does not.
fn in_environment(kind: &Kind) -> String {
    format!("RACKWEAVE_{}", kind.name.to_uppercase().replace('-', "_"))
}

/// `rackweave fleet`.
fn fleet() -> Command {
    let command = Command::new("fleet")
        .about(
            "What operators run: the AZ, racks, sleds, switches and their uplinks, pools, quotas",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXIT_CODES);
    let command =
        kinds::of(Whose::Operators).fold(command, |tree, kind| tree.subcommand(object(kind)));
    command.subcommand(HostArgs::augment_args(Command::new("host")))
}

/// The commands for a kind.
fn object(kind: &'static Kind) -> Command {
    let command = Command::new(kind.command)
        .about(kind.about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(format!("Example:\n  {}\n\n{EXIT_CODES}", kind.example));
    let command = AskArgs::augment_args(command);
    kind.verbs
        .iter()
        .fold(command, |tree, verb| tree.subcommand(verb_of(kind, *verb)))
}

fn verb_of(kind: &'static Kind, verb: Verb) -> Command {
    let one = kind.name;
    let about = match verb {
        Verb::List => format!("Lists {}, by name", kind.plural),
        Verb::Show => format!("Shows a {one}: what it was asked to be, and what it was given"),
        Verb::Create => format!("Makes a {one}"),
        Verb::Update => format!("Changes what a {one} is asked to be; what is not said stays"),
        Verb::Delete => format!("Removes a {one}, and what cannot be without it"),
    };
    let mut command = Command::new(verb.word()).about(about);
    if verb != Verb::List {
        command = command.arg(
            Arg::new(NAME)
                .value_name("NAME")
                .required(true)
                .help(format!("The {one}'s name")),
        );
    }
    for parent in kind.parents() {
        let help = format!(
            "The {} that it belongs to; {} where nothing is said",
            parent.name,
            in_environment(parent)
        );
        command = command.arg(
            Arg::new(parent.name)
                .long(parent.name)
                .value_name("NAME")
                .help(help),
        );
    }
    if matches!(verb, Verb::Create | Verb::Update) {
        let description = Arg::new(DESCRIPTION).long(DESCRIPTION).value_name("TEXT");
        command = command.arg(description.help("What it is for, in words"));
        command = kind
            .fields
            .iter()
            .fold(command, |command, field| command.arg(option(field, verb)));
    }
    if verb == Verb::Update && !kind.fields.is_empty() {
        let flags = kind
            .fields
            .iter()
            .filter(|field| !field.required)
            .map(|field| field.flag);
        command = command.arg(
            Arg::new(UNSET)
                .long(UNSET)
                .value_name("OPTION")
                .action(ArgAction::Append)
                .value_parser(ValueParser::from(flags.collect::<Vec<_>>()))
                .help("Takes back what was asked by this option, so that it is as if never said"),
        );
    }
    match verb {
        Verb::Create | Verb::Update | Verb::Delete => ChangeArgs::augment_args(command),
        Verb::List | Verb::Show => command,
    }
}

/// A field as an option.
fn option(field: &'static Field, verb: Verb) -> Arg {
    let help = match (field.many, verb) {
        (true, Verb::Update) => format!("{}; may be said many times, all anew", field.about),
        (true, _) => format!("{}; may be said many times", field.about),
        (false, _) => field.about.to_owned(),
    };
    let arg = Arg::new(field.flag)
        .long(field.flag)
        .value_name(field.form.placeholder())
        .value_parser(field.form.parser())
        .required(field.required && verb == Verb::Create)
        .action(if field.many {
            ArgAction::Append
        } else {
            ArgAction::Set
        })
        .help(help);
    match field.form.missing() {
        Some(missing) => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(missing),
        None => arg,
    }
}

/// The whole tree under a name of its own, for who asks it nothing: documents and tests.
#[must_use]
pub fn tree() -> Command {
    Commands::augment_subcommands(Command::new("rackweave").styles(Styles::plain()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(line: &str) -> Result<Commands, clap::Error> {
        let matches = tree().try_get_matches_from(line.split_whitespace())?;
        Commands::from_arg_matches(&matches)
    }

    fn spoken(line: &str) -> (&'static Kind, Said) {
        let Task::Object(kind, verb, matches) = parse(line).unwrap().0 else {
            panic!("{line} is about no object");
        };
        (kind, said(kind, verb, &matches).unwrap())
    }

    #[test]
    fn the_argument_tree_holds_together() {
        tree().debug_assert();
        for command in tree().get_subcommands() {
            assert!(Commands::has_subcommand(command.get_name()));
        }
    }

    #[test]
    fn what_is_said_is_understood() {
        let (kind, said) = spoken(
            "rackweave firewall create web --project shop --vpc prod --priority 100 --direction in --action allow \
             --target tag:web --host 10.0.0.0/8 --protocol tcp --port 80 --port 8000-8080 --wait --timeout 5",
        );
        assert_eq!((kind.name, said.name.as_str()), ("firewall-rule", "web"));
        assert_eq!(said.parents, ["shop", "prod"]);
        assert_eq!(
            said.spec(),
            json!({
                "priority": 100, "direction": "in", "action": "allow", "targets": [{"tag": "web"}],
                "filters": {
                    "hosts": [{"cidr": "10.0.0.0/8"}],
                    "protocols": ["tcp"],
                    "ports": [[80, 80], [8000, 8080]],
                },
            })
        );
        assert!(
            said.change
                .is_some_and(|change| change.wait && change.timeout == 5)
        );
        let (_, said) = spoken(
            "rackweave nic create a --project p --instance i --vpc v --subnet s --ephemeral --nat=false",
        );
        assert_eq!(said.parents, ["p", "i"]);
        assert_eq!(
            said.spec(),
            json!({"vpc": "v", "subnet": "s", "ephemeral": [{}], "nat": false})
        );
        let (_, said) = spoken("rackweave subnet update web --project p --vpc v --unset router");
        assert_eq!(said.unset.len(), 1);
        let (kind, _) = spoken("rackweave fleet sled list --json");
        assert_eq!(kind.name, "sled");
    }

    #[test]
    fn a_command_line_that_is_wrong_is_told() {
        for (line, told) in [
            ("rackweave subnet create", "<NAME>"),
            ("rackweave firewall create a --vpc v", "--priority <NUMBER>"),
            ("rackweave vpc create a --ipv4 10.0.0.0", "a prefix of IPv4"),
            (
                "rackweave vpc-route create a --destination 0.0.0.0/0 --target nowhere",
                "WHAT:WHICH is wanted",
            ),
            (
                "rackweave firewall create a --direction up",
                "[possible values: in, out]",
            ),
            ("rackweave vpc delete a --timeout 3", "--wait"),
            ("rackweave fleet quota create a", "unrecognized subcommand"),
            ("rackweave subnet update a --unset ipv5", "possible values"),
            ("rackweave vpc list --api nowhere", "none of https://"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn a_parent_that_is_not_named_is_told_with_how_to_name_it() {
        let Task::Object(kind, verb, matches) =
            parse("rackweave subnet list --project p").unwrap().0
        else {
            panic!("it is about no object");
        };
        let failure = said(kind, verb, &matches).unwrap_err().to_string();
        assert!(failure.contains("--vpc NAME or RACKWEAVE_VPC"), "{failure}");
    }
}
