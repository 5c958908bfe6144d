//! Routes for operators.

use std::{fmt::Write as _, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::ContentType},
    web,
};

use super::{HttpError, Shared};
use crate::{
    health::{CheckState, Readiness},
    metrics,
    peer::Peer,
};

pub(super) fn routes(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/livez").route(web::get().to(livez)))
        .service(web::resource("/readyz").route(web::get().to(readyz)))
        .service(web::resource("/metrics").route(web::get().to(scrape)))
        .service(
            web::resource("/log-level").route(web::get().to(show_log_level)).route(web::put().to(change_log_level)),
        );
}

/// A task that hangs makes the program not ready; restarting it would not help a cluster whose API server is away.
async fn livez() -> &'static str {
    "ok"
}

async fn readyz(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let readiness = shared.health.report(Instant::now());
    let verbose = request.query_string().split('&').any(|part| part.split('=').next() == Some("verbose"));
    let ready = readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = if ready && !verbose { "ok".to_owned() } else { list(&readiness) };
    HttpResponse::build(status).content_type(ContentType::plaintext()).body(text)
}

async fn scrape(shared: web::Data<Shared>) -> Result<HttpResponse, HttpError> {
    let page = shared
        .registry
        .encode()
        .map_err(|_| HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "a metric could not be encoded"))?;
    Ok(HttpResponse::Ok().content_type(metrics::CONTENT_TYPE).body(page))
}

async fn show_log_level(shared: web::Data<Shared>) -> HttpResponse {
    let level = shared.telemetry.level().unwrap_or_else(|| "off".to_owned());
    HttpResponse::Ok().content_type(ContentType::plaintext()).body(level)
}

async fn change_log_level(request: HttpRequest, level: String, shared: web::Data<Shared>) -> Result<String, HttpError> {
    if !Peer::from_request(&request).is_trusted() {
        return Err(HttpError::untrusted());
    }
    let level = level.trim();
    shared.telemetry.set_level(level).map_err(|error| HttpError::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    tracing::warn!(level, "log level changed");
    Ok(level.to_owned())
}

/// One line per check, marked as the Kubernetes components do.
fn list(readiness: &Readiness) -> String {
    let mut text = String::new();
    for check in &readiness.checks {
        let mark = if check.state == CheckState::Passing { '+' } else { '-' };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[{mark}]{} {check}", check.name);
    }
    text.push_str(if readiness.is_ready() { "ready\n" } else { "not ready\n" });
    text
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        http::StatusCode,
        test::{TestRequest, call_service, init_service},
        web,
    };

    use super::*;
    use crate::{health::Health, metrics::MetricsRegistry, telemetry::Telemetry};

    #[actix_web::test]
    async fn a_stranger_may_read_but_not_change_the_log_level() {
        let shared = Shared {
            health: Health::default(),
            registry: MetricsRegistry::new("test", "1.2.3"),
            telemetry: Telemetry::disabled(),
        };
        let app = init_service(App::new().app_data(web::Data::new(shared)).configure(routes)).await;
        let read = TestRequest::get().uri("/log-level").to_request();
        assert_eq!(call_service(&app, read).await.status(), StatusCode::OK);
        // A request without a connection has an anonymous peer, whatever address it claims.
        let change = TestRequest::put().uri("/log-level").peer_addr("127.0.0.1:9".parse().unwrap());
        let refused = call_service(&app, change.set_payload("debug").to_request()).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
}
