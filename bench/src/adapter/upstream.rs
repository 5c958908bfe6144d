//! How often others were asked, as they count it themselves.

use std::ops::Sub;

use anyhow::Context as _;
use kube::Client;
use kube_sci_e2e::{metrics_text, prometheus::Prometheus};

/// Calls so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Calls {
    /// Queries that Prometheus was asked.
    pub queries: f64,
    /// Questions about callers that the API server was asked: who they are, and whether they may.
    pub reviews: f64,
}

impl Calls {
    /// Reads both counts.
    ///
    /// # Errors
    /// Where one of them cannot be read.
    pub async fn read(client: &Client, prometheus: &Prometheus) -> anyhow::Result<Self> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        let api_server = client.request_text(request).await.context("read the metrics of the API server")?;
        let url = format!("{}/metrics", prometheus.url());
        let page = async { reqwest::get(&url).await?.error_for_status()?.text().await };
        let page = page.await.context("read the metrics of Prometheus")?;
        Ok(Self { queries: queries(&page), reviews: reviews(&api_server) })
    }
}

impl Sub for Calls {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { queries: self.queries - earlier.queries, reviews: self.reviews - earlier.reviews }
    }
}

fn queries(page: &str) -> f64 {
    sum(page, "prometheus_http_requests_total", "handler", &["/api/v1/query", "/api/v1/query_range", "/api/v1/series"])
}

fn reviews(page: &str) -> f64 {
    sum(page, "apiserver_request_total", "resource", &["subjectaccessreviews", "tokenreviews"])
}

fn sum(page: &str, name: &str, label: &str, values: &[&str]) -> f64 {
    // Not `sum`, which is -0 of nothing.
    values
        .iter()
        .filter_map(|value| metrics_text::value(page, name, &[(label, value)]))
        .fold(0.0, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_are_made_for_others_are_counted_and_no_others() {
        let prometheus = "prometheus_http_requests_total{code=\"200\",handler=\"/api/v1/query\"} 3\n\
            prometheus_http_requests_total{code=\"400\",handler=\"/api/v1/query\"} 1\n\
            prometheus_http_requests_total{code=\"200\",handler=\"/metrics\"} 9\n";
        assert_eq!(queries(prometheus).to_bits(), 4f64.to_bits());
        let api_server = "apiserver_request_total{code=\"201\",resource=\"subjectaccessreviews\",verb=\"POST\"} 5\n\
            apiserver_request_total{code=\"201\",resource=\"tokenreviews\",verb=\"POST\"} 1\n\
            apiserver_request_total{code=\"200\",resource=\"pods\",verb=\"LIST\"} 7\n";
        assert_eq!(reviews(api_server).to_bits(), 6f64.to_bits());
        assert_eq!(reviews("").to_bits(), 0f64.to_bits());
    }
}
