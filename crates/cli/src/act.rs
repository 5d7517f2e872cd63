//! What is done with objects, whatever their kind.

use rackweave_api::control::Revision;
use rackweave_api::http::{ClientError, Method, Problem};
use rackweave_daemon::output::Failure;
use serde_json::{Value, json};

use crate::ask::{AskArgs, Asker, ChangeArgs, Changed, asking};
use crate::kind::{Field, Kind, Verb, set, unset};
use crate::render;

/// What the command line says of an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// The names of its parents, the outermost first.
    pub(crate) parents: Vec<String>,
    /// Its name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// What is asked for.
    pub(crate) values: Vec<(&'static Field, Vec<Value>)>,
    /// What is asked for no more.
    pub(crate) unset: Vec<&'static Field>,
    /// How the change is made, where it is one.
    pub(crate) change: Option<ChangeArgs>,
}

impl Said {
    /// What is asked of a new object.
    pub(crate) fn spec(&self) -> Value {
        let mut spec = json!({});
        self.change_spec(&mut spec);
        spec
    }

    /// Changes what is asked of an object that is there.
    fn change_spec(&self, spec: &mut Value) {
        for field in &self.unset {
            unset(spec, field.at);
        }
        if self
            .values
            .iter()
            .any(|(field, _)| field.at.starts_with("data."))
        {
            // Data are of one sort at once: those that are there give way.
            unset(spec, "data");
        }
        for (field, values) in &self.values {
            let value = match values.as_slice() {
                [value] if !field.many => value.clone(),
                values => Value::Array(values.to_vec()),
            };
            set(spec, field.at, value);
        }
    }
}

/// Does it.
pub(crate) fn run(
    ask: &AskArgs,
    kind: &'static Kind,
    verb: Verb,
    said: &Said,
) -> Result<(), Failure> {
    let asker = ask.asker()?;
    let at = At {
        asker: &asker,
        kind,
        said,
    };
    match verb {
        Verb::List => at.list(),
        Verb::Show => at.show(),
        Verb::Create => at.create(),
        Verb::Update => at.update(),
        Verb::Delete => at.delete(),
    }
}

/// An object, and who asks about it.
struct At<'a> {
    asker: &'a Asker,
    kind: &'static Kind,
    said: &'a Said,
}

impl At<'_> {
    fn item(&self) -> String {
        self.kind.item(&self.said.parents, &self.said.name)
    }

    fn list(&self) -> Result<(), Failure> {
        let path = self.kind.collection(&self.said.parents);
        let items = self
            .asker
            .all::<Value>(&path)
            .map_err(|error| self.refused(error))?;
        self.asker
            .output()
            .show(&items, |items, bold| render::list(self.kind, items, bold))
    }

    fn show(&self) -> Result<(), Failure> {
        let read = self.asker.get::<Value>(|client| client.get(&self.item()));
        let object = read.map_err(|error| self.refused(error))?.body;
        self.asker
            .output()
            .show(&object, |object, _| render::one(self.kind, object))
    }

    fn create(&self) -> Result<(), Failure> {
        let path = self.kind.collection(&self.said.parents);
        let spec = self.said.spec();
        if let Err(misfit) = (self.kind.check)(&spec) {
            let place = self.option(&format!("spec.{}", misfit.field));
            return Err(
                Failure::new(format!("{place}: {}", misfit.problem)).next(format!(
                    "`{} create --help` shows what it takes",
                    self.kind.typed()
                )),
            );
        }
        let body = json!({
            "name": self.said.name,
            "description": self.said.description,
            "spec": spec,
        });
        let made = self
            .asker
            .change_object(&Method::POST, &path, Some(&body), None);
        self.told(made)
    }

    /// Reads it, changes what is said, and writes it back unless somebody was faster; then from the beginning.
    fn update(&self) -> Result<(), Failure> {
        if self.said.values.is_empty()
            && self.said.unset.is_empty()
            && self.said.description.is_none()
        {
            let next = format!(
                "`{} update --help` shows what can be changed",
                self.kind.typed()
            );
            return Err(Failure::new("nothing is to be changed").next(next));
        }
        let path = self.item();
        loop {
            let read = self.asker.get::<Value>(|client| client.get(&path));
            let read = read.map_err(|error| self.refused(error))?;
            let mut spec = read.body.get("spec").cloned().unwrap_or_default();
            self.said.change_spec(&mut spec);
            let description = self.said.description.clone();
            let body = json!({ "description": description, "spec": spec });
            let put =
                self.asker
                    .change_object(&Method::PUT, &path, Some(&body), read.header("etag"));
            match put {
                Err(error) if error.status().is_some_and(|status| status == 412) => {}
                put => return self.told(put),
            }
        }
    }

    fn delete(&self) -> Result<(), Failure> {
        let gone = self
            .asker
            .change_object::<Value>(&Method::DELETE, &self.item(), None, None);
        self.told(gone)
    }

    /// Shows what came of a change, when it is in force if that is waited for.
    fn told(&self, changed: Result<Changed, ClientError>) -> Result<(), Failure> {
        let changed = changed.map_err(|error| self.refused(error))?;
        let waited = self.wait(changed.revision);
        let status = waited.as_ref().ok().cloned().flatten();
        let answer = json!({
            "revision": changed.revision,
            "object": changed.object,
            "in_force": status,
        });
        self.asker.output().show(&answer, |_, _| {
            let mut text = match &changed.object {
                Some(object) => render::one(self.kind, object),
                None => format!("{} {} is removed\n", self.kind.name, self.said.name),
            };
            if let Some(status) = &status {
                text.push_str(&render::in_force(status));
            }
            text
        })?;
        waited.map(drop)
    }

    fn wait(
        &self,
        revision: Option<Revision>,
    ) -> Result<Option<rackweave_api::control::RevisionStatus>, Failure> {
        match (self.said.change, revision) {
            (Some(change), Some(revision)) if change.wait => self
                .asker
                .wait_for(revision, None, change.timeout)
                .map(Some),
            _ => Ok(None),
        }
    }

    /// A refusal in the words of the command line, with what to do.
    fn refused(&self, error: ClientError) -> Failure {
        let ClientError::Problem(problem) = error else {
            return asking(error);
        };
        let mut problem = *problem;
        if problem.status == 401 {
            return asking(ClientError::Problem(Box::new(problem)));
        }
        if let Some(place) = &problem.field {
            problem.field = Some(self.option(place));
        }
        if problem.next.is_none() {
            problem.next = self.next(&problem);
        }
        problem.into()
    }

    /// A field of the API, as the option that it was said by.
    fn option(&self, place: &str) -> String {
        let within = place.strip_prefix("spec.");
        let field = within.and_then(|place| self.kind.field(place));
        field.map_or_else(|| place.to_owned(), |field| format!("--{}", field.flag))
    }

    /// What whoever was refused can do.
    fn next(&self, problem: &Problem) -> Option<String> {
        let (typed, name) = (self.kind.typed(), &self.said.name);
        let within = self.kind.within(&self.said.parents);
        match problem.code() {
            "not-found" => {
                let missing = self.kind.chain().into_iter().find(|kind| {
                    let detail = problem.detail.as_deref().unwrap_or_default();
                    detail.starts_with(&format!("there is no {} ", kind.name))
                });
                let missing = missing.unwrap_or(self.kind);
                let above = missing.within(&self.said.parents);
                let hint = "; a project that you may not see is not there for you";
                let hint = if missing.name == "project" { hint } else { "" };
                Some(format!(
                    "`{} list{above}` shows those that are there{hint}",
                    missing.typed()
                ))
            }
            "name-taken" => Some(format!(
                "`{typed} show {name}{within}`, or `{typed} update` to change it"
            )),
            "in-use" => Some("remove what needs it first".to_owned()),
            "quota-exceeded" => {
                Some("remove one, or ask an operator: `rackweave fleet quota`".to_owned())
            }
            "store-full" => Some(
                "make room on the controller's disk; what is stored can still be read".to_owned(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rackweave_api::http::{Blocking, Client, Endpoint, StatusCode};

    use super::*;
    use crate::kinds::{DNS_RECORD, FIREWALL_RULE, NIC, SUBNET};

    fn field(kind: &'static Kind, flag: &str) -> &'static Field {
        kind.fields.iter().find(|field| field.flag == flag).unwrap()
    }

    #[test]
    fn what_is_not_said_stays() {
        let mut spec =
            json!({"vpc": "v", "tags": ["a"], "caps": {"out": {"bytes": 1, "packets": 2}}});
        let said = Said {
            values: vec![
                (field(&NIC, "cap-out"), vec![json!(7)]),
                (field(&NIC, "transit"), vec![json!("10.0.0.0/8")]),
            ],
            unset: vec![field(&NIC, "cap-out-packets")],
            ..Said::default()
        };
        said.change_spec(&mut spec);
        let caps = json!({"out": {"bytes": 7}});
        assert_eq!(
            spec,
            json!({"vpc": "v", "tags": ["a"], "caps": caps, "transit": ["10.0.0.0/8"]})
        );
    }

    #[test]
    fn data_of_a_record_are_of_one_sort() {
        let mut spec = json!({"record": "db", "data": {"addresses": ["10.0.0.7"]}});
        let values = vec![(field(&DNS_RECORD, "alias"), vec![json!("other")])];
        Said {
            values,
            ..Said::default()
        }
        .change_spec(&mut spec);
        assert_eq!(spec, json!({"record": "db", "data": {"alias": "other"}}));
    }

    fn refused(kind: &'static Kind, problem: Problem) -> String {
        let client = Blocking::of(Client::new(Endpoint::Unix("/nonexistent".into()))).unwrap();
        let asker = Asker::of(client, false);
        let names = ["shop", "prod"].map(str::to_owned).to_vec();
        let said = Said {
            parents: names,
            name: "web".to_owned(),
            ..Said::default()
        };
        let at = At {
            asker: &asker,
            kind,
            said: &said,
        };
        at.refused(ClientError::Problem(Box::new(problem)))
            .to_string()
    }

    #[test]
    fn a_refusal_speaks_of_options_and_says_what_to_do() {
        let problem =
            Problem::bad_request("it is not within 1 to 9").field("spec.filters.ports[0]");
        assert_eq!(
            refused(&FIREWALL_RULE, problem),
            "error: --port: it is not within 1 to 9"
        );
        let missing = Problem::not_found("there is no vpc prod");
        assert_eq!(
            refused(&SUBNET, missing),
            "error: there is no vpc prod\n  next : `rackweave vpc list --project shop` shows those that are there"
        );
        let missing = refused(&SUBNET, Problem::not_found("there is no project shop"));
        assert!(missing.contains("may not see"), "{missing}");
        let taken = Problem::new(StatusCode::CONFLICT, "name-taken", "the name is taken");
        let taken = refused(&SUBNET, taken);
        assert!(
            taken.contains("`rackweave subnet show web --project shop --vpc prod`"),
            "{taken}"
        );
    }
}
