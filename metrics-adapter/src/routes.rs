//! What the admin address answers beside probes and metrics.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use kube_sci_cluster::assess::Model;
use kube_sci_report::quality::quality;
use kube_sci_server::{
    http::HttpError,
    peer::Peer,
    reference::{self, RouteDoc, TRUSTED},
};

/// What the handlers answer from.
#[derive(Debug, Clone)]
pub struct State {
    /// The cluster.
    pub model: Model,
    /// The present.
    pub clock: fn() -> Timestamp,
}

/// Data quality, the same as the extender's.
pub const QUALITY: RouteDoc = RouteDoc {
    method: "GET",
    path: "/v1/quality",
    access: TRUSTED,
    request: "",
    answer: "Per node and grid zone: what answers at present, since when, its age and quality; gaps, and meters that \
             are refused with the reason; how every source fares",
    errors: "403 untrusted peer, 503 before the first snapshot",
};

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes.service(web::resource(QUALITY.path).route(web::get().to(answer)));
}

async fn answer(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, HttpError> {
    if !Peer::from_request(&request).is_trusted() {
        return Err(HttpError::untrusted());
    }
    Ok(HttpResponse::Ok().json(quality(&state.model, (state.clock)())?))
}

/// What the metrics APIs' own address answers outside the APIs.
const SERVED: [RouteDoc; 4] = [
    RouteDoc {
        method: "GET",
        path: "/explain",
        access: "whoever may `get` the path `/explain`",
        request: "",
        answer: "Every policy with one sentence on what it does at present and why",
        errors: ERRORS,
    },
    RouteDoc {
        method: "GET",
        path: "/explain/namespaces/{namespace}/greenscalingpolicies",
        access: "whoever may `list` `greenscalingpolicies/explain` of `kube-sci.dev` in the namespace; `view` includes it",
        request: "",
        answer: "The same for the policies of one namespace",
        errors: ERRORS,
    },
    RouteDoc {
        method: "GET",
        path: "/explain/namespaces/{namespace}/greenscalingpolicies/{name}",
        access: "whoever may `get` `greenscalingpolicies/explain` of `kube-sci.dev` in the namespace; `view` includes it",
        request: "",
        answer: "What the policy serves; its load and intensity with source and age; the point on the curve, everything \
                 that changed the factor after it and what had the last word; replicas with carbon, without it and by \
                 the guard; an estimate of grams saved with what it is worth; what is wrong with its autoscaler",
        errors: ERRORS,
    },
    RouteDoc {
        method: "GET",
        path: "/keda/v1/namespaces/{namespace}/policies/{name}",
        access: "whoever may `get` `greenscalingpolicies/keda` of `kube-sci.dev` in the namespace, such as by a RoleBinding \
                 to `kube-sci:keda`; on `keda.address`, if that is set, everybody who reaches the port",
        request: "",
        answer: "`{\"value\", \"load\", \"unit\", \"at\", \"targetPerReplica\"}`, for KEDA's scaler `metrics-api` with \
                 `valueLocation: value`",
        errors: ERRORS,
    },
];

const ERRORS: &str = "401 and 403 by the cluster's authentication and authorisation, 404 with the cause where there is \
                      no policy or no value";

const INTRODUCTION: &str = "\
The metrics APIs are at `api.address`, always over TLS, HTTP/1.1 and HTTP/2.
Every caller is authenticated and authorised by the API server of the cluster.
What is asked at which path, and what it means: [metrics](adapter-metrics.md).

Errors are Kubernetes `Status` objects; their text is what `kubectl describe hpa` shows.

| status | where |
| --- | --- |
| 400 | a selector that cannot be understood, a path that misses its object, objects that cannot be selected by label |
| 401 | who is calling is not known |
| 403 | the caller may not |
| 404 | no such path, metric or object; a value that is not known or too old, with cause and age |
| 405 | anything but reading |
| 503 | too many requests at a time |

There is never a `Retry-After`: clients of autoscalers would sleep on it inside their only worker.

## Where other adapters answer otherwise

The library that most adapters are made with has a table of 18 paths with statuses and counts, which is a test here too.
The differences:

| path | there | here | why |
| --- | --- | --- | --- |
| `E/namespaces/NS/METRIC` of an unknown metric | as the provider likes, an empty list in its test | 404 with the known names | an autoscaler fails on both, but says why on one |
| a malformed `metricLabelSelector` | 500 | 400 | it is the caller's mistake |
| `apiVersion` of described core objects | `/v1` | `v1` | so is it written everywhere else |
| a value that is NaN or missing | 0 with some adapters | 404 with the cause | 0 removes replicas |
| a value that is too old | served, with the time of the answer | 404 with the age | an autoscaler does not look at the time |
| `deployments/*` with `labelSelector` | selected | 400 | labels of workloads are not watched; ignoring the selector would answer with too many |
";

/// The page `docs/reference/adapter-http-api.md`.
pub fn reference() -> String {
    let own = format!("{INTRODUCTION}{}\n## Probes\n\n{PROBES}", reference::sections(SERVED));
    reference::routes("HTTP API of the metrics adapter", &own, [QUALITY])
}

const PROBES: &str = "\
`/livez`, `/readyz` and `/healthz` are answered to everybody at `api.address` too, as every API server has them.

The rest of this page is about the address `server`, which is for operators.
";
