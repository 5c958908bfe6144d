//! The requests, as Prometheus would count them.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use kube_sci_e2e::http_server;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::day::{self, Clock};

/// Answers every query with the requests of this instant; ends when dropped.
#[derive(Debug)]
pub struct Traffic {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Traffic {
    pub async fn start(clock: Arc<Clock>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen on loopback")?;
        let address = listener.local_addr().context("listen on loopback")?;
        let server = tokio::spawn(http_server::serve(listener, None, move |_local, _request: Request<Incoming>| {
            let answer = reply(answer(clock.hour(), Timestamp::now()));
            async { Ok::<_, Infallible>(answer) }
        }));
        Ok(Self { address, server })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn reply(body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// A scalar, in the form of the Prometheus HTTP API.
fn answer(hour: f64, now: Timestamp) -> String {
    let point = json!([now.as_duration().as_secs_f64(), day::requests(hour).to_string()]);
    json!({ "status": "success", "data": { "resultType": "scalar", "result": point } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_answered_with_the_requests_of_the_hour() {
        let now = Timestamp::from_millisecond(1_500).unwrap();
        let expected = r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"1950"]}}"#;
        let answer: serde_json::Value = serde_json::from_str(&answer(12.0, now)).unwrap();
        assert_eq!(answer, serde_json::from_str::<serde_json::Value>(expected).unwrap());
    }

    #[tokio::test]
    async fn it_speaks_http() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let traffic = Traffic::start(Arc::new(Clock::default())).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/v1/query?query=up", traffic.url());
        let answer: serde_json::Value = client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer.pointer("/data/result/1"), Some(&json!("900")));
    }
}
