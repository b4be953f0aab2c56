//! TLS: whom to trust, and our own certificate where an archive asks for one.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::connection::Connection;
use super::error::PacsError;

/// Certificates and key of a connection.
pub(super) struct Credentials {
    /// Whom to trust.
    pub roots: Vec<CertificateDer<'static>>,
    /// Our own chain and its key.
    pub own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

/// The cryptography that both protocols use.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Credentials {
    /// Reads the files that the connection names, or the certificates of the system.
    pub(super) fn of(connection: &Connection) -> Result<Self, PacsError> {
        let wrong = |what: String| PacsError::Configuration(format!("connection \"{}\": {what}", connection.name));
        let roots = if let Some(file) = &connection.ca_file {
            certificates(file).map_err(&wrong)?
        } else {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                return Err(wrong("the system has no certificates; name the archive's in the connection".to_owned()));
            }
            found.certs
        };
        let own = match (&connection.certificate_file, &connection.key_file) {
            (Some(chain), Some(key)) => {
                let unreadable = |error| format!("no private key can be read ({error}): {}", key.display());
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(unreadable(error)))?;
                Some((certificates(chain).map_err(&wrong)?, secret))
            }
            _ => None,
        };
        Ok(Self { roots, own })
    }

    /// The settings of rustls.
    pub(super) fn client(self, place: &str) -> Result<Arc<ClientConfig>, PacsError> {
        let failed = |error: rustls::Error| PacsError::Tls { place: place.to_owned(), reason: error.to_string() };
        let mut store = RootCertStore::empty();
        // Systems carry old certificates that rustls does not take; the others do.
        let (taken, _) = store.add_parsable_certificates(self.roots);
        if taken == 0 {
            return Err(PacsError::Configuration(format!("{place}: none of the certificates to trust can be used")));
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_root_certificates(store);
        let config = match self.own {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(failed)?,
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| format!("no certificate can be read ({error}): {}", file.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect();
    let found = found.map_err(unreadable)?;
    if found.is_empty() { Err(format!("the file holds no certificate: {}", file.display())) } else { Ok(found) }
}
