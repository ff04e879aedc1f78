//! TLS: a certificate and its key become what handshakes are made with.

use std::path::Path;
use std::sync::Arc;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore, ServerConfig};
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
    if let Some(why) = certs
        .iter()
        .find_map(|cert| out_of_time(cert, UnixTime::now()))
    {
        // The machine's clock may be what is wrong, or the clients' is: they decide.
        let path = files.cert.display();
        tracing::warn!(cert = %path, %why, "no client will trust the TLS certificate");
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

/// The same for connections that are answered with text of HTTP/1.1, whatever their clients offer: no protocol is agreed on,
/// and that is HTTP/1.1.
pub(crate) fn without_alpn(tls: &TlsAcceptor) -> TlsAcceptor {
    let mut config = ServerConfig::clone(tls.config());
    config.alpn_protocols = Vec::new();
    TlsAcceptor::from(Arc::new(config))
}

/// Whether a certificate is not valid yet or not any more. Its own time is looked at first; that nobody is trusted to
/// have issued it comes after that.
fn out_of_time(cert: &CertificateDer<'_>, now: UnixTime) -> Option<CertificateError> {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let cert = ParsedCertificate::try_from(cert).ok()?;
    let algorithms = default_provider().signature_verification_algorithms;
    let nobody = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(&cert, &nobody, &[], now, algorithms.all) {
        Err(rustls::Error::InvalidCertificate(
            why @ (Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }),
        )) => Some(why),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_certificate_out_of_its_time_is_noticed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/tls/cert.pem");
        let cert = CertificateDer::from_pem_file(path).expect("a certificate");
        let said = |year: u64| {
            let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952));
            out_of_time(&cert, now).map(|why| why.to_string())
        };
        assert_eq!(said(2030), None);
        for (year, what) in [(1980, "not valid yet"), (2200, "expired")] {
            let said = said(year).expect("it is out of its time");
            assert!(said.contains(what), "{said}");
        }
    }

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
