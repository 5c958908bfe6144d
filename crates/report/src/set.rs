//! Metrics whose series are all created at start: nothing that is counted can make a new one.

use std::{fmt::Debug, hash::Hash};

use kube_sci_server::metrics::{MetricsRegistry, Spec, Unit};
use prometheus_client::{
    encoding::{EncodeCounterValue, EncodeLabelSet, EncodeMetric},
    metrics::{
        TypedMetric,
        counter::{Atomic, Counter},
        family::Family,
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
};

/// One label with a constant value.
type Label = [(&'static str, &'static str); 1];

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
    fn new(metrics: Vec<(&'static str, M)>) -> Self {
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

/// Creates and registers in one step, so that no metric is forgotten in either.
#[derive(Debug)]
pub struct Register<'r> {
    registry: &'r MetricsRegistry,
}

impl<'r> Register<'r> {
    /// Adds to `registry`.
    pub fn on(registry: &'r MetricsRegistry) -> Self {
        Self { registry }
    }

    /// A constant.
    pub fn info(
        &self,
        name: &'static str,
        labels: &'static [&'static str; 1],
        value: &'static str,
        help: &'static str,
    ) {
        let [label] = *labels;
        let info = Info::new([(label, value)]);
        self.registry.register(Spec { name, unit: None, labels, help }, info);
    }

    /// A counter.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        let counter = Counter::default();
        self.registry.register(Spec { name, unit: None, labels: &[], help }, counter.clone());
        counter
    }

    /// A whole number that goes up and down.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        let gauge = Gauge::default();
        self.registry.register(Spec { name, unit: None, labels: &[], help }, gauge.clone());
        gauge
    }

    /// A distribution.
    pub fn histogram<const N: usize>(&self, name: &'static str, buckets: [f64; N], help: &'static str) -> Histogram {
        let histogram = Histogram::new(buckets);
        self.registry.register(Spec { name, unit: None, labels: &[], help }, histogram.clone());
        histogram
    }

    /// A family whose series appear when they are first counted.
    pub fn family<L, M>(&self, spec: Spec) -> Family<L, M>
    where
        L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static,
        M: EncodeMetric + TypedMetric + Default + Debug + Send + Sync + 'static,
    {
        let family = Family::default();
        self.registry.register(spec, Family::clone(&family));
        family
    }

    /// A counter for each of `values` of one label.
    pub fn counters<N, A>(
        &self,
        name: &'static str,
        labels: &'static [&'static str; 1],
        values: &[&'static str],
        help: &'static str,
    ) -> CounterSet<Counter<N, A>>
    where
        N: EncodeCounterValue + Debug + Send + Sync + 'static,
        A: Atomic<N> + Default + Debug + Send + Sync + 'static,
    {
        let [label] = *labels;
        let family = Family::<Label, Counter<N, A>>::default();
        let set = values.iter().map(|&value| (value, family.get_or_create_owned(&[(label, value)]))).collect();
        self.registry.register(Spec { name, unit: None, labels, help }, family);
        CounterSet::new(set)
    }

    /// A distribution for each of `values` of one label.
    pub fn histograms<I: Iterator<Item = f64> + 'static>(
        &self,
        name: &'static str,
        unit: Option<Unit>,
        labels: &'static [&'static str; 1],
        values: &[&'static str],
        buckets: fn() -> I,
        help: &'static str,
    ) -> HistogramSet {
        let [label] = *labels;
        let family = Family::<Label, Histogram, _>::new_with_constructor(move || Histogram::new(buckets()));
        let set = values.iter().map(|&value| (value, family.get_or_create_owned(&[(label, value)]))).collect();
        self.registry.register(Spec { name, unit, labels, help }, family);
        HistogramSet::new(set)
    }
}
