//! The overlay for a certificate of one's own, with the script that makes one.

use std::process::Command;

use anyhow::Result;
use k8s_openapi::ByteString;
use kube_sci_e2e::aggregation::Aggregation;
use kube_sci_e2e::ports::free_address;
use serde_json::json;

use super::installed::{Audited, apply, run};
use crate::manifests::{Installation, repository};

const OVERLAY: &str = "manifests/overlays/adapter-mounted-certificate";

#[tokio::test]
async fn the_script_makes_a_certificate_that_the_aggregator_trusts() -> Result<()> {
    let audited = Audited::start().await?;
    let (plane, kubectl) = (&audited.plane, audited.plane.kubectl());
    let api = free_address()?;
    let selection = Installation { folder: OVERLAY, components: Vec::new() };
    apply(plane, &selection, api).await?;

    let folder = tempfile::tempdir()?;
    let made = Command::new(repository().join(OVERLAY).join("make-certificate")).arg(folder.path()).output()?;
    anyhow::ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let authority = json!(ByteString(std::fs::read(folder.path().join("ca.crt"))?));
    let told = String::from_utf8_lossy(&made.stdout);
    assert!(told.contains(&authority.to_string()), "the command to run has the authority in it: {told}");
    let patch = json!({ "spec": { "caBundle": authority } }).to_string();
    for version in ["v1beta1.custom", "v1beta2.custom", "v1beta1.external"] {
        let name = format!("{version}.metrics.k8s.io");
        kubectl.run(&["patch", "apiservice", &name, "--type=merge", "--patch", &patch]).await?;
    }

    let config = format!("{OVERLAY}/adapter.yaml");
    let _adapter = run(plane, &config, api, |config| {
        let files = &mut config["api"]["certificate"]["files"];
        for key in ["certFile", "keyFile"] {
            let name = files[key].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            files[key] = json!(folder.path().join(name));
        }
    })
    .await?;
    Aggregation::new(plane.client()).wait_metrics_available().await?;
    let (answered, refused) = audited.asked()?;
    assert!(refused.is_empty(), "{refused:?}");
    let own_authority = answered.iter().find(|right| right.contains("secrets") || right.starts_with("patch api"));
    assert_eq!(own_authority, None, "no authority of its own is looked after");
    Ok(())
}
