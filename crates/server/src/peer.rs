//! Who is at the other end of a connection.

use std::{any::Any, net::SocketAddr, sync::Arc};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{HttpRequest, dev::Extensions, rt::net::TcpStream};
use x509_parser::{parse_x509_certificate, x509::AttributeTypeAndValue};

/// The other end of a connection, found out once when it was accepted. Headers are never believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// On the same host or in the same Pod, on a listener that does not demand client certificates. A proxy or a port
    /// forward on this host looks the same.
    Loopback,
    /// Showed a certificate that chains to the configured client authority and proved to have its key.
    Verified(Arc<ClientIdentity>),
    /// Anybody else.
    Anonymous,
}

/// Subject of a verified client certificate. Kubernetes reads the common name as user and organizations as groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientIdentity {
    /// First CN; empty if there is none.
    pub common_name: String,
    /// Every O, in order.
    pub organizations: Vec<String>,
}

impl Peer {
    /// The peer of a request. A request without a connection, as in unit tests, is [`Peer::Anonymous`].
    pub fn from_request(request: &HttpRequest) -> Self {
        request.conn_data::<Self>().cloned().unwrap_or(Self::Anonymous)
    }

    /// Whether the peer may see and do what is not for everybody.
    pub fn is_trusted(&self) -> bool {
        match self {
            Self::Loopback | Self::Verified(_) => true,
            Self::Anonymous => false,
        }
    }

    fn new(address: Option<SocketAddr>, identity: Option<ClientIdentity>, certificate_required: bool) -> Self {
        match identity {
            Some(identity) => Self::Verified(Arc::new(identity)),
            None if !certificate_required && address.is_some_and(is_loopback) => Self::Loopback,
            None => Self::Anonymous,
        }
    }
}

/// For `HttpServer::on_connect`: stores the [`Peer`] with the connection.
pub(crate) fn remember(io: &dyn Any, certificate_required: bool, connection: &mut Extensions) {
    let peer = if let Some(plain) = io.downcast_ref::<TcpStream>() {
        Peer::new(plain.peer_addr().ok(), None, certificate_required)
    } else if let Some(tls) = io.downcast_ref::<TlsStream<TcpStream>>() {
        let (tcp, session) = tls.get_ref();
        // rustls has verified the chain by now, or there is none.
        let identity = session.peer_certificates().and_then(<[_]>::first).and_then(|leaf| parse_identity(leaf));
        Peer::new(tcp.peer_addr().ok(), identity, certificate_required)
    } else {
        Peer::Anonymous
    };
    connection.insert(peer);
}

/// True for the whole of 127.0.0.0/8 and `::1`, also when an IPv6 socket shows the former as `::ffff:127.0.0.1`.
pub(crate) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn parse_identity(der: &[u8]) -> Option<ClientIdentity> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    let subject = certificate.subject();
    Some(ClientIdentity {
        common_name: subject.iter_common_name().find_map(text).unwrap_or_default(),
        organizations: subject.iter_organization().filter_map(text).collect(),
    })
}

fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    attribute.as_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn peer(address: &str, identity: Option<ClientIdentity>, certificate_required: bool) -> Peer {
        Peer::new(Some(address.parse().unwrap()), identity, certificate_required)
    }

    #[test]
    fn loopback_is_trusted_in_every_spelling() {
        for address in ["127.0.0.1:9", "127.8.9.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(peer(address, None, false), Peer::Loopback, "{address}");
        }
        for address in ["10.0.0.1:9", "[fd00::1]:9", "[::ffff:10.0.0.1]:9"] {
            assert_eq!(peer(address, None, false), Peer::Anonymous, "{address}");
        }
    }

    #[test]
    fn loopback_is_not_enough_where_certificates_are_required() {
        assert!(!peer("127.0.0.1:9", None, true).is_trusted());
    }

    #[test]
    fn a_certificate_outranks_the_address() {
        let identity = ClientIdentity { common_name: "scheduler".to_owned(), organizations: Vec::new() };
        assert!(peer("10.0.0.1:9", Some(identity.clone()), true).is_trusted());
        assert_eq!(peer("127.0.0.1:9", Some(identity.clone()), false), Peer::Verified(Arc::new(identity)));
    }

    #[test]
    fn subject_is_read_from_the_certificate() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "system:kube-scheduler");
        params.distinguished_name.push(DnType::OrganizationName, "system:masters");
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let identity = parse_identity(der.der()).unwrap();
        assert_eq!(identity.common_name, "system:kube-scheduler");
        assert_eq!(identity.organizations, ["system:masters"]);
        assert_eq!(parse_identity(b"no certificate"), None);
    }
}
