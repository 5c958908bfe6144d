//! Throw-away authorities and certificates, good and bad.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub const DAY: Duration = Duration::from_hours(24);

/// An authority.
pub struct Authority {
    pub pem: String,
    pub der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its chain and key, as a client or server presents it.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub pem: String,
    pub key_pem: String,
    key: Vec<u8>,
}

/// What a leaf says.
#[derive(Clone)]
pub struct Leaf {
    pub names: Vec<String>,
    pub organisations: Vec<String>,
    pub usages: Vec<ExtendedKeyUsagePurpose>,
    pub hosts: Vec<String>,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    pub is_authority: bool,
}

/// The authorities of all tests.
pub struct Pki {
    /// Signs clients of the cluster.
    pub cluster: Authority,
    /// Signs the front proxy.
    pub proxy: Authority,
    /// Signs whatever it is asked to.
    pub rogue: Authority,
    /// Signs servers under test.
    pub serving: Authority,
}

/// One set for the whole binary: keys cost time.
pub fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| Pki {
        cluster: Authority::new("cluster"),
        proxy: Authority::new("front-proxy"),
        rogue: Authority::new("rogue"),
        serving: Authority::new("serving"),
    })
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::valid(name, SystemTime::now() - DAY, SystemTime::now() + 365 * DAY)
    }

    pub fn valid(name: &str, not_before: SystemTime, not_after: SystemTime) -> Self {
        let key = KeyPair::generate().unwrap();
        let parameters = authority_parameters(name, not_before, not_after, BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(parameters, key) }
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let (from, to) = (SystemTime::now() - DAY, SystemTime::now() + 100 * DAY);
        let parameters = authority_parameters(name, from, to, BasicConstraints::Constrained(0));
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(parameters, key) }
    }

    pub fn sign(&self, leaf: &Leaf) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.parameters().signed_by(&key, &self.issuer).unwrap();
        Identity::new(certificate.der().clone(), certificate.pem(), &key)
    }

    /// A client certificate with this name and these groups.
    pub fn client(&self, name: &str, groups: &[&str]) -> Identity {
        self.sign(&Leaf::client(name, groups))
    }

    /// A serving certificate for this host.
    pub fn server(&self, host: &str) -> Identity {
        self.sign(&Leaf {
            hosts: vec![host.to_owned()],
            usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
            ..Leaf::client(host, &[])
        })
    }
}

impl Leaf {
    pub fn client(name: &str, groups: &[&str]) -> Self {
        Self {
            names: vec![name.to_owned()],
            organisations: groups.iter().map(|&group| group.to_owned()).collect(),
            usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
            hosts: Vec::new(),
            not_before: SystemTime::now() - DAY,
            not_after: SystemTime::now() + DAY,
            is_authority: false,
        }
    }

    /// Signed by nobody but itself.
    pub fn self_signed(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = self.parameters().self_signed(&key).unwrap();
        Identity::new(certificate.der().clone(), certificate.pem(), &key)
    }

    fn parameters(&self) -> CertificateParams {
        let mut parameters = CertificateParams::new(self.hosts.clone()).unwrap();
        let mut name = DistinguishedName::new();
        push(&mut name, DnType::CommonName, 3, &self.names);
        push(&mut name, DnType::OrganizationName, 10, &self.organisations);
        parameters.distinguished_name = name;
        parameters.extended_key_usages.clone_from(&self.usages);
        parameters.not_before = self.not_before.into();
        parameters.not_after = self.not_after.into();
        if self.is_authority {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        parameters
    }
}

impl Identity {
    fn new(der: CertificateDer<'static>, pem: String, key: &KeyPair) -> Self {
        Self { chain: vec![der], pem, key_pem: key.serialize_pem(), key: key.serialize_der() }
    }

    /// The same with an intermediate behind it.
    pub fn through(mut self, intermediate: &Authority) -> Self {
        self.chain.push(intermediate.der.clone());
        self
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.clone()).unwrap()
    }

    /// This certificate with a key that is not its own.
    pub fn with_key_of(mut self, other: &Self) -> Self {
        self.key.clone_from(&other.key);
        self.key_pem.clone_from(&other.key_pem);
        self
    }
}

fn authority_parameters(
    name: &str,
    from: SystemTime,
    to: SystemTime,
    constraints: BasicConstraints,
) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(constraints);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    parameters.not_before = from.into();
    parameters.not_after = to.into();
    parameters
}

/// rcgen keeps one value per type: a second one goes in as a custom type of the same number.
fn push(name: &mut DistinguishedName, kind: DnType, number: u64, values: &[String]) {
    let custom = DnType::CustomDnType(vec![2, 5, 4, number]);
    assert!(values.len() <= 2, "two values at most");
    for (kind, value) in [kind, custom].into_iter().zip(values) {
        name.push(kind, value.as_str());
    }
}
