//! Throw-away certificate authorities, and Secrets as the kubelet mounts them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use kube_sci_server::config::TlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// End of validity of every leaf: 2101-02-03, as seconds since 1970.
pub const NOT_AFTER_SECONDS: f64 = 4_136_832_000.0;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

pub struct Leaf {
    pub certificate: String,
    pub key: String,
    pub der: Vec<u8>,
}

/// A directory whose files change all at once by the swap of one symbolic link.
pub struct Secret {
    directory: tempfile::TempDir,
    generation: u32,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub fn server(&self) -> Leaf {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    pub fn client(&self, common_name: &str, organization: &str) -> Leaf {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        self.sign(params)
    }

    /// A client that trusts this authority and opens a new connection for every request.
    pub fn trusting_client(&self, identity: Option<&Leaf>) -> reqwest::Client {
        kube_sci_server::config::install_crypto_provider();
        let root = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        let mut builder =
            reqwest::Client::builder().no_proxy().tls_certs_only([root]).tls_info(true).pool_max_idle_per_host(0);
        if let Some(leaf) = identity {
            let pem = format!("{}{}", leaf.certificate, leaf.key);
            builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
        }
        builder.build().unwrap()
    }

    fn sign(&self, mut params: CertificateParams) -> Leaf {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2101, 2, 3);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }
}

impl Secret {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let mut this = Self { directory: tempfile::tempdir().unwrap(), generation: 0 };
        this.update(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), this.path(name)).unwrap();
        }
        this
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The kubelet's way: a new directory, then `..data` renamed onto it.
    pub fn update(&mut self, files: &[(&str, &str)]) {
        self.generation += 1;
        let target = format!("..{}", self.generation);
        fs::create_dir(self.path(&target)).unwrap();
        for (name, content) in files {
            fs::write(self.path(&target).join(name), content).unwrap();
        }
        symlink(&target, self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
    }

    /// Certificate and key of `leaf` under the names of a Secret of type `kubernetes.io/tls`.
    pub fn with_pair(leaf: &Leaf) -> Self {
        Self::new(&pair(leaf))
    }

    pub fn config(&self) -> TlsConfig {
        TlsConfig {
            cert_file: self.path("tls.crt"),
            key_file: self.path("tls.key"),
            client_ca_file: None,
            require_client_certificate: false,
        }
    }
}

pub fn pair(leaf: &Leaf) -> [(&'static str, &str); 2] {
    [("tls.crt", &leaf.certificate), ("tls.key", &leaf.key)]
}
