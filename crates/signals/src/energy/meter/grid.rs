//! Windows as numbers: where they begin, and how an interval is spread over them.

/// Instants in microseconds since 1970.
pub(super) type Micros = i64;

pub(super) const MICROS_PER_SECOND: f64 = 1e6;

/// Windows of equal length, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    anchor: Micros,
    length: Micros,
    /// Number of the first window that is not handed over yet.
    pub next: i64,
}

/// What of an interval falls into one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub window: i64,
    /// Of the interval.
    pub share: f64,
    pub seconds: f64,
}

impl Grid {
    /// Window 0 begins at `anchor`.
    pub(super) fn new(anchor: Micros, length: Micros) -> Self {
        Self { anchor, length: length.max(1), next: 0 }
    }

    /// The window that contains this instant.
    pub(super) const fn at(&self, instant: Micros) -> i64 {
        instant.saturating_sub(self.anchor).div_euclid(self.length)
    }

    /// Where a window begins.
    pub(super) const fn start(&self, window: i64) -> Micros {
        self.anchor.saturating_add(window.saturating_mul(self.length))
    }

    /// The parts of an interval, evenly spread, in windows that are still open.
    pub(super) fn parts(self, start: Micros, end: Micros) -> impl Iterator<Item = Part> {
        let whole = seconds(start, end);
        let windows = self.at(start).max(self.next)..=self.at(end.saturating_sub(1));
        windows.filter(move |_| whole > 0.0).map(move |window| {
            let from = start.max(self.start(window));
            let to = end.min(self.start(window.saturating_add(1)));
            let seconds = seconds(from, to);
            Part { window, share: seconds / whole, seconds }
        })
    }
}

/// From one instant to another.
pub(super) fn seconds(from: Micros, to: Micros) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "two to the 53rd microseconds are 285 years")]
    let micros = to.saturating_sub(from) as f64;
    micros / MICROS_PER_SECOND
}

/// The entry of a window in a short list, made where it is missing.
pub(super) fn bin<B: Default>(bins: &mut Vec<(i64, B)>, window: i64) -> Option<&mut B> {
    let index = bins.iter().position(|(known, _)| *known == window).unwrap_or_else(|| {
        bins.push((window, B::default()));
        bins.len() - 1
    });
    bins.get_mut(index).map(|(_, bin)| bin)
}

/// Takes the entry of a window.
pub(super) fn take_bin<B>(bins: &mut Vec<(i64, B)>, window: i64) -> Option<B> {
    let index = bins.iter().position(|(known, _)| *known == window)?;
    Some(bins.swap_remove(index).1)
}
