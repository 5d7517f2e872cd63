//! Rack setup at the router's socket.

use std::path::Path;

use rackweave_api::local::{ApiError, Code};
use rackweave_api::router::{
    RackInitRequest, RackNode, RackReplaceRequest, RackShowRequest, RackTable,
};
use rackweave_routing::rack::Table;
use rackweave_trust::SecretKey;
use rackweave_types::{RackPrefix, Role};

use super::Local;
use super::service::Rack;
use crate::keys::Tree;

impl<L: Local> Rack<L> {
    /// Begins the rack.
    pub(crate) async fn init(&self, request: RackInitRequest) -> Result<RackTable, ApiError> {
        let rack = request.rack;
        let not = || format!("the rack {rack} is not begun");
        if self.own().role == Role::Spine {
            return Err(ApiError::new(Code::Refused, not())
                .cause("this node is a spine, which is of no rack")
                .next("run the command on a sled or switch of the rack"));
        }
        let key = request.keys.as_deref().map(|dir| rack_key(dir, rack));
        let begun = self.begin(rack, key.transpose()?).await;
        let table = begun.map_err(|error| {
            ApiError::new(Code::Refused, not())
                .cause(error.to_string())
                .next(error.next())
        })?;
        tracing::info!(%rack, nodes = table.assignments.len(), "the rack is begun");
        Ok(shown(&table))
    }

    /// The table of the rack: the latest that any node knows that answers.
    pub(crate) async fn show(&self, _: RackShowRequest) -> Result<RackTable, ApiError> {
        let around = self.local().look().await;
        let reachable = around.map(|around| around.reachable).unwrap_or_default();
        let (met, _) = self.meet(&reachable).await;
        let table = self.latest(&met).await.ok_or_else(no_table)?;
        Ok(shown(&table))
    }

    /// Has another node keep the table in the place of one that is dead or leaves.
    pub(crate) async fn replace_keeper(
        &self,
        request: RackReplaceRequest,
    ) -> Result<RackTable, ApiError> {
        let not = || format!("{} is not replaced", request.keeper);
        let around = self.local().look().await;
        let reachable = around.map(|around| around.reachable).unwrap_or_default();
        let (met, _) = self.meet(&reachable).await;
        let table = self.latest(&met).await.ok_or_else(no_table)?;
        let dir = request.keys.as_deref();
        let key = dir.map(|dir| rack_key(dir, table.rack)).transpose()?;
        let replaced = self.replace(table, &met, &request.keeper, request.next.as_deref(), key);
        let table = replaced.await.map_err(|error| {
            ApiError::new(Code::Refused, not())
                .cause(error.to_string())
                .next(error.next())
        })?;
        tracing::info!(
            keeper = request.keeper,
            "another node keeps the rack's table"
        );
        Ok(shown(&table))
    }
}

fn no_table() -> ApiError {
    ApiError::new(Code::NotFound, "the rack has no table")
        .cause("no node that answers over the bootstrap network keeps one")
        .next("begin the rack: `rackweave rack init --az PREFIX/48 --rack NUMBER --keys DIR`")
}

/// The rack's key out of a directory.
fn rack_key(dir: &Path, rack: RackPrefix) -> Result<SecretKey, ApiError> {
    let key = Tree::new(dir).rack_key(rack.rack());
    key.map_err(|error| {
        let source = std::error::Error::source(&error);
        let source = source
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        let what = format!("the key of the rack {rack} cannot be read");
        ApiError::new(Code::Refused, what)
            .cause(format!("{error}{source}"))
            .next("make it: `rackweave keys rack`; the directory has to be on this node")
    })
}

/// The table as it crosses the socket.
fn shown(table: &Table) -> RackTable {
    let nodes = table.assignments.iter().map(|given| RackNode {
        identity: given.identity.clone(),
        hardware: given.hardware,
        role: given.role,
        prefix: given.prefix,
        keeper: table.keepers.contains(&given.identity),
        signed: !given.signature.is_empty(),
    });
    RackTable {
        rack: table.rack,
        version: table.version,
        nodes: nodes.collect(),
    }
}
