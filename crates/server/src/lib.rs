//! Server plumbing: configuration files, TLS with reload, health, metrics, telemetry, supervised tasks, graceful stop.
//!
//! Nothing in here knows what the programs are about. A program wires it like this:
//!
//! ```no_run
//! use kube_sci_server::{config, health::Health, http, metrics::MetricsRegistry, supervise, telemetry};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! config::install_crypto_provider();
//! let telemetry = telemetry::init(&config::TelemetryConfig::default(), "my-program")?;
//! let shared = http::Shared {
//!     health: Health::default(),
//!     registry: MetricsRegistry::new("my-program", env!("CARGO_PKG_VERSION")),
//!     telemetry,
//! };
//! let listen = config::ListenConfig::default();
//! let server = http::serve(&listen, &shared, |_routes| {})?;
//! let mut supervisor = supervise::Supervisor::new(listen.shutdown_grace());
//! let heartbeat = shared.health.register("ticker", std::time::Duration::from_secs(30));
//! supervisor.spawn("ticker", tick(heartbeat));
//! supervisor.run(server, &shared, supervise::termination()?).await?;
//! # Ok(())
//! # }
//!
//! async fn tick(heartbeat: kube_sci_server::health::Heartbeat) {
//!     loop {
//!         heartbeat.beat();
//!         tokio::time::sleep(std::time::Duration::from_secs(1)).await;
//!     }
//! }
//! ```
#![warn(missing_docs)]

pub mod cli;
pub mod config;
pub mod health;
pub mod http;
pub mod metrics;
pub mod peer;
pub mod reference;
pub mod supervise;
pub mod telemetry;
pub mod tls;
