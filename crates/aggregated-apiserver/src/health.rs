//! Probes: `/livez`, `/readyz`, `/healthz`.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::StatusCode;

use crate::{api::ApiResponse, status::Status};

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
    checks: Arc<[Check]>,
    stopping: Arc<AtomicBool>,
}

/// What a check said, for [`Ready::report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Name of the check.
    pub name: &'static str,
    /// True if it passed.
    pub passed: bool,
    /// Its text.
    pub text: String,
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

    fn report(&self) -> Report {
        let (passed, text) = match self.run() {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        Report { name: self.name, passed, text }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("probe", &self.probe).finish_non_exhaustive()
    }
}

impl Ready {
    pub(crate) fn new(checks: Vec<Check>) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopping);
        let own = [
            Check::new("ping", Probe::Both, || Ok(String::new())),
            Check::new("shutdown", Probe::Ready, move || {
                if flag.load(Ordering::Relaxed) { Err("the server is stopping".to_owned()) } else { Ok(String::new()) }
            }),
        ];
        Self { checks: own.into_iter().chain(checks).collect(), stopping }
    }

    /// True if every check of `/readyz` passes.
    pub fn is_ready(&self) -> bool {
        self.report().iter().all(|report| report.passed)
    }

    /// What every check of `/readyz` says.
    pub fn report(&self) -> Vec<Report> {
        self.of("readyz").map(Check::report).collect()
    }

    /// From now on not ready.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers `/PROBE` or `/PROBE/CHECK`. Texts of checks are shown to callers that are somebody.
    pub(crate) fn answer(
        &self,
        probe: &str,
        check: Option<&str>,
        verbose: bool,
        texts: bool,
    ) -> Result<ApiResponse, Status> {
        let reports: Vec<Report> = self
            .of(probe)
            .filter(|candidate| check.is_none_or(|wanted| candidate.name == wanted))
            .map(Check::report)
            .collect();
        if reports.is_empty() {
            return Err(Status::not_found("there is no check of this name"));
        }
        let passed = reports.iter().all(|report| report.passed);
        for report in reports.iter().filter(|report| !report.passed) {
            tracing::info!(probe, check = report.name, reason = report.text, "check failed");
        }
        if passed && !verbose {
            return Ok(ApiResponse::text("ok"));
        }
        let code = if passed { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        Ok(ApiResponse::text(page(probe, &reports, passed, texts)).with_code(code))
    }

    fn of(&self, probe: &str) -> impl Iterator<Item = &Check> {
        let without = match probe {
            "livez" => Some(Probe::Ready),
            "readyz" => Some(Probe::Live),
            _ => None,
        };
        self.checks.iter().filter(move |check| Some(check.probe) != without)
    }
}

fn page(probe: &str, reports: &[Report], passed: bool, texts: bool) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    for report in reports {
        let _ = match (report.passed, texts && !report.text.is_empty()) {
            (true, true) => writeln!(page, "[+]{} ok: {}", report.name, report.text),
            (true, false) => writeln!(page, "[+]{} ok", report.name),
            (false, true) => writeln!(page, "[-]{} failed: {}", report.name, report.text),
            (false, false) => writeln!(page, "[-]{} failed: reason withheld", report.name),
        };
    }
    let _ = write!(page, "{probe} check {}", if passed { "passed" } else { "failed" });
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(answer: &ApiResponse) -> &str {
        std::str::from_utf8(&answer.body).unwrap()
    }

    #[test]
    fn probes_run_the_checks_that_count_for_them() {
        let ready = Ready::new(vec![
            Check::new("data", Probe::Ready, || Err("no data since noon".to_owned())),
            Check::new("loop", Probe::Live, || Ok("turned 3 times".to_owned())),
        ]);
        assert!(!ready.is_ready());
        let live = ready.answer("livez", None, false, false).unwrap();
        assert_eq!((live.code, body(&live)), (StatusCode::OK, "ok"));
        let live = ready.answer("livez", None, true, true).unwrap();
        assert_eq!(body(&live), "[+]ping ok\n[+]loop ok: turned 3 times\nlivez check passed");
        let not_ready = ready.answer("readyz", None, false, false).unwrap();
        assert_eq!(not_ready.code, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            body(&not_ready),
            "[+]ping ok\n[+]shutdown ok\n[-]data failed: reason withheld\nreadyz check failed"
        );
        let told = ready.answer("readyz", None, true, true).unwrap();
        assert!(body(&told).contains("[-]data failed: no data since noon"));
        assert_eq!(body(&ready.answer("healthz", Some("loop"), false, false).unwrap()), "ok");
        assert!(ready.answer("livez", Some("data"), false, false).is_err());
    }

    #[test]
    fn a_stopping_server_is_not_ready() {
        let ready = Ready::new(Vec::new());
        assert!(ready.is_ready());
        ready.stop();
        assert!(!ready.is_ready());
        assert_eq!(ready.answer("livez", None, false, false).unwrap().code, StatusCode::OK);
    }
}
