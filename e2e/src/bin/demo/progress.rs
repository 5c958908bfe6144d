//! Steps with their time, on standard error.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// Counts from its making.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    dim: bool,
}

impl Progress {
    pub fn new() -> Self {
        Self { started: Instant::now(), dim: std::io::stderr().is_terminal() }
    }

    pub fn say(&self, step: &str) {
        let (on, off) = if self.dim { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        // A closed standard error is no reason to stop.
        let _ = writeln!(std::io::stderr(), "{on}{:5.1} s  {step}{off}", self.started.elapsed().as_secs_f64());
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
