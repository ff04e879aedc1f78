//! TLS: a certificate and its key become what handshakes are made with.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::TlsAcceptor;

use crate::config::{BindError, TlsFiles};

/// Reads both files. HTTP/2 is offered first.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, BindError> {
    let unread = |path: &Path, reason: &dyn std::fmt::Display| BindError::TlsFile {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let certs = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, pem::Error>>)
        .map_err(|error| unread(&files.cert, &error))?;
    if certs.is_empty() {
        return Err(unread(&files.cert, &"it holds no certificate"));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unread(&files.key, &error))?;
    let tls = |error| BindError::Tls {
        cert: files.cert.clone(),
        error,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .map_err(tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
