//! Points between two polls. All of it is bounded: senders are not trusted to be slow.

use std::{
    borrow::Cow,
    collections::{VecDeque, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use super::NODE_LABEL;
use crate::energy::{SampleCounts, reading::key_of};

/// Names and labels of all series together, in bytes.
const MAX_SERIES_BYTES: usize = 64 << 20;
/// What a series costs beside its text.
const SERIES_BYTES: usize = 128;
/// Places whose lost points are remembered.
const MAX_LOST: usize = 10_000;
/// Labels that may name the node.
const PLACE: [&str; 7] =
    [NODE_LABEL, "node_name", "exported_node", "node", "kubernetes_node_name", "exported_instance", "instance"];

/// Name and labels of points, shared by all of a series.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub name: String,
    pub labels: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

/// One pushed value.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub series: Arc<Series>,
    pub value: f64,
    pub at: Timestamp,
}

/// The buffer, shared by the server and the source.
#[derive(Debug, Clone)]
pub(super) struct Inbox(Arc<Mutex<Buffer>>);

/// What came since the last time.
#[derive(Debug, Default)]
pub(super) struct Drained {
    /// In the order of their arrival.
    pub points: Vec<Point>,
    /// For each place that lost points, the newest of them.
    pub lost: Vec<Point>,
    /// Points that were lost.
    pub dropped: u64,
    pub counts: SampleCounts,
}

#[derive(Debug, Default)]
struct Buffer {
    max_points: usize,
    points: VecDeque<Point>,
    series: FxHashMap<u64, Arc<Series>>,
    series_bytes: usize,
    lost: FxHashMap<u64, Point>,
    dropped: u64,
    counts: SampleCounts,
}

impl Inbox {
    pub(super) fn new(max_points: usize) -> Self {
        Self(Arc::new(Mutex::new(Buffer { max_points, ..Buffer::default() })))
    }

    /// Keeps points, given with their series. Returns how many had no room at once.
    pub(super) fn push(&self, points: Vec<(Series, f64, Timestamp)>, counts: SampleCounts) -> u64 {
        let mut buffer = self.lock();
        buffer.counts += counts;
        points.into_iter().map(|(series, value, at)| u64::from(!buffer.push(series, value, at))).sum()
    }

    pub(super) fn drain(&self) -> Drained {
        let mut buffer = self.lock();
        let Buffer { points, lost, dropped, counts, max_points, .. } = mem::take(&mut *buffer);
        buffer.max_points = max_points;
        drop(buffer);
        Drained { points: points.into(), lost: lost.into_values().collect(), dropped, counts }
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn push(&mut self, series: Series, value: f64, at: Timestamp) -> bool {
        let size = series.size();
        let series = match self.series.entry(series.key()) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) if self.series_bytes + size <= MAX_SERIES_BYTES => {
                self.series_bytes += size;
                Arc::clone(new.insert(Arc::new(series)))
            }
            Entry::Vacant(_) => {
                self.lose(Point { series: Arc::new(series), value, at });
                return false;
            }
        };
        if self.points.len() >= self.max_points
            && let Some(oldest) = self.points.pop_front()
        {
            self.lose(oldest);
        }
        self.points.push_back(Point { series, value, at });
        true
    }

    fn lose(&mut self, point: Point) {
        self.dropped += 1;
        let room = self.lost.len() < MAX_LOST;
        match self.lost.entry(point.series.place()) {
            Entry::Occupied(mut last) if last.get().at < point.at => drop(last.insert(point)),
            Entry::Vacant(new) if room => drop(new.insert(point)),
            Entry::Occupied(_) | Entry::Vacant(_) => {}
        }
    }
}

impl Series {
    fn key(&self) -> u64 {
        let labels = self.labels.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]);
        key_of(&std::iter::once(self.name.as_str()).chain(labels).collect::<Vec<_>>())
    }

    fn place(&self) -> u64 {
        let value = |name: &str| self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
        key_of(&PLACE.map(value))
    }

    fn size(&self) -> usize {
        let labels: usize = self.labels.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        SERIES_BYTES + self.name.len() + labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, node: &str) -> Series {
        Series { name: name.to_owned(), labels: vec![(NODE_LABEL.into(), node.to_owned().into())] }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_oldest_points_leave_first_and_their_nodes_are_told() {
        let inbox = Inbox::new(3);
        let points = (0..5).map(|second| (series("a", if second < 2 { "one" } else { "two" }), 1.0, at(second)));
        assert_eq!(inbox.push(points.collect(), SampleCounts::default()), 0);
        let drained = inbox.drain();
        assert_eq!(drained.points.iter().map(|point| point.at).collect::<Vec<_>>(), [at(2), at(3), at(4)]);
        assert_eq!(drained.dropped, 2);
        assert_eq!(drained.lost.len(), 1);
        assert_eq!((drained.lost[0].at, drained.lost[0].series.labels[0].1.as_ref()), (at(1), "one"));
    }

    #[test]
    fn points_of_one_series_share_its_labels() {
        let inbox = Inbox::new(10);
        inbox.push(vec![(series("a", "one"), 1.0, at(1)), (series("a", "one"), 2.0, at(2))], SampleCounts::default());
        let drained = inbox.drain();
        assert!(Arc::ptr_eq(&drained.points[0].series, &drained.points[1].series));
        assert!(inbox.drain().points.is_empty(), "what was drained is gone");
    }

    #[test]
    fn endless_labels_have_no_room() {
        let inbox = Inbox::new(1_000);
        let long = "x".repeat(MAX_SERIES_BYTES / 2 - 1_000);
        let points = ["1", "2", "3"].map(|name| (series(name, &long), 1.0, at(1)));
        assert_eq!(inbox.push(points.into(), SampleCounts::default()), 1);
        assert_eq!(inbox.drain().dropped, 1);
    }
}
