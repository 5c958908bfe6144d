//! The serving certificate changes, TLS is what it should be.

use std::{os::unix::fs::symlink, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::support::{
    client::{self, Connection, HOST, Protocol, get},
    pki::{Identity, pki},
    world::{RESOURCE, World, eventually, front_proxy, write_pair},
};

const RELOADED: &str = "aggregated_apiserver_certificate_reloads_total{result=\"success\"}";
const REFUSED: &str = "aggregated_apiserver_certificate_reloads_total{result=\"failure\"}";

async fn shown(world: &World) -> Vec<u8> {
    Connection::open(world.address, None, Protocol::Http2).await.server[0].to_vec()
}

fn leaf(identity: &Identity) -> Vec<u8> {
    identity.chain[0].to_vec()
}

cases! {
    async fn serving_certificate_changes_without_ending_connections() {
        let world = World::start().await;
        let mut live = world.proxy(Protocol::Http2).await;
        let next = pki().serving.server(HOST);
        assert_ne!(shown(&world).await, leaf(&next));
        write_pair(&world.folder, &next);
        eventually("the new certificate", async || shown(&world).await == leaf(&next)).await;
        assert_eq!(live.send(get(RESOURCE).remote_user("ada", &[])).await.user(), "ada");
        assert_eq!(world.metric(RELOADED), 1.0);
    }

    async fn serving_key_of_another_certificate_is_refused() {
        let world = World::start().await;
        let before = shown(&world).await;
        let (next, other) = (pki().serving.server(HOST), pki().serving.server(HOST));
        write_pair(&world.folder, &pki().serving.server(HOST).with_key_of(&other));
        eventually("the refusal", async || world.metric(REFUSED) >= 1.0).await;
        assert_eq!(shown(&world).await, before);
        write_pair(&world.folder, &next);
        eventually("the next good one", async || shown(&world).await == leaf(&next)).await;
    }

    async fn serving_files_of_garbage_are_refused() {
        let world = World::start().await;
        let before = shown(&world).await;
        std::fs::write(world.folder.path().join("tls.crt"), "nothing").unwrap();
        eventually("the refusal", async || world.metric(REFUSED) >= 1.0).await;
        std::fs::remove_file(world.folder.path().join("tls.key")).unwrap();
        eventually("the second refusal", async || world.metric(REFUSED) >= 2.0).await;
        assert_eq!(shown(&world).await, before);
    }

    async fn serving_certificate_of_a_mounted_secret_changes_by_symbolic_link() {
        let world = World::start().await;
        let folder = world.folder.path();
        // As the kubelet lays a Secret out: files point through `..data`, which is swapped.
        let lay = |version: &str, identity: &Identity| {
            let target = folder.join(version);
            std::fs::create_dir(&target).unwrap();
            std::fs::write(target.join("tls.crt"), &identity.pem).unwrap();
            std::fs::write(target.join("tls.key"), &identity.key_pem).unwrap();
            symlink(version, folder.join("..new")).unwrap();
            std::fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
        };
        let (first, second) = (pki().serving.server(HOST), pki().serving.server(HOST));
        lay("..1", &first);
        for file in ["tls.crt", "tls.key"] {
            std::fs::remove_file(folder.join(file)).unwrap();
            symlink(format!("..data/{file}"), folder.join(file)).unwrap();
        }
        eventually("the first", async || shown(&world).await == leaf(&first)).await;
        lay("..2", &second);
        std::fs::remove_dir_all(folder.join("..1")).unwrap();
        eventually("the second", async || shown(&world).await == leaf(&second)).await;
    }

    async fn tls_1_2_is_spoken_and_proves_the_key_too() {
        let world = World::start().await;
        let proxy = front_proxy();
        let config = |identity: &Identity| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut roots = rustls::RootCertStore::empty();
            roots.add(pki().serving.der.clone()).unwrap();
            rustls::ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&rustls::version::TLS12])
                .unwrap()
                .with_root_certificates(roots)
                .with_client_cert_resolver(Arc::new(Impostor::of(identity)))
        };
        let connect = async |config| {
            let stream = TcpStream::connect(world.address).await.unwrap();
            TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST).unwrap(), stream).await
        };
        let stream = connect(config(&proxy)).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
        let stolen = front_proxy().with_key_of(&pki().rogue.client("thief", &[]));
        assert!(connect(config(&stolen)).await.is_err(), "a certificate without its key");
    }

    async fn tls_1_3_proves_the_key() {
        let world = World::start().await;
        let stolen = front_proxy().with_key_of(&pki().rogue.client("thief", &[]));
        let mut config = client::config(None, Protocol::Http1);
        config.client_auth_cert_resolver = Arc::new(Impostor::of(&stolen));
        // TLS 1.3 clients learn of a failed handshake with their first reading.
        let Ok(mut stream) = client::tls(world.address, config).await else { return };
        let _ = stream.write_all(format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\n\r\n").as_bytes()).await;
        let mut answer = Vec::new();
        assert!(stream.read_to_end(&mut answer).await.is_err(), "{}", String::from_utf8_lossy(&answer));
        assert_eq!((answer.len(), world.seen()), (0, 0));
    }

    async fn client_without_a_protocol_speaks_http1() {
        let world = World::start().await;
        let mut config = client::config(None, Protocol::Http1);
        config.alpn_protocols.clear();
        let mut stream = client::tls(world.address, config).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{answer}");
    }

    async fn garbage_as_client_certificate_is_refused() {
        let world = World::start().await;
        let mut identity = front_proxy();
        identity.chain = vec![rustls::pki_types::CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])];
        let mut config = client::config(None, Protocol::Http1);
        config.client_auth_cert_resolver = Arc::new(Impostor::of(&identity));
        if let Ok(mut stream) = client::tls(world.address, config).await {
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
        }
        assert_eq!(world.direct(None, get("/healthz")).await.text(), "ok", "others are served");
    }
}

/// Presents a chain and signs with whatever key there is.
#[derive(Debug)]
struct Impostor(Arc<rustls::sign::CertifiedKey>);

impl Impostor {
    fn of(identity: &Identity) -> Self {
        let key = rustls::crypto::ring::sign::any_supported_type(&identity.key()).unwrap();
        Self(Arc::new(rustls::sign::CertifiedKey::new(identity.chain.clone(), key)))
    }
}

impl rustls::client::ResolvesClientCert for Impostor {
    fn resolve(
        &self,
        _hints: &[&[u8]],
        _schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
