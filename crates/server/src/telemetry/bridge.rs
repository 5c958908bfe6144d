//! The bridge from the registry to the meter of a collector: one observable instrument for each family, two for a
//! histogram.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};

use crate::metrics::{Description, MetricsRegistry, samples};

/// Reports what `registry` holds at each collection of `meter`. Only families that are registered by now take part:
/// the meter takes no new instrument while it collects.
pub(super) fn start(registry: &MetricsRegistry, meter: &Meter) {
    let rounds = Arc::new(Rounds::new(registry.clone()));
    for family in registry.catalog() {
        for instrument in instruments(&family) {
            add(meter, Arc::clone(&rounds), &family, instrument);
        }
    }
}

/// How the samples of one name are reported.
#[derive(Debug, PartialEq, Eq)]
struct Instrument {
    /// Name of the samples on the page.
    sample: String,
    /// Name for the collector, which appends `_total` itself where it wants it.
    name: String,
    /// UCUM code.
    unit: Option<String>,
    /// A counter rather than a gauge.
    is_counter: bool,
}

/// The samples of the registry, encoded and read once per collection although every instrument asks on its own.
#[derive(Debug)]
struct Rounds {
    registry: MetricsRegistry,
    round: Mutex<Round>,
}

#[derive(Debug, Default)]
struct Round {
    points: HashMap<String, Vec<Point>>,
    served: HashSet<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Point {
    value: f64,
    attributes: Vec<KeyValue>,
}

impl Rounds {
    fn new(registry: MetricsRegistry) -> Self {
        Self { registry, round: Mutex::default() }
    }

    /// The points of a sample name. A collection asks once for each name, so who asks again begins the next one.
    fn take(&self, sample: &str) -> Vec<Point> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        if round.served.is_empty() || round.served.contains(sample) {
            *round = Round { points: self.read(), served: HashSet::new() };
        }
        round.served.insert(sample.to_owned());
        round.points.remove(sample).unwrap_or_default()
    }

    fn read(&self) -> HashMap<String, Vec<Point>> {
        let page = self.registry.encode().unwrap_or_else(|error| {
            tracing::warn!(%error, "metrics could not be encoded and are not pushed");
            String::new()
        });
        let mut points = HashMap::<String, Vec<Point>>::new();
        for sample in samples::samples(&page).filter(|sample| !sample.name.ends_with("_bucket")) {
            let attributes = sample.labels.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value));
            let point = Point { value: sample.value, attributes: attributes.collect() };
            points.entry(sample.name.to_owned()).or_default().push(point);
        }
        points
    }
}

fn add(meter: &Meter, rounds: Arc<Rounds>, family: &Description, instrument: Instrument) {
    let Instrument { sample, name, unit, is_counter } = instrument;
    let unit = unit.unwrap_or_default();
    let help = family.help.clone();
    let report = move |observer: &dyn AsyncInstrument<f64>| {
        for point in rounds.take(&sample) {
            observer.observe(point.value, &point.attributes);
        }
    };
    // The meter keeps the callback; the handles are good for nothing.
    if is_counter {
        meter.f64_observable_counter(name).with_description(help).with_unit(unit).with_callback(report).build();
    } else {
        meter.f64_observable_gauge(name).with_description(help).with_unit(unit).with_callback(report).build();
    }
}

fn instruments(family: &Description) -> Vec<Instrument> {
    let name = &family.name;
    let unit = family.unit.as_deref().map(ucum);
    let counter = |sample: String, unit| Instrument { name: sample.clone(), sample, unit, is_counter: true };
    match family.kind.as_str() {
        "histogram" => vec![counter(format!("{name}_count"), None), counter(format!("{name}_sum"), unit)],
        "counter" => {
            let short = name.strip_suffix("_total").unwrap_or(name).to_owned();
            vec![Instrument { name: short, ..counter(name.clone(), unit) }]
        }
        _ => vec![Instrument { is_counter: false, ..counter(name.clone(), unit) }],
    }
}

/// The code that OpenTelemetry asks for; a unit of our own stands in braces, as UCUM wants it.
fn ucum(unit: &str) -> String {
    match unit {
        "seconds" => "s".to_owned(),
        "bytes" => "By".to_owned(),
        "grams" => "g".to_owned(),
        "joules" => "J".to_owned(),
        "ratios" => "1".to_owned(),
        other => format!("{{{other}}}"),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{
        metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
        registry::Unit,
    };

    use super::*;
    use crate::metrics::Spec;

    fn spec(name: &'static str, unit: Option<Unit>) -> Spec {
        Spec { name, unit, labels: &[], help: "A figure" }
    }

    #[test]
    fn a_collection_reads_the_registry_once_and_the_next_one_reads_it_anew() {
        let registry = MetricsRegistry::new("test", "1.2.3");
        let (first, second) = (Counter::<u64>::default(), Gauge::<i64>::default());
        registry.register(spec("t_first", None), first.clone());
        registry.register(spec("t_second", None), second.clone());
        let rounds = Rounds::new(registry);
        let values = |sample: &str| rounds.take(sample).into_iter().map(|point| point.value).collect::<Vec<_>>();

        assert_eq!(values("t_first_total"), [0.0]);
        first.inc();
        second.set(5);
        assert_eq!(values("t_absent"), [0.0; 0]);
        assert_eq!(values("t_second"), [0.0], "read again within a collection");
        assert_eq!(values("t_first_total"), [1.0]);
        assert_eq!(values("t_second"), [5.0]);
    }

    #[test]
    fn the_build_is_a_point_of_one_with_its_labels() {
        let points = Rounds::new(MetricsRegistry::new("test", "1.2.3")).take("kube_sci_build_info");
        let attributes = vec![KeyValue::new("program", "test"), KeyValue::new("version", "1.2.3")];
        assert_eq!(points, [Point { value: 1.0, attributes }]);
    }

    #[test]
    fn every_family_has_an_instrument_with_its_unit_and_a_histogram_has_two() {
        let registry = MetricsRegistry::new("test", "1.2.3");
        registry.register(spec("t_saved", Some(Unit::Grams)), Counter::<u64>::default());
        registry.register(spec("t_power", Some(Unit::Other("watts".to_owned()))), Gauge::<i64>::default());
        registry.register(spec("t_wait", Some(Unit::Seconds)), Histogram::new([1.0]));
        let of = |name: &str| {
            let family = registry.catalog().into_iter().find(|family| family.name == name).unwrap();
            instruments(&family)
        };
        let expected = |sample: &str, name: &str, unit: Option<&str>, is_counter| Instrument {
            sample: sample.to_owned(),
            name: name.to_owned(),
            unit: unit.map(ToOwned::to_owned),
            is_counter,
        };
        assert_eq!(of("t_saved_grams_total"), [expected("t_saved_grams_total", "t_saved_grams", Some("g"), true)]);
        assert_eq!(of("t_power_watts"), [expected("t_power_watts", "t_power_watts", Some("{watts}"), false)]);
        assert_eq!(of("kube_sci_build_info"), [expected("kube_sci_build_info", "kube_sci_build_info", None, false)]);
        assert_eq!(
            of("t_wait_seconds"),
            [
                expected("t_wait_seconds_count", "t_wait_seconds_count", None, true),
                expected("t_wait_seconds_sum", "t_wait_seconds_sum", Some("s"), true),
            ]
        );
    }
}
