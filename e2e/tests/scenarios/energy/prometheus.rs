//! Prometheus dies, hangs, or answers in part.

use anyhow::{Context, Result};
use kube_sci_e2e::thanos_like::{Behaviour, ThanosLike};
use serde_json::json;

use super::super::signals_stage::{MeteredStage, through};

#[tokio::test]
async fn pods_are_placed_while_prometheus_is_down_and_measured_again_afterwards() -> Result<()> {
    let metered = MeteredStage::honest("prometheus-dies", ["n1", "n2"]).await?;
    let stage = &metered.stage;
    let mut prometheus = metered.prometheus().await?;
    let (extender, _scheduler) = stage.green(&metered.config(&through(&prometheus.url()))?).await?;
    metered.wait_measured(&extender, "n1").await?;
    let before = metered.wait_source(&extender, "ok").await?;

    prometheus.kill()?;
    let failing = metered.wait_source(&extender, "failing").await?;
    assert!(failing["since"].as_str() > before["since"].as_str(), "{failing}");
    let problem = failing["problem"].as_str().context("problem")?;
    assert!(problem.contains(&prometheus.address().to_string()), "{problem}");
    let failed = [("source", "meters"), ("outcome", "failed")];
    assert!(extender.metric("kube_sci_energy_source_polls_total", &failed).await?.is_some_and(|polls| polls > 0.0));
    for short in ["n1", "n2"] {
        let node = metered.wait_quality(&extender, short, "modelled").await?;
        assert!(node["silentSince"].is_string(), "{node}");
    }
    stage.place(stage.pod("without")).await?;

    prometheus.restart().await?;
    for short in ["n1", "n2"] {
        let node = metered.wait_measured(&extender, short).await?;
        assert_eq!(node.get("silentSince"), None, "{node}");
    }
    let again = metered.wait_source(&extender, "ok").await?;
    assert!(again["since"].as_str() > failing["since"].as_str() && again.get("problem").is_none(), "{again}");
    stage.place(stage.pod("with")).await?;
    Ok(())
}

#[tokio::test]
async fn nodes_missing_from_a_partial_answer_are_modelled_and_the_others_stay_measured() -> Result<()> {
    let metered = MeteredStage::honest("partial", ["west", "east"]).await?;
    let stage = &metered.stage;
    let prometheus = metered.prometheus().await?;
    let thanos = ThanosLike::start(&prometheus.url()).await?;
    let (extender, _scheduler) = stage.green(&metered.config(&through(&thanos.url()))?).await?;
    for short in ["west", "east"] {
        metered.wait_measured(&extender, short).await?;
    }
    metered.wait_source(&extender, "ok").await?;

    let warning = "no answer from store west:10901".to_owned();
    thanos.behave(Behaviour::Partial { hidden: stage.full("west"), warning: warning.clone() });
    let partial = metered.wait_source(&extender, "partial").await?;
    assert_eq!(partial["partial"], json!(warning));
    metered.wait_quality(&extender, "west", "modelled").await?;
    let east = metered.wait_measured(&extender, "east").await?;
    assert!(east["power"]["meter"]["ageSeconds"].as_f64().is_some_and(|age| age < 6.0), "{east}");
    stage.place(stage.pod("in-part")).await?;

    for (name, trouble) in [("refuses", Behaviour::Refuse(503)), ("hangs", Behaviour::Hang)] {
        thanos.behave(Behaviour::Faithful);
        metered.wait_source(&extender, "ok").await?;
        thanos.behave(trouble);
        let failing = metered.wait_source(&extender, "failing").await?;
        assert!(failing["problem"].is_string(), "{failing}");
        stage.place(stage.pod(name)).await?;
    }
    Ok(())
}
