//! Probes: `/livez`, `/readyz`, `/healthz`.

use std::{fmt, sync::Arc};

/// A named check behind one or more of the probes.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    probe: Probe,
    run: Arc<dyn Fn() -> Result<String, String> + Send + Sync>,
}

/// Which probes a check counts for. `/healthz` runs all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `/livez` only: failing asks for a restart.
    Live,
    /// `/readyz` only: failing takes the replica out of the service.
    Ready,
    /// Both.
    Both,
}

/// Tells from outside whether the server is ready.
#[derive(Clone, Debug)]
pub struct Ready {
    pub(crate) checks: Arc<[Check]>,
}

impl Check {
    /// A check by function, which must answer at once. Its text, in success as in failure, is shown with `?verbose` to
    /// authenticated callers only.
    pub fn new(
        name: &'static str,
        probe: Probe,
        run: impl Fn() -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self { name, probe, run: Arc::new(run) }
    }

    /// Its name, a path segment below the probes.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The probes it counts for.
    pub fn probe(&self) -> Probe {
        self.probe
    }

    /// Runs it.
    pub fn run(&self) -> Result<String, String> {
        (self.run)()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("probe", &self.probe).finish_non_exhaustive()
    }
}

impl Ready {
    /// True if every check of `/readyz` passes.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().filter(|check| check.probe != Probe::Live).all(|check| check.run().is_ok())
    }
}
