//! The authority that signs the adapter's certificates changes behind the real aggregator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube_sci_e2e::adapter_manifests::{NAMESPACE, ask};
use kube_sci_e2e::aggregation::GroupVersion;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::pki::Authority;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use serde_json::json;

use super::poller::Poller;
use super::site::{AUTOSCALER, Installed, Site};
use super::stage::WORKLOAD;
use super::usual::{PLAIN, THROTTLED, begin};

const SECRET: &str = "kube-sci-metrics-adapter-ca";
/// The adapter looks at its Secret every half minute.
const LOOKED: Duration = Duration::from_secs(90);
/// What an authority waits for before it signs, and after.
const OVERLAP: i64 = 3_600;
const DAY: Duration = Duration::from_hours(24);
/// Requests to all paths, each over several connections.
const ENOUGH: usize = 200;

#[tokio::test]
async fn the_authority_rotates_behind_the_aggregator_without_one_failed_request() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let installation = Installed::begin(&plane).await?;
    let secrets: Api<Secret> = Api::namespaced(plane.client(), NAMESPACE);
    let now = SystemTime::now();
    let aged = Authority::lasting("an old authority", now - 90 * DAY, now + 10 * DAY)?;
    let old = aged.pem();
    change(&secrets, &[("ca.crt", &old), ("ca.key", &aged.key_pem())]).await?;
    let adapter = installation.spawn("metrics-adapter")?;
    let port = adapter.api_address().port();
    let site = installation.finish(adapter, port).await?;

    let (stage, fewest) = begin(&plane, &site, "rotation", (400.0, THROTTLED)).await?;
    let discovery = GroupVersion::of_metrics().into_iter().map(|one| format!("/apis/{}/{}", one.group, one.version));
    let path = stage.adjusted_load(WORKLOAD);
    let poller = Poller::start(&plane, &discovery.chain([path.clone()]).collect::<Vec<_>>())?;

    // The old one is near its end: its successor is announced at once, and certificates are still the old one's.
    let bundle = wait_bundle(&site, 2).await?;
    assert!(bundle.contains(old.trim()), "{bundle}");
    let new = bundle.replace(old.trim(), "");
    let (namespace, account) = AUTOSCALER;
    let token = plane.token_of_account(namespace, account).await?;
    let signed_by = async |authority: &str| signed_by(&site, authority, &token, &path).await;
    assert!(signed_by(&old).await?);
    assert!(!signed_by(&new).await?);

    // The hour passes.
    change(&secrets, &[("next-since", &(Timestamp::now().as_second() - OVERLAP).to_string())]).await?;
    eventually(LOOKED, "a certificate by the new authority", async || {
        let said = signed_by(&new).await.map_err(|error| format!("{error:#}"))?;
        if said { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    assert!(!signed_by(&old).await?);
    poller.wait_answers(ENOUGH).await?;
    assert!(wait_bundle(&site, 2).await?.contains(old.trim()), "connections of before are still trusted");

    // And another one.
    change(&secrets, &[("previous-since", &(Timestamp::now().as_second() - OVERLAP).to_string())]).await?;
    assert_eq!(wait_bundle(&site, 1).await?.trim(), new.trim());
    poller.wait_answers(ENOUGH).await?;
    site.set_intensity(&stage, 100.0)?;
    stage.wait_replicas(PLAIN).await?;
    assert_eq!(poller.failures(), Vec::<String>::new(), "of {} requests", poller.answered());
    fewest.held(WORKLOAD, THROTTLED).await
}

/// Whether the adapter serves a certificate of this authority; it answers who trusts it.
async fn signed_by(site: &Site, authority: &str, token: &str, path: &str) -> Result<bool> {
    match ask(site.adapter.api_address(), authority, token, path).await {
        Ok(status) => {
            ensure!(status.is_success(), "{status}");
            Ok(true)
        }
        Err(_) => Ok(false),
    }
}

/// Waits until every API trusts that many authorities; the same ones.
async fn wait_bundle(site: &Site, count: usize) -> Result<String> {
    let found = eventually(LOOKED, format!("{count} authorities in all bundles"), async || {
        let mut bundles = BTreeSet::new();
        for version in GroupVersion::of_metrics() {
            bundles.insert(site.aggregation.authorities(&version).await.map_err(|error| format!("{error:#}"))?);
        }
        let bundle = bundles.pop_first().unwrap_or_default();
        let seen = bundle.matches("BEGIN CERTIFICATE").count();
        if bundles.is_empty() && seen == count { Ok(bundle) } else { Err(format!("{seen}, {} others", bundles.len())) }
    });
    Ok(found.await?)
}

/// Changes keys of the Secret, as an operator would.
async fn change(secrets: &Api<Secret>, keys: &[(&str, &str)]) -> Result<()> {
    let data = keys.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec())));
    let patch = json!({ "data": data.collect::<BTreeMap<_, _>>() });
    secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}
