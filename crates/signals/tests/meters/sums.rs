//! ALUMET's sums and pushed points over an hour in which power changes.

use std::{borrow::Cow, time::Duration};

use kube_sci_signals::{
    energy::{Exporter, Meter, PageReader, ReaderOptions, Route},
    exposition::{Labels, Sample, SampleKind},
};

use super::{Watched, alumet, alumet_pod, at, near, options};

/// Joules of an interval of a load between 60 and 140 W.
fn joules(from: f64, to: f64) -> f64 {
    let integral = |t: f64| 100.0 * t - 40.0 / 0.01 * (0.01 * t).cos();
    integral(to) - integral(from)
}

/// An hour of pages, for sums of 10 s.
fn hour(scrape: f64, known: bool) -> Watched {
    let mut options = options(Route::Scrape);
    options.scrape_interval = Duration::from_secs_f64(scrape);
    options.alumet_aggregation_interval = known.then(|| Duration::from_secs(10));
    let mut watched = Watched::with(options);
    let mut second = 3.7_f64;
    while second <= 3_680.0 {
        let end = (second / 10.0).floor() * 10.0;
        let node = joules(end - 10.0, end);
        watched.page(second, &(alumet("_sum", node) + &alumet_pod("_sum", "web", node * 0.2)));
        second += scrape;
    }
    watched
}

/// Truth over the time of the windows, shifted by the mean age of a sum.
fn truth(watched: &Watched) -> f64 {
    let start = watched.output.windows[0].start.duration_since(at(0.0)).as_secs_f64();
    let end = watched.output.windows.last().unwrap().end.duration_since(at(0.0)).as_secs_f64();
    joules(start, end)
}

#[test]
fn sums_read_as_fast_as_they_are_made_are_exact() {
    for scrape in [1.0, 3.0, 7.0, 10.0] {
        let watched = hour(scrape, true);
        let truth = truth(&watched);
        near(watched.joules() / truth, 1.0, 0.01);
        near(watched.pod_joules("web") / truth, 0.2, 0.004);
        assert!(watched.output.windows.iter().all(|window| !window.sampled), "{scrape}");
    }
}

#[test]
fn sums_read_too_slowly_are_samples_where_their_length_is_known() {
    let watched = hour(15.0, true);
    near(watched.joules() / truth(&watched), 1.0, 0.02);
    assert!(watched.output.windows.iter().all(|window| window.sampled));
}

#[test]
fn sums_of_unknown_length_are_exact_where_they_are_seen_twice() {
    for scrape in [1.0, 3.0, 7.0] {
        let watched = hour(scrape, false);
        let gaps: f64 = watched.output.gaps.iter().map(|gap| gap.end.duration_since(gap.start).as_secs_f64()).sum();
        assert!(gaps <= 60.0, "{scrape}: {gaps}");
        near(watched.joules() / truth(&watched), 1.0, 0.01);
    }
}

#[test]
fn sums_of_unknown_length_that_may_be_missed_are_marked() {
    assert!(hour(15.0, false).output.windows.iter().all(|window| window.sampled));
}

#[test]
fn pushed_points_lose_nothing() {
    let options = options(Route::Otlp);
    let mut meter = Meter::new(options);
    let (mut node_joules, mut pod_joules, mut first, mut last) = (0.0, 0.0, None, None);
    for push in 0..=365 {
        let mut reader = PageReader::new(&Exporter::ALL, ReaderOptions { route: Route::Otlp, node_label: None });
        let received = f64::from(push) * 10.0;
        for poll in 0..10 {
            let end = received - 10.0 + f64::from(poll);
            let value = joules(end - 1.0, end);
            point(&mut reader, "rapl_consumed_energy_alumet", value, end, received, &[]);
            // Attribution waits for both of its inputs: it is a poll later, and some of it in the next push.
            let value = joules(end - 2.0, end - 1.0) * 0.2;
            let pod = [("uid", "u"), ("name", "web"), ("namespace", "shop")];
            point(&mut reader, "attributed_energy_alumet", value, end - 1.0 + 0.004, received, &pod);
        }
        meter.observe(reader.finish());
        for window in meter.take(at(received)).windows {
            assert!(!window.sampled);
            first.get_or_insert(window.start);
            last = Some(window.end);
            node_joules += window.energy.total().unwrap().get();
            pod_joules += window.pods.iter().map(|pod| pod.energy.get()).sum::<f64>();
        }
    }
    let seconds = |instant: Option<jiff::Timestamp>| instant.unwrap().duration_since(at(0.0)).as_secs_f64();
    let truth = joules(seconds(first), seconds(last));
    assert!(seconds(last) >= 3_500.0);
    near(node_joules / truth, 1.0, 1e-3);
    near(pod_joules / truth, 0.2, 1e-3);
}

fn point(reader: &mut PageReader, name: &str, value: f64, time: f64, received: f64, labels: &[(&str, &str)]) {
    let labels = [&[("domain", "package_total"), ("resource_kind", "local_machine")], labels].concat();
    let pairs: Vec<_> = labels.iter().map(|(key, value)| (Cow::from(*key), Cow::from(*value))).collect();
    let labels = Labels::from_pairs(&pairs);
    reader.sample(&Sample { name, labels, value, at: Some(at(time)), kind: SampleKind::Gauge }, at(received));
}
