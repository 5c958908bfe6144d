//! What stands between a client and Prometheus where Thanos Query does: it passes questions on, and can answer in part,
//! refuse or hang, as Thanos does when one of its stores is gone. The values are those of a real Prometheus.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::pki::install_crypto_provider;

/// How it answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// As Prometheus does.
    #[default]
    Faithful,
    /// Without the series that have this label value, with a warning and status 200.
    Partial { hidden: String, warning: String },
    /// With an HTTP error.
    Refuse(u16),
    /// Not at all.
    Hang,
}

/// It could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThanosLikeError {
    #[error("listen on loopback")]
    Listen(#[from] std::io::Error),
    #[error("make an HTTP client")]
    Client(#[from] reqwest::Error),
}

/// A running proxy on a loopback port of its own; ends when dropped.
#[derive(Debug)]
pub struct ThanosLike {
    address: SocketAddr,
    proxy: Arc<Proxy>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Proxy {
    http: reqwest::Client,
    prometheus: String,
    behaviour: Mutex<Behaviour>,
}

impl ThanosLike {
    /// In front of the Prometheus at this address; [faithful](Behaviour::Faithful) at first.
    pub async fn start(prometheus: &str) -> Result<Self, ThanosLikeError> {
        install_crypto_provider();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let proxy = Arc::new(Proxy { http, prometheus: prometheus.to_owned(), behaviour: Mutex::default() });
        let server = tokio::spawn(accept(listener, Arc::clone(&proxy)));
        Ok(Self { address, proxy, server })
    }

    /// Address to configure.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next question on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.proxy.behaviour() = behaviour;
    }
}

impl Drop for ThanosLike {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Proxy {
    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let behaviour = self.behaviour().clone();
        match behaviour {
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Refuse(status) => {
                let body = json!({ "status": "error", "errorType": "unavailable", "error": "no store can be reached" });
                response(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), body.to_string().into())
            }
            Behaviour::Faithful => self.forward(request).await,
            Behaviour::Partial { hidden, warning } => {
                let whole = self.forward(request).await;
                let status = whole.status();
                match whole.into_body().collect().await {
                    Ok(body) => response(status, in_part(&body.to_bytes(), &hidden, &warning)),
                    Err(never) => match never {},
                }
            }
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.ask(request).await {
            Ok((status, body)) => response(status, body),
            Err(error) => response(StatusCode::BAD_GATEWAY, error.into()),
        }
    }

    async fn ask(&self, request: Request<Incoming>) -> Result<(StatusCode, Bytes), String> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut asked = self.http.request(head.method.clone(), format!("{}{path}", self.prometheus));
        if let Some(kind) = head.headers.get(header::CONTENT_TYPE).filter(|_| head.method == Method::POST) {
            asked = asked.header(header::CONTENT_TYPE, kind);
        }
        let answer = asked.body(body).send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        Ok((status, answer.bytes().await.map_err(|error| error.to_string())?))
    }
}

async fn accept(listener: TcpListener, proxy: Arc<Proxy>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&proxy)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, proxy: Arc<Proxy>) {
    let service = service_fn(|request| {
        let proxy = Arc::clone(&proxy);
        async move { Ok::<_, std::convert::Infallible>(proxy.answer(request).await) }
    });
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new());
    // An error is a client that went away.
    drop(connection.serve_connection(TokioIo::new(stream), service).await);
}

/// An answer without some of its series, and with a warning that says so.
fn in_part(body: &[u8], hidden: &str, warning: &str) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else { return Bytes::copy_from_slice(body) };
    let is_hidden = |series: &Value| {
        let labels = series.get("metric").and_then(Value::as_object);
        labels.is_some_and(|labels| labels.values().any(|value| value == hidden))
    };
    if let Some(series) = answer.pointer_mut("/data/result").and_then(Value::as_array_mut) {
        series.retain(|series| !is_hidden(series));
    }
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("warnings".to_owned(), json!([warning]));
    }
    answer.to_string().into()
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::in_part;

    #[test]
    fn hidden_series_are_missing_and_the_warning_says_so() {
        let whole = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"node_name":"n1"},"value":[1,"1"]},{"metric":{"node_name":"n2"},"value":[1,"2"]}]}}"#;
        let part: serde_json::Value = serde_json::from_slice(&in_part(whole, "n1", "a store is gone")).unwrap();
        assert_eq!(part["data"]["result"].as_array().unwrap().len(), 1);
        assert_eq!(part["data"]["result"][0]["metric"]["node_name"], "n2");
        assert_eq!(part["warnings"][0], "a store is gone");
    }
}
