//! A grid API answers, refuses, runs out of calls, goes down and comes back: what the extender goes on with each time, and
//! where that is seen.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use kube_sci_e2e::extender_process::ExtenderProcess;
use kube_sci_e2e::grid_api::{Api, Fault, GridApi, GridApiOptions, Quota, TOKEN};
use kube_sci_e2e::wait::eventually;
use serde_json::Value;

use super::signals_stage::{entry, wait_for, wait_metric};
use super::stage::{SOON, Stage, ranked};

const MAPS: Api = Api::ElectricityMaps;
const WRONG_TOKEN: &str = "mistyped-token-0123456789abcdef";
/// A question that failed is asked again within half a minute, through a breaker that is open for as long.
const NEXT_ATTEMPT: Duration = Duration::from_secs(75);
const POLLS: &str = "kube_sci_grid_source_polls_total";
/// Questions with a token that was never accepted, before it is left alone.
const DOUBTS: u64 = 3;

/// A grid API, and an extender's configuration that asks it.
struct Source {
    api: GridApi,
    token: PathBuf,
    config: String,
}

impl Source {
    /// `lag` is how far the API's newest values are behind.
    async fn new(stage: &Stage<'_>, zones: &[(&str, f64)], lag: Duration, more: &str) -> Result<Self> {
        let now = Timestamp::now() - lag;
        let api = GridApi::start(GridApiOptions { now, ..GridApiOptions::default() }).await?;
        for (zone, value) in zones {
            api.set(zone, *value);
        }
        let token = stage.plane.folder().join(stage.full("token"));
        std::fs::write(&token, TOKEN)?;
        let names: Vec<&str> = zones.iter().map(|(zone, _)| *zone).collect();
        let config = format!(
            "grid:\n{more}  sources:\n  - name: maps\n    http: {{ url: \"{}\" }}\n    tokenFile: {}\n    \
             onlyZones: [{}]\n    electricityMaps: {{}}\n",
            api.url(MAPS),
            token.display(),
            names.join(", ")
        );
        Ok(Self { api, token, config })
    }
}

#[tokio::test]
async fn a_wrong_token_is_one_clear_error_and_the_right_one_works_at_once() -> Result<()> {
    let stage = Stage::shared("wrong-token").await?;
    stage.world.create_nodes([stage.node_in("germany", "DE"), stage.node_in("france", "FR")]).await?;
    let Source { api, token, config } = Source::new(&stage, &[("DE", 25.0)], Duration::ZERO, "").await?;
    std::fs::write(&token, WRONG_TOKEN)?;
    let (mut extender, _scheduler) = stage.green(&config).await?;

    let source = wait_source(&extender, |source| source["lastFailure"].is_object()).await?;
    let text = source["lastFailure"]["text"].as_str().context("text")?;
    assert!(text.contains("token") && text.contains(&token.display().to_string()), "{text}");
    assert_eq!(source["answeringSince"], Value::Null);
    assert_link(&extender, "DE", &["typical", "annual"]).await?;
    wait_rounds(&extender).await?;
    assert!(api.calls(MAPS) <= DOUBTS, "{} calls: {:?}", api.calls(MAPS), api.questions(MAPS));
    let failed = [("source", "maps"), ("outcome", "failed")];
    assert!(extender.metric(POLLS, &failed).await?.is_some_and(|polls| polls > 0.0));
    assert_eq!(stage.place(stage.pod_leaning_to("germany", "by-annual-averages")).await?, "france");
    assert_eq!(extender.process().log_text().matches("source has no answer").count(), 1, "said once");

    std::fs::write(&token, TOKEN)?;
    wait_link(&extender, "DE", "live", SOON).await?;
    wait_metric(&extender, "kube_sci_zone_intensity_grams_per_kwh", &[("zone", "DE")], 25.0).await?;
    let node = ranked(&extender, "", &stage.full("germany")).await?;
    assert_eq!(node.pointer("/intensity/value/chainLink"), Some(&Value::from("live")));
    assert_eq!(stage.place(stage.pod_leaning_to("france", "by-live-values")).await?, "germany");
    assert_secret(&mut extender, &[TOKEN, WRONG_TOKEN]).await
}

#[tokio::test]
async fn when_the_quota_is_exhausted_the_last_value_goes_on_and_the_api_is_left_alone() -> Result<()> {
    let stage = Stage::shared("quota").await?;
    stage.world.create_nodes([stage.node_in("poland", "PL")]).await?;
    let Source { api, config, .. } = Source::new(&stage, &[("PL", 600.0)], Duration::from_hours(1), "").await?;
    api.quota(MAPS, Quota { calls: 1, per: Duration::from_mins(15), retry_after: true, ban: Duration::ZERO });
    let (mut extender, _scheduler) = stage.green(&format!("{config}    forecast: false\n")).await?;

    let source = wait_source(&extender, |source| source["lastFailure"].is_object()).await?;
    assert_eq!(source["lastFailure"]["kind"], "rate_limited", "{source}");
    assert!(source["lastSuccess"].is_string(), "{source}");
    let refused_at: Timestamp = source["lastFailure"]["at"].as_str().context("at")?.parse()?;
    let next_attempt: Timestamp = source["nextAttempt"].as_str().context("nextAttempt")?.parse()?;
    assert!(
        next_attempt >= refused_at + Duration::from_mins(14),
        "refused at {refused_at}, next attempt at {next_attempt}"
    );
    wait_link(&extender, "PL", "cached", SOON).await?;
    stage.place(stage.pod("p")).await?;
    wait_rounds(&extender).await?;
    assert_eq!(api.calls(MAPS), 2, "one answer and one refusal: {:?}", api.questions(MAPS));
    assert_secret(&mut extender, &[TOKEN]).await
}

#[tokio::test]
async fn when_the_api_is_down_values_age_into_forecasts_and_recover() -> Result<()> {
    let stage = Stage::shared("grid-down").await?;
    stage.world.create_nodes([stage.node_in("spain", "ES")]).await?;
    // Old enough to be no more than cached, and soon too old for that.
    let past_the_hour = Timestamp::now().duration_since(top_of_the_hour()?).unsigned_abs();
    let fresh = format!("  freshFor: {}s\n", past_the_hour.as_secs() + 15);
    let zones = [("ES", 150.0), ("PT", 120.0)];
    let Source { api, config, .. } = Source::new(&stage, &zones, Duration::from_hours(1), &fresh).await?;
    let (mut extender, _scheduler) = stage.green(&config).await?;
    wait_link(&extender, "ES", "cached", SOON).await?;
    wait_source(&extender, |source| {
        let questions = source["zones"].as_array().map(Vec::as_slice).unwrap_or_default();
        questions.len() > 2 && questions.iter().all(|question| question["lastSuccess"].is_string())
    })
    .await?;

    api.fault(MAPS, Fault::Status(503));
    stage.world.create_nodes([stage.node_in("portugal", "PT")]).await?;
    let source = wait_source(&extender, |source| source["lastFailure"].is_object()).await?;
    let text = source["lastFailure"]["text"].as_str().context("text")?;
    assert!(text.contains("503"), "{text}");
    let open = wait_source(&extender, |source| source["breaker"] == "open").await?;
    assert!(open["failures"].is_object() && open["lastSuccess"].is_string(), "{open}");
    assert_link(&extender, "PT", &["typical", "annual"]).await?;
    wait_link(&extender, "ES", "forecast", SOON).await?;
    stage.place(stage.pod("p")).await?;

    api.mend(MAPS);
    api.advance(Duration::from_hours(1));
    wait_link(&extender, "PT", "live", NEXT_ATTEMPT).await?;
    wait_source(&extender, |source| source["breaker"] == "closed").await?;
    assert_secret(&mut extender, &[TOKEN]).await
}

fn top_of_the_hour() -> Result<Timestamp> {
    Ok(Timestamp::now().round(TimestampRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc))?)
}

/// Waits until the source had many occasions to ask.
async fn wait_rounds(extender: &ExtenderProcess) -> Result<()> {
    eventually(SOON, "several rounds", async || {
        let rounds = extender.metric(POLLS, &[("source", "maps")]).await.map_err(|error| error.to_string())?;
        if rounds >= Some(8.0) { Ok(()) } else { Err(format!("{rounds:?}")) }
    })
    .await?;
    Ok(())
}

/// Waits until `/v1/quality` says this of the source.
async fn wait_source(extender: &ExtenderProcess, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_for(extender, "the grid source", |report| {
        let source = entry(report, "gridSources", "name", "maps");
        (source.is_object() && wanted(source)).then(|| source.clone())
    })
    .await
}

/// Waits until this link answers for a zone, in `/v1/quality` and in the metric.
async fn wait_link(extender: &ExtenderProcess, zone: &str, link: &str, deadline: Duration) -> Result<()> {
    eventually(deadline, format!("{zone} {link}"), async || {
        let report = extender.get_json("/v1/quality").await.map_err(|error| error.to_string())?;
        let found = entry(&report, "zones", "zone", zone);
        if found["link"] == link { Ok(()) } else { Err(format!("{found}, {:?}", report.get("gridSources"))) }
    })
    .await?;
    wait_metric(extender, "kube_sci_zone_source", &[("zone", zone), ("link", link)], 1.0).await
}

/// One of these links answers for a zone.
async fn assert_link(extender: &ExtenderProcess, zone: &str, links: &[&str]) -> Result<()> {
    let report = extender.get_json("/v1/quality").await?;
    let found = entry(&report, "zones", "zone", zone);
    let link = found["link"].as_str().context("no link")?;
    assert!(links.contains(&link), "{found}");
    wait_metric(extender, "kube_sci_zone_source", &[("zone", zone), ("link", link)], 1.0).await
}

/// The secrets were used, and nothing tells of them.
async fn assert_secret(extender: &mut ExtenderProcess, secrets: &[&str]) -> Result<()> {
    let mut told = vec![extender.process().log_text()];
    for path in ["/metrics", "/v1/quality", "/v1/nodes"] {
        told.push(extender.get_text(path).await?);
    }
    for secret in secrets {
        assert!(told.iter().all(|text| !text.contains(secret)), "a secret is told");
    }
    Ok(())
}
