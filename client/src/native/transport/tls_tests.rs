//! TLS against a server of our own: who is believed, and what is said where nobody is.

use std::path::PathBuf;
use std::sync::Arc;

use kafka_protocol::messages::MetadataResponse;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};

use super::Target;
use super::tls::Tls;
use crate::error::{ClientError, ErrorKind};
use crate::native::connection::Connection;
use crate::native::testing::{FakeBroker, Reply, all_apis};
use crate::options::{ClientOptions, TlsOptions};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A broker with a certificate for `name`; with `clients` it asks for one signed by this authority.
    async fn broker(&self, name: &str, clients: bool) -> FakeBroker {
        let (certificate, key) = self.sign(name);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        FakeBroker::listen("127.0.0.1:0", Some(TlsAcceptor::from(Arc::new(config))), |asked| {
            if asked.api == kafka_protocol::messages::ApiKey::ApiVersions {
                return all_apis(asked);
            }
            asked.answer(&MetadataResponse::default())
        })
        .await
    }
}

async fn connect(broker: &FakeBroker, host: &str, options: &TlsOptions) -> Result<Connection, ClientError> {
    let tls = Tls::new(options)?;
    let target = Target::Address { host: Arc::from(host), port: broker.port };
    Connection::open(&target, Some(&tls), &ClientOptions::default()).await
}

#[tokio::test]
async fn an_authority_from_a_file_is_believed() {
    let authority = Authority::new();
    let broker = authority.broker("localhost", false).await;
    let options = TlsOptions { ca_file: Some(authority.file()), ..TlsOptions::default() };
    connect(&broker, "localhost", &options).await.unwrap();
}

#[tokio::test]
async fn another_authority_is_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let broker = authority.broker("localhost", false).await;
    for check_hostname in [true, false] {
        let options = TlsOptions { ca_file: Some(other.file()), check_hostname, ..TlsOptions::default() };
        let error = connect(&broker, "localhost", &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(error.to_string().contains("ssl_cafile"), "{error}");
    }
}

#[tokio::test]
async fn another_name_is_believed_only_when_asked_for() {
    let authority = Authority::new();
    let broker = authority.broker("kafka.example", false).await;
    let options = TlsOptions { ca_file: Some(authority.file()), ..TlsOptions::default() };
    let error = connect(&broker, "localhost", &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    connect(&broker, "localhost", &TlsOptions { check_hostname: false, ..options }).await.unwrap();
}

#[tokio::test]
async fn a_client_can_have_a_certificate_of_its_own() {
    let authority = Authority::new();
    let broker = authority.broker("localhost", true).await;
    let options = TlsOptions { ca_file: Some(authority.file()), ..TlsOptions::default() };
    let error = connect(&broker, "localhost", &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(error.to_string().contains("ssl_certfile"), "{error}");
    let (certificate, key) = authority.sign("client");
    let place = |name: &str| authority.folder.path().join(name);
    std::fs::write(place("client.pem"), certificate.pem()).unwrap();
    std::fs::write(place("client.key"), key.serialize_pem()).unwrap();
    let options = TlsOptions {
        certificate_file: Some(place("client.pem")),
        key_file: Some(place("client.key")),
        ..options
    };
    connect(&broker, "localhost", &options).await.unwrap();
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_told() {
    let authority = Authority::new();
    let broker = FakeBroker::start(|_| Reply::Raw(bytes::Bytes::from_static(b"nothing of the kind"))).await;
    let options = TlsOptions { ca_file: Some(authority.file()), ..TlsOptions::default() };
    // A plain broker takes the greeting for a frame of a gigabyte, and closes or waits.
    let tls = Tls::new(&options).unwrap();
    let target = Target::Address { host: Arc::from("localhost"), port: broker.port };
    let patience = std::time::Duration::from_millis(300);
    let options = ClientOptions { connect_timeout: patience, ..ClientOptions::default() };
    Connection::open(&target, Some(&tls), &options).await.unwrap_err();
}

#[tokio::test]
async fn a_port_that_speaks_tls_is_told() {
    let authority = Authority::new();
    let broker = authority.broker("localhost", false).await;
    let target = Target::Address { host: Arc::from("localhost"), port: broker.port };
    let error = Connection::open(&target, None, &ClientOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(error.to_string().contains("security_protocol"), "{error}");
}

#[test]
fn files_that_are_not_what_they_should_be_are_config_errors() {
    let authority = Authority::new();
    let (file, empty) = (authority.file(), authority.folder.path().join("empty.pem"));
    std::fs::write(&empty, "").unwrap();
    let with = |ca: &PathBuf, certificate: Option<&PathBuf>, key: Option<&PathBuf>| TlsOptions {
        ca_file: Some(ca.clone()),
        certificate_file: certificate.cloned(),
        key_file: key.cloned(),
        check_hostname: true,
    };
    let missing = PathBuf::from("no such file");
    for options in [
        with(&missing, None, None),
        with(&empty, None, None),
        with(&file, Some(&file), None),
        with(&file, None, Some(&file)),
        with(&file, Some(&file), Some(&file)),
    ] {
        assert_eq!(Tls::new(&options).unwrap_err().kind(), ErrorKind::Config);
    }
}
