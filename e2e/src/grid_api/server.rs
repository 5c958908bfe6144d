//! HTTP and TLS.

use std::convert::Infallible;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body, Frame, Incoming};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::answers::{self, Answer};
use super::api::Question;
use super::guard::Fault;
use super::{GridApiError, Inner, State};
use crate::http_server;
use crate::pki::{Authority, Subject};

const AUTHORITY: &str = "grid-api-ca";

/// A body that may end too early.
struct GridBody {
    left: Option<Bytes>,
    end: End,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// With an error, once what is there has been sent.
    CutOff,
    /// With an error now.
    Error,
}

/// The connection ends in the middle of a body.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut off")]
struct CutOff;

pub(super) fn ca_file(folder: &Path) -> PathBuf {
    folder.join(format!("{AUTHORITY}.crt"))
}

/// A server certificate for loopback, by an authority whose own certificate lies in `folder`.
pub(super) fn acceptor(folder: &Path) -> Result<TlsAcceptor, GridApiError> {
    let authority = Authority::new(AUTHORITY)?;
    authority.write(folder)?;
    let files = authority.issue(folder, "grid-api", &Subject::server("grid-api", &["localhost"]))?;
    Ok(http_server::acceptor(&files)?)
}

pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    http_server::serve(listener, tls, move |_local, request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answer(&state, &request).await) }
    })
    .await;
}

async fn answer(state: &State, request: &Request<Incoming>) -> Response<GridBody> {
    let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Some(question) = Question::new(path_and_query, request.headers()) else {
        return response(StatusCode::NOT_FOUND, "text/plain", Bytes::from_static(b"no such path"));
    };
    let (response, delay) = prepare(&mut state.lock(), &question);
    tokio::time::sleep(delay).await;
    response
}

/// Everything but the waiting.
fn prepare(inner: &mut Inner, question: &Question) -> (Response<GridBody>, Duration) {
    let now = inner.world.now();
    let (faults, refusal) = inner.guard.enter(question, now);
    let Answer { status, content_type, body, retry_after } = match refusal {
        Some(refusal) => answers::refused(question.api, refusal),
        None => answers::answer(&inner.world, question, &faults),
    };
    let entity_tag = format!("\"{:016x}\"", BuildHasherDefault::<DefaultHasher>::default().hash_one(&body));
    let unmodified = status == StatusCode::OK && question.if_none_match.as_ref() == Some(&entity_tag);
    let mut made = if unmodified {
        inner.guard.count_unmodified(question.api);
        response(StatusCode::NOT_MODIFIED, content_type, Bytes::new())
    } else {
        response(status, content_type, body.into())
    };
    if status == StatusCode::OK
        && let Ok(value) = HeaderValue::from_str(&entity_tag)
    {
        made.headers_mut().insert(header::ETAG, value);
    }
    if let Some(seconds) = retry_after {
        made.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    let delay = faults.iter().filter_map(|fault| if let Fault::Slow(delay) = fault { Some(*delay) } else { None });
    let delay = delay.sum();
    for fault in &faults {
        spoil(&mut made, fault);
    }
    (made, delay)
}

/// Faults of the way, not of the values.
fn spoil(response: &mut Response<GridBody>, fault: &Fault) {
    match fault {
        Fault::Status(status) => {
            *response = self::response(
                StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY),
                "text/html",
                Bytes::from_static(b"<html><body><h1>Something went wrong</h1></body></html>"),
            );
        }
        Fault::Html => {
            let page = b"<!DOCTYPE html><html><body>We are under maintenance</body></html>";
            *response = self::response(StatusCode::OK, "text/html", Bytes::from_static(page));
        }
        Fault::CutOff => response.body_mut().cut_off(),
        Fault::WrongContentType => {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        Fault::Slow(_) | Fault::Nulls | Fault::Values(_) | Fault::NotInPlan | Fault::Ban(_) => {}
    }
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<GridBody> {
    let length = body.len();
    let mut response = Response::new(GridBody { left: Some(body), end: End::Whole });
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

impl GridBody {
    /// Leaves out the second half, which the length has promised.
    fn cut_off(&mut self) {
        self.left = self.left.take().map(|body| body.slice(..body.len() / 2));
        self.end = End::CutOff;
    }
}

impl Body for GridBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if let Some(body) = self.left.take() {
            return Poll::Ready(Some(Ok(Frame::data(body))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::Error => Poll::Ready(Some(Err(CutOff))),
            End::CutOff => {
                // A body that is not ready is the moment at which the connection sends what it has.
                self.end = End::Error;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
