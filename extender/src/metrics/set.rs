use prometheus_client::metrics::{
    counter::{Atomic, Counter},
    histogram::Histogram,
};

/// The metrics of one family by the value of its only label, all created at start.
///
/// A look-up is a walk over a handful of constants: no lock is taken and no new series can appear.
#[derive(Debug)]
pub struct Labelled<M>(Vec<(&'static str, M)>);

/// Counters of one family.
pub type CounterSet<C = Counter> = Labelled<C>;

/// Distributions of one family.
pub type HistogramSet = Labelled<Histogram>;

impl<M> Labelled<M> {
    pub(super) fn new(metrics: Vec<(&'static str, M)>) -> Self {
        Self(metrics)
    }

    /// The metric labelled `value`.
    pub fn get(&self, value: &'static str) -> Option<&M> {
        let found = self.0.iter().find(|(label, _)| *label == value).map(|(_, metric)| metric);
        debug_assert!(found.is_some(), "{value} was not declared as a label value");
        found
    }
}

impl<N, A: Atomic<N>> Labelled<Counter<N, A>> {
    /// Adds one to the counter labelled `value`.
    pub fn inc(&self, value: &'static str) {
        if let Some(counter) = self.get(value) {
            counter.inc();
        }
    }

    /// Adds `amount` to the counter labelled `value`.
    pub fn inc_by(&self, value: &'static str, amount: N) {
        if let Some(counter) = self.get(value) {
            counter.inc_by(amount);
        }
    }
}

impl Labelled<Histogram> {
    /// Records `observed` under the label `value`.
    pub fn observe(&self, value: &'static str, observed: f64) {
        if let Some(histogram) = self.get(value) {
            histogram.observe(observed);
        }
    }
}
