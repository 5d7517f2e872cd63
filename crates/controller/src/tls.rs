//! TLS for users: the certificate that the operator got for the API's name.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How users are met: TLS 1.2 and 1.3, with the chain and the private key of these PEM files. Users show tokens, no
/// certificates.
pub(crate) fn server_config(certificate: &Path, key: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let unread = |path: &Path| format!("cannot read {}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate).with_context(|| unread(certificate))?;
    let chain: Vec<_> = chain
        .collect::<Result<_, _>>()
        .with_context(|| unread(certificate))?;
    if chain.is_empty() {
        anyhow::bail!(
            "api.certificate: no certificate stands in {}",
            certificate.display()
        );
    }
    let secret = PrivateKeyDer::from_pem_file(key).with_context(|| unread(key))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret);
    Ok(Arc::new(config.context(
        "api: the certificate and the key are not of one pair",
    )?))
}
