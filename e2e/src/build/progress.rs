//! What a person sees while the Go programs build.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Between two plain lines where standard error is no terminal: often enough that a CI does not take the build for dead.
const PLAIN_PERIOD: Duration = Duration::from_secs(30);

/// Messages on standard error: a live line on a terminal, plain lines elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    live: bool,
}

/// A line of its own.
pub(super) fn note(text: &str) {
    // Nobody can be told when standard error is closed.
    drop(writeln!(stderr(), "control-plane: {text}"));
}

/// One step with an expected duration.
#[derive(Debug)]
pub(super) struct Step {
    live: bool,
    title: String,
    expected: Duration,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { live: stderr().is_terminal() }
    }

    pub(super) fn step(self, title: &str, expected: Duration) -> Step {
        let now = Instant::now();
        let step = Step { live: self.live, title: title.to_owned(), expected, started: now, last_line: now };
        step.show(&format!("building, about {} with nothing cached", minutes(expected)));
        step
    }
}

impl Step {
    /// Shows how long it has taken so far; call it often.
    pub(super) fn tick(&mut self) {
        let period = if self.live { Duration::from_secs(1) } else { PLAIN_PERIOD };
        if self.last_line.elapsed() >= period {
            self.last_line = Instant::now();
            self.show(&format!("{} of about {}", minutes(self.started.elapsed()), minutes(self.expected)));
        }
    }

    pub(super) fn done(self) {
        self.show(&format!("done in {}", minutes(self.started.elapsed())));
        if self.live {
            drop(writeln!(stderr()));
        }
    }

    fn show(&self, text: &str) {
        let line = format!("control-plane: {} {text}", self.title);
        if self.live {
            drop(write!(stderr(), "\r{line:<78}"));
            drop(stderr().flush());
        } else {
            drop(writeln!(stderr(), "{line}"));
        }
    }
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}
