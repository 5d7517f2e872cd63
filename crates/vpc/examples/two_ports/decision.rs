//! What a port decided about a packet, layer by layer.

use rackweave_engine::addr::Addr;
use rackweave_engine::fields::Fields;
use rackweave_engine::parse::Parsed;
use rackweave_engine::program::{Action, Select};
use rackweave_engine::{Direction, Explanation, LayerTrace};
use rackweave_testkit::capture;
use rackweave_types::MacAddr;
use rackweave_vpc::RuleName;

use crate::headers::mac;
use crate::page::{Page, row};

/// Writes down how a port came to its verdict.
pub(crate) fn tell(explanation: &Explanation, direction: Direction, page: &mut Page) {
    let known = explanation.flow.is_some();
    let order = match direction {
        Direction::Out => "in order",
        Direction::In => "the outermost first",
    };
    let prose = match (explanation.established, known) {
        (true, _) => "Its connection is known: one lookup, one compiled transform, no layer is \
                      asked. They would say:"
            .to_owned(),
        (false, true) => format!(
            "Its connection is known, this way of it is not yet: the layers are asked, {order}:"
        ),
        (false, false) => format!("Its connection is new: the layers are asked, {order}:"),
    };
    page.line(&format!("   {prose}"));
    let mut rows = vec![row(["layer", "rule", "says", "changes"])];
    let mut before = explanation.parsed.as_ref().map(View::parsed);
    for layer in &explanation.trace.layers {
        let after = View::of(&layer.after);
        let changes = before.map_or_else(Vec::new, |before| before.changes(&after));
        before = Some(after);
        rows.push(row([
            &layer.layer,
            &rule(layer),
            &says(layer, &after),
            &changes.join(", "),
        ]));
    }
    page.table(5, &rows);
    let verdict = capture::verdict(explanation.verdict);
    let memory = if explanation.established {
        ""
    } else {
        "; from now on the record of the connection decides"
    };
    page.line(&format!("   verdict: {verdict}{memory}"));
}

/// The name of a layer's rule without the layer.
fn rule(layer: &LayerTrace) -> String {
    match layer.rule.and_then(RuleName::of) {
        Some(name) => {
            let text = name.to_string();
            let prefix = format!("{}: ", layer.layer);
            text.strip_prefix(&prefix).unwrap_or(&text).to_owned()
        }
        None if layer.stateful => "(known connection)".to_owned(),
        None => "(none matches)".to_owned(),
    }
}

/// What a layer's actions are, in words.
fn says(layer: &LayerTrace, after: &View) -> String {
    if layer.stateful {
        return "pass".to_owned();
    }
    let words = layer.actions.iter().filter_map(|action| match action {
        Action::Allow => (layer.actions.len() == 1).then(|| "pass".to_owned()),
        Action::AllowStateful => Some("pass, and replies too".to_owned()),
        Action::Route { .. } => Some("one hop".to_owned()),
        Action::Mtu { mtu, .. } => Some(format!("at most {mtu} octets")),
        Action::Tag(_) => Some("mark for the overlay".to_owned()),
        Action::SetSrcMac(_) | Action::SetDstMac(_) => None,
        Action::Select(Select::Mapping { .. }) => Some(format!("look up who holds {}", after.dst)),
        Action::Encapsulate(tunnel) => Some(format!("wrap into VNI {}", tunnel.vni)),
        Action::VerifySource { .. } => {
            Some(format!("check that the holder of {} sent it", after.src))
        }
        Action::Decapsulate => Some("unwrap".to_owned()),
        other => Some(format!("{other:?}")),
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        "pass".to_owned()
    } else {
        words.join(", ")
    }
}

/// What layers change of a packet.
#[derive(Clone, Copy, Debug)]
struct View {
    src_mac: MacAddr,
    dst_mac: MacAddr,
    src: Addr,
    dst: Addr,
    src_port: u16,
    dst_port: u16,
    ttl: u8,
}

impl View {
    const fn parsed(parsed: &Parsed) -> Self {
        Self {
            src_mac: parsed.src_mac,
            dst_mac: parsed.dst_mac,
            src: parsed.src,
            dst: parsed.dst,
            src_port: parsed.src_port,
            dst_port: parsed.dst_port,
            ttl: parsed.ttl,
        }
    }

    const fn of(fields: &Fields) -> Self {
        Self {
            src_mac: fields.src_mac,
            dst_mac: fields.dst_mac,
            src: fields.src,
            dst: fields.dst,
            src_port: fields.src_port,
            dst_port: fields.dst_port,
            ttl: fields.ttl,
        }
    }

    fn changes(&self, after: &Self) -> Vec<String> {
        let pairs = [
            ("source mac", mac(self.src_mac), mac(after.src_mac)),
            ("destination mac", mac(self.dst_mac), mac(after.dst_mac)),
            ("source", self.src.to_string(), after.src.to_string()),
            ("destination", self.dst.to_string(), after.dst.to_string()),
            (
                "source port",
                self.src_port.to_string(),
                after.src_port.to_string(),
            ),
            (
                "destination port",
                self.dst_port.to_string(),
                after.dst_port.to_string(),
            ),
        ];
        let changed = pairs
            .into_iter()
            .filter(|(_, before, after)| before != after);
        let mut words: Vec<String> = changed
            .map(|(name, _, after)| format!("{name} = {after}"))
            .collect();
        if self.ttl != after.ttl {
            words.push(format!("TTL {} -> {}", self.ttl, after.ttl));
        }
        words
    }
}
