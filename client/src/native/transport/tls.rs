//! TLS over TCP, by rustls.
//!
//! Whom to believe is decided here, once for a client: the authorities of a file, or those of the system.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::error::{ClientError, ErrorKind};
use crate::options::TlsOptions;

/// What all connections of a client have in common.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if a file cannot be read, or does not hold what it should.
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, ClientError> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(match &options.ca_file {
            Some(file) => from_file(file)?,
            None => from_system()?,
        });
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| config(error.to_string()))?;
        let builder = if options.check_hostname {
            builder.with_root_certificates(roots)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName::new(roots, provider)?))
        };
        let tls = match (&options.certificate_file, &options.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificates), Some(key)) => {
                builder.with_client_auth_cert(certificates_of(certificates)?, key_of(key)?).map_err(
                    |error| config(format!("the client's certificate and key do not go together: {error}")),
                )?
            }
            (Some(_), None) => {
                return Err(config("a certificate is given without a key").remedy("give ssl_keyfile"));
            }
            (None, Some(_)) => {
                return Err(config("a key is given without a certificate").remedy("give ssl_certfile"));
            }
        };
        Ok(Tls(TlsConnector::from(Arc::new(tls))))
    }

    /// Has the broker prove who it is.
    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ClientError> {
        let asked = || format!("setting up TLS with {host}:{port}");
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| ClientError::new(ErrorKind::Config, asked(), error.to_string()))?;
        self.0.connect(name, stream).await.map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                Some(Error::InvalidCertificate(why)) => ClientError::new(
                    ErrorKind::Authentication,
                    asked(),
                    format!("the broker's certificate is not to be believed: {why}"),
                )
                .remedy(
                    "give the authority that signed it as ssl_cafile, and connect by the name that it is for",
                ),
                Some(Error::InvalidMessage(_)) => ClientError::new(
                    ErrorKind::Authentication,
                    asked(),
                    "what answers there does not speak TLS",
                )
                .remedy("correct security_protocol or the port"),
                Some(why) => ClientError::new(ErrorKind::Authentication, asked(), why.to_string()),
                // Brokers that expect something else hang up, and so do those that are just being stopped.
                None => ClientError::new(ErrorKind::Unreachable, asked(), error.to_string())
                    .remedy("if the broker does not speak TLS there, correct security_protocol or the port"),
            }
        })
    }
}

/// Why the broker ended a connection that was set up already, if it did so because of the client's certificate: in TLS 1.3
/// it looks at that last.
pub(in crate::native) fn refusal(error: &std::io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::AlertReceived(alert) => Some(format!("{alert:?}")),
        _ => None,
    }
}

fn config(why: impl Into<String>) -> ClientError {
    ClientError::new(ErrorKind::Config, "setting up TLS", why)
}

fn from_file(file: &Path) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(file)? {
        roots.add(certificate).map_err(|error| config(format!("{}: {error}", file.display())))?;
    }
    Ok(roots)
}

/// What the system believes: what has been added to it by whoever runs it counts, as it does for other clients.
fn from_system() -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or("there are none".to_owned(), ToString::to_string);
        return Err(config(format!("the system's certificate authorities cannot be read: {why}"))
            .remedy("give a file of authorities as ssl_cafile"));
    }
    Ok(roots)
}

fn certificates_of(file: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let unreadable =
        |error: &dyn std::fmt::Display| config(format!("{} cannot be read: {error}", file.display()));
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(&error))?;
    if certificates.is_empty() {
        return Err(config(format!("{} has no certificate in it", file.display())).remedy("give a PEM file"));
    }
    Ok(certificates)
}

fn key_of(file: &Path) -> Result<PrivateKeyDer<'static>, ClientError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| {
        config(format!("no key can be read from {}: {error}", file.display()))
            .remedy("give a PEM file with a key that is not encrypted")
    })
}

/// Believes a certificate of an authority that is believed, for whatever host it was made out.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl AnyName {
    fn new(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>) -> Result<Self, ClientError> {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        Ok(AnyName(verifier.map_err(|error| config(error.to_string()))?))
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is looked at last: when it is what is wrong, the rest is right.
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
