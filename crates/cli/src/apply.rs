//! `rackweave plan` and `rackweave apply`: what files declare, what that would change, and doing it.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rackweave_api::control::{Applied, BASE, Declaration, Named, Preview};
use rackweave_api::http::{ClientError, Method, Problem};
use rackweave_daemon::output::{Failure, write_all, written};
use serde_json::json;

use crate::ask::{AskArgs, Asker, ChangeArgs, asking};
use crate::declare::Declarations;
use crate::kinds;
use crate::render::in_force;

mod render;

/// How often a plan is made anew because somebody else changed what is there.
const ATTEMPTS: usize = 5;
/// How much longer a plan may take than hosts have for their answers.
const GRACE: Duration = Duration::from_secs(30);

const APPLY_EXAMPLES: &str = "\
Examples:
  rackweave apply -f shop.yaml
  rackweave apply -f shop.yaml --yes --wait
  rackweave apply -f shop.yaml --prune

What is declared and is there already takes no step, so that applying twice is applying once. If a step is refused,
nothing is changed. What is there and is not declared stays, unless --prune or --delete says otherwise.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

const PLAN_EXAMPLES: &str = "\
Examples:
  rackweave plan -f shop.yaml
  rackweave plan --delete subnet:shop/prod/web
  rackweave plan -f shop.yaml --prune --flows 0

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// What is declared.
#[derive(Clone, Debug, Args)]
struct DeclareArgs {
    /// A file that declares objects, in YAML or JSON; `-` is standard input; may be said many times
    #[arg(
        short,
        long = "file",
        value_name = "FILE",
        required_unless_present = "delete"
    )]
    file: Vec<PathBuf>,
    /// An object that shall go, with all that stands under it: its kind and its path; may be said many times
    #[arg(long, value_name = "KIND:PATH", value_parser = to_delete)]
    delete: Vec<Named>,
    /// What stands in a declared project and is not declared goes, too
    #[arg(long)]
    prune: bool,
    /// How many seconds hosts have to say which connections the change would touch; they are not asked where it is 0
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(..=30))]
    flows: u64,
}

/// Makes true what files declare; shows the plan first
#[derive(Clone, Debug, Args)]
#[command(after_help = APPLY_EXAMPLES)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(flatten)]
    declare: DeclareArgs,
    /// Does not ask whether the plan is to be taken
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Shows what files would change: objects, hosts, live connections. Nothing changes
#[derive(Clone, Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(flatten)]
    declare: DeclareArgs,
}

/// Reads `KIND:PATH`.
fn to_delete(text: &str) -> Result<Named, String> {
    let (kind, path) = text.split_once(':').unwrap_or((text, ""));
    let Some(kind) = kinds::named(kind) else {
        let known: Vec<_> = kinds::objects().map(|kind| kind.name).collect();
        return Err(format!(
            "KIND:PATH is wanted, where KIND is one of {}",
            known.join(", ")
        ));
    };
    let due: Vec<String> = kind
        .chain()
        .iter()
        .map(|kind| kind.name.to_uppercase())
        .collect();
    if path.split('/').count() != due.len() || path.split('/').any(str::is_empty) {
        return Err(format!("{}:{} is wanted", kind.name, due.join("/")));
    }
    Ok(Named {
        kind: kind.name.to_owned(),
        path: path.to_owned(),
    })
}

impl PlanArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let asker = self.ask.asker()?;
        let declared = Declared::read(&self.declare)?;
        let preview = declared.plan(&asker, self.declare.flows)?;
        asker.output().show(&preview, render::preview)
    }
}

impl ApplyArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let asker = self.ask.asker()?;
        let mut declared = Declared::read(&self.declare)?;
        let first = declared.plan(&asker, self.declare.flows)?;
        Self::show(&asker, &first)?;
        let applied = if first.steps.is_empty() {
            Applied {
                before: first.revision,
                revision: first.revision,
                steps: Vec::new(),
            }
        } else {
            if !self.yes {
                agreed(&first)?;
            }
            self.take(&asker, &mut declared, &first)?
        };
        let changed = applied.revision > applied.before;
        let waited = if self.change.wait && changed {
            let seconds = self.change.timeout;
            asker
                .wait_for(applied.revision, Some(applied.before), seconds)
                .map(Some)
        } else {
            Ok(None)
        };
        let status = waited.as_ref().ok().cloned().flatten();
        let answer = json!({
            "before": applied.before,
            "revision": applied.revision,
            "steps": applied.steps,
            "in_force": status,
        });
        asker
            .output()
            .show(&answer, |_, _| match (&status, changed) {
                (Some(status), _) => in_force(status),
                (None, true) => format!("revision {}: it is stored\n", applied.revision),
                (None, false) => String::new(),
            })?;
        waited.map(drop)
    }

    /// Shows the plan; whoever wants JSON gets what came of it alone.
    fn show(asker: &Asker, preview: &Preview) -> Result<(), Failure> {
        let output = asker.output();
        if asker.json {
            return Ok(());
        }
        written(write_all(render::preview(preview, output.bold).as_bytes()))
    }

    /// Takes the plan that was shown, and no other one; where nobody is asked, a plan that was overtaken is made anew.
    fn take(
        &self,
        asker: &Asker,
        declared: &mut Declared,
        first: &Preview,
    ) -> Result<Applied, Failure> {
        let mut plan = first.clone();
        for _ in 0..ATTEMPTS {
            declared.declaration.digest = Some(plan.digest.clone());
            let taken = asker.change(
                &Method::POST,
                &format!("{BASE}/apply"),
                Some(&declared.declaration),
                None,
            );
            match taken {
                Ok(answer) => {
                    return serde_json::from_slice(&answer.body).map_err(|source| {
                        asking(ClientError::Garbled {
                            status: answer.status,
                            source,
                        })
                    });
                }
                Err(ClientError::Problem(problem)) if problem.status == 412 => {}
                Err(error) => return Err(declared.refused(error)),
            }
            let again = declared.plan(asker, 0)?;
            if again.steps.is_empty() {
                // An answer that got lost, or somebody who wants the same.
                let (before, revision) = (first.revision, again.revision);
                return Ok(Applied {
                    before,
                    revision,
                    steps: first.steps.clone(),
                });
            }
            if !self.yes && again.steps != first.steps {
                return Err(Failure::new(
                    "nothing is done: somebody changed what is there since the plan was made",
                )
                .next("run the command again, and look at the new plan"));
            }
            plan = again;
        }
        Err(
            Failure::new("nothing is done: others change what is there all the time")
                .next("run the command again"),
        )
    }
}

/// What is declared, and where it stands.
struct Declared {
    files: Declarations,
    declaration: Declaration,
}

impl Declared {
    fn read(args: &DeclareArgs) -> Result<Self, Failure> {
        let mut files = Declarations::default();
        for file in &args.file {
            let (name, text) = if file == Path::new("-") {
                let mut text = String::new();
                let read = io::stdin().read_to_string(&mut text);
                (Path::new("(standard input)"), read.map(|_| text))
            } else {
                (file.as_path(), std::fs::read_to_string(file))
            };
            let text = text.map_err(|error| {
                Failure::new(format!("cannot read {}", name.display())).cause(error.to_string())
            })?;
            files.read(name, &text)?;
        }
        let declaration = Declaration {
            objects: files.objects.clone(),
            delete: args.delete.clone(),
            prune: args.prune,
            digest: None,
        };
        Ok(Self { files, declaration })
    }

    /// What would be done.
    fn plan(&self, asker: &Asker, flows: u64) -> Result<Preview, Failure> {
        let declaration = Declaration {
            digest: None,
            ..self.declaration.clone()
        };
        let preview = asker.get::<Preview>(|client| {
            let call = client.post(&format!("{BASE}/plan")).json(&declaration);
            let call = call.patience(Duration::from_secs(flows) + GRACE);
            if flows > 0 {
                call.query("flows_s", flows)
            } else {
                call
            }
        });
        preview
            .map(|answer| answer.body)
            .map_err(|error| self.refused(error))
    }

    /// A refusal, with the place in the file that it is about.
    fn refused(&self, error: ClientError) -> Failure {
        let ClientError::Problem(problem) = error else {
            return asking(error);
        };
        let Some((place, field)) = problem
            .field
            .as_deref()
            .and_then(|field| self.files.place(field))
        else {
            return asking(ClientError::Problem(problem));
        };
        let problem = Problem {
            field: None,
            ..*problem
        };
        let what = problem.detail.unwrap_or(problem.title);
        let failure =
            Failure::new(format!("{place}: {field}: {what}")).cause("nothing was changed");
        match problem.next {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

/// Asks whether the plan is to be taken.
fn agreed(preview: &Preview) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(
            Failure::new("nobody can be asked whether the plan is to be taken")
                .next("say --yes, or run the command on a terminal"),
        );
    }
    let question = format!(
        "Take {}? [y/N] ",
        render::counted(preview.steps.len(), "step")
    );
    let asked = io::stderr().write_all(question.as_bytes());
    let mut answer = String::new();
    let heard = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
    match (heard, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new("nothing is done")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shall_go_is_named_by_its_kind_and_path() {
        let named = to_delete("subnet:shop/prod/web").unwrap();
        assert_eq!(
            (named.kind.as_str(), named.path.as_str()),
            ("subnet", "shop/prod/web")
        );
        for (text, told) in [
            ("shop", "KIND is one of az, rack"),
            ("subnet:shop/web", "subnet:PROJECT/VPC/SUBNET is wanted"),
            ("vpc:shop/", "vpc:PROJECT/VPC is wanted"),
        ] {
            let error = to_delete(text).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_place_in_the_file() {
        let mut files = Declarations::default();
        let text =
            "version: 1\nprojects:\n  shop:\n    vpcs:\n      prod:\n        ipv4: [10.0.0.1/16]\n";
        if let Err(failure) = files.read(Path::new("a.yaml"), text) {
            panic!("{failure}");
        }
        let declared = Declared {
            files,
            declaration: Declaration::default(),
        };
        let problem =
            Problem::bad_request("bits are set behind the prefix").field("objects[1].spec.ipv4[0]");
        let told = declared
            .refused(ClientError::Problem(Box::new(problem)))
            .to_string();
        assert_eq!(
            told,
            "error: a.yaml:6:16: ipv4[0] of vpc shop/prod: bits are set behind the prefix\n  cause: nothing was changed"
        );
        let problem = Problem::forbidden("operators alone may do this").field("delete[0]");
        let told = declared
            .refused(ClientError::Problem(Box::new(problem)))
            .to_string();
        assert!(told.contains("delete[0]: operators alone"), "{told}");
    }
}
