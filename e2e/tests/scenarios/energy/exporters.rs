//! Every exporter, and every way to an extender that is not Kepler's through an open Prometheus.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use kube_sci_e2e::ports::free_address;
use kube_sci_e2e::prometheus::{Access, PASSWORD, Prometheus, PrometheusOptions, Tls, USER};
use kube_sci_e2e::scaphandre::PROTOCOL;
use kube_sci_e2e::simulation::{Alumet, KeplerLegacy, Program, Scaphandre};
use serde_json::json;

use super::super::signals_stage::{MeteredStage, kepler, route_over};

/// Scaphandre reads its counters anew only for questions that come more than two seconds apart.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(3);

#[tokio::test]
async fn every_exporter_reaches_the_extender_through_a_real_prometheus() -> Result<()> {
    let legacy = KeplerLegacy { interval: Duration::from_secs(1), ..KeplerLegacy::default() };
    let nodes = vec![
        ("alumet", Program::Alumet(Alumet::default()), 1.0),
        ("scaphandre", Program::Scaphandre(Scaphandre::default()), 1.5),
        ("kepler-legacy", Program::KeplerLegacy(legacy), 2.0),
    ];
    let metered = MeteredStage::new("exporters", nodes).await?;
    let job = metered.job().interval(SCRAPE_INTERVAL).fallback_protocol(PROTOCOL);
    let prometheus = Prometheus::start(PrometheusOptions::default().job(job)).await?;
    let route = route_over(&format!("url: \"{}\"", prometheus.url()), SCRAPE_INTERVAL);
    let config = metered.config_of("alumet, scaphandre, keplerLegacy", 2 * SCRAPE_INTERVAL, &route)?;
    let extender = metered.stage.extender(&config).await?;

    // ALUMET's page shows one of three intervals, which are not all of the same length.
    for (name, quality, tolerance) in
        [("scaphandre", "measured", 0.02), ("kepler-legacy", "measured", 0.02), ("alumet", "sampled", 0.15)]
    {
        let node = metered.wait_quality(&extender, name, quality).await?;
        assert_eq!(node["power"]["source"], json!(format!("{name} by prometheus (meters)")));
        let (watts, truth) = (node["power"]["watts"].as_f64().context("watts")?, metered.watts(name)?);
        assert!((watts / truth - 1.0).abs() < tolerance, "{name}: {watts} W, in truth {truth} W");
        let [low, high] = ["lowWatts", "highWatts"].map(|bound| node["power"][bound].as_f64().unwrap_or(f64::NAN));
        let exact = quality == "measured";
        assert!(low <= watts && watts <= high, "{name}: {low} to {high} W around {watts} W");
        assert_eq!(high - low < 1e-9, exact, "{name}: {low} to {high} W");
    }
    metered.wait_source(&extender, "ok").await?;
    Ok(())
}

#[tokio::test]
async fn what_alumet_pushes_is_measured_without_anybody_asking() -> Result<()> {
    let alumet = Program::Alumet(Alumet::default());
    let metered = MeteredStage::new("pushed", vec![("n1", alumet, 1.0), ("silent", kepler(), 1.0)]).await?;
    let address = free_address()?;
    let route = format!("    otlp: {{ address: \"{address}\" }}\n");
    let config = metered.config_of("alumet", Duration::from_secs(2), &route)?;
    let extender = metered.stage.extender(&config).await?;
    let pusher = metered.push_to(address)?;

    let node = metered.wait_measured(&extender, "n1").await?;
    assert_eq!(node["power"]["source"], json!("alumet by otlp (meters)"));
    let (watts, truth) = (node["power"]["watts"].as_f64().context("watts")?, metered.watts("n1")?);
    assert!((watts / truth - 1.0).abs() < 0.05, "{watts} W, in truth {truth} W");
    metered.wait_quality(&extender, "silent", "modelled").await?;

    drop(pusher);
    let node = metered.wait_quality(&extender, "n1", "modelled").await?;
    assert!(node["silentSince"].is_string(), "{node}");
    Ok(())
}

#[tokio::test]
async fn a_prometheus_that_wants_certificate_and_password_is_asked_with_both() -> Result<()> {
    let metered = MeteredStage::honest("protected", ["n1"]).await?;
    let access = Access { basic_auth: true, tls: Tls::Mutual };
    let prometheus = Prometheus::start(PrometheusOptions::default().access(access).job(metered.job())).await?;
    let files = prometheus.credentials().tls().context("certificates")?;
    let password = prometheus.folder().join("password");
    fs::write(&password, "not the password")?;
    let http = format!(
        "url: \"{}\", caFile: \"{}\", clientCertificateFile: \"{}\", clientKeyFile: \"{}\", \
         basicAuth: {{ username: {USER}, passwordFile: \"{}\" }}",
        prometheus.url(),
        files.authority.display(),
        files.client.certificate.display(),
        files.client.key.display(),
        password.display(),
    );
    let extender = metered.stage.extender(&metered.config(&route_over(&http, Duration::from_secs(1)))?).await?;
    let failing = metered.wait_source(&extender, "failing").await?;
    let problem = failing["problem"].as_str().context("problem")?;
    assert!(problem.contains("status 401") && !problem.contains("not the password"), "{problem}");

    fs::write(&password, PASSWORD)?;
    let node = metered.wait_measured(&extender, "n1").await?;
    assert_eq!(node["power"]["source"], json!("kepler by prometheus (meters)"));
    metered.wait_source(&extender, "ok").await?;
    Ok(())
}
