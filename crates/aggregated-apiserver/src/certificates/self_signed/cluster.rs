//! The Secret that replicas share, and the bundles that the aggregator reads.

use http::{Method, StatusCode};
use k8s_openapi::{
    ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    super::{CertificateError, SelfSigned},
    state::State,
};
use crate::raw::{self, RawError};

/// The Secret as it was read.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) state: Option<State>,
    secret: Secret,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Done,
    /// Another replica was faster: read again.
    Overtaken,
}

/// What became of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bundle {
    /// It has everything.
    Complete,
    /// It has everything since now.
    Patched,
    /// There is no such APIService.
    Absent,
    /// It points to a service of somebody else.
    Foreign,
}

/// Reads the Secret; `None` if there is none.
pub(super) async fn read(settings: &SelfSigned) -> Result<Option<Stored>, CertificateError> {
    match raw::request::<Secret>(&settings.client, Method::GET, &path(settings, true), Vec::new()).await {
        Ok(secret) => {
            let state = State::parse(secret.data.as_ref().unwrap_or(&std::collections::BTreeMap::default()))?;
            Ok(Some(Stored { state, secret }))
        }
        Err(RawError::Refused(StatusCode::NOT_FOUND)) => Ok(None),
        Err(error) => Err(CertificateError::Secret(error)),
    }
}

/// Makes the Secret, unless another replica was faster.
pub(super) async fn create(settings: &SelfSigned, state: &State) -> Result<Written, CertificateError> {
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(settings.secret.clone()),
            namespace: Some(settings.namespace.clone()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(state.data()),
        ..Secret::default()
    };
    write(settings, Method::POST, &path(settings, false), &secret).await
}

/// Replaces the content of the Secret, unless another replica did since it was read: its version goes along.
pub(super) async fn replace(
    settings: &SelfSigned,
    stored: &Stored,
    state: &State,
) -> Result<Written, CertificateError> {
    let secret = Secret { data: Some(state.data()), ..stored.secret.clone() };
    write(settings, Method::PUT, &path(settings, true), &secret).await
}

/// Puts the bundle into an APIService of ours. Whatever else is in it stays; a flag that switches verification off goes.
pub(super) async fn publish(settings: &SelfSigned, name: &str, bundle: &str) -> Result<Bundle, CertificateError> {
    let failed = |source| CertificateError::Bundle { name: name.to_owned(), source: Box::new(source) };
    let services: Api<APIService> = Api::all(settings.client.clone());
    let found = match services.get(name).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Bundle::Absent),
        Err(error) => return Err(failed(error)),
    };
    let Some(spec) = found.spec else { return Ok(Bundle::Foreign) };
    let is_ours = spec.service.as_ref().is_some_and(|service| {
        service.name.as_deref() == Some(&*settings.service)
            && service.namespace.as_deref() == Some(&*settings.namespace)
    });
    if !is_ours {
        return Ok(Bundle::Foreign);
    }
    let insecure = spec.insecure_skip_tls_verify == Some(true);
    if !insecure && spec.ca_bundle.is_some_and(|ByteString(present)| present == bundle.as_bytes()) {
        return Ok(Bundle::Complete);
    }
    // With its version, so that a replica that read an older Secret cannot take an authority out again.
    let patch = json!({
        "metadata": {"resourceVersion": found.metadata.resource_version},
        "spec": {"caBundle": ByteString(bundle.as_bytes().to_vec()), "insecureSkipTLSVerify": null},
    });
    services.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(failed)?;
    Ok(Bundle::Patched)
}

async fn write(
    settings: &SelfSigned,
    method: Method,
    path: &str,
    secret: &Secret,
) -> Result<Written, CertificateError> {
    let body = serde_json::to_vec(secret).map_err(|_| CertificateError::Secret(RawError::Question))?;
    match raw::request::<Secret>(&settings.client, method, path, body).await {
        Ok(_) => Ok(Written::Done),
        Err(RawError::Refused(StatusCode::CONFLICT)) => Ok(Written::Overtaken),
        Err(error) => Err(CertificateError::Secret(error)),
    }
}

fn path(settings: &SelfSigned, named: bool) -> String {
    let SelfSigned { namespace, secret, .. } = settings;
    let name = if named { format!("/{secret}") } else { String::new() };
    format!("/api/v1/namespaces/{namespace}/secrets{name}")
}
