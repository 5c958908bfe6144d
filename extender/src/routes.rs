//! The HTTP surface: one table that routes requests and makes the reference page.

mod handlers;

use actix_web::{http::Method, web};
use kube_sci_server::reference::{self, EVERYBODY, RouteDoc, TRUSTED};

const INTRODUCTION: &str = "\
The extender speaks HTTP/1.1, and HTTP/2 over TLS.
Every error is a JSON document `{\"error\": \"...\"}` that says what to do, with a status other than 200: the
scheduler discards such an answer and, with `ignorable: true`, goes on without it.
Numbers carry their unit in the name of the field.
";

/// Every route of the extender's own; health, metrics and log level are added by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The extender protocol's filter verb.
    Filter,
    /// The extender protocol's prioritize verb.
    Prioritize,
    /// Why a pod went where it did.
    Explain,
    /// What each node would cost.
    Nodes,
    /// How well everything is known.
    Quality,
}

const PROTOCOL_ERRORS: &str =
    "400 malformed document, 413 body above `server.maxBodyBytes`, 415 other content type or an encoded body";

impl Route {
    /// Every route.
    pub const ALL: [Self; 5] = [Self::Filter, Self::Prioritize, Self::Explain, Self::Nodes, Self::Quality];

    /// Its documentation; method and path are also what is routed.
    pub const fn doc(self) -> RouteDoc {
        match self {
            Self::Filter => RouteDoc {
                method: "POST",
                path: "/v1/filter",
                access: EVERYBODY,
                request: "`ExtenderArgs` with `NodeNames` (`nodeCacheCapable: true`) or `Nodes`",
                answer: "`ExtenderFilterResult` in the form of the request; refused nodes with a constant reason in \
                         `FailedAndUnresolvableNodes`",
                errors: PROTOCOL_ERRORS,
            },
            Self::Prioritize => RouteDoc {
                method: "POST",
                path: "/v1/prioritize",
                access: EVERYBODY,
                request: "`ExtenderArgs` as for filter",
                answer: "`HostPriorityList`: a bare array of `{\"Host\", \"Score\"}` with whole scores from 0 to 10; \
                         `[]` is no opinion",
                errors: PROTOCOL_ERRORS,
            },
            Self::Explain => RouteDoc {
                method: "GET",
                path: "/v1/explain/{namespace}/{pod}",
                access: TRUSTED,
                request: "",
                answer: "The last decision about the pod: what every term was then and is now, where the pod was \
                         bound, and what the best and the median candidate would have meant",
                errors: "403 untrusted peer, 404 no decision is held",
            },
            Self::Nodes => RouteDoc {
                method: "GET",
                path: "/v1/nodes",
                access: TRUSTED,
                request: "query `cpu` and `memory` of a reference pod as Kubernetes quantities; absent: the \
                          configured default requests",
                answer: "Every node, cheapest first, with each term, its source, age and quality",
                errors: "400 malformed quantity, 403 untrusted peer, 503 before the first snapshot",
            },
            Self::Quality => RouteDoc {
                method: "GET",
                path: "/v1/quality",
                access: TRUSTED,
                request: "",
                answer: "Per node and grid zone: what answers at present, since when, its age and quality; gaps, and \
                         meters that are refused with the reason; how every source fares",
                errors: "403 untrusted peer, 503 before the first snapshot",
            },
        }
    }
}

/// Adds every route.
pub fn configure(routes: &mut web::ServiceConfig) {
    for route in Route::ALL {
        let doc = route.doc();
        let on = || web::method(Method::from_bytes(doc.method.as_bytes()).unwrap_or(Method::GET));
        routes.service(web::resource(doc.path).route(match route {
            Route::Filter => on().to(handlers::filter),
            Route::Prioritize => on().to(handlers::prioritize),
            Route::Explain => on().to(handlers::explain),
            Route::Nodes => on().to(handlers::nodes),
            Route::Quality => on().to(handlers::quality),
        }));
    }
}

/// The page `docs/reference/http-api.md`.
pub fn reference() -> String {
    reference::routes("HTTP API of the extender", INTRODUCTION, Route::ALL.map(Route::doc))
}
