//! The second address: plain HTTP, and nothing but probes and metrics.

use std::{any::Any, future::Future};

use actix_web::{
    Error, ResponseError as _,
    dev::{Extensions, Service, ServiceRequest, ServiceResponse},
    http::StatusCode,
};

use super::HttpError;

const PATHS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// A connection that came in on the second address.
struct ProbesOnly;

/// For `HttpServer::on_connect` of the second address. Its peers stay anonymous, wherever they are.
pub(super) fn mark(_io: &dyn Any, connection: &mut Extensions) {
    connection.insert(ProbesOnly);
}

/// Passes a request on unless it came in on the second address and asks for more than it offers.
pub(super) fn guard<S>(
    request: ServiceRequest,
    next: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    let answer = if refuses(&request) {
        let error = HttpError::new(StatusCode::NOT_FOUND, format!("this address answers only {}", PATHS.join(", ")));
        Err(request.into_response(error.error_response()))
    } else {
        Ok(next.call(request))
    };
    async move {
        match answer {
            Ok(response) => response.await,
            Err(refused) => Ok(refused),
        }
    }
}

fn refuses(request: &ServiceRequest) -> bool {
    request.conn_data::<ProbesOnly>().is_some() && !PATHS.contains(&request.path())
}
