//! Objects between the API's form and that of intent.

use rackweave_api::http::Problem;
use rackweave_control::model::{Object, Spec};
use rackweave_control::{Kind, Name};
use rackweave_daemon::http::plain;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Does something with the type that the API has for the spec of a kind.
macro_rules! with_spec {
    ($kind:expr, $Spec:ident => $done:expr) => {
        match $kind {
            rackweave_control::Kind::Az => {
                type $Spec = rackweave_api::control::spec::AzSpec;
                $done
            }
            rackweave_control::Kind::Rack => {
                type $Spec = rackweave_api::control::spec::RackSpec;
                $done
            }
            rackweave_control::Kind::Sled => {
                type $Spec = rackweave_api::control::spec::SledSpec;
                $done
            }
            rackweave_control::Kind::Switch => {
                type $Spec = rackweave_api::control::spec::SwitchSpec;
                $done
            }
            rackweave_control::Kind::Uplink => {
                type $Spec = rackweave_api::control::spec::UplinkSpec;
                $done
            }
            rackweave_control::Kind::BgpPeer => {
                type $Spec = rackweave_api::control::spec::BgpPeerSpec;
                $done
            }
            rackweave_control::Kind::StaticRoute => {
                type $Spec = rackweave_api::control::spec::StaticRouteSpec;
                $done
            }
            rackweave_control::Kind::IpPool => {
                type $Spec = rackweave_api::control::spec::IpPoolSpec;
                $done
            }
            rackweave_control::Kind::Project => {
                type $Spec = rackweave_api::control::spec::ProjectSpec;
                $done
            }
            rackweave_control::Kind::PoolLink => {
                type $Spec = rackweave_api::control::spec::PoolLinkSpec;
                $done
            }
            rackweave_control::Kind::Vpc => {
                type $Spec = rackweave_api::control::spec::VpcSpec;
                $done
            }
            rackweave_control::Kind::Subnet => {
                type $Spec = rackweave_api::control::spec::SubnetSpec;
                $done
            }
            rackweave_control::Kind::Router => {
                type $Spec = rackweave_api::control::spec::RouterSpec;
                $done
            }
            rackweave_control::Kind::Route => {
                type $Spec = rackweave_api::control::spec::RouteSpec;
                $done
            }
            rackweave_control::Kind::FirewallRule => {
                type $Spec = rackweave_api::control::spec::FirewallRuleSpec;
                $done
            }
            rackweave_control::Kind::InternetGateway => {
                type $Spec = rackweave_api::control::spec::InternetGatewaySpec;
                $done
            }
            rackweave_control::Kind::Peering => {
                type $Spec = rackweave_api::control::spec::PeeringSpec;
                $done
            }
            rackweave_control::Kind::DnsRecord => {
                type $Spec = rackweave_api::control::spec::DnsRecordSpec;
                $done
            }
            rackweave_control::Kind::Instance => {
                type $Spec = rackweave_api::control::spec::InstanceSpec;
                $done
            }
            rackweave_control::Kind::Nic => {
                type $Spec = rackweave_api::control::spec::NicSpec;
                $done
            }
            rackweave_control::Kind::FloatingIp => {
                type $Spec = rackweave_api::control::spec::FloatingIpSpec;
                $done
            }
        }
    };
}
pub(crate) use with_spec;

/// An object as it is kept; the API shows its parts.
#[derive(Deserialize)]
struct Kept {
    meta: Meta,
    spec: Value,
    #[serde(default)]
    given: Value,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    name: String,
    #[serde(default)]
    description: String,
    generation: u64,
}

/// An object as the API shows it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    meta: Meta,
    spec: Value,
    given: Value,
}

/// An object as the API shows it.
pub(crate) fn shown(object: &Object) -> Value {
    // What is kept is always of this form: `encode` has just written it.
    let kept: Result<Kept, _> = serde_json::from_slice(&object.encode());
    let shown = kept.map(|kept| Shown {
        meta: kept.meta,
        spec: kept.spec,
        given: match kept.given {
            Value::Null => Value::Object(serde_json::Map::new()),
            given => given,
        },
    });
    shown
        .and_then(|shown| serde_json::to_value(&shown))
        .unwrap_or_default()
}

/// What is asked for, from the API's form.
///
/// # Errors
/// The field that is not of its form.
pub(crate) fn spec<S: Serialize>(kind: Kind, spec: &S) -> Result<Spec, Problem> {
    let value = serde_json::to_value(spec).map_err(|error| Problem::internal(error.to_string()))?;
    let mut track = serde_path_to_error::Track::new();
    let read = Spec::read(
        kind,
        serde_path_to_error::Deserializer::new(value, &mut track),
    );
    read.map_err(|error| {
        let field = track.path().to_string();
        let field = match field.as_str() {
            "." | "?" => "spec".to_owned(),
            field => format!("spec.{field}"),
        };
        Problem::bad_request(plain(&error.to_string())).field(field)
    })
}

/// What is asked for, of a kind that is known by its name alone.
///
/// # Errors
/// The field that is not of its form.
pub(crate) fn read_spec(kind: Kind, json: &Value) -> Result<Spec, Problem> {
    with_spec!(kind, Wanted => {
        let read = serde_path_to_error::deserialize::<_, Wanted>(json);
        let read = read.map_err(|error| {
            let field = match error.path().to_string().as_str() {
                "." | "?" => "spec".to_owned(),
                field => format!("spec.{field}"),
            };
            Problem::bad_request(plain(&error.inner().to_string())).field(field)
        })?;
        spec(kind, &read)
    })
}

/// The most letters of a description.
const DESCRIPTION_MAX: usize = 512;

/// Refuses a description that is too long.
pub(crate) fn check_description(text: &str) -> Result<(), Problem> {
    if text.chars().count() <= DESCRIPTION_MAX {
        return Ok(());
    }
    let problem = Problem::bad_request(format!("it has more than {DESCRIPTION_MAX} letters"));
    Err(problem.field("description"))
}

/// A name, from the API's form.
///
/// # Errors
/// Why it is none.
pub(crate) fn name(text: &str, field: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error: rackweave_control::NameError| {
        Problem::bad_request(error.to_string()).field(field)
    })
}
