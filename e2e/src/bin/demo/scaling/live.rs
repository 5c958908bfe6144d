//! The chart while the day passes, on a terminal.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Stdout, Write as _},
};

/// Lines in a terminal that are drawn over and over; nothing where there is none.
#[derive(Debug)]
pub struct Live {
    out: Option<Stdout>,
    /// Lines that stand there now.
    lines: usize,
}

impl Live {
    pub fn new() -> Self {
        let out = io::stdout();
        Self { out: out.is_terminal().then_some(out), lines: 0 }
    }

    pub fn is_seen(&self) -> bool {
        self.out.is_some()
    }

    /// Puts this text in the place of the last one.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let frame = frame(self.lines, text);
        self.lines = text.lines().count();
        let mut out = out.lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }
}

/// From the line below `before` lines: up, each line cleared and written anew. Lines do not wrap meanwhile, or they would
/// be more than were counted.
fn frame(before: usize, text: &str) -> String {
    let mut frame = "\x1b[?7l".to_owned();
    if before > 0 {
        // Writing to a String cannot fail.
        let _ = write!(frame, "\x1b[{before}A");
    }
    for line in text.lines() {
        let _ = writeln!(frame, "\r\x1b[K{line}");
    }
    frame.push_str("\x1b[J\x1b[?7h");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_the_place_of_the_one_before() {
        assert_eq!(frame(0, "a\nb\n"), "\x1b[?7l\r\x1b[Ka\n\r\x1b[Kb\n\x1b[J\x1b[?7h");
        assert_eq!(frame(2, "c"), "\x1b[?7l\x1b[2A\r\x1b[Kc\n\x1b[J\x1b[?7h");
    }
}
