//! The API: users' and operators' objects, tokens, the audit log.

mod audit;
mod collection;
mod describe;
mod nodes;
mod objects;
mod preconditions;
mod tokens;

use rackweave_api::control::spec;
use rackweave_control::Kind;
use rackweave_daemon::http::Api;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::collection::Collection;
use crate::app::App;

const TITLE: &str = "Rackweave controller";
const DESCRIPTION: &str = "What users ask for and what operators run. Show a bearer token with each request. An object's \
    `etag` is its generation: `if-match` makes a change happen only if nobody was faster. `idempotency-key` makes the \
    repetition of a change harmless. `x-revision` names a change.";

/// The API with its document.
pub(crate) fn api(app: App) -> Api {
    Api::new(TITLE, DESCRIPTION, router().with_state(app))
}

/// The document alone.
pub(crate) fn document() -> OpenApi {
    Api::describe(TITLE, DESCRIPTION, router().into_openapi())
}

fn router() -> OpenApiRouter<App> {
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut components = Components::new();
    components.add_security_scheme("token", bearer);
    let document = OpenApiBuilder::new()
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>(
            "token",
            [],
        )]))
        .build();
    let router = OpenApiRouter::with_openapi(document)
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::delete_token))
        .routes(routes!(audit::list_audit))
        .routes(routes!(nodes::list_nodes))
        .routes(routes!(nodes::node_state))
        .routes(routes!(nodes::node_stream))
        .routes(routes!(nodes::report_node))
        .routes(routes!(nodes::get_revision));
    collections(router)
}

/// Every kind of object.
fn collections(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    let router = objects::add::<spec::AzSpec>(router, Collection::new(Kind::Az));
    let router = objects::add::<spec::RackSpec>(router, Collection::new(Kind::Rack));
    let router = objects::add::<spec::SledSpec>(router, Collection::new(Kind::Sled));
    let router = objects::add::<spec::SwitchSpec>(router, Collection::new(Kind::Switch));
    let router = objects::add::<spec::UplinkSpec>(router, Collection::new(Kind::Uplink));
    let router = objects::add::<spec::BgpPeerSpec>(router, Collection::new(Kind::BgpPeer));
    let router = objects::add::<spec::StaticRouteSpec>(router, Collection::new(Kind::StaticRoute));
    let router = objects::add::<spec::IpPoolSpec>(router, Collection::new(Kind::IpPool));
    let router = objects::add::<spec::ProjectSpec>(router, Collection::new(Kind::Project));
    let router = objects::add::<spec::PoolLinkSpec>(router, Collection::new(Kind::PoolLink));
    let router = objects::add::<spec::VpcSpec>(router, Collection::new(Kind::Vpc));
    let router = objects::add::<spec::SubnetSpec>(router, Collection::new(Kind::Subnet));
    let router = objects::add::<spec::RouterSpec>(router, Collection::new(Kind::Router));
    let router = objects::add::<spec::RouteSpec>(router, Collection::new(Kind::Route));
    let router =
        objects::add::<spec::FirewallRuleSpec>(router, Collection::new(Kind::FirewallRule));
    let router =
        objects::add::<spec::InternetGatewaySpec>(router, Collection::new(Kind::InternetGateway));
    let router = objects::add::<spec::PeeringSpec>(router, Collection::new(Kind::Peering));
    let router = objects::add::<spec::DnsRecordSpec>(router, Collection::new(Kind::DnsRecord));
    let router = objects::add::<spec::InstanceSpec>(router, Collection::new(Kind::Instance));
    let router = objects::add::<spec::NicSpec>(router, Collection::new(Kind::Nic));
    objects::add::<spec::FloatingIpSpec>(router, Collection::new(Kind::FloatingIp))
}
