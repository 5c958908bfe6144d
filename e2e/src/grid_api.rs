//! Grid intensity APIs that play from a table: real paths and recorded shapes over HTTP or HTTPS, with tokens,
//! quotas, entity tags and faults by script. They stand in for publishers, never for ours.
//!
//! ```no_run
//! # async fn scenario() -> anyhow::Result<()> {
//! use kube_sci_e2e::grid_api::{Api, Fault, GridApi, GridApiOptions};
//!
//! let grid = GridApi::start(GridApiOptions::default()).await?;
//! grid.set("DE", 400.0);
//! let address = grid.url(Api::ElectricityMaps);
//! grid.fault(Api::ElectricityMaps, Fault::Status(503));
//! assert_eq!(grid.calls(Api::ElectricityMaps), 0);
//! # Ok(())
//! # }
//! ```
//!
//! | API | paths | secret |
//! | --- | --- | --- |
//! | [`Api::ElectricityMaps`] | `/v3/carbon-intensity/..`, `/v4/..` | header `auth-token` |
//! | [`Api::WattTime`] | `/login`, `/v3/historical`, `/v3/forecast` | user name and password, then bearer |
//! | [`Api::Uk`] | `/intensity/..`, `/regional/..` | |
//! | [`Api::EntsoE`] | `/api` | parameter `securityToken` |
//! | [`Api::Eia`] | `/v2/electricity/rto/fuel-type-data/data/` | parameter `api_key` |
//! | [`Api::CarbonAwareSdk`] | `/emissions/..` | |
//! | [`Api::Exporter`] | `/metrics` | |
//! | [`Api::Prometheus`] | `/api/v1/query` | |

mod answers;
mod api;
mod guard;
mod server;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::api::{Api, PASSWORD, TOKEN, USER};
pub use self::guard::{Fault, Quota};
pub use self::world::Curve;
use self::{guard::Guard, world::World};
use crate::pki::{PkiError, install_crypto_provider};

/// How the server begins.
#[derive(Debug, Clone)]
pub struct GridApiOptions {
    /// What its clock says at the start.
    pub now: Timestamp,
    /// Seconds of its clock in one real second; 0 stops it.
    pub speed: u32,
    /// Whether it speaks TLS, by an authority of its own.
    pub https: bool,
}

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GridApiError {
    #[error("listen on loopback")]
    Listen(#[from] io::Error),
    #[error("make a certificate")]
    Certificate(#[from] PkiError),
}

/// A running server on a loopback port of its own; ends when dropped.
#[derive(Debug)]
pub struct GridApi {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
    /// Holds the certificate of the authority.
    folder: Option<TempDir>,
}

/// What connections share.
#[derive(Debug)]
struct State {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: World,
    guard: Guard,
}

impl Default for GridApiOptions {
    fn default() -> Self {
        Self { now: Timestamp::now(), speed: 1, https: false }
    }
}

impl GridApi {
    /// Begins to answer. No zone is known yet.
    pub async fn start(options: GridApiOptions) -> Result<Self, GridApiError> {
        install_crypto_provider();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let folder = if options.https { Some(tempfile::tempdir()?) } else { None };
        let tls = folder.as_ref().map(|folder| server::acceptor(folder.path())).transpose()?;
        let inner = Inner { world: World::new(options.now, options.speed), guard: Guard::default() };
        let state = Arc::new(State { inner: Mutex::new(inner) });
        let server = tokio::spawn(server::accept(listener, tls, Arc::clone(&state)));
        Ok(Self { address, state, server, folder })
    }

    /// Address to configure for an API. All share one: their paths do not meet.
    pub fn url(&self, _api: Api) -> String {
        let scheme = if self.folder.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// File with the certificate to trust; `None` without TLS.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(TempDir::path).map(server::ca_file)
    }

    /// The same value for a zone at all times, in gCO2e/kWh.
    pub fn set(&self, zone: &str, grams_per_kwh: f64) {
        self.set_curve(zone, Curve::flat(grams_per_kwh));
    }

    /// Values for a zone over the day.
    pub fn set_curve(&self, zone: &str, curve: Curve) {
        self.lock().world.set(zone, curve);
    }

    /// What the table says for a zone at an instant.
    pub fn value(&self, zone: &str, at: Timestamp) -> Option<f64> {
        self.lock().world.value(zone, at)
    }

    /// Another name of a zone at an API: `CAISO_NORTH`, `13`, `eastus`. Balancing authorities and the areas of
    /// ENTSO-E go by the names that are named here too.
    pub fn name(&self, api: Api, name: &str, zone: &str) {
        self.lock().world.name(api, name, zone);
    }

    /// What its clock says.
    pub fn now(&self) -> Timestamp {
        self.lock().world.now()
    }

    /// Puts its clock forward.
    pub fn advance(&self, by: Duration) {
        self.lock().world.advance(by);
    }

    /// Answers of an API are faulty until [mended](Self::mend). A fault comes on top of those that are there.
    pub fn fault(&self, api: Api, fault: Fault) {
        self.lock().guard.fault(api, fault, None);
    }

    /// The same for so many answers only.
    pub fn fault_times(&self, api: Api, fault: Fault, times: u32) {
        self.lock().guard.fault(api, fault, Some(times));
    }

    /// Ends all faults and bans of an API.
    pub fn mend(&self, api: Api) {
        self.lock().guard.mend(api);
    }

    /// Calls that a token is good for.
    pub fn quota(&self, api: Api, quota: Quota) {
        self.lock().guard.quota(api, quota);
    }

    /// From now on the API takes this token (or password) only: the old one is refused.
    pub fn change_token(&self, api: Api, token: &str) {
        self.lock().guard.change_token(api, token);
    }

    /// Packs the answers of ENTSO-E, as the platform does with large ones.
    pub fn zip(&self, packed: bool) {
        self.lock().world.zip = packed;
    }

    /// Calls so far, refused ones and logins among them.
    pub fn calls(&self, api: Api) -> u64 {
        self.lock().guard.calls(api)
    }

    /// Calls with this token.
    pub fn calls_with(&self, api: Api, token: &str) -> u64 {
        self.lock().guard.calls_with(api, token)
    }

    /// Calls that were answered with 304.
    pub fn unmodified(&self, api: Api) -> u64 {
        self.lock().guard.unmodified(api)
    }

    /// Paths and queries of an API in the order in which they came, without secrets.
    pub fn questions(&self, api: Api) -> Vec<String> {
        self.lock().guard.questions(api)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GridApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}
