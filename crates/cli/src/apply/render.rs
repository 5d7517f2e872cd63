//! Plans as people read them.

use std::fmt::Write as _;

use rackweave_api::control::{Action, FlowsTouched, Preview, Step};
use rackweave_daemon::table::Table;
use serde_json::Value;

use crate::form::plain;

/// So many of something.
pub(super) fn counted(count: usize, what: &str) -> String {
    let many = if count == 1 { "" } else { "s" };
    format!("{count} {what}{many}")
}

/// The steps, the hosts that would hear of it, and the connections that it would touch.
pub(super) fn preview(preview: &Preview, bold: bool) -> String {
    let mut text = String::new();
    if preview.steps.is_empty() {
        return "nothing is to be done: what is declared is there\n".to_owned();
    }
    for one in &preview.steps {
        step(&mut text, one);
    }
    let of = |action| {
        preview
            .steps
            .iter()
            .filter(|step| step.action == action)
            .count()
    };
    // Writing into a text cannot fail.
    let _written = writeln!(
        text,
        "\n{} to create, {} to change, {} to delete; {}",
        of(Action::Create),
        of(Action::Update),
        of(Action::Delete),
        heard(preview)
    );
    if let Some(flows) = &preview.flows {
        touched(&mut text, flows, bold);
    }
    text
}

fn step(text: &mut String, step: &Step) {
    let mark = match step.action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
    };
    let _written = writeln!(text, "{mark} {:<17} {}", step.kind, step.path);
    for change in &step.fields {
        let value = |value: &Option<Value>| {
            let shown = value.as_ref().map(plain).unwrap_or_default();
            if shown.is_empty() {
                "nothing".to_owned()
            } else {
                shown
            }
        };
        let field = change.field.strip_prefix("spec.").unwrap_or(&change.field);
        let _written = writeln!(
            text,
            "    {field}: {} → {}",
            value(&change.before),
            value(&change.after)
        );
    }
}

fn heard(preview: &Preview) -> String {
    let hosts = match preview.hosts {
        0 => return "no host would hear of it".to_owned(),
        count => counted(count, "host"),
    };
    if preview.nodes.is_empty() {
        format!("{hosts} would hear of it")
    } else {
        format!("{hosts} would hear of it: {}", preview.nodes.join(", "))
    }
}

fn touched(text: &mut String, flows: &FlowsTouched, bold: bool) {
    let _written = if flows.asked == 0 {
        writeln!(text, "connections: no host that is connected is concerned")
    } else {
        writeln!(
            text,
            "connections: {} judged again, {} of them cut, as {} of {} say",
            flows.touched,
            flows.cut,
            flows.answered,
            counted(flows.asked, "host"),
        )
    };
    if flows.ports.is_empty() {
        return;
    }
    let mut table = Table::new(&["NIC", ">CONNECTIONS", ">JUDGED AGAIN", ">CUT", "SUCH AS"]);
    for port in &flows.ports {
        table.row(vec![
            port.nic.clone().unwrap_or_else(|| port.port.clone()),
            port.flows.to_string(),
            port.touched.to_string(),
            port.cut.to_string(),
            port.examples.first().cloned().unwrap_or_default(),
        ]);
    }
    text.push('\n');
    text.push_str(&table.render(bold));
}

#[cfg(test)]
mod tests {
    use rackweave_api::control::{FieldChange, PortFlows, Revision};
    use serde_json::json;

    use super::*;

    fn empty() -> Preview {
        Preview {
            revision: Revision(7),
            steps: Vec::new(),
            digest: String::new(),
            hosts: 0,
            nodes: Vec::new(),
            flows: None,
        }
    }

    fn said(action: Action, kind: &str, path: &str) -> Step {
        Step {
            action,
            kind: kind.to_owned(),
            path: path.to_owned(),
            index: None,
            generation: None,
            fields: Vec::new(),
        }
    }

    #[test]
    fn nothing_to_do_is_told() {
        assert!(preview(&empty(), false).starts_with("nothing is to be done"));
    }

    #[test]
    fn a_plan_shows_steps_hosts_and_connections() {
        let mut update = said(Action::Update, "subnet", "shop/prod/web");
        update.fields.push(FieldChange {
            field: "spec.router".to_owned(),
            before: None,
            after: Some(json!("own")),
        });
        let port = PortFlows {
            port: "7".to_owned(),
            nic: Some("shop/web-1/eth0".to_owned()),
            flows: 40,
            touched: 12,
            cut: 2,
            examples: vec!["tcp 10.0.1.5:4711 > 10.0.1.9:443".to_owned()],
        };
        let plan = Preview {
            steps: vec![
                said(Action::Create, "vpc", "shop/prod"),
                update,
                said(Action::Delete, "firewall-rule", "shop/prod/ssh"),
            ],
            hosts: 1,
            nodes: vec!["fd00:1:2:101::/64".to_owned()],
            flows: Some(FlowsTouched {
                asked: 1,
                answered: 1,
                touched: 12,
                cut: 2,
                ports: vec![port],
            }),
            ..empty()
        };
        assert_eq!(
            preview(&plan, false),
            "+ vpc               shop/prod\n\
             ~ subnet            shop/prod/web\n\
             \u{20}   router: nothing → own\n\
             - firewall-rule     shop/prod/ssh\n\
             \n\
             1 to create, 1 to change, 1 to delete; 1 host would hear of it: fd00:1:2:101::/64\n\
             connections: 12 judged again, 2 of them cut, as 1 of 1 host say\n\
             \n\
             NIC              CONNECTIONS  JUDGED AGAIN  CUT  SUCH AS\n\
             shop/web-1/eth0           40            12    2  tcp 10.0.1.5:4711 > 10.0.1.9:443\n"
        );
    }
}
