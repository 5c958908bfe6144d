//! An API server as far as aggregated ones need it: reviews, one ConfigMap, Secrets, APIServices. Real HTTP.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::broadcast, task::AbortHandle, time};

use super::pki::pki;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How a kind of review goes.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    /// As it should.
    #[default]
    Honest,
    /// With this code.
    Code(u16),
    /// As it should, but only after so many failures.
    FailsFirst(u32),
    /// As it should, after this time.
    Slow(Duration),
    /// Never.
    Hangs,
    /// With these words instead of an answer.
    Says(String),
    /// With this status, whatever was asked.
    Status(Value),
}

/// The cluster.
pub struct Cluster {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

pub struct Shared {
    state: Mutex<State>,
    changes: broadcast::Sender<Value>,
}

/// What it knows and was asked.
pub struct State {
    /// Data of `extension-apiserver-authentication`; `None` if there is none.
    pub configuration: Option<BTreeMap<String, String>>,
    version: u64,
    pub tokens: BTreeMap<String, Value>,
    pub access: Mood,
    pub token: Mood,
    /// Says whether a caller may, from the spec of the review.
    pub policy: fn(&Value) -> bool,
    pub access_reviews: Vec<Value>,
    pub token_reviews: Vec<Value>,
    pub secrets: BTreeMap<String, Value>,
    pub services: BTreeMap<String, Value>,
    /// Methods and paths of writes, in order.
    pub writes: Vec<String>,
    /// Conflicts to answer writes of Secrets with.
    pub conflicts: u32,
    /// Refuses to have APIServices patched.
    pub services_frozen: bool,
}

impl Cluster {
    /// A cluster with the authorities of the tests; everybody but anonymous callers and `mallory` may do everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            configuration: Some(configuration()),
            version: 1,
            tokens: BTreeMap::new(),
            access: Mood::default(),
            token: Mood::default(),
            policy: |spec| !["system:anonymous", "mallory"].contains(&spec["user"].as_str().unwrap_or_default()),
            access_reviews: Vec::new(),
            token_reviews: Vec::new(),
            secrets: BTreeMap::new(),
            services: BTreeMap::new(),
            writes: Vec::new(),
            conflicts: 0,
            services_frozen: false,
        };
        let (changes, _) = broadcast::channel(64);
        let shared = Arc::new(Shared { state: Mutex::new(state), changes });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { address, shared, accepting }
    }

    pub fn client(&self) -> kube::Client {
        let mut config = kube::Config::new(format!("http://{}", self.address).parse().unwrap());
        config.default_retry = false;
        kube::Client::try_from(config).unwrap()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Changes the authentication configuration and tells whoever watches.
    pub fn configure(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let object = {
            let mut state = self.state();
            let mut data = state.configuration.clone().unwrap_or_default();
            change(&mut data);
            state.configuration = Some(data);
            state.version += 1;
            state.config_map()
        };
        let _ = self.shared.changes.send(json!({"type": "MODIFIED", "object": object}));
    }

    /// Takes the authentication configuration away and tells whoever watches.
    pub fn remove_configuration(&self) {
        let object = {
            let mut state = self.state();
            state.version += 1;
            let object = state.config_map();
            state.configuration = None;
            object
        };
        let _ = self.shared.changes.send(json!({"type": "DELETED", "object": object}));
    }

    /// A user for a token.
    pub fn know_token(&self, token: &str, user: Value) {
        self.state().tokens.insert(token.to_owned(), user);
    }

    pub fn access_reviews(&self) -> usize {
        self.state().access_reviews.len()
    }

    pub fn token_reviews(&self) -> usize {
        self.state().token_reviews.len()
    }

    /// The spec of the last review of access.
    pub fn last_access(&self) -> Value {
        self.state().access_reviews.last().cloned().expect("a review")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What kubeadm writes, with the authorities of the tests.
pub fn configuration() -> BTreeMap<String, String> {
    let pairs = [
        ("client-ca-file", pki().cluster.pem.as_str()),
        ("requestheader-client-ca-file", pki().proxy.pem.as_str()),
        ("requestheader-allowed-names", r#"["front-proxy-client"]"#),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
        ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

impl State {
    fn config_map(&self) -> Value {
        json!({
            "kind": "ConfigMap", "apiVersion": "v1", "data": self.configuration,
            "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system",
                         "resourceVersion": self.version.to_string(), "uid": "1"},
        })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(shared, request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    match path.as_str() {
        "/apis/authentication.k8s.io/v1/tokenreviews" => {
            let (mood, status) = {
                let mut state = shared.state.lock().unwrap();
                state.token_reviews.push(sent["spec"].clone());
                let token = sent["spec"]["token"].as_str().unwrap_or_default();
                let status = match state.tokens.get(token) {
                    Some(user) => json!({"authenticated": true, "user": user, "audiences": ["https://kubernetes"]}),
                    None => json!({"authenticated": false, "error": "unknown token"}),
                };
                (next_mood(&mut state.token), status)
            };
            review(mood, "TokenReview", "authentication.k8s.io/v1", &sent, status).await
        }
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
            let (mood, status) = {
                let mut state = shared.state.lock().unwrap();
                state.access_reviews.push(sent["spec"].clone());
                let allowed = (state.policy)(&sent["spec"]);
                (next_mood(&mut state.access), json!({"allowed": allowed}))
            };
            review(mood, "SubjectAccessReview", "authorization.k8s.io/v1", &sent, status).await
        }
        "/api/v1/namespaces/kube-system/configmaps" => list_or_watch(&shared, &query),
        "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication" => {
            let state = shared.state.lock().unwrap();
            if state.configuration.is_some() { json_answer(200, &state.config_map()) } else { error(404) }
        }
        _ if path.contains("/secrets") => secrets(&shared, &parts.method, &path, sent),
        _ if path.starts_with("/apis/apiregistration.k8s.io/v1/apiservices/") => {
            services(&shared, &parts.method, &path, &sent)
        }
        _ => error(404),
    }
}

/// The mood for one review.
fn next_mood(mood: &mut Mood) -> Mood {
    let now = mood.clone();
    if let Mood::FailsFirst(left) = mood {
        if *left == 0 {
            return Mood::Honest;
        }
        *left -= 1;
    }
    now
}

async fn review(mood: Mood, kind: &str, version: &str, sent: &Value, status: Value) -> Response<Body> {
    let honest = |status| {
        json_answer(201, &json!({"kind": kind, "apiVersion": version, "spec": sent["spec"], "status": status}))
    };
    match mood {
        Mood::Honest => honest(status),
        Mood::Code(code) => error(code),
        Mood::FailsFirst(_) => error(503),
        Mood::Slow(time) => {
            time::sleep(time).await;
            honest(status)
        }
        Mood::Hangs => std::future::pending().await,
        Mood::Says(text) => plain(200, text.replace("TOKEN", sent["spec"]["token"].as_str().unwrap_or_default())),
        Mood::Status(status) => honest(status),
    }
}

fn list_or_watch(shared: &Shared, query: &str) -> Response<Body> {
    assert!(query.contains("metadata.name%3Dextension-apiserver-authentication"), "one object only: {query}");
    let state = shared.state.lock().unwrap();
    if !query.contains("watch=true") {
        let items: Vec<Value> = state.configuration.iter().map(|_| state.config_map()).collect();
        let metadata = json!({"resourceVersion": state.version.to_string()});
        return json_answer(
            200,
            &json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items}),
        );
    }
    // Between list and watch something may have changed: who watches from an older version is told first.
    let since = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("resourceVersion="))
        .and_then(|text| text.parse::<u64>().ok());
    let kind = if state.configuration.is_some() { "MODIFIED" } else { "DELETED" };
    let missed = (since.unwrap_or(0) < state.version).then(|| json!({"type": kind, "object": state.config_map()}));
    let receiver = shared.changes.subscribe();
    drop(state);
    let later =
        stream::unfold(
            receiver,
            |mut receiver| async move { receiver.recv().await.ok().map(|event| (event, receiver)) },
        );
    let events = stream::iter(missed).chain(later);
    let frames = events.map(|event| Ok::<_, Infallible>(Frame::data(Bytes::from(format!("{event}\n")))));
    Response::new(StreamBody::new(Box::pin(frames)).boxed_unsync())
}

/// Secrets by `NAMESPACE/NAME`, with versions that grow.
fn secrets(shared: &Shared, method: &Method, path: &str, mut sent: Value) -> Response<Body> {
    let mut state = shared.state.lock().unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let namespace = parts[4];
    let name = parts
        .get(6)
        .copied()
        .map_or_else(|| sent["metadata"]["name"].as_str().unwrap_or_default().to_owned(), str::to_owned);
    let key = format!("{namespace}/{name}");
    if method == Method::GET {
        return state.secrets.get(&key).map_or_else(|| error(404), |secret| json_answer(200, secret));
    }
    state.writes.push(format!("{method} {path}"));
    if state.conflicts > 0 {
        state.conflicts -= 1;
        return error(409);
    }
    let present = state.secrets.get(&key).map(|secret| secret["metadata"]["resourceVersion"].clone());
    let fits = match (method, &present) {
        (&Method::POST, None) => true,
        (&Method::PUT, Some(version)) => *version == sent["metadata"]["resourceVersion"],
        _ => false,
    };
    if !fits {
        return error(409);
    }
    state.version += 1;
    sent["kind"] = "Secret".into();
    sent["apiVersion"] = "v1".into();
    sent["metadata"]["resourceVersion"] = state.version.to_string().into();
    state.secrets.insert(key, sent.clone());
    json_answer(if method == Method::POST { 201 } else { 200 }, &sent)
}

fn services(shared: &Shared, method: &Method, path: &str, sent: &Value) -> Response<Body> {
    let mut state = shared.state.lock().unwrap();
    let name = path.rsplit('/').next().unwrap_or_default();
    let frozen = state.services_frozen;
    state.version += 1;
    let version = state.version;
    if method == Method::PATCH {
        state.writes.push(format!("{method} {path}"));
    }
    let Some(found) = state.services.get_mut(name) else { return error(404) };
    if method == Method::PATCH {
        if frozen {
            return error(403);
        }
        let expected = &sent["metadata"]["resourceVersion"];
        if !expected.is_null() && *expected != found["metadata"]["resourceVersion"] {
            return error(409);
        }
        for (key, value) in sent["spec"].as_object().unwrap() {
            if value.is_null() {
                found["spec"].as_object_mut().unwrap().remove(key);
            } else {
                found["spec"][key] = value.clone();
            }
        }
        found["metadata"]["resourceVersion"] = version.to_string().into();
    }
    json_answer(200, found)
}

/// An APIService as an install makes it.
pub fn api_service(name: &str, namespace: &str, service: &str) -> Value {
    let (version, group) = name.split_once('.').unwrap();
    json!({
        "kind": "APIService", "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {"name": name, "resourceVersion": "1"},
        "spec": {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100,
                 "service": {"name": service, "namespace": namespace}},
    })
}

fn json_answer(code: u16, value: &Value) -> Response<Body> {
    plain(code, value.to_string())
}

fn error(code: u16) -> Response<Body> {
    json_answer(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "code": code}),
    )
}

fn plain(code: u16, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}
