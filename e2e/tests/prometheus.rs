//! The real Prometheus: that it does what scenarios need of it, and what it makes of the agents' pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube_sci_e2e::prometheus::{
    Access, Job, PASSWORD, Prometheus, PrometheusError, PrometheusOptions, Target, TargetHealth, Tls, USER,
};
use kube_sci_e2e::wait::eventually;
use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const DEADLINE: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(500);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4";

/// A page as ALUMET's main branch writes it, with `# UNIT` lines.
const WITH_UNITS: &str = include_str!("../../crates/signals/tests/pages/alumet-agent-main-afb0aa1.txt");
const ALUMET: &str = include_str!("../../crates/signals/tests/pages/alumet-agent-0.9.5.txt");

/// Serves pages that do not change.
async fn served(pages: &[(&str, &str, &str)]) -> MockServer {
    let server = MockServer::start().await;
    for (place, kind, text) in pages {
        let answer = ResponseTemplate::new(200).set_body_raw(*text, kind);
        Mock::given(path(*place)).respond_with(answer).mount(&server).await;
    }
    server
}

/// Waits until the first scrape of the only target of a job is over.
async fn scraped(prometheus: &Prometheus, job: &str) -> Result<TargetHealth> {
    let found = eventually(DEADLINE, format!("a scrape of {job}"), async || {
        let targets = prometheus.targets().await.map_err(|error| error.to_string())?;
        let target = targets.into_iter().find(|target| target.labels.get("job").is_some_and(|own| own == job));
        target.filter(|target| target.health != "unknown").ok_or("not scraped yet".to_owned())
    });
    Ok(found.await?)
}

#[tokio::test]
async fn what_was_scraped_survives_a_restart() -> Result<()> {
    let pages = MockServer::start().await;
    let scrapes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&scrapes);
    let page = move |_: &Request| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let text = format!("# TYPE energy_joules_total counter\nenergy_joules_total{{node=\"own\"}} {number}\n");
        ResponseTemplate::new(200).set_body_raw(text, TEXT)
    };
    Mock::given(path("/metrics")).respond_with(page).mount(&pages).await;
    let target = Target::of_pod(pages.address(), "monitoring", "agents", "agent-x1", "agent").label("node", "n1");
    let job = Job::new("pods", [target]).interval(INTERVAL);
    let started = Timestamp::now();
    let mut prometheus = Prometheus::start(PrometheusOptions::default().job(job)).await?;

    let expression = r#"energy_joules_total{node="n1",job="monitoring/agents"}"#;
    let found = prometheus.wait_for(expression, |series| series.iter().any(|s| s.value() >= Some(3.0))).await?;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].label("exported_node"), Some("own"), "the target's label wins, the page's is kept");
    let before = found[0].value().context("a value")?;

    prometheus.kill()?;
    assert!(matches!(prometheus.query("up").await, Err(PrometheusError::Http { .. })));
    prometheus.restart().await?;
    let range = prometheus.query(&format!("{expression}[5m]")).await?;
    assert_eq!(range[0].points.first().map(|point| point.value), Some(1.0), "the first sample is still there");
    prometheus.wait_for(expression, |series| series.iter().any(|s| s.value() > Some(before))).await?;
    let steps = prometheus.query_range("vector(1)", started, Timestamp::now(), Duration::from_secs(1)).await?;
    assert!(steps[0].points.len() > 1 && steps[0].points[0].at.as_second() == started.as_second(), "{steps:?}");
    assert!(prometheus.stop().await?.success());
    Ok(())
}

#[tokio::test]
async fn jobs_are_replaced_while_it_runs() -> Result<()> {
    let pages = served(&[("/a", TEXT, "up_to 1\n"), ("/b", TEXT, "up_to{node=\"own\"} 2\n")]).await;
    let job = |name: &str| {
        let target = Target::new(pages.address()).path(&format!("/{name}")).label("node", "n1");
        Job::new(name, [target]).interval(INTERVAL)
    };
    let prometheus = Prometheus::start(PrometheusOptions::default().job(job("a"))).await?;
    prometheus.wait_for("up_to", |series| series.len() == 1).await?;
    prometheus.set_jobs(&[job("b").honor_labels()]).await?;
    let found = prometheus.wait_for(r#"up_to{job="b"}"#, |series| series.len() == 1).await?;
    assert_eq!(found[0].label("node"), Some("own"), "honoured labels are the page's");
    assert_eq!(prometheus.targets().await?.len(), 1);

    let broken = job("c").relabel(json!({ "action": "no-such-action" }));
    let refused = prometheus.set_jobs(&[broken]).await.unwrap_err();
    assert!(refused.to_string().contains("no-such-action"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn rules_are_evaluated() -> Result<()> {
    let rules = json!({ "groups": [{ "name": "g", "interval": "500ms", "rules": [
        { "record": "node:watts", "expr": "vector(42)", "labels": { "node": "n1" } },
        { "alert": "Hot", "expr": "node:watts > 40" },
    ]}]});
    let prometheus = Prometheus::start(PrometheusOptions::default().rules(rules)).await?;
    prometheus.wait_for(r#"node:watts{node="n1"}"#, |series| series.iter().any(|s| s.value() == Some(42.0))).await?;
    prometheus.wait_for(r#"ALERTS{alertname="Hot",alertstate="firing"}"#, |series| series.len() == 1).await?;
    let rules = prometheus.rules().await?;
    assert!(rules.iter().all(|rule| rule.health == "ok"), "{rules:?}");
    assert_eq!(rules.len(), 2);

    let refused = prometheus.query("node:watts >").await.unwrap_err();
    assert!(matches!(&refused, PrometheusError::Refused { message, .. } if message.contains("parse error")));
    Ok(())
}

#[tokio::test]
async fn a_protected_one_asks_for_certificate_and_password() -> Result<()> {
    let access = Access { basic_auth: true, tls: Tls::Mutual };
    let prometheus = Prometheus::start(PrometheusOptions::default().access(access)).await?;
    assert_eq!(prometheus.query("vector(7)").await?[0].value(), Some(7.0));

    let files = prometheus.credentials().tls().context("certificates")?;
    let authority = reqwest::Certificate::from_pem(&std::fs::read(&files.authority)?)?;
    let builder = || reqwest::Client::builder().no_proxy().tls_certs_only([authority.clone()]);
    let url = format!("{}/api/v1/query?query=up", prometheus.url());
    let nameless = builder().build()?;
    assert!(nameless.get(&url).basic_auth(USER, Some(PASSWORD)).send().await.is_err(), "no certificate");
    let pem = [std::fs::read(&files.client.key)?, std::fs::read(&files.client.certificate)?].concat();
    let known = builder().identity(reqwest::Identity::from_pem(&pem)?).build()?;
    assert_eq!(known.get(&url).send().await?.status(), 401);
    assert_eq!(known.get(&url).basic_auth(USER, Some("wrong")).send().await?.status(), 401);
    assert_eq!(known.get(&url).basic_auth(USER, Some(PASSWORD)).send().await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn unit_lines_of_alumet_are_read() -> Result<()> {
    let pages = served(&[("/metrics", OPEN_METRICS, WITH_UNITS)]).await;
    let job = Job::new("alumet", [Target::new(pages.address())]).interval(INTERVAL);
    let prometheus = Prometheus::start(PrometheusOptions::default().job(job)).await?;
    let target = scraped(&prometheus, "alumet").await?;
    assert_eq!((target.health.as_str(), target.last_error.as_str()), ("up", ""));

    let on_page = WITH_UNITS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    let stored = prometheus.wait_for("scrape_samples_post_metric_relabeling", |series| series.len() == 1).await?;
    assert_eq!(stored[0].value(), Some(f64::from(u32::try_from(on_page)?)), "every sample is stored");
    let name = r#"rapl_consumed_energy_alumet_joules{domain="package_total"}"#;
    let found = prometheus.wait_for(name, |series| !series.is_empty()).await?;
    assert_eq!(found[0].value(), Some(112.985_729_999_999_99));
    Ok(())
}

/// As ALUMET 0.9.0 to 0.9.2 writes it: units behind the suffix, and per cent is written `%`.
#[tokio::test]
async fn an_illegal_name_costs_the_whole_page() -> Result<()> {
    let page = ALUMET
        .replace("rapl_consumed_energy_alumet", "rapl_consumed_energy_alumet_J")
        .replace("cpu_percent_alumet", "cpu_percent_alumet_%");
    assert!(page.contains("cpu_percent_alumet_%{"));
    let pages = served(&[("/old", OPEN_METRICS, &page), ("/new", OPEN_METRICS, ALUMET)]).await;
    let job = |name: &str| Job::new(name, [Target::new(pages.address()).path(&format!("/{name}"))]).interval(INTERVAL);
    let options = PrometheusOptions::default().job(job("old")).job(job("new"));
    let prometheus = Prometheus::start(options).await?;
    let target = scraped(&prometheus, "old").await?;
    assert_eq!(target.health, "down");
    assert!(target.last_error.contains("expected text in HELP"), "{}", target.last_error);
    prometheus.wait_for(r#"{__name__=~"rapl.+",job="new"}"#, |series| !series.is_empty()).await?;
    // What stands before the illegal name is lost as well.
    assert_eq!(prometheus.query(r#"{__name__=~".+_alumet.*",job="old"}"#).await?, []);
    Ok(())
}
