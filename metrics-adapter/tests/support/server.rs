//! The real serving stack: TLS, authentication and authorisation asked of an API server that plays its part.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use aggregated_apiserver::{Api, Delegation, Server, ServerOptions, Serving};
use futures::stream;
use kube::{Client, Config};
use kube_sci_server::config::install_crypto_provider;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use reqwest::Certificate;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Adapter;

/// The token of a user who may do everything but read what is in the namespace `secret`.
const TOKEN: &str = "known";
/// The token of a user who may read what is in the namespace `shop`, and nothing else.
pub const TENANT: &str = "tenant";
const FORBIDDEN_NAMESPACE: &str = "secret";

const CONFIGURATION: &str = "extension-apiserver-authentication";

/// An adapter that listens, and a client with a token.
pub struct World {
    pub adapter: Adapter,
    pub address: SocketAddr,
    client: reqwest::Client,
    cluster: ServerHandle,
    stop: CancellationToken,
    running: JoinHandle<()>,
    _files: TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    pub body: Value,
    pub retry_after: bool,
}

impl World {
    pub async fn start(adapter: Adapter) -> Self {
        install_crypto_provider();
        let (address, cluster) = api_server();
        let CertifiedKey { cert, .. } = pair();
        let files = certificate_files();
        let (certificate, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));

        let delegation = Delegation { start_timeout: Duration::from_secs(10), ..Delegation::new(client_of(address)) };
        let options =
            ServerOptions::new("127.0.0.1:0".parse().unwrap(), Serving::Files { certificate, key }, delegation);
        let api: std::sync::Arc<dyn Api> = adapter.api.clone();
        let server = Server::bind(options, api).await.unwrap();
        let address = server.addresses()[0];
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = tokio::spawn(async move { server.run(stopped).await.unwrap() });
        let client = reqwest::Client::builder()
            .add_root_certificate(Certificate::from_pem(cert.pem().as_bytes()).unwrap())
            .resolve("localhost", address)
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self { adapter, address, client, cluster, stop, running, _files: files }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask(reqwest::Method::GET, path, Some(TOKEN)).await
    }

    pub async fn ask(&self, method: reqwest::Method, path: &str, token: Option<&str>) -> Reply {
        let url = format!("https://localhost:{}{path}", self.address.port());
        let mut request = self.client.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let code = response.status().as_u16();
        let retry_after = response.headers().contains_key("retry-after");
        let text = response.text().await.unwrap();
        Reply { code, retry_after, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
        self.cluster.stop(false).await;
    }
}

impl Reply {
    pub fn items(&self) -> &[Value] {
        assert_eq!(self.code, 200, "{}", self.body);
        self.body["items"].as_array().unwrap()
    }

    /// The text of an error, after checking that it is a Status of this code that no client sleeps on.
    pub fn refusal(&self, code: u16) -> &str {
        assert_eq!((self.code, &self.body["kind"], self.retry_after), (code, &json!("Status"), false), "{}", self.body);
        self.body["message"].as_str().unwrap()
    }
}

/// The certificate of the server, and an authority that signed nobody.
fn pair() -> &'static CertifiedKey<KeyPair> {
    static PAIR: OnceLock<CertifiedKey<KeyPair>> = OnceLock::new();
    PAIR.get_or_init(|| generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap())
}

/// A folder with `tls.crt` and `tls.key` of the server.
pub fn certificate_files() -> TempDir {
    let CertifiedKey { cert, signing_key } = pair();
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("tls.crt"), cert.pem()).unwrap();
    std::fs::write(files.path().join("tls.key"), signing_key.serialize_pem()).unwrap();
    files
}

/// A client of an API server.
pub fn client_of(address: SocketAddr) -> Client {
    install_crypto_provider();
    Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap()
}

/// An API server as far as the serving stack asks it.
pub fn api_server() -> (SocketAddr, ServerHandle) {
    api_server_of(Arc::new(AtomicBool::new(true)))
}

/// An API server of an empty cluster, in which the kinds of `kube-sci.dev` are installed or not.
pub fn api_server_of(installed: Arc<AtomicBool>) -> (SocketAddr, ServerHandle) {
    let server = HttpServer::new(move || {
        let installed = Arc::clone(&installed);
        App::new()
            .route("/api/v1/namespaces/kube-system/configmaps", web::get().to(configuration))
            .route(&format!("/api/v1/namespaces/kube-system/configmaps/{CONFIGURATION}"), web::get().to(config_map))
            .route("/apis/authentication.k8s.io/v1/tokenreviews", web::post().to(token))
            .route("/apis/authorization.k8s.io/v1/subjectaccessreviews", web::post().to(access))
            .default_service(web::to(move |request: HttpRequest| {
                let kinds = installed.load(Ordering::SeqCst);
                async move { empty(&request, kinds) }
            }))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    (address, handle)
}

/// Lists without items, and watches without events.
fn empty(request: &HttpRequest, installed: bool) -> HttpResponse {
    let resource = request.path().rsplit('/').next().unwrap_or_default();
    let known = match resource {
        "nodes" | "pods" | "namespaces" | "horizontalpodautoscalers" => true,
        "greenscalingpolicies" | "carbonbudgets" => installed,
        _ => false,
    };
    if !known {
        let message = "the server could not find the requested resource";
        let status =
            json!({ "kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": message });
        return HttpResponse::NotFound().json(status);
    }
    if request.query_string().contains("watch=true") {
        return HttpResponse::Ok().streaming(stream::pending::<Result<web::Bytes, std::io::Error>>());
    }
    HttpResponse::Ok().json(json!({ "metadata": { "resourceVersion": "1" }, "items": [] }))
}

async fn configuration(request: HttpRequest) -> HttpResponse {
    if request.query_string().contains("watch=true") {
        return HttpResponse::Ok().streaming(stream::pending::<Result<web::Bytes, std::io::Error>>());
    }
    HttpResponse::Ok().json(json!({ "metadata": { "resourceVersion": "1" }, "items": [object()] }))
}

async fn config_map() -> HttpResponse {
    HttpResponse::Ok().json(object())
}

fn object() -> Value {
    json!({
        "metadata": { "name": CONFIGURATION, "namespace": "kube-system", "resourceVersion": "1" },
        "data": { "client-ca-file": pair().cert.pem() }
    })
}

async fn token(review: web::Json<Value>) -> HttpResponse {
    let status = match review["spec"]["token"].as_str() {
        Some(TOKEN) => json!({ "authenticated": true, "user": { "username": "tester", "groups": [] } }),
        Some(TENANT) => json!({ "authenticated": true, "user": { "username": TENANT, "groups": [] } }),
        _ => json!({ "authenticated": false }),
    };
    reviewed(&review, &status)
}

/// The review with its answer.
fn reviewed(review: &Value, status: &Value) -> HttpResponse {
    let mut review = review.clone();
    review["status"] = status.clone();
    HttpResponse::Created().json(review)
}

async fn access(review: web::Json<Value>) -> HttpResponse {
    let spec = &review["spec"];
    let namespace = &spec["resourceAttributes"]["namespace"];
    let allowed = match spec["user"].as_str() {
        Some("tester") => *namespace != FORBIDDEN_NAMESPACE,
        Some(TENANT) => *namespace == "shop",
        _ => false,
    };
    let status = json!({ "allowed": allowed });
    reviewed(&review, &status)
}
