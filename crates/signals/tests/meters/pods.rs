//! Pods come, go, restart their counters.

use std::time::Duration;

use super::{Watched, alumet, alumet_pod, kepler, kepler_pod, near, pod};

/// State and counter of a pod.
type Line = (&'static str, f64);

/// No line.
const NONE: Line = ("", 0.0);

/// A node of 100 W with one pod, whose line is given for each step of 15 s.
fn with_pod(lines: &[Line]) -> Watched {
    let mut watched = Watched::new();
    for (step, (state, joules)) in (0_u32..).zip(lines) {
        let line = if state.is_empty() { String::new() } else { kepler_pod("web", state, *joules) };
        watched.page(f64::from(step) * 15.0, &(kepler(f64::from(step) * 1_500.0) + &line));
    }
    watched
}

const fn running(joules: f64) -> Line {
    ("running", joules)
}

#[test]
fn a_pod_that_appears_is_counted_from_zero() {
    let watched = with_pod(&[NONE, NONE, running(300.0), running(600.0), running(900.0)]);
    assert_eq!(watched.pod_joules("web"), 900.0);
    let window = watched.only_window();
    assert_eq!(pod(window, "web").unwrap().covered, Duration::from_secs(45));
}

#[test]
fn a_pod_that_was_there_before_is_not() {
    // Its series is new, its energy is not: more than the node could give it.
    let watched = with_pod(&[NONE, NONE, running(50_000.0), running(50_300.0), running(50_600.0)]);
    assert_eq!(watched.pod_joules("web"), 600.0);
}

#[test]
fn the_last_word_about_a_pod_counts() {
    let watched = with_pod(&[running(1_000.0), running(1_300.0), ("terminated", 1_400.0), NONE, NONE]);
    assert_eq!(watched.pod_joules("web"), 400.0);
    assert_eq!(watched.output.counts.lone_terminated, 0);
}

#[test]
fn the_last_word_may_stand_beside_the_running_series() {
    let mut watched = Watched::new();
    watched.page(0.0, &(kepler(0.0) + &kepler_pod("web", "running", 100.0)));
    let both = kepler_pod("web", "running", 400.0) + &kepler_pod("web", "terminated", 450.0);
    watched.page(60.0, &(kepler(6_000.0) + &both));
    assert_eq!(watched.pod_joules("web"), 350.0);
}

#[test]
fn a_last_word_alone_counts_nothing_and_is_noted() {
    let watched = with_pod(&[NONE, NONE, ("terminated", 300.0), NONE, NONE]);
    assert_eq!(watched.pod_joules("web"), 0.0);
    assert_eq!(watched.output.counts.lone_terminated, 1);
}

#[test]
fn a_counter_that_starts_again_is_counted_from_zero() {
    // 20 W; within the third step the counter fell to zero, and 10 s of it are seen.
    let watched = with_pod(&[running(1_000.0), running(1_300.0), running(1_600.0), running(200.0), running(500.0)]);
    near(watched.pod_joules("web"), 300.0 + 300.0 + 200.0 + 300.0, 1e-6);
    let window = watched.only_window();
    assert_eq!(pod(window, "web").unwrap().covered, Duration::from_secs(55));
}

#[test]
fn a_pod_cannot_use_more_than_its_node() {
    let watched = with_pod(&[running(0.0), running(300.0), running(9.2e14), running(9.2e14), running(600.0)]);
    assert!(watched.pod_joules("web") <= 6_000.0);
    assert_eq!(watched.output.counts.implausible_pods, 1);
}

#[test]
fn zones_of_a_pod_add_up_once() {
    let pods = |package: f64, dram: f64| {
        let line = kepler_pod("web", "running", dram).replace("zone=\"package\"", "zone=\"dram\"");
        kepler_pod("web", "running", package) + &line
    };
    let mut watched = Watched::new();
    watched.page(0.0, &(kepler(0.0) + &pods(100.0, 10.0))).page(60.0, &(kepler(6_000.0) + &pods(700.0, 70.0)));
    let window = watched.only_window();
    let web = pod(window, "web").unwrap();
    assert_eq!((web.energy.get(), web.dram.unwrap().get()), (660.0, 60.0));
}

#[test]
fn a_frozen_value_of_alumet_is_not_counted_again() {
    let mut watched = Watched::new();
    for step in 0..=8 {
        let jitter = f64::from(step) * 0.01;
        let gone = if step <= 4 { 10.0 + jitter } else { 10.04 };
        let page = alumet("", 100.0 + jitter) + &alumet_pod("", "gone", gone) + &alumet_pod("", "idle", 0.0);
        watched.page(f64::from(step) * 15.0, &page);
    }
    near(pod(&watched.output.windows[0], "gone").unwrap().energy.get(), 600.0, 2.0);
    let second = &watched.output.windows[1];
    assert!(pod(second, "gone").is_none(), "{:?}", second.pods);
    // Zero is a value like any other.
    assert_eq!(pod(second, "idle").unwrap().covered, Duration::from_mins(1));
}

#[test]
fn shares_of_cpu_time_stand_for_energy_that_nobody_attributed() {
    let share = |percent: f64| {
        format!("cpu_percent_alumet{{kind=\"total\",uid=\"u\",name=\"web\",namespace=\"shop\"}} {percent}\n")
    };
    let mut watched = Watched::new();
    for step in 0..=4 {
        let jitter = f64::from(step) * 0.01;
        watched.page(f64::from(step) * 15.0, &(alumet("", 100.0 + jitter) + &share(25.0 + jitter)));
    }
    let window = watched.only_window();
    let web = pod(window, "web").unwrap();
    near(web.energy.get() / 60.0, 25.0, 0.1);
    // A quarter of eight cores.
    near(web.cpu.unwrap().as_secs_f64() / 60.0, 2.0, 0.01);
}

#[test]
fn processes_of_scaphandre_add_up_and_vanish() {
    let process = |pid: u32, watts: f64| {
        format!(
            "scaph_process_power_consumption_microwatts{{pid=\"{pid}\",kubernetes_pod_name=\"web\",kubernetes_pod_namespace=\"shop\"}} {}\n",
            watts * 1e6
        )
    };
    let socket = |joules: f64| format!("scaph_socket_energy_microjoules{{socket_id=\"0\"}} {}\n", joules * 1e6);
    let mut watched = Watched::new();
    watched.page(0.0, &socket(0.0));
    // First seen: since when it runs, nobody knows.
    watched.page(15.0, &(socket(1_500.0) + &process(1, 4.0)));
    watched.page(30.0, &(socket(3_000.0) + &process(1, 4.0) + &process(2, 2.0)));
    watched.page(45.0, &(socket(4_500.0) + &process(1, 4.0)));
    watched.page(60.0, &socket(6_000.0));
    let window = watched.only_window();
    let web = pod(window, "web").unwrap();
    near(web.energy.get(), 6.0 * 15.0 + 4.0 * 15.0, 1e-6);
    assert_eq!(web.covered, Duration::from_secs(30));
}

#[test]
fn pods_beyond_the_limit_are_counted() {
    let page = |seconds: f64| {
        let pods: String = (0..5_000).map(|number| kepler_pod(&format!("pod-{number}"), "running", seconds)).collect();
        kepler(seconds * 100.0) + &pods
    };
    let mut watched = Watched::new();
    watched.page(0.0, &page(0.0)).page(60.0, &page(1.0));
    assert_eq!(watched.only_window().pods.len(), 4_096);
    assert_eq!(watched.output.counts.over_limit, 2 * (5_000 - 4_096));
}

#[test]
fn shares_of_cpu_time_help_over_a_page_without_watts() {
    let page = |step: u32, watts: &str| {
        let pod = "kubernetes_pod_name=\"web\",kubernetes_pod_namespace=\"shop\",pid=\"1\"";
        let joules = u64::from(step) * 1_500_000_000;
        format!(
            "scaph_socket_energy_microjoules{{socket_id=\"0\"}} {joules}\nscaph_process_cpu_usage_percentage{{{pod}}} 20\n"
        ) + &watts.replace("{}", &format!("{{{pod}}}"))
    };
    let watts = "scaph_process_power_consumption_microwatts{} 20000000\n";
    let mut watched = Watched::new();
    for step in 0..=4_u32 {
        watched.page(f64::from(step) * 15.0, &page(step, if step == 2 { "" } else { watts }));
    }
    let window = watched.only_window();
    near(pod(window, "web").unwrap().energy.get(), 1_200.0, 1e-6);
}

#[test]
fn pods_are_told_where_the_node_is_not() {
    let mut watched = Watched::new();
    for step in 0..=8 {
        watched.page(f64::from(step) * 15.0, &alumet_pod("", "web", 5.0 + f64::from(step) * 0.01));
    }
    assert_eq!(watched.output.windows.len(), 2);
    let window = &watched.output.windows[0];
    assert_eq!((window.energy.total(), window.power()), (None, None));
    near(pod(window, "web").unwrap().energy.get(), 300.0, 5.0);
}
