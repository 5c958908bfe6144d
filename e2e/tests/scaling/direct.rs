//! A client that goes to the adapter itself, past the API server.

use anyhow::{Context, Result};
use http::StatusCode;
use kube_sci_e2e::adapter_manifests::{ACCOUNT, NAMESPACE};
use kube_sci_e2e::adapter_process::AdapterProcess;
use kube_sci_e2e::control_plane::ControlPlane;

/// Asks by the name in the certificate, trusting these authorities (PEM) alone; the answer's status. An error is a
/// connection that was not made.
pub async fn ask(adapter: &AdapterProcess, authorities: &str, token: &str, path: &str) -> Result<StatusCode> {
    let (host, address) = (format!("{ACCOUNT}.{NAMESPACE}.svc"), adapter.api_address());
    let trusted = reqwest::Certificate::from_pem_bundle(authorities.as_bytes())?;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).resolve(&host, address).build()?;
    let url = format!("https://{host}:{}{path}", address.port());
    let answer = client.get(&url).bearer_auth(token).send().await.with_context(|| format!("ask {url}"))?;
    Ok(answer.status())
}

/// A token that nobody has seen before, of the account that the autoscaler has in a cluster.
pub async fn token(plane: &ControlPlane) -> Result<String> {
    let asked = ["create", "token", "horizontal-pod-autoscaler", "--namespace=kube-system"];
    Ok(plane.kubectl().run(&asked).await?.trim().to_owned())
}
