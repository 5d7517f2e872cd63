mod arbitrary;
mod codec;
mod conformance;
mod decision;
mod net;
mod policy;
mod revised;
mod sessions;
