//! HTTP servers on loopback that tests play: with TLS or without, gone with the task they run in.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::pki::{KeyPairFiles, install_crypto_provider};

/// TLS with this certificate; who calls need not show one.
pub fn acceptor(files: &KeyPairFiles) -> io::Result<TlsAcceptor> {
    install_crypto_provider();
    let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(io::Error::other)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(io::Error::other)?;
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    Ok(TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).map_err(io::Error::other)?)))
}

/// Answers every request with what `handle` makes of it, and of the address that it came to, until this future is dropped:
/// then every connection ends. An error of `handle` ends the connection without an answer.
pub async fn serve<H, F, B, E>(listener: TcpListener, tls: Option<TlsAcceptor>, handle: H)
where
    H: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        connections.spawn(connect(stream, tls.clone(), handle.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect<H, F, B, E>(stream: TcpStream, tls: Option<TlsAcceptor>, handle: H)
where
    H: Fn(SocketAddr, Request<Incoming>) -> F,
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let Ok(local) = stream.local_addr() else { return };
    match tls {
        None => talk(stream, |request| handle(local, request)).await,
        Some(tls) => {
            // A client that does not trust us goes away, which is its right.
            if let Ok(stream) = tls.accept(stream).await {
                talk(stream, |request| handle(local, request)).await;
            }
        }
    }
}

async fn talk<F, B, E>(stream: impl AsyncRead + AsyncWrite + Unpin, handle: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new());
    // An error is a client that went away, or a connection that a fault has ended.
    drop(connection.serve_connection(TokioIo::new(stream), service_fn(handle)).await);
}
