//! Both ends of TLS between nodes: version 1.3 alone, and the chain of the peer instead of names.

use std::sync::Arc;

use rackweave_trust::{Anchor, UnixTime};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as Now};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    ServerConfig, SignatureScheme,
};

use super::{Leaf, NodeError, node};

/// A server that shows this leaf, and whose clients may show theirs: who shows none is told apart by other means.
///
/// # Errors
/// Where the leaf's key cannot be used.
pub fn server_config(leaf: Leaf, anchor: Anchor) -> Result<Arc<ServerConfig>, Error> {
    let verifier = Verifier::new(anchor);
    let config = ServerConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![leaf.certificate], leaf.key)?;
    Ok(Arc::new(config))
}

/// A client that shows this leaf, and believes servers that are nodes of an AZ of the anchor.
///
/// # Errors
/// Where the leaf's key cannot be used.
pub fn client_config(leaf: Leaf, anchor: Anchor) -> Result<Arc<ClientConfig>, Error> {
    let verifier = Verifier::new(anchor);
    let config = ClientConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![leaf.certificate], leaf.key)?;
    Ok(Arc::new(config))
}

/// Believes what leads to an AZ's root.
#[derive(Debug)]
struct Verifier {
    anchor: Anchor,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(anchor: Anchor) -> Arc<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        Arc::new(Self { anchor, provider })
    }

    fn verify(&self, certificate: &CertificateDer<'_>, now: Now) -> Result<(), Error> {
        let proven = node(certificate, &self.anchor, UnixTime(now.as_secs()));
        let other = |error: NodeError| rustls::CertificateError::Other(OtherError(Arc::new(error)));
        proven.map(drop).map_err(|error| other(error).into())
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }
}

/// Neither side speaks the version before.
fn too_old() -> Error {
    Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: Now,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: Now,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::node_tls::testing::Tree;

    /// What a client of one tree and a server of another say to each other; the server tells whether the client showed
    /// who it is.
    async fn met(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> io::Result<bool> {
        let (near, far) = duplex(16 * 1024);
        let served = async {
            let mut stream = TlsAcceptor::from(server).accept(far).await?;
            let shown = stream.get_ref().1.peer_certificates().is_some();
            stream.write_all(b"hi").await?;
            stream.shutdown().await?;
            Ok::<_, io::Error>(shown)
        };
        let asked = async {
            let name = ServerName::try_from("controller").unwrap();
            let connector = TlsConnector::from(client);
            let mut stream = connector.connect(name, near).await?;
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await?;
            Ok::<_, io::Error>(said)
        };
        let (served, asked) = tokio::join!(served, asked);
        assert_eq!(asked?, b"hi");
        served
    }

    #[tokio::test]
    async fn nodes_of_one_tree_believe_each_other_and_no_others() {
        let (ours, foreign) = (Tree::new(1), Tree::new(2));
        let leaf = |tree: &Tree, number| {
            let (credentials, assignment) = tree.sled(number);
            Leaf::new(&credentials, Some(&assignment)).unwrap()
        };
        let server = server_config(leaf(&ours, 1), ours.anchor()).unwrap();
        let client = |leaf, anchor| client_config(leaf, anchor).unwrap();
        let node = client(leaf(&ours, 2), ours.anchor());
        assert!(met(node, Arc::clone(&server)).await.unwrap());
        // It trusts the server, and the server does not trust it.
        let stranger = client(leaf(&foreign, 2), ours.anchor());
        assert!(met(stranger, Arc::clone(&server)).await.is_err());
        // The other way round.
        let misled = client(leaf(&ours, 2), foreign.anchor());
        assert!(met(misled, Arc::clone(&server)).await.is_err());
    }
}
