//! Clients: one connection each, over HTTP/1.1 or HTTP/2, with or without a certificate.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tokio::{net::TcpStream, time};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::pki::{Identity, pki};

/// The name in certificates of servers under test.
pub const HOST: &str = "server.tests.svc";

/// How long any single wait of a test may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Which protocol to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// An open connection.
pub struct Connection {
    sender: Sender,
    /// Ends when the server ends the connection.
    pub ended: tokio::task::JoinHandle<()>,
    /// What the server presented.
    pub server: Vec<CertificateDer<'static>>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Bytes,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub code: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// `GET` of a path.
pub fn get(path: &str) -> Ask {
    Ask { method: Method::GET, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
}

impl Ask {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    pub fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.to_owned(), value.to_vec()));
        self
    }

    pub fn headers(self, pairs: &[(&str, &str)]) -> Self {
        pairs.iter().fold(self, |ask, (name, value)| ask.header(name, value))
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = method.parse().unwrap();
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// As the front proxy asks for a user.
    pub fn remote_user(self, user: &str, groups: &[&str]) -> Self {
        groups.iter().fold(self.header("X-Remote-User", user), |ask, group| ask.header("X-Remote-Group", group))
    }

    pub fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    fn request(&self, protocol: Protocol) -> Request<Full<Bytes>> {
        let uri = match protocol {
            Protocol::Http1 => self.path.clone(),
            Protocol::Http2 => format!("https://{HOST}{}", self.path),
        };
        let mut builder = Request::builder().method(self.method.clone()).uri(uri);
        if protocol == Protocol::Http1 {
            builder = builder.header("host", HOST);
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value.as_slice());
        }
        builder.body(Full::new(self.body.clone())).unwrap()
    }
}

impl Connection {
    pub async fn open(address: SocketAddr, identity: Option<&Identity>, protocol: Protocol) -> Self {
        Self::open_with(address, config(identity, protocol), protocol).await.unwrap()
    }

    /// A connection with TLS of one's own; an error if the server is not trusted.
    pub async fn open_with(address: SocketAddr, tls_config: ClientConfig, protocol: Protocol) -> std::io::Result<Self> {
        let stream = tls(address, tls_config).await?;
        Ok(Self::over(stream, protocol).await)
    }

    async fn over(stream: TlsStream<TcpStream>, protocol: Protocol) -> Self {
        let server = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        let io = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                let ended = tokio::spawn(async move { drop(connection.await) });
                Self { sender: Sender::Http1(sender), ended, server }
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_header_list_size(16 * 1024 * 1024);
                let (sender, connection) = builder.handshake(io).await.unwrap();
                let ended = tokio::spawn(async move { drop(connection.await) });
                Self { sender: Sender::Http2(sender), ended, server }
            }
        }
    }

    pub async fn send(&mut self, ask: Ask) -> Reply {
        self.try_send(ask).await.unwrap()
    }

    /// Sends a request; an error if the connection does not carry it.
    pub async fn try_send(&mut self, ask: Ask) -> hyper::Result<Reply> {
        let exchange = async {
            let response = match &mut self.sender {
                Sender::Http1(sender) => {
                    sender.ready().await?;
                    sender.send_request(ask.request(Protocol::Http1)).await?
                }
                Sender::Http2(sender) => {
                    sender.ready().await?;
                    sender.send_request(ask.request(Protocol::Http2)).await?
                }
            };
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Reply { code: parts.status, headers: parts.headers, body })
        };
        time::timeout(PATIENCE, exchange).await.expect("an answer in time")
    }

    /// A sender of its own for requests at the same time.
    pub fn another(&self) -> http2::SendRequest<Full<Bytes>> {
        match &self.sender {
            Sender::Http2(sender) => sender.clone(),
            Sender::Http1(_) => panic!("only HTTP/2 has several requests at a time"),
        }
    }

    /// Waits until the server ends the connection.
    pub async fn ended(self) {
        let Self { ended, sender, .. } = self;
        time::timeout(PATIENCE, ended).await.expect("an end in time").unwrap();
        drop(sender);
    }
}

/// Sends over a sender of [`Connection::another`].
pub async fn send_over(mut sender: http2::SendRequest<Full<Bytes>>, ask: Ask) -> hyper::Result<Reply> {
    sender.ready().await?;
    let (parts, body) = sender.send_request(ask.request(Protocol::Http2)).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Reply { code: parts.status, headers: parts.headers, body })
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The user that the program saw.
    pub fn user(&self) -> String {
        assert_eq!(self.code, 200, "{}", self.text());
        self.json()["user"]["name"].as_str().expect("an answer of the program").to_owned()
    }

    /// The reason of a Status of this code.
    pub fn reason(&self, code: u16) -> String {
        assert_eq!(self.code, code, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(self.headers.get("retry-after").is_none(), "clients would sleep on it");
        let status = self.json();
        assert_eq!((&status["kind"], &status["apiVersion"]), (&"Status".into(), &"v1".into()));
        assert_eq!((&status["status"], &status["code"]), (&"Failure".into(), &code.into()));
        status["reason"].as_str().unwrap().to_owned()
    }
}

/// One request on a connection of its own.
pub async fn once(address: SocketAddr, identity: Option<&Identity>, protocol: Protocol, ask: Ask) -> Reply {
    Connection::open(address, identity, protocol).await.send(ask).await
}

/// TLS as a client of this identity does it.
pub fn config(identity: Option<&Identity>, protocol: Protocol) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(pki().serving.der.clone()).unwrap();
    config_with(roots, identity, protocol)
}

/// Every certificate of a bundle.
pub fn roots(bundle: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    roots
}

pub fn config_with(roots: RootCertStore, identity: Option<&Identity>, protocol: Protocol) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_auth_cert(identity.chain.clone(), identity.key()).unwrap(),
    };
    config.alpn_protocols = vec![match protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 => b"h2".to_vec(),
    }];
    config
}

pub async fn tls(address: SocketAddr, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST).unwrap(), stream).await
}
