//! Where the serving certificate comes from.

use aggregated_apiserver::{SelfSigned, Serving};
use kube::Client;

use crate::{
    config::{ApiConfig, CertificateConfig, CertificateFiles},
    ownership::GroupVersion,
};

/// As configured. An authority of our own is written only into APIServices of what is served, and there only where they
/// name our Service.
pub fn serving(api: &ApiConfig, client: &Client) -> Serving {
    let CertificateConfig { files, self_signed } = &api.certificate;
    if let Some(CertificateFiles { cert_file, key_file }) = files {
        return Serving::Files { certificate: cert_file.clone(), key: key_file.clone() };
    }
    let wanted = GroupVersion::ALL.into_iter().filter(|version| version.is_in(api.groups()));
    let names = wanted.map(|version| version.api_service().to_owned()).collect();
    let own = SelfSigned::new(client.clone(), &api.service.namespace, &api.service.name, names);
    Serving::SelfSigned(match self_signed {
        Some(self_signed) => SelfSigned { secret: self_signed.secret.clone(), ..own },
        None => own,
    })
}
