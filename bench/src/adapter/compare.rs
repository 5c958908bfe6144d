//! From turns to figures.

use super::{
    objects::POLICIES,
    turn::{Measured, SYNC_PERIOD, Turn},
};
use crate::{
    figure::{Figure, Goal},
    samples::{Samples, median},
};

/// p99 through the API server, in milliseconds.
const LATENCY_GOAL: f64 = 10.0;
/// CPU time, of that of prometheus-adapter.
const CPU_GOAL: f64 = 0.2;
/// Resident memory, in MiB.
const MEMORY_GOAL: f64 = 64.0;
/// Queries per request. It is not 0: the counts of both sides are read one after the other.
const QUERIES_GOAL: f64 = 0.01;

/// What an adapter did in all its turns.
#[derive(Debug, Clone)]
pub struct Record {
    name: &'static str,
    /// CPU seconds at rest, per [`SYNC_PERIOD`].
    rest: Option<f64>,
    autoscalers: Summary,
    flat: Summary,
    direct: Summary,
    resident: f64,
}

/// All requests of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Summary {
    /// Milliseconds.
    p50: f64,
    p99: f64,
    /// Requests per second.
    throughput: f64,
    /// CPU seconds per 1,000 requests.
    adapter: f64,
    api_server: f64,
    prometheus: f64,
    /// Queries that requests caused, per request.
    queries: f64,
    /// Questions about the caller, per request.
    reviews: f64,
}

impl Record {
    /// Puts turns together: all samples, and what all requests cost.
    ///
    /// # Errors
    /// Where a turn has no request.
    pub fn new(name: &'static str, turns: &[Turn]) -> anyhow::Result<Self> {
        let rests: Vec<&Measured> = turns.iter().filter_map(|turn| turn.rest.as_ref()).collect();
        let of = |part: fn(&Turn) -> &Measured| Summary::new(&turns.iter().map(part).collect::<Vec<_>>());
        let mut rest: Vec<f64> = rests.iter().map(|rest| rest.adapter.as_secs_f64()).collect();
        Ok(Self {
            name,
            rest: (!rest.is_empty()).then(|| median(&mut rest)),
            autoscalers: of(|turn| &turn.autoscalers)?,
            flat: of(|turn| &turn.flat)?,
            direct: of(|turn| &turn.direct)?,
            resident: turns.iter().map(|turn| turn.resident).fold(0.0, f64::max),
        })
    }
}

impl Summary {
    fn new(all: &[&Measured]) -> anyhow::Result<Self> {
        let mut samples = Samples::new()?;
        for measured in all {
            samples.add(&measured.samples)?;
        }
        let requests = f64::from(u32::try_from(samples.count())?);
        anyhow::ensure!(requests > 0.0, "nothing was asked");
        let sum = |of: fn(&Measured) -> f64| all.iter().map(|measured| of(measured)).sum::<f64>();
        Ok(Self {
            p50: samples.quantile_milliseconds(0.5),
            p99: samples.quantile_milliseconds(0.99),
            throughput: requests / sum(|measured| measured.wall.as_secs_f64()),
            adapter: 1e3 * sum(|measured| measured.adapter.as_secs_f64()) / requests,
            api_server: 1e3 * sum(|measured| measured.api_server.as_secs_f64()) / requests,
            prometheus: 1e3 * sum(|measured| measured.prometheus.as_secs_f64()) / requests,
            queries: sum(|measured| measured.calls.queries - measured.own_queries).max(0.0) / requests,
            reviews: sum(|measured| measured.calls.reviews) / requests,
        })
    }
}

/// Ours first, then prometheus-adapter, then the constant.
pub fn figures([ours, prometheus, constant]: &[Record; 3]) -> Vec<Figure> {
    let mut figures = goals(ours, prometheus);
    figures.extend(floor(ours, constant));
    for record in [ours, prometheus, constant] {
        figures.extend(details(record));
    }
    figures
}

/// What was set out to be reached.
fn goals(ours: &Record, peer: &Record) -> Vec<Figure> {
    let (mine, theirs) = (&ours.autoscalers, &peer.autoscalers);
    let name = |what: &str| format!("autoscalers, {POLICIES} policies: {what}");
    vec![
        Figure::new(name("p99 through the API server"), mine.p99, "ms")
            .beside(peer.name, theirs.p99)
            .goal(Goal::AtMost(LATENCY_GOAL)),
        Figure::new(name("CPU of the adapter, all it does"), mine.adapter, "s/1000 req")
            .beside(peer.name, theirs.adapter)
            .goal(Goal::RatioAtMost(CPU_GOAL)),
        Figure::new(name("CPU of the adapter, without pause, direct"), ours.direct.adapter, "s/1000 req")
            .beside(peer.name, peer.direct.adapter)
            .goal(Goal::RatioAtMost(CPU_GOAL)),
        Figure::new(name("resident memory"), ours.resident, "MiB")
            .beside(peer.name, peer.resident)
            .goal(Goal::AtMost(MEMORY_GOAL)),
        Figure::new(name("queries that a request causes"), mine.queries, "per request")
            .beside(peer.name, theirs.queries)
            .goal(Goal::AtMost(QUERIES_GOAL)),
    ]
}

/// Beside what an adapter in Go that does nothing takes.
fn floor(ours: &Record, constant: &Record) -> Vec<Figure> {
    let name = |what: &str| format!("beside a constant in Go: {what}");
    vec![
        Figure::new(name("p99 through the API server"), ours.autoscalers.p99, "ms")
            .beside(constant.name, constant.autoscalers.p99),
        Figure::new(name("CPU of the adapter, all it does"), ours.autoscalers.adapter, "s/1000 req")
            .beside(constant.name, constant.autoscalers.adapter),
        Figure::new(name("CPU of the adapter, without pause, direct"), ours.direct.adapter, "s/1000 req")
            .beside(constant.name, constant.direct.adapter),
        Figure::new(name("resident memory"), ours.resident, "MiB").beside(constant.name, constant.resident),
    ]
}

fn details(record: &Record) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(rest) = record.rest {
        let name = format!("{}: CPU at rest, in {} s", record.name, SYNC_PERIOD.as_secs());
        figures.push(Figure::new(name, rest, "s"));
    }
    for (what, summary) in [
        ("autoscalers", &record.autoscalers),
        ("without pause", &record.flat),
        ("without pause, direct", &record.direct),
    ] {
        let name = |of: &str| format!("{}: {what}, {of}", record.name);
        figures.extend([
            Figure::new(name("p50"), summary.p50, "ms"),
            Figure::new(name("p99"), summary.p99, "ms"),
            Figure::new(name("requests"), summary.throughput, "1/s"),
            Figure::new(name("CPU of the adapter"), summary.adapter, "s/1000 req"),
            Figure::new(name("CPU of the API server"), summary.api_server, "s/1000 req"),
            Figure::new(name("CPU of Prometheus"), summary.prometheus, "s/1000 req"),
            Figure::new(name("queries caused"), summary.queries, "per request"),
            Figure::new(name("reviews of access"), summary.reviews, "per request"),
        ]);
    }
    figures.push(Figure::new(format!("{}: resident memory", record.name), record.resident, "MiB"));
    figures
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::adapter::upstream::Calls;

    /// 100 requests of so many milliseconds, with so much CPU time and so many queries in all.
    fn measured(latency: u64, adapter: u64, queries: f64, own_queries: f64) -> Measured {
        let mut samples = Samples::new().unwrap();
        for _ in 0..100 {
            samples.record(Duration::from_millis(latency));
        }
        Measured {
            samples,
            wall: Duration::from_secs(1),
            adapter: Duration::from_millis(adapter),
            api_server: Duration::ZERO,
            prometheus: Duration::ZERO,
            calls: Calls { queries, reviews: 50.0 },
            own_queries,
        }
    }

    fn record(name: &'static str, each: &Measured, resident: f64) -> Record {
        let [autoscalers, flat, direct] = [each.clone(), each.clone(), each.clone()];
        let turn = Turn { rest: None, autoscalers, flat, direct, resident };
        Record::new(name, &[turn.clone(), turn]).unwrap()
    }

    fn met(figures: &[Figure], what: &str) -> Option<bool> {
        figures.iter().find(|figure| figure.figure.contains(what)).unwrap().met
    }

    #[test]
    fn costs_are_per_thousand_requests_of_all_turns() {
        let record = record("a", &measured(2, 10, 0.0, 0.0), 30.0);
        assert!((record.autoscalers.adapter - 0.1).abs() < 1e-9);
        assert!((record.autoscalers.throughput - 100.0).abs() < 1e-9);
        assert!((record.autoscalers.reviews - 0.5).abs() < 1e-9);
        assert!((record.autoscalers.p99 - 2.0).abs() < 0.01);
    }

    #[test]
    fn queries_of_its_own_accord_are_not_caused_by_requests() {
        assert!(record("a", &measured(2, 10, 70.0, 70.0), 1.0).autoscalers.queries.abs() < 1e-9);
        assert!((record("a", &measured(2, 10, 70.0, 20.0), 1.0).autoscalers.queries - 0.5).abs() < 1e-9);
    }

    #[test]
    fn goals_that_are_missed_are_reported_as_missed() {
        let peer = record("peer", &measured(4, 40, 100.0, 0.0), 50.0);
        let good = goals(&record("a", &measured(2, 8, 9.0, 9.0), 30.0), &peer);
        assert!(good.iter().all(|figure| figure.met == Some(true)), "{good:?}");
        let bad = goals(&record("a", &measured(11, 9, 9.0, 0.0), 65.0), &peer);
        assert!(bad.iter().all(|figure| figure.met == Some(false)), "{bad:?}");
        assert_eq!(met(&good, "resident"), Some(true));
    }

    #[test]
    fn nothing_asked_is_no_record() {
        let nothing = Measured { samples: Samples::new().unwrap(), ..measured(1, 1, 0.0, 0.0) };
        let turn =
            Turn { rest: None, autoscalers: nothing.clone(), flat: nothing.clone(), direct: nothing, resident: 1.0 };
        Record::new("a", &[turn]).unwrap_err();
    }
}
