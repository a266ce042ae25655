//! The certificate of the endpoint: made at the first TLS connection, kept in the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the certificate cannot be read or written: {0}")]
    File(#[from] std::io::Error),
    #[error("the certificate cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("the certificate cannot be used: {0}")]
    Use(#[from] rustls::Error),
}

/// The names that the certificate is for.
const NAMES: &[&str] = &[
    "localhost",
    "*.localhost",
    "*.s3.localhost",
    "*.execute-api.localhost",
    "localhost.localstack.cloud",
    "*.localhost.localstack.cloud",
    "*.s3.localhost.localstack.cloud",
    "127.0.0.1",
    "::1",
];

/// The endpoint's certificate and key.
pub(crate) struct Certificates {
    directory: PathBuf,
    config: Mutex<Option<Arc<ServerConfig>>>,
}

impl Certificates {
    pub(crate) fn new(data_dir: PathBuf) -> Certificates {
        Certificates { directory: data_dir.join("tls"), config: Mutex::default() }
    }

    pub(crate) fn config(&self) -> Result<Arc<ServerConfig>, Error> {
        // Held while the certificate is made: two first connections must not write halves of two pairs.
        let mut kept = self.config.lock();
        if let Some(config) = &*kept {
            return Ok(Arc::clone(config));
        }
        let (certificate, key) = self.load_or_make()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::clone(kept.insert(Arc::new(config))))
    }

    fn load_or_make(&self) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), Error> {
        let certificate_path = self.directory.join("endpoint.pem");
        let key_path = self.directory.join("endpoint.key");
        if !certificate_path.exists() || !key_path.exists() {
            let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
            let made = rcgen::generate_simple_self_signed(names)?;
            std::fs::create_dir_all(&self.directory)?;
            write(&key_path, &made.signing_key.serialize_pem())?;
            write(&certificate_path, &made.cert.pem())?;
        }
        let certificate = CertificateDer::from_pem_file(&certificate_path)?;
        let key = PrivateKeyDer::from_pem_file(&key_path)?;
        Ok((certificate, key))
    }
}

/// Writes a file for its owner alone, all of it or nothing, so that a kill leaves no half behind.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let unfinished = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_made_once_and_found_again() {
        let folder = std::env::temp_dir().join(format!("fogbank-tls-{}", std::process::id()));
        let certificates = Certificates::new(folder.clone());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| certificates.config().map(drop).expect("a certificate"));
            }
        });
        let first = std::fs::read(folder.join("tls/endpoint.pem")).expect("a file");
        Certificates::new(folder.clone()).config().map(drop).expect("the same pair");
        assert_eq!(std::fs::read(folder.join("tls/endpoint.pem")).expect("a file"), first);
        std::fs::remove_dir_all(&folder).expect("an end");
    }
}
