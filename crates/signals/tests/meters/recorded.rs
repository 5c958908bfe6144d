//! The recorded pages, with the numbers that they were recorded with.

use std::time::Duration;

use kube_sci_signals::energy::{Exporter, GapReason, Refusal, Route};

use super::{Watched, near, options, pod};

const ALUMET: &str = include_str!("../pages/alumet-agent-0.9.5.txt");
const ALUMET_DELETED: &str = include_str!("../pages/alumet-agent-0.9.5-after-pod-deletion.txt");
const ALUMET_MAIN: &str = include_str!("../pages/alumet-agent-main-afb0aa1.txt");
const ALUMET_MAIN_DELETED: &str = include_str!("../pages/alumet-agent-main-afb0aa1-after-pod-deletion.txt");
const ALUMET_SUMS: &str = include_str!("../pages/alumet-agent-0.9.5-aggregation-10s.txt");
const KEPLER_T0: &str = include_str!("../pages/kepler-0.11-reconstructed-t0.txt");
const KEPLER_T60: &str = include_str!("../pages/kepler-0.11-reconstructed-t60.txt");
const KEPLER_T120: &str = include_str!("../pages/kepler-0.11-reconstructed-t120-after-restart.txt");
const KEPLER_FAKE: &str = include_str!("../pages/kepler-0.11-fake-meter-quoted-lines.txt");
const KEPLER_LEGACY: &str = include_str!("../pages/kepler-0.7-quoted-lines.txt");
const SCAPHANDRE: &str = include_str!("../pages/scaphandre-1.0.0.txt");
const SCAPHANDRE_WRAP: &str = include_str!("../pages/scaphandre-1.0.0-at-counter-wrap.txt");

#[test]
fn kepler_counts_a_minute_of_node_and_pods() {
    let mut watched = Watched::new();
    watched.page(0.0, KEPLER_T0).page(60.0, KEPLER_T60);
    let window = watched.only_window();
    assert_eq!(window.meter.exporter, Exporter::Kepler);
    assert_eq!((window.covered, window.sampled, window.modelled), (Duration::from_mins(1), false, false));
    near(window.energy.package.unwrap().get(), 6_600.0, 1e-6);
    near(window.energy.dram.unwrap().get(), 840.0, 1e-6);
    assert_eq!(window.utilization.unwrap().get(), 0.25);
    for (name, package, dram) in [
        ("web-7d9c6b5f4-abcde", 660.0, 84.0),
        // Its last word is a series of its own, which goes on where the running one was.
        ("batch-0", 577.5, 73.5),
        ("coredns-5d78c9869d-x2x7k", 82.5, 10.5),
    ] {
        let pod = pod(window, name).unwrap();
        near(pod.energy.get() - pod.dram.unwrap().get(), package, 1e-6);
        near(pod.dram.unwrap().get(), dram, 1e-6);
        assert_eq!(pod.covered, Duration::from_mins(1));
    }
    let attributed: f64 = window.pods.iter().map(|pod| pod.energy.get() - pod.dram.unwrap().get()).sum();
    near(window.energy.package.unwrap().get() - attributed, 6_600.0 - 1_320.0, 1e-6);
}

#[test]
fn a_restart_of_kepler_neither_loses_nor_invents_energy_of_the_node() {
    let mut watched = Watched::new();
    watched.page(0.0, KEPLER_T0).page(60.0, KEPLER_T60).page(120.0, KEPLER_T120);
    let window = &watched.output.windows[1];
    near(window.energy.package.unwrap().get(), 6_600.0, 1e-6);
    near(window.energy.dram.unwrap().get(), 840.0, 1e-6);
    // The counters of pods began again and show nothing yet: nobody knows, which is not zero.
    assert!(window.pods.is_empty(), "{:?}", window.pods);
    assert!(watched.output.gaps.is_empty());
}

#[test]
fn the_fake_meter_is_refused_and_forgiven() {
    let mut watched = Watched::new();
    for (second, page) in [(0.0, KEPLER_FAKE), (60.0, KEPLER_FAKE), (120.0, KEPLER_FAKE)] {
        watched.page(second, page);
    }
    assert!(watched.output.windows.is_empty());
    assert_eq!(watched.output.refused[0].refusal, Refusal::FakeMeter);
    assert_eq!(watched.output.refused[0].since, super::at(0.0));
    watched.page(180.0, KEPLER_T0).page(240.0, KEPLER_T60);
    assert!(watched.output.refused.is_empty());
    near(watched.only_window().energy.package.unwrap().get(), 6_600.0, 1e-6);
}

#[test]
fn scaphandre_goes_on_over_a_wrap() {
    let mut options = options(Route::Scrape);
    options.window = Duration::from_secs(5);
    let mut watched = Watched::with(options);
    watched.page(0.0, SCAPHANDRE).page(5.0, SCAPHANDRE_WRAP);
    let energy = watched.only_window().energy;
    // Sockets: 297.6 J over the wrap of the first, and 248 J.
    near(energy.package.unwrap().get(), 297.618_313 + 248.015_261, 1e-6);
    near(energy.dram.unwrap().get(), 39.682_442 + 29.761_832, 1e-6);
    assert_eq!(energy.platform, None);
    near(watched.only_window().utilization.unwrap().get(), 0.193, 1e-9);
}

#[test]
fn alumet_polls_are_samples_of_the_power() {
    for (first, second) in [(ALUMET, ALUMET_DELETED), (ALUMET_MAIN, ALUMET_MAIN_DELETED)] {
        let mut watched = Watched::new();
        watched.page(0.0, first).page(60.0, second);
        let window = watched.only_window();
        assert!(window.sampled && !window.modelled);
        near(window.energy.package.unwrap().get() / 60.0, 110.0, 11.0);
        near(window.energy.dram.unwrap().get() / 60.0, 14.0, 1.4);
        assert!(pod(window, "web-7d9c6b5f4-abcde").is_some());
    }
}

#[test]
fn alumet_sums_are_what_was_drawn() {
    let mut options = options(Route::Scrape);
    options.window = Duration::from_secs(10);
    options.alumet_aggregation_interval = Some(Duration::from_secs(10));
    let mut watched = Watched::with(options);
    let earlier = ALUMET_SUMS.replace("} 1097.3604540000002", "} 1100.5").replace("} 236.6691489415199", "} 230.25");
    watched.page(0.0, &earlier).page(10.0, ALUMET_SUMS);
    let window = watched.only_window();
    assert!(!window.sampled);
    near(window.energy.package.unwrap().get(), 1_097.360_454, 1e-6);
    near(pod(window, "web-7d9c6b5f4-abcde").unwrap().energy.get(), 236.669_149, 1e-6);
    // Its sum did not change to the last digit, so that it is not a new one.
    assert!(pod(window, "batch-0").is_none_or(|pod| pod.energy.get() == 0.0));
}

#[test]
fn a_pod_that_is_gone_contributes_nothing() {
    // ALUMET shows the last value of the deleted pod for ever.
    let frozen = |page: &str| {
        let line = page.lines().find(|line| line.starts_with("attributed") && line.contains("batch-0")).unwrap();
        line.to_owned()
    };
    let gone = ALUMET_DELETED.replace(&frozen(ALUMET_DELETED), &frozen(ALUMET));
    let mut watched = Watched::new();
    watched.page(0.0, ALUMET).page(60.0, &gone);
    assert_eq!(watched.pod_joules("batch-0"), 0.0);
}

#[test]
fn legacy_kepler_with_an_overflow_counts_nothing() {
    let mut watched = Watched::new();
    // No page with packages was quoted.
    let package = |joules: u32| {
        format!(
            "{KEPLER_LEGACY}kepler_node_package_joules_total{{mode=\"idle\",package=\"0\",source=\"rapl\"}} {joules}\n"
        )
    };
    let earlier = package(1_000).replace("9.223372037599701e+14", "5");
    let later = package(7_000).replace("685.851", "985.851");
    watched.page(0.0, &earlier).page(60.0, &later);
    let window = watched.only_window();
    assert_eq!(window.meter.exporter, Exporter::KeplerLegacy);
    assert!(window.pods.is_empty());
    near(window.energy.total().unwrap().get(), 6_300.0, 1e-6);
    assert_eq!(watched.output.counts.implausible_pods, 1);
    // The same jump in a counter of the node is a gap.
    let jumped = later.replace("985.851", "9.223372037599701e+14");
    watched.page(120.0, &jumped);
    assert_eq!(watched.output.gaps[0].reason, GapReason::Implausible);
    assert_eq!(watched.output.windows.len(), 1);
}
