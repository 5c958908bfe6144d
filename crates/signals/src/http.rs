//! Outside services over HTTP: limits, secrets from files, entity tags.
//!
//! A [`HttpService`] asks; it never changes anything over there. What it guarantees to whoever uses it:
//!
//! - an answer has a size and a time limit, and so has the number of questions at the same time;
//! - the same question asked twice at the same time is asked once, and an answer that the service marked with an
//!   entity tag is fetched again only if it changed;
//! - secrets come from files, are read when they are needed, and appear in no error and no log line. Redirects are
//!   not followed and proxies of the environment are not used: a secret goes to the configured address only.

mod auth;
mod clients;
mod entities;
mod error;
mod request;
mod secret;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use moka::future::Cache;
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, DATE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER},
};
use tokio::{sync::Semaphore, time::timeout};

pub use self::{
    auth::Credential,
    error::{HttpError, HttpErrorKind},
    request::{Request, RetryAfter},
    secret::{Secret, SecretError, SecretFile},
};
use self::{
    auth::{Configured, Shown},
    clients::Clients,
    entities::Entities,
};
use crate::config::{HttpConfig, header};

/// An answered question is shared with those who asked it meanwhile, and not longer.
const FLIGHT: Duration = Duration::from_secs(1);
const MAX_FLIGHTS: u64 = 1_024;

/// How much of an outside service is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// A longer answer is refused.
    pub max_body_bytes: usize,
    /// Questions at the same time; more wait.
    pub concurrency: usize,
    /// From the first byte asked to the last one answered, waiting not included.
    pub timeout: Duration,
}

/// What a service answered. Any status is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200 where the answer was known and the service said that it still holds.
    pub status: StatusCode,
    /// The whole body.
    pub body: Bytes,
    /// What the body is; missing where it is the one of an earlier answer.
    pub content_type: Option<String>,
    /// The service's mark of this version.
    pub etag: Option<String>,
    /// When the service wants to be asked again.
    pub retry_after: Option<RetryAfter>,
    /// Whether the body is the one of an earlier answer.
    pub from_cache: bool,
}

/// One outside service. Cloning shares everything.
#[derive(Debug, Clone)]
pub struct HttpService {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Requests name the path below it; without it they name the whole address.
    base: Option<Url>,
    headers: HeaderMap,
    configured: Configured,
    shown: Shown,
    clients: Clients,
    limits: HttpLimits,
    permits: Semaphore,
    entities: Entities,
    flights: Cache<String, Response>,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { max_body_bytes: 32 << 20, concurrency: 8, timeout: Duration::from_secs(10) }
    }
}

impl HttpService {
    /// A service as configured. Its files are read when it is asked.
    ///
    /// # Errors
    /// [`HttpErrorKind::Address`] where the address or that of the proxy cannot be used.
    pub fn new(config: &HttpConfig) -> Result<Self, HttpError> {
        Self::with_limits(config, HttpLimits { timeout: config.timeout.get(), ..HttpLimits::default() })
    }

    /// As [`new`](Self::new), with limits of the caller's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_limits(config: &HttpConfig, limits: HttpLimits) -> Result<Self, HttpError> {
        let base = request::address(&config.url)?;
        let clients = Clients::new(config, base.scheme() == "https")?;
        let headers = config.headers.iter().filter_map(|(name, text)| header(name, text)).collect();
        Ok(Self::build(Some(base), headers, Configured::new(config), clients, limits))
    }

    /// Many addresses, none of which is trusted with a secret. Requests name whole addresses.
    pub fn anywhere(limits: HttpLimits) -> Self {
        Self::build(None, HeaderMap::new(), Configured::None, Clients::plain(), limits)
    }

    /// As [`anywhere`](Self::anywhere), over TLS: certificates are checked against those of a PEM file.
    pub fn anywhere_trusting(authorities: &Path, limits: HttpLimits) -> Self {
        Self::build(None, HeaderMap::new(), Configured::None, Clients::trusting(authorities), limits)
    }

    fn build(
        base: Option<Url>,
        headers: HeaderMap,
        configured: Configured,
        clients: Clients,
        limits: HttpLimits,
    ) -> Self {
        let flights = Cache::builder().max_capacity(MAX_FLIGHTS).time_to_live(FLIGHT).build();
        let permits = Semaphore::new(limits.concurrency.max(1));
        let (shown, entities) = (Shown::default(), Entities::default());
        let inner = Inner { base, headers, configured, shown, clients, limits, permits, entities, flights };
        Self { inner: Arc::new(inner) }
    }

    /// Asks, and shows what the configuration says. Every status is an answer; see [`Response::status`].
    ///
    /// # Errors
    /// [`HttpError`] where there is no answer.
    pub async fn get(&self, request: &Request) -> Result<Response, HttpError> {
        self.get_as(request, None).await
    }

    /// As [`get`](Self::get), but shows `credential` where there is one.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_as(&self, request: &Request, credential: Option<&Credential>) -> Result<Response, HttpError> {
        let inner = &self.inner;
        let url = request.url(inner.base.as_ref())?;
        let key = request.key(&url);
        let answered = inner.flights.try_get_with(key.clone(), inner.ask(request, url, Some(&key), credential)).await;
        inner.flights.invalidate(&key).await;
        answered.map_err(Arc::unwrap_or_clone)
    }

    /// As [`get`](Self::get), for large answers that nobody else asks for: neither shared nor kept.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_once(&self, request: &Request) -> Result<Response, HttpError> {
        self.inner.ask(request, request.url(self.inner.base.as_ref())?, None, None).await
    }

    /// The file with the secret of the configuration.
    pub fn secret_file(&self) -> Option<&SecretFile> {
        self.inner.configured.file()
    }

    /// The text with every secret that was shown to this service taken out: answers may repeat what was sent.
    pub fn redact(&self, text: &str) -> String {
        self.inner.shown.redact(text)
    }

    /// Takes a secret that came in an answer out of texts too.
    pub fn keep_secret(&self, secret: &Secret) {
        self.inner.shown.remember(secret);
    }
}

impl Inner {
    async fn ask(
        &self,
        request: &Request,
        url: Url,
        key: Option<&str>,
        credential: Option<&Credential>,
    ) -> Result<Response, HttpError> {
        let place = error::place(&url);
        let _permit = self.permits.acquire().await.map_err(|_| HttpError::new(&place, HttpErrorKind::Stopped))?;
        let limit = self.limits.timeout;
        let asked = timeout(limit, self.send(request, url, key, credential)).await;
        // What a library words is not ours to trust.
        asked
            .unwrap_or(Err(HttpErrorKind::Timeout { limit }))
            .map_err(|kind| HttpError::new(&place, kind.map_text(|text| self.shown.redact(text))))
    }

    async fn send(
        &self,
        request: &Request,
        url: Url,
        key: Option<&str>,
        credential: Option<&Credential>,
    ) -> Result<Response, HttpErrorKind> {
        let client = self.clients.get()?;
        let mut asked = request.build(&client, url).headers(self.headers.clone());
        let known = match key {
            Some(key) => self.entities.get(key).await,
            None => None,
        };
        if let Some(entity) = &known {
            for (name, mark) in [(IF_NONE_MATCH, &entity.etag), (IF_MODIFIED_SINCE, &entity.last_modified)] {
                asked = mark.iter().fold(asked, |asked, mark| asked.header(name.clone(), mark));
            }
        }
        let asked = match credential {
            Some(credential) => credential.apply(asked, &self.shown)?,
            None => self.configured.read()?.apply(asked, &self.shown)?,
        };
        let answer = client.execute(asked).await.map_err(error::transport)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            return Err(HttpErrorKind::Redirected { status: status.as_u16() });
        }
        let retry_after = retry_after(&headers);
        if let (StatusCode::NOT_MODIFIED, Some(entity)) = (status, known) {
            let (body, etag) = (entity.body.clone(), text(entity.etag.as_ref()));
            return Ok(Response {
                status: StatusCode::OK,
                body,
                content_type: None,
                etag,
                retry_after,
                from_cache: true,
            });
        }
        let body = read(answer, self.limits.max_body_bytes).await?;
        if let (StatusCode::OK, Some(key)) = (status, key) {
            self.entities.keep(key, headers.get(ETAG), headers.get(LAST_MODIFIED), &body).await;
        }
        let [content_type, etag] = [CONTENT_TYPE, ETAG].map(|name| text(headers.get(name)));
        Ok(Response { status, body, content_type, etag, retry_after, from_cache: false })
    }
}

impl Response {
    /// Whether the body is what was asked for, and no word on an error.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }
}

async fn read(mut answer: reqwest::Response, limit: usize) -> Result<Bytes, HttpErrorKind> {
    let too_large = || HttpErrorKind::TooLarge { limit_bytes: limit };
    let announced = answer.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(error::transport)? {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Bytes::from(body))
}

fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    RetryAfter::parse(headers.get(RETRY_AFTER)?.to_str().ok()?, date)
}

fn text(header: Option<&reqwest::header::HeaderValue>) -> Option<String> {
    header.and_then(|value| value.to_str().ok()).map(str::to_owned)
}
