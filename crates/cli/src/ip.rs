//! `rackweave ip …`: who has which external address.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use rackweave_api::http::{ClientError, Method};
use rackweave_daemon::output::{Failure, Output};
use rackweave_daemon::table::Table;
use serde::Serialize;
use serde_json::{Value, json};

use crate::ask::{AskArgs, Asker, ChangeArgs, asking, variable};
use crate::form::plain;
use crate::kind::at;
use crate::kinds::{FLOATING_IP, INSTANCE, NIC, PROJECT};
use crate::render::{in_force, name_of};

/// What stands under the help of `rackweave ip`.
const EXAMPLES: &str = "\
Examples:
  rackweave ip list --project shop
  rackweave ip show 203.0.113.7 --port 20000
  rackweave ip create --project shop --instance web-1 --nic eth0 --pool public
  rackweave ip delete 203.0.113.7 --project shop --instance web-1 --nic eth0

Floating addresses outlive instances: `rackweave floating-ip`. Shared ones come by themselves, each with a block of
transport ports, so that who had an address and port is arithmetic.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// External addresses of a project, of all sorts: who has which, and those for the life of a NIC
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct IpArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Lists the external addresses of a project
    List(ListArgs),
    /// Says who has an external address, or a port of a shared one
    Show(ShowArgs),
    /// Gives a NIC an external address for its life
    Create(CreateArgs),
    /// Takes an external address back from a NIC
    Delete(DeleteArgs),
}

#[derive(Clone, Debug, Args)]
struct ListArgs {
    /// The project; `RACKWEAVE_PROJECT` where nothing is said
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

#[derive(Clone, Debug, Args)]
struct ShowArgs {
    /// The address
    address: IpAddr,
    /// The transport port, of an address that many share
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The project; all that you may see where nothing is said
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

#[derive(Clone, Debug, Args)]
struct NicArgs {
    /// The project; `RACKWEAVE_PROJECT` where nothing is said
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// The instance
    #[arg(long, value_name = "NAME")]
    instance: String,
    /// Its NIC
    #[arg(long, value_name = "NAME")]
    nic: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Clone, Debug, Args)]
struct CreateArgs {
    /// The pool; the project's default where none is named
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    #[command(flatten)]
    nic: NicArgs,
}

#[derive(Clone, Debug, Args)]
struct DeleteArgs {
    /// The address
    address: IpAddr,
    #[command(flatten)]
    nic: NicArgs,
}

/// An external address, and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct External {
    address: String,
    sort: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<(u16, u16)>,
    project: String,
    /// The floating address' name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<String>,
}

impl IpArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let asker = self.ask.asker()?;
        match self.command {
            Command::List(args) => {
                let found = of_project(&asker, &project(args.project)?).map_err(asking)?;
                asker
                    .output()
                    .show(&found, |found, bold| table(found, bold))
            }
            Command::Show(args) => show(&asker, &args),
            Command::Create(args) => create(&asker, args),
            Command::Delete(args) => delete(&asker, args),
        }
    }
}

fn project(named: Option<String>) -> Result<String, Failure> {
    let missing = || {
        Failure::new("the project is not named")
            .next("--project NAME or RACKWEAVE_PROJECT; `rackweave project list` shows them")
    };
    named
        .or_else(|| variable("RACKWEAVE_PROJECT"))
        .ok_or_else(missing)
}

fn show(asker: &Asker, args: &ShowArgs) -> Result<(), Failure> {
    let mut projects: Vec<String> = args.project.iter().cloned().collect();
    if projects.is_empty() {
        let all = asker.all::<Value>(&PROJECT.collection(&[]));
        let all = all.map_err(asking)?;
        projects.extend(all.iter().map(|project| plain(&project["name"])));
    }
    let wanted = args.address.to_string();
    let mut found = Vec::new();
    for project in &projects {
        let all = of_project(asker, project).map_err(asking)?;
        found.extend(all.into_iter().filter(|one| {
            let ports = one.ports.zip(args.port);
            one.address == wanted
                && ports.is_none_or(|((first, last), port)| (first..=last).contains(&port))
        }));
    }
    if found.is_empty() {
        let port = args
            .port
            .map(|port| format!(" port {port}"))
            .unwrap_or_default();
        return Err(
            Failure::new(format!("nobody that you may see has {wanted}{port}"))
                .next("`rackweave ip list --project NAME` shows who has what"),
        );
    }
    asker
        .output()
        .show(&found, |found, bold| table(found, bold))
}

/// The external addresses of a project.
fn of_project(asker: &Asker, project: &str) -> Result<Vec<External>, ClientError> {
    let within = [project.to_owned()];
    let floating = asker.all::<Value>(&FLOATING_IP.collection(&within))?;
    let mut nics = Vec::new();
    for instance in asker.all::<Value>(&INSTANCE.collection(&within))? {
        let name = plain(&instance["name"]);
        let path = NIC.collection(&[project.to_owned(), name.clone()]);
        nics.extend(
            asker
                .all::<Value>(&path)?
                .into_iter()
                .map(|nic| (name.clone(), nic)),
        );
    }
    Ok(externals(project, &floating, &nics))
}

fn externals(project: &str, floating: &[Value], nics: &[(String, Value)]) -> Vec<External> {
    let text = |value: &Value, place: &str| at(value, place).map(plain);
    let mut found = Vec::new();
    for one in floating {
        let target = text(one, "given.target.nic");
        let known: Vec<Value> = nics.iter().map(|(_, nic)| nic.clone()).collect();
        found.push(External {
            address: text(one, "given.address.1").unwrap_or_default(),
            sort: "floating",
            ports: None,
            project: project.to_owned(),
            name: text(one, "name"),
            instance: text(one, "spec.target.instance"),
            nic: target.map(|id| name_of(&known, &id)),
            inside: text(one, "given.target.inside"),
        });
    }
    for (instance, nic) in nics {
        let of = |sort, address: String, inside, ports| External {
            address,
            sort,
            ports,
            project: project.to_owned(),
            name: None,
            instance: Some(instance.clone()),
            nic: text(nic, "name"),
            inside,
        };
        for given in list(nic, "given.ephemeral") {
            let address = plain(&given["outside"]);
            found.push(of("ephemeral", address, text(given, "inside"), None));
        }
        for given in list(nic, "given.nat") {
            let address = text(given, "block.address").unwrap_or_default();
            found.push(of("shared", address, None, block(&given["block"]["ports"])));
        }
    }
    found
}

fn list<'v>(value: &'v Value, place: &str) -> &'v [Value] {
    let found = at(value, place).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// The first and the last port of a block.
fn block(ports: &Value) -> Option<(u16, u16)> {
    let number = |name: &str| u16::try_from(ports.get(name)?.as_u64()?).ok();
    let (first, count) = (number("first")?, number("count")?);
    Some((first, first.checked_add(count.checked_sub(1)?)?))
}

fn table(found: &[External], bold: bool) -> String {
    let mut table = Table::new(&[
        "ADDRESS", "SORT", "PORTS", "PROJECT", "NAME", "INSTANCE", "NIC", "INSIDE",
    ]);
    for one in found {
        table.row(vec![
            one.address.clone(),
            one.sort.to_owned(),
            one.ports
                .map(|(first, last)| format!("{first}-{last}"))
                .unwrap_or_default(),
            one.project.clone(),
            one.name.clone().unwrap_or_default(),
            one.instance.clone().unwrap_or_default(),
            one.nic.clone().unwrap_or_default(),
            one.inside.clone().unwrap_or_default(),
        ]);
    }
    table.render(bold)
}

fn create(asker: &Asker, args: CreateArgs) -> Result<(), Failure> {
    let pool = args.pool;
    change(asker, args.nic, |nic| {
        let asked = pool
            .as_ref()
            .map_or_else(|| json!({}), |pool| json!({ "pool": pool }));
        let ephemeral = nic["spec"]["ephemeral"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ephemeral: Vec<Value> = ephemeral.into_iter().chain([asked]).collect();
        nic["spec"]["ephemeral"] = Value::from(ephemeral);
        Ok(())
    })
}

fn delete(asker: &Asker, args: DeleteArgs) -> Result<(), Failure> {
    let address = args.address.to_string();
    change(asker, args.nic, |nic| {
        let given = list(nic, "given.ephemeral");
        let place = given
            .iter()
            .position(|given| given["outside"] == address.as_str());
        let place = place.ok_or_else(|| {
            Failure::new(format!("the nic has no {address} of its own"))
                .next("`rackweave ip list` shows who has what; floating ones: `rackweave floating-ip delete`")
        })?;
        // Which of two alike is kept, is not for whoever asks to say.
        let pool = &given[place]["pool"];
        if given.iter().filter(|given| &given["pool"] == pool).count() > 1 {
            return Err(Failure::new(format!(
                "the nic has more than one address of the pool of {address}"
            ))
            .next("`rackweave nic update --ephemeral=POOL` asks for as many as are said"));
        }
        if let Some(asked) = nic
            .pointer_mut("/spec/ephemeral")
            .and_then(Value::as_array_mut)
        {
            asked.remove(place);
        }
        Ok(())
    })
}

/// Changes a NIC; again if somebody was faster.
fn change(
    asker: &Asker,
    args: NicArgs,
    edit: impl Fn(&mut Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = NIC.item(&[project(args.project)?, args.instance.clone()], &args.nic);
    let changed = loop {
        let read = asker
            .get::<Value>(|client| client.get(&path))
            .map_err(asking)?;
        let etag = read.header("etag").map(str::to_owned);
        let mut nic = read.body;
        edit(&mut nic)?;
        let body = json!({ "spec": nic["spec"] });
        match asker.change_object(&Method::PUT, &path, Some(&body), etag.as_deref()) {
            Err(error) if error.status().is_some_and(|status| status == 412) => {}
            changed => break changed.map_err(asking)?,
        }
    };
    let waited = match changed.revision.filter(|_| args.change.wait) {
        Some(revision) => asker
            .wait_for(revision, None, args.change.timeout)
            .map(Some),
        None => Ok(None),
    };
    let nic = changed.object.unwrap_or_default();
    let status = waited.as_ref().ok().cloned().flatten();
    let answer = json!({ "revision": changed.revision, "object": nic, "in_force": status });
    Output::new(asker.json).show(&answer, |_, bold| {
        let mut text = table(
            &externals("", &[], &[(args.instance.clone(), nic.clone())]),
            bold,
        );
        if let Some(status) = &status {
            text.push_str(&in_force(status));
        }
        text
    })?;
    waited.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_what_is_told() {
        let nic = json!({
            "id": "0000000000000007", "name": "eth0",
            "given": {
                "ephemeral": [{"pool": "0000000000000001", "outside": "203.0.113.7", "inside": "10.0.1.5"}],
                "nat": [{
                    "pool": "0000000000000001", "number": 3,
                    "block": {"address": "203.0.113.1", "ports": {"first": 4096, "count": 1024}},
                }],
            },
        });
        let floating = json!({
            "name": "front", "spec": {"target": {"instance": "web-1"}},
            "given": {
                "address": ["0000000000000001", "203.0.113.9"],
                "target": {"nic": "0000000000000007", "inside": "10.0.1.5"},
            },
        });
        let found = externals("shop", &[floating], &[("web-1".to_owned(), nic)]);
        assert_eq!(
            table(&found, false),
            "ADDRESS      SORT       PORTS      PROJECT  NAME   INSTANCE  NIC   INSIDE\n\
             203.0.113.9  floating   -          shop     front  web-1     eth0  10.0.1.5\n\
             203.0.113.7  ephemeral  -          shop     -      web-1     eth0  10.0.1.5\n\
             203.0.113.1  shared     4096-5119  shop     -      web-1     eth0  -\n"
        );
    }

    #[test]
    fn a_block_ends_with_the_last_port() {
        assert_eq!(
            block(&json!({"first": 64512, "count": 1024})),
            Some((64512, 65535))
        );
        assert_eq!(block(&json!({"first": 64512})), None);
        assert_eq!(block(&json!({"first": 65000, "count": 1024})), None);
    }
}
