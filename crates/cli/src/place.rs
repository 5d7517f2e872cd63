//! Where the API is.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rackweave_api::http::Endpoint;
use rackweave_daemon::output::Failure;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// The certificates that this machine trusts, as Debian has them.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The port of `https` (RFC 9110, 4.2.2).
const HTTPS: u16 = 443;

/// Where the API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A unix socket.
    Unix(PathBuf),
    /// HTTP in the clear: host and port.
    Clear(String),
    /// HTTP over TLS.
    Tls {
        /// Host and port.
        address: String,
        /// Whom the certificate must name.
        name: ServerName<'static>,
    },
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of https://HOST[:PORT], http://HOST:PORT and unix:PATH")]
pub(crate) struct BadPlace(String);

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let bad = || BadPlace(text.to_owned());
        let Some(rest) = text.strip_prefix("https://") else {
            return match text.parse::<Endpoint>().map_err(|_| bad())? {
                Endpoint::Unix(path) => Ok(Self::Unix(path)),
                Endpoint::Tcp(address) => Ok(Self::Clear(address)),
                Endpoint::Tls { .. } => Err(bad()),
            };
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let host_alone = authority.ends_with(']') || !authority.contains(':');
        let (host, port) = if host_alone {
            (authority, HTTPS)
        } else {
            let (host, port) = authority.rsplit_once(':').ok_or_else(bad)?;
            (host, port.parse().map_err(|_| bad())?)
        };
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(bare).map_err(|_| bad())?;
        Ok(Self::Tls {
            address: format!("{host}:{port}"),
            name,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Clear(address) => write!(f, "http://{address}"),
            Self::Tls { address, .. } => write!(f, "https://{address}"),
        }
    }
}

impl Place {
    /// Whether others could read what is said.
    pub(crate) fn is_overheard(&self) -> bool {
        let Self::Clear(address) = self else {
            return false;
        };
        let host = address
            .rsplit_once(':')
            .map_or(address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let local = host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        !local && host != "localhost"
    }

    /// The endpoint; who speaks TLS trusts the certificates of `ca`, or those of this machine.
    ///
    /// # Errors
    /// Where certificates cannot be read.
    pub(crate) fn endpoint(&self, ca: Option<&Path>) -> Result<Endpoint, Failure> {
        match self {
            Self::Unix(path) => Ok(Endpoint::Unix(path.clone())),
            Self::Clear(address) => Ok(Endpoint::Tcp(address.clone())),
            Self::Tls { address, name } => Ok(Endpoint::Tls {
                address: address.clone(),
                name: name.clone(),
                config: Arc::new(trusting(ca.unwrap_or(Path::new(SYSTEM_CA)))?),
            }),
        }
    }
}

fn trusting(file: &Path) -> Result<ClientConfig, Failure> {
    let unusable = |cause: String| {
        Failure::new(format!("cannot use the certificates of {}", file.display()))
            .cause(cause)
            .next("name the file of those that the API's certificate is signed by: --ca FILE or RACKWEAVE_CA")
    };
    let octets = fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(&octets).flatten();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(unusable("there is none in it".to_owned()));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| unusable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for (text, shown) in [
            ("https://api.example.net", "https://api.example.net:443"),
            (
                "https://api.example.net:8443/",
                "https://api.example.net:8443",
            ),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:443"),
            ("https://192.0.2.1:1", "https://192.0.2.1:1"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("unix:/run/a.sock", "/run/a.sock"),
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "https://",
            "https://a:b",
            "https://a b",
            "ftp://a:1",
            "localhost",
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains("none of https://"), "{error}");
        }
    }

    #[test]
    fn what_crosses_a_network_in_the_clear_is_overheard() {
        let overheard = |text: &str| text.parse::<Place>().unwrap().is_overheard();
        assert!(overheard("http://192.0.2.1:80"));
        assert!(overheard("http://api.example.net:80"));
        for text in [
            "http://127.0.0.1:80",
            "http://[::1]:80",
            "http://localhost:80",
            "unix:/a",
            "https://a.b",
        ] {
            assert!(!overheard(text), "{text}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        fs::write(&file, "nothing").unwrap();
        let place: Place = "https://a.b".parse().unwrap();
        let failure = place.endpoint(Some(&file)).unwrap_err().to_string();
        assert!(
            failure.contains("there is none in it") && failure.contains("--ca"),
            "{failure}"
        );
    }
}
