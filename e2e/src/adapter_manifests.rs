//! The metrics adapter's manifests as they are shipped, for a process of this machine in place of its pods.

use std::net::SocketAddr;

use reqwest::StatusCode;
use serde_json::Value;

use crate::aggregation::lead_to_host;
use crate::control_plane::ControlPlane;
use crate::manifests::{Installation, ManifestError, list_of};

/// Namespace of the installation.
pub const NAMESPACE: &str = "kube-sci";
/// Of the account, the Service and the program.
pub const ACCOUNT: &str = "kube-sci-metrics-adapter";
/// Everything but what is optional.
pub const FOLDER: &str = "manifests/metrics-adapter";
/// For policies that read pages of pods, which is not everybody's right.
pub const LOAD_PODS: &str = "adapter-load-pods";

/// A selection's objects, with the APIs led to a port of this machine.
pub async fn led(plane: &ControlPlane, selection: &Installation, port: u16) -> Result<Vec<Value>, ManifestError> {
    let mut objects = selection.objects(&plane.kubectl()).await?;
    for object in &mut objects {
        lead_to_host(object, ACCOUNT, port);
    }
    Ok(objects)
}

/// Applies a selection without its pods, and without a port also without its APIs: before the program listens nobody is
/// sent to it.
pub async fn install(plane: &ControlPlane, selection: &Installation, port: Option<u16>) -> Result<(), ManifestError> {
    let mut objects = led(plane, selection, port.unwrap_or_default()).await?;
    let kind = |object: &Value| object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    objects.retain(|object| kind(object) != "Deployment" && (port.is_some() || kind(object) != "APIService"));
    let arguments = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
    plane.kubectl().run_with_input(&arguments, list_of(&objects)).await?;
    Ok(())
}

/// Asks the adapter itself, past the API server, by the name in its certificate, trusting these authorities (PEM) alone.
/// An error is a connection that was not made.
pub async fn ask(api: SocketAddr, authorities: &str, token: &str, path: &str) -> Result<StatusCode, reqwest::Error> {
    let host = format!("{ACCOUNT}.{NAMESPACE}.svc");
    let trusted = reqwest::Certificate::from_pem_bundle(authorities.as_bytes())?;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).resolve(&host, api).build()?;
    let url = format!("https://{host}:{}{path}", api.port());
    Ok(client.get(url).bearer_auth(token).send().await?.status())
}
