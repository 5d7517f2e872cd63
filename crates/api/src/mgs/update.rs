//! Firmware updates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far an update is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateStatus {
    /// What the image is called.
    pub image: String,
    /// Its length in octets.
    pub len: u32,
    /// So many octets of it are there.
    pub sent: u32,
    /// What is done now.
    pub stage: UpdateStage,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStage {
    /// The service processor is waited for, or asked what runs.
    Waiting,
    /// The image is on its way.
    Sending,
    /// The service processor verifies it.
    Verifying,
    /// The service processor starts from it, on trial.
    Starting,
    /// It runs for good.
    Done,
    /// It does not.
    Failed,
}
