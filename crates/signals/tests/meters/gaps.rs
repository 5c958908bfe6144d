//! Lost pages, clocks, restarts, wraps.

use std::{fmt::Write as _, time::Duration};

use kube_sci_signals::energy::{GapReason, Route};

use super::{Watched, kepler, near, options};

#[test]
fn a_lost_page_costs_nothing() {
    let mut watched = Watched::new();
    for step in (0..=12).filter(|step| ![3, 4, 7].contains(step)) {
        watched.page(f64::from(step) * 15.0, &kepler(f64::from(step) * 1_500.0));
    }
    near(watched.joules(), 18_000.0, 1e-6);
    assert!(watched.output.gaps.is_empty());
}

#[test]
fn a_silent_agent_is_a_gap_and_not_zero() {
    let mut watched = Watched::new();
    watched.page(0.0, &kepler(0.0)).page(60.0, &kepler(6_000.0));
    for step in 5..=40 {
        watched.missed(f64::from(step) * 15.0);
    }
    assert_eq!(watched.output.windows.len(), 1);
    let missing: f64 = watched.output.gaps.iter().map(|gap| gap.end.duration_since(gap.start).as_secs_f64()).sum();
    near(missing, 360.0, 1e-6);
    assert!(watched.output.gaps.iter().all(|gap| gap.reason == GapReason::NoAnswer), "{:?}", watched.output.gaps);
    // What it counted meanwhile is of time that was given up.
    watched.page(600.0, &kepler(60_000.0)).page(660.0, &kepler(66_000.0)).page(720.0, &kepler(72_000.0));
    near(watched.joules(), 18_000.0, 1e-6);
}

#[test]
fn a_reboot_is_a_gap() {
    let mut watched = Watched::new();
    watched.page(0.0, &kepler(100_000.0)).page(60.0, &kepler(106_000.0)).page(120.0, &kepler(500.0));
    watched.page(180.0, &kepler(6_500.0));
    near(watched.joules(), 12_000.0, 1e-6);
    assert_eq!(watched.output.gaps.len(), 1);
    assert_eq!(watched.output.gaps[0].reason, GapReason::CounterReset);
}

#[test]
fn kepler_wraps_at_the_ranges_of_its_sockets() {
    let range = 2.0 * 262_143.328_850;
    let mut watched = Watched::new();
    for step in 0..=8 {
        let joules = range - 6_000.0 + f64::from(step) * 1_500.0;
        watched.page(f64::from(step) * 15.0, &kepler(if joules >= range { joules - range } else { joules }));
    }
    near(watched.joules(), 12_000.0, 1e-6);
    assert!(watched.output.gaps.is_empty());
}

#[test]
fn a_spike_is_a_gap_of_one_step() {
    let mut watched = Watched::new();
    for step in 0..=8 {
        let spike = if step >= 3 { 500_000.0 } else { 0.0 };
        watched.page(f64::from(step) * 15.0, &kepler(f64::from(step) * 1_500.0 + spike));
    }
    assert!(watched.output.refused.is_empty());
    // Three of four steps are too little of the first window.
    assert_eq!(watched.output.gaps.len(), 1);
    assert_eq!(watched.output.gaps[0].reason, GapReason::Implausible);
    near(watched.joules(), 6_000.0, 1e-6);
}

#[test]
fn a_step_that_is_missing_from_a_covered_window_is_told() {
    let mut options = options(Route::Scrape);
    options.window = Duration::from_secs(150);
    let mut watched = Watched::with(options);
    for step in 0..=10 {
        let spike = if step >= 3 { 500_000.0 } else { 0.0 };
        watched.page(f64::from(step) * 15.0, &kepler(f64::from(step) * 1_500.0 + spike));
    }
    let window = watched.only_window();
    near(window.coverage().get(), 0.9, 1e-9);
    near(window.energy.total().unwrap().get(), 13_500.0, 1e-6);
    near(window.power().unwrap().get(), 100.0, 1e-9);
    let gap = &watched.output.gaps[0];
    assert_eq!((gap.start, gap.end), (super::at(30.0), super::at(45.0)));
}

#[test]
fn a_domain_that_is_missing_does_not_make_the_node_cheaper() {
    let dram = |joules: f64| format!("kepler_node_cpu_joules_total{{path=\"d\",zone=\"dram\"}} {joules}\n");
    let mut watched = Watched::new();
    for step in 0..=8 {
        let time = f64::from(step) * 15.0;
        let page = kepler(time * 100.0) + &if step == 6 { String::new() } else { dram(time * 10.0) };
        watched.page(time, &page);
    }
    near(watched.joules(), 6_600.0, 1e-6);
    assert_eq!(watched.output.gaps.len(), 1);
}

#[test]
fn a_domain_that_stays_away_is_forgotten() {
    let dram = |joules: f64| format!("kepler_node_cpu_joules_total{{path=\"d\",zone=\"dram\"}} {joules}\n");
    let mut watched = Watched::new();
    for step in 0..=40 {
        let time = f64::from(step) * 15.0;
        let page = kepler(time * 100.0) + &if step >= 4 { String::new() } else { dram(time * 10.0) };
        watched.page(time, &page);
    }
    let last = watched.output.windows.last().unwrap();
    assert_eq!(last.end, super::at(600.0));
    assert_eq!(last.energy.dram, None);
    near(last.energy.total().unwrap().get(), 6_000.0, 1e-6);
}

#[test]
fn the_same_time_twice_is_ignored() {
    let mut watched = Watched::new();
    for step in 0..=4 {
        let page = kepler(f64::from(step) * 1_500.0);
        watched.page(f64::from(step) * 15.0, &page).page(f64::from(step) * 15.0, &page);
    }
    near(watched.joules(), 6_000.0, 1e-6);
    assert_eq!(watched.output.counts.duplicates, 5);
}

#[test]
fn a_clock_that_was_set_back_is_a_gap() {
    let mut watched = Watched::new();
    for step in 0..=8 {
        watched.page(f64::from(step) * 15.0, &kepler(f64::from(step) * 1_500.0));
    }
    for step in 0..=20 {
        watched.page(60.0 + f64::from(step) * 15.0, &kepler(13_500.0 + f64::from(step) * 1_500.0));
    }
    // Nothing twice: no more than the 360 s on the clock can have drawn.
    assert!(watched.joules() <= 36_000.0 + 1e-6, "{}", watched.joules());
    let last = watched.output.windows.last().unwrap();
    near(last.energy.total().unwrap().get(), 6_000.0, 1e-6);
    assert!(watched.output.gaps.iter().any(|gap| gap.reason == GapReason::Clock), "{:?}", watched.output.gaps);
}

#[test]
fn a_page_in_the_far_future_does_no_harm() {
    let mut watched = Watched::new();
    watched.page(0.0, &kepler(0.0)).page(60.0, &kepler(6_000.0)).page(3e9, &kepler(9_000.0));
    watched.page(3e9 + 60.0, &kepler(15_000.0)).page(3e9 + 120.0, &kepler(21_000.0));
    assert!(watched.output.gaps.len() < 10);
    assert!(watched.joules() <= 18_000.0 + 1e-6);
}

#[test]
fn points_of_two_replicas_are_those_of_one() {
    let mut options = options(Route::Prometheus);
    options.scrape_interval = Duration::from_secs(30);
    let mut watched = Watched::with(options);
    // A query for the last minute, every minute: one replica scrapes 7 s after the other, and the ranges overlap.
    for minute in 1..=5_i32 {
        let mut text = String::new();
        for second in (minute * 60 - 61..=minute * 60).filter(|second| [0, 7].contains(&second.rem_euclid(30))) {
            let millis = super::at(f64::from(second)).as_millisecond();
            writeln!(text, "{} {millis}", kepler(f64::from(second + 60) * 100.0).trim_end()).unwrap();
        }
        watched.page(f64::from(minute * 60), &text);
    }
    let span = watched.output.windows.last().unwrap().end.duration_since(watched.output.windows[0].start);
    near(watched.joules(), span.as_secs_f64() * 100.0, 1e-6);
    assert!(watched.output.gaps.is_empty() && watched.output.counts.duplicates > 0);
    assert_eq!(watched.output.windows.len(), 5);
}

#[test]
fn a_page_without_the_node_is_as_good_as_lost() {
    let mut watched = Watched::new();
    for step in 0..=8 {
        let time = f64::from(step) * 15.0;
        let pod = super::kepler_pod("web", "running", time * 10.0);
        let node = if [2, 3].contains(&step) { String::new() } else { kepler(time * 100.0) };
        watched.page(time, &(node + &pod));
    }
    near(watched.joules(), 12_000.0, 1e-6);
    near(watched.pod_joules("web"), 1_200.0, 1e-6);
    assert!(watched.output.gaps.is_empty());
}
