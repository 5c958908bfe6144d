//! A provider of one number per zone, and a server that answers for it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use kube_sci_signals::{
    config::HttpConfig,
    grid::{
        Answer, DemandedZone, Fetcher, FetcherOptions, IntensitySource, SourceError, SourceStatus, ZoneDemand,
        providers::{Auth, CallLimit, PlannedRequest, Provider, ProviderError, Purpose, SessionToken, ZoneRequest},
    },
    http::{HttpService, SecretFile},
};
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};
use wiremock::MockServer;

/// Answers `GET /zones/{id}` with a number, valid for an hour from the question on.
#[derive(Debug)]
pub struct Numbers {
    pub auth: Auth,
    pub limits: &'static [CallLimit],
    pub login_limits: &'static [CallLimit],
    pub login: bool,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { auth: Auth::Header { name: "auth-token" }, limits: &[], login_limits: &[], login: false }
    }
}

pub const INTERVAL: Duration = Duration::from_mins(10);

impl Provider for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn plan(&self, zones: &[ZoneRequest], _now: Timestamp) -> Vec<PlannedRequest> {
        zones.iter().map(|zone| planned(zone, self.auth)).collect()
    }

    fn serves(&self, zone: &ZoneRequest) -> bool {
        zone.zone.as_str() != "NOWHERE"
    }

    fn limits(&self) -> &'static [CallLimit] {
        self.limits
    }

    fn login_limits(&self) -> &'static [CallLimit] {
        self.login_limits
    }

    fn login(&self) -> Option<PlannedRequest> {
        let path_and_query = "/login".to_owned();
        let login = planned(&ZoneRequest::new(zone("login")), Auth::Basic);
        self.login.then_some(PlannedRequest { path_and_query, purpose: Purpose::Login, ..login })
    }

    fn read_login(&self, status: u16, body: &[u8], now: Timestamp) -> Result<SessionToken, ProviderError> {
        refusal(status)?;
        let token = String::from_utf8_lossy(body).into_owned();
        Ok(SessionToken::new(token, now + Duration::from_mins(30)))
    }

    fn read(
        &self,
        request: &PlannedRequest,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Answer, ProviderError> {
        refusal(status)?;
        let said = String::from_utf8_lossy(body).into_owned();
        let value = said.trim().parse().map_err(|_| ProviderError::Malformed { problem: format!("{said:?}") })?;
        let slot = Slot { start: now, duration: Duration::from_hours(1), value: GramsPerKwh::new(value).unwrap() };
        let zone = request.zones[0].zone.clone();
        let series = Series::new(zone, Signal::default(), Quality::Measured, "numbers", vec![slot]).unwrap();
        Ok(Answer { series: vec![series], ..Answer::default() })
    }
}

fn planned(zone: &ZoneRequest, auth: Auth) -> PlannedRequest {
    PlannedRequest {
        key: zone.zone.as_str().into(),
        zones: vec![zone.clone()],
        purpose: Purpose::Latest,
        path_and_query: format!("/zones/{}", zone.id()),
        auth,
        min_interval: INTERVAL,
    }
}

fn refusal(status: u16) -> Result<(), ProviderError> {
    match status {
        200 => Ok(()),
        401 => Err(ProviderError::Unauthorized),
        403 => Err(ProviderError::NotInPlan),
        429 => Err(ProviderError::RateLimited),
        status => Err(ProviderError::Unavailable { status }),
    }
}

pub fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

pub fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A fetcher, its clock, and the file with its token.
pub struct Fixture {
    pub server: MockServer,
    pub demand: ZoneDemand,
    pub fetcher: Fetcher,
    pub token: PathBuf,
    pub now: Timestamp,
    seen: usize,
    _folder: tempfile::TempDir,
}

impl Fixture {
    pub async fn new(zones: &[&str], provider: Numbers, change: impl FnOnce(&mut FetcherOptions)) -> Self {
        Self::reached(zones, provider, |http, _| http, change).await
    }

    /// With another way to reach the server, given the file with the token.
    pub async fn reached(
        zones: &[&str],
        provider: Numbers,
        http: impl FnOnce(HttpConfig, &Path) -> HttpConfig,
        change: impl FnOnce(&mut FetcherOptions),
    ) -> Self {
        let server = MockServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "top-secret-token").unwrap();
        let demand = ZoneDemand::default();
        demand.set(zones.iter().map(|name| DemandedZone::new(zone(name))));
        let http = HttpService::new(&http(HttpConfig::new(server.uri()), &token)).unwrap();
        let mut options = FetcherOptions::new("numbers", "test");
        options.token = Some(SecretFile::new(&token));
        options.seed = 1;
        change(&mut options);
        let fetcher = Fetcher::new(Arc::new(provider), http, demand.clone(), options);
        Self { server, demand, fetcher, token, now: noon(), seen: 0, _folder: folder }
    }

    pub async fn poll(&mut self) -> Result<Option<Answer>, SourceError> {
        self.fetcher.poll(self.now).await
    }

    /// Polls every second for some time; everything that was said.
    pub async fn run(&mut self, time: Duration) -> Vec<Result<Answer, String>> {
        let mut said = Vec::new();
        for _ in 0..time.as_secs() {
            self.now += seconds(1);
            match self.poll().await {
                Ok(None) => {}
                Ok(Some(answer)) => said.push(Ok(answer)),
                Err(error) => said.push(Err(error.to_string())),
            }
        }
        said
    }

    /// Paths that were asked since the last time.
    pub async fn asked(&mut self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        let seen = std::mem::replace(&mut self.seen, requests.len());
        requests.iter().skip(seen).map(|request| request.url.path().to_owned()).collect()
    }

    pub fn status(&self) -> SourceStatus {
        (**self.fetcher.status().unwrap().load()).clone()
    }
}

/// Zone and value of every series.
pub fn values(answer: &Answer) -> Vec<(String, f64)> {
    let value = |series: &Series| (series.zone().to_string(), series.slots()[0].value.get());
    let mut values: Vec<_> = answer.series.iter().map(value).collect();
    values.sort_by(|left, right| left.0.cmp(&right.0));
    values
}
