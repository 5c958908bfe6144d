//! Over the wire, beside the no-op extender in Go: same client, same bodies, one request to each in turn.

use std::time::Instant;

use anyhow::Context as _;

use crate::{
    figure::{Figure, Goal},
    request::names_body,
    samples::Samples,
};

const WARM_UP: usize = 200;
const REQUESTS: usize = 3_000;
const PEER: &str = "no-op extender, Go net/http and encoding/json";

/// Asks both for `nodes` names and compares latencies.
///
/// # Errors
/// When one of them does not answer with 200.
pub async fn figures(ours: &str, noop: &str, nodes: usize) -> anyhow::Result<Vec<Figure>> {
    // One connection each, kept alive, as kube-scheduler does.
    let client = reqwest::Client::builder().pool_max_idle_per_host(1).no_proxy().build()?;
    let (mut our_samples, mut noop_samples) = (Samples::new()?, Samples::new()?);
    for number in 0..WARM_UP + REQUESTS {
        let body = names_body(number, nodes);
        let counted = number >= WARM_UP;
        for (url, samples) in [(ours, &mut our_samples), (noop, &mut noop_samples)] {
            let started = Instant::now();
            ask(&client, url, body.clone()).await?;
            if counted {
                samples.record(started.elapsed());
            }
        }
    }
    let figure = |name: &str, quantile: f64, limit: f64| {
        Figure::new(
            format!("wire: prioritize {nodes} names, {name}"),
            our_samples.quantile_milliseconds(quantile),
            "ms",
        )
        .beside(PEER, noop_samples.quantile_milliseconds(quantile))
        .goal(Goal::RatioAtMost(limit))
    };
    Ok(vec![figure("p50", 0.5, 1.1), figure("p99", 0.99, 1.5)])
}

async fn ask(client: &reqwest::Client, url: &str, body: Vec<u8>) -> anyhow::Result<()> {
    let answer = client.post(url).header("content-type", "application/json").body(body).send();
    let bytes =
        async { answer.await?.error_for_status()?.bytes().await }.await.with_context(|| format!("ask {url}"))?;
    anyhow::ensure!(bytes.len() > 2, "{url} has no opinion: it measures nothing");
    Ok(())
}
