//! TLS: a certificate and its key become what handshakes are made with.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::TlsAcceptor;

use crate::bounded::read_file;
use crate::config::{BindError, TlsFiles};

/// Bytes of a file of certificates or of a key: more than any has. A name given by mistake may be that of a device that
/// never ends.
const FILE_BYTES_MAX: usize = 16 << 20;

/// Reads both files. HTTP/2 is offered first.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, BindError> {
    let unread = |path: &Path, reason: &dyn std::fmt::Display| BindError::TlsFile {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let text =
        read_file(&files.cert, FILE_BYTES_MAX).map_err(|error| unread(&files.cert, &error))?;
    let certs = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, pem::Error>>()
        .map_err(|error| unread(&files.cert, &error))?;
    if certs.is_empty() {
        return Err(unread(&files.cert, &"it holds no certificate"));
    }
    let text = read_file(&files.key, FILE_BYTES_MAX).map_err(|error| unread(&files.key, &error))?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => unread(
            &files.key,
            &"it holds no private key that could be used; one with a passphrase cannot",
        ),
        error => unread(&files.key, &error),
    })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_never_ends_is_refused_by_name() {
        let files = TlsFiles {
            cert: "/dev/zero".into(),
            key: "/dev/zero".into(),
        };
        let error = acceptor(&files).err().expect("it is no certificate");
        let said = error.to_string();
        assert!(said.contains("/dev/zero"), "{said}");
        assert!(said.contains("more than 16777216 bytes"), "{said}");
    }
}
