//! What is asked, and when to ask again.

use std::{fmt::Write, time::Duration};

use jiff::Timestamp;
use reqwest::{
    Client, RequestBuilder, Url,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{HttpError, HttpErrorKind};

/// A service that wants more patience than this is asked again after it anyway.
const MAX_PATIENCE: Duration = Duration::from_hours(24);

/// A question. It holds no secret: those are added when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    path: String,
    query: Vec<(String, String)>,
    /// Asked by POST, for questions that are too long for an address.
    form: Option<Vec<(String, String)>>,
    accept: Option<&'static str>,
}

/// When a service wants to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// So long after its answer.
    Delay(Duration),
    /// At an instant, by a clock that may not be ours.
    At(Timestamp),
}

impl Request {
    /// A path below the service's address, such as `/api/v1/query`, with or without a query; for [`anywhere`](super::HttpService::anywhere)
    /// a whole address.
    pub fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), query: Vec::new(), form: None, accept: None }
    }

    /// As [`get`](Self::get), but the parameters travel in the body.
    pub fn post_form(path: impl Into<String>, form: Vec<(String, String)>) -> Self {
        Self { form: Some(form), ..Self::get(path) }
    }

    /// With one more parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// With a media type to answer in.
    #[must_use]
    pub fn accept(mut self, media_type: &'static str) -> Self {
        self.accept = Some(media_type);
        self
    }

    /// The address to ask.
    pub(super) fn url(&self, base: Option<&Url>) -> Result<Url, HttpError> {
        let mut url = match base {
            None => scheme(&self.path)?,
            Some(base) => {
                let (path, query) = self.path.split_once('?').unzip();
                let mut url = base.clone();
                url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), path.unwrap_or(&self.path)));
                url.set_query(query);
                url
            }
        };
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }

    /// What tells two questions apart.
    pub(super) fn key(&self, url: &Url) -> String {
        let mut key = url.to_string();
        if let Some(form) = &self.form {
            let _ = write!(key, " {form:?}");
        }
        if let Some(accept) = self.accept {
            let _ = write!(key, " {accept}");
        }
        key
    }

    pub(super) fn build(&self, client: &Client, url: Url) -> RequestBuilder {
        let builder = match &self.form {
            None => client.get(url),
            Some(form) => client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encode(form)),
        };
        self.accept.iter().fold(builder, |builder, accept| builder.header(ACCEPT, *accept))
    }
}

impl RetryAfter {
    /// Reads a `Retry-After` header: seconds or a date (RFC 9110, 10.2.3). A date is taken as a delay where the
    /// answer's own `Date` is known, so that clocks that disagree do no harm.
    pub fn parse(value: &str, date: Option<&str>) -> Option<Self> {
        if let Ok(seconds) = value.trim().parse() {
            return Some(Self::Delay(Duration::from_secs(seconds)));
        }
        let at = httpdate::parse_http_date(value.trim()).ok()?;
        match date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            Some(date) => Some(Self::Delay(at.duration_since(date).unwrap_or_default())),
            None => Timestamp::try_from(at).ok().map(Self::At),
        }
    }

    /// The instant to wait for, not more than a day from `now`.
    pub fn instant(self, now: Timestamp) -> Timestamp {
        let latest = now.checked_add(MAX_PATIENCE).unwrap_or(now);
        match self {
            Self::Delay(delay) => now.checked_add(delay).unwrap_or(latest).min(latest),
            Self::At(at) => at.clamp(now, latest),
        }
    }
}

/// An address of http or https, without user name, password, query and fragment.
pub(super) fn address(text: &str) -> Result<Url, HttpError> {
    let url = scheme(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("without user name and password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("without a query"));
    }
    Ok(url)
}

fn scheme(text: &str) -> Result<Url, HttpError> {
    let url: Url = text.parse().map_err(|_| refused("this is no address"))?;
    if ["http", "https"].contains(&url.scheme()) { Ok(url) } else { Err(refused("with one of these schemes")) }
}

fn refused(why: &str) -> HttpError {
    HttpError::new("configuration", HttpErrorKind::Address(why.to_owned()))
}

/// As the body of a form has them.
pub(super) fn encode(form: &[(String, String)]) -> String {
    // The parser of addresses encodes pairs the same way.
    let Ok(mut url) = Url::parse("http://form/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(RetryAfter::parse("120", None), Some(RetryAfter::Delay(Duration::from_mins(2))));
        let date = "Sat, 31 Jan 2026 12:00:30 GMT";
        assert_eq!(RetryAfter::parse(date, None).unwrap().instant(noon()), noon() + Duration::from_secs(30));
        for nonsense in ["", "-1", "soon", "1e9"] {
            assert_eq!(RetryAfter::parse(nonsense, None), None, "{nonsense}");
        }
    }

    #[test]
    fn a_date_is_counted_from_the_services_own_clock() {
        let wait = RetryAfter::parse("Fri, 30 Jan 2026 09:00:45 GMT", Some("Fri, 30 Jan 2026 09:00:00 GMT"));
        assert_eq!(wait, Some(RetryAfter::Delay(Duration::from_secs(45))));
    }

    #[test]
    fn patience_has_an_end_and_never_lies_in_the_past() {
        let tomorrow = noon() + Duration::from_hours(24);
        assert_eq!(RetryAfter::Delay(Duration::from_secs(u64::MAX)).instant(noon()), tomorrow);
        assert_eq!(RetryAfter::At(Timestamp::MAX).instant(noon()), tomorrow);
        assert_eq!(RetryAfter::At(Timestamp::UNIX_EPOCH).instant(noon()), noon());
    }

    #[test]
    fn paths_go_below_the_services_own() {
        let base = address("https://host:8443/select/0/").unwrap();
        let url = Request::get("/api/v1/query").query("query", "a{b=\"c d\"}").url(Some(&base)).unwrap();
        assert_eq!(url.as_str(), "https://host:8443/select/0/api/v1/query?query=a%7Bb%3D%22c+d%22%7D");
    }

    #[test]
    fn addresses_with_secrets_or_queries_are_refused() {
        for text in ["https://user:pass@host/", "https://host/?token=x", "ftp://host/", "host", ""] {
            let error = address(text).unwrap_err().to_string();
            assert!(error.starts_with("configuration: write the address as"), "{error}");
            assert!(!error.contains("pass") || error.contains("password"), "{error}");
        }
    }
}
