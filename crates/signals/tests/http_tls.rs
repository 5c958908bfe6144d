//! Certificates of outside services: authorities and client certificates from files that change.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use kube_sci_signals::{
    config::HttpConfig,
    http::{HttpErrorKind, HttpLimits, HttpService, Request},
};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn leaf(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        roots
    }
}

/// Answers every request over TLS with 200; with an authority for clients it wants their certificates.
fn serve(authority: &Authority, clients: Option<&Authority>) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let roots = Arc::new(clients.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (certificate, key) = authority.leaf();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            if stream.read(&mut [0; 4_096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
                let _ = stream.flush();
            }
        }
    });
    address
}

fn config(address: SocketAddr, folder: &Path) -> HttpConfig {
    let ca_file = Some(folder.join("ca.crt"));
    HttpConfig { ca_file, ..HttpConfig::new(format!("https://localhost:{}", address.port())) }
}

async fn asked(service: &HttpService) -> Result<(), HttpErrorKind> {
    service.get(&Request::get("/")).await.map(drop).map_err(|error| error.kind)
}

/// Asks until it is answered: files are looked at once a second.
async fn answered_at_last(service: &HttpService) {
    for _ in 0..100 {
        if asked(service).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    asked(service).await.unwrap();
}

#[tokio::test]
async fn an_authority_that_changes_is_followed_and_a_broken_file_is_not() {
    let (right, wrong) = (Authority::new(), Authority::new());
    let address = serve(&right, None);
    let folder = tempfile::tempdir().unwrap();
    let service = HttpService::new(&config(address, folder.path())).unwrap();
    assert!(matches!(asked(&service).await, Err(HttpErrorKind::Tls(problem)) if problem.contains("ca.crt")));

    fs::write(folder.path().join("ca.crt"), wrong.certificate.pem()).unwrap();
    let refused = asked(&service).await.unwrap_err();
    assert!(matches!(&refused, HttpErrorKind::Transport(cause) if cause.contains("certificate")), "{refused}");

    fs::write(folder.path().join("ca.crt"), right.certificate.pem()).unwrap();
    answered_at_last(&service).await;

    fs::write(folder.path().join("ca.crt"), "no certificate").unwrap();
    // Longer than it takes to look at the file again.
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        asked(&service).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_configured() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let address = serve(&authority, Some(&clients));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("ca.crt"), authority.certificate.pem()).unwrap();
    let without = HttpService::new(&config(address, folder.path())).unwrap();
    assert!(asked(&without).await.is_err());

    let (certificate, key) = clients.leaf();
    fs::write(file("tls.crt"), certificate.pem()).unwrap();
    fs::write(file("tls.key"), "no key yet").unwrap();
    let with = HttpService::new(&HttpConfig {
        client_certificate_file: Some(file("tls.crt")),
        client_key_file: Some(file("tls.key")),
        ..config(address, folder.path())
    });
    let with = with.unwrap();
    assert!(matches!(asked(&with).await, Err(HttpErrorKind::Tls(problem)) if problem.contains("tls.key")));
    fs::write(file("tls.key"), key.serialize_pem()).unwrap();
    answered_at_last(&with).await;
}

#[tokio::test]
async fn many_services_are_checked_against_one_authority() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority.certificate.pem()).unwrap();
    let services = HttpService::anywhere_trusting(&file, HttpLimits::default());
    let ask = async |server: SocketAddr| {
        services.get_once(&Request::get(format!("https://localhost:{}/metrics", server.port()))).await
    };
    assert_eq!(ask(serve(&authority, None)).await.unwrap().body, "ok");
    let error = ask(serve(&other, None)).await.unwrap_err();
    assert!(matches!(error.kind, HttpErrorKind::Transport(_)), "{error}");
}
