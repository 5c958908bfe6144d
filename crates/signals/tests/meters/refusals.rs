//! Meters that are not believed, and when they are again.

use kube_sci_signals::energy::{Refusal, Route};

use super::{Watched, alumet, kepler, near, options};

#[test]
fn less_than_any_machine_draws_is_refused() {
    let mut watched = Watched::new();
    for step in 0..=12 {
        watched.page(f64::from(step) * 15.0, &kepler(f64::from(step) * 0.001));
    }
    assert!(watched.output.windows.is_empty());
    assert!(matches!(watched.output.refused[0].refusal, Refusal::TooLow { watts } if watts < 0.1));
}

#[test]
fn more_than_the_node_can_draw_is_refused_until_it_behaves() {
    let mut watched = Watched::new();
    let mut joules = 0.0;
    for step in 0..=20 {
        let watts = if step <= 8 { 5_000.0 } else { 100.0 };
        joules += watts * 15.0;
        watched.page(f64::from(step) * 15.0, &kepler(joules));
        if step == 8 {
            assert!(watched.output.windows.is_empty());
            let refusal = watched.output.refused[0].refusal;
            assert_eq!(refusal, Refusal::TooHigh { watts: 5_000.0, max_watts: 800.0 });
            assert_eq!(watched.output.refused[0].since, super::at(45.0));
        }
    }
    assert!(watched.output.refused.is_empty());
    let last = watched.output.windows.last().unwrap();
    near(last.power().unwrap().get(), 100.0, 1e-6);
    assert!(watched.output.windows.iter().all(|window| window.power().unwrap().get() <= 800.0));
}

#[test]
fn a_meter_that_stands_still_is_refused_until_it_moves() {
    for page in [kepler(5_000.0), alumet("", 110.5), alumet("_sum", 1_105.0)] {
        let mut watched = Watched::new();
        for step in 0..=8 {
            watched.page(f64::from(step) * 15.0, &page);
        }
        assert!(watched.output.windows.is_empty());
        assert!(matches!(watched.output.refused[0].refusal, Refusal::Frozen { seconds } if seconds >= 60));
    }
    let mut watched = Watched::new();
    for step in 0..=8 {
        watched.page(f64::from(step) * 15.0, &kepler(5_000.0));
    }
    watched.page(135.0, &kepler(5_000.0 + 13_500.0)).page(180.0, &kepler(23_000.0)).page(240.0, &kepler(29_000.0));
    assert!(watched.output.refused.is_empty());
    near(watched.output.windows.last().unwrap().energy.total().unwrap().get(), 6_000.0, 1e-6);
}

#[test]
fn a_page_between_two_measurements_of_the_agent_is_no_news() {
    // Kepler measures every 5 s; pages are read every second.
    let mut watched = Watched::new();
    for second in 0..=61 {
        watched.page(f64::from(second), &kepler(f64::from(second / 5 * 5) * 700.0));
    }
    near(watched.only_window().power().unwrap().get(), 700.0, 1e-6);
    assert!(watched.output.refused.is_empty() && watched.output.gaps.is_empty());
}

#[test]
fn a_busy_node_whose_energy_is_all_idle_is_refused() {
    let page = |step: i32, busy: f64| {
        let joules = f64::from(step) * 1_500.0;
        let idle =
            format!("kepler_node_cpu_idle_joules_total{{path=\"aggregated-package\",zone=\"package\"}} {joules}\n");
        kepler(joules) + &idle + &format!("kepler_node_cpu_usage_ratio {busy}\n")
    };
    let mut busy = Watched::new();
    let mut idle = Watched::new();
    for step in 0..=12 {
        busy.page(f64::from(step) * 15.0, &page(step, 0.5));
        idle.page(f64::from(step) * 15.0, &page(step, 0.05));
    }
    assert_eq!(busy.output.refused[0].refusal, Refusal::AllIdle { busy_percent: 50.0 });
    assert!(idle.output.refused.is_empty());
    assert_eq!(idle.output.windows.len(), 3);
}

#[test]
fn a_platform_below_its_own_packages_is_none() {
    let page = |seconds: f64| {
        let legacy = |domain: &str, watts: f64| {
            format!(
                "kepler_node_{domain}_joules_total{{mode=\"idle\",package=\"0\",source=\"rapl\"}} {}\n",
                watts * seconds
            )
        };
        legacy("package", 100.0) + &legacy("dram", 10.0) + &legacy("platform", 0.0) + &legacy("other", 0.0)
    };
    let mut watched = Watched::new();
    watched.page(0.0, &page(0.0)).page(60.0, &page(60.0));
    let energy = watched.only_window().energy;
    assert_eq!(energy.platform, None);
    near(energy.total().unwrap().get(), 6_600.0, 1e-6);
}

#[test]
fn legacy_platform_contains_the_rest() {
    let page = |seconds: f64| {
        let legacy = |domain: &str, mode: &str, watts: f64| {
            format!(
                "kepler_node_{domain}_joules_total{{mode=\"{mode}\",package=\"0\",source=\"acpi\"}} {}\n",
                watts * seconds
            )
        };
        legacy("package", "idle", 60.0)
            + &legacy("package", "dynamic", 40.0)
            + &legacy("dram", "idle", 10.0)
            + &legacy("other", "idle", 50.0)
            + &legacy("gpu", "dynamic", 30.0)
    };
    let mut watched = Watched::new();
    watched.page(0.0, &page(0.0)).page(60.0, &page(60.0));
    let energy = watched.only_window().energy;
    near(energy.platform.unwrap().get(), 9_600.0, 1e-6);
    near(energy.total().unwrap().get(), 9_600.0, 1e-6);
}

#[test]
fn a_relay_is_refused() {
    let pod = |node: &str| {
        format!(
            "attributed_energy_alumet{{uid=\"{node}\",name=\"a\",namespace=\"b\",node=\"{node}\",domain=\"package_total\"}} 5\n"
        )
    };
    let mut watched = Watched::with(options(Route::Scrape));
    for step in 0..=8 {
        watched.page(f64::from(step) * 15.0, &(pod("a") + &pod("b") + &alumet("", 100.0 + f64::from(step))));
    }
    assert!(watched.output.windows.is_empty());
    assert_eq!(watched.output.refused[0].refusal, Refusal::UnknownNode);
}

#[test]
fn a_platform_meter_contains_everything() {
    let page = |seconds: f64, watts: f64| {
        kepler(seconds * 100.0)
            + &format!("kepler_platform_watts{{source=\"redfish\",bmc_id=\"1\",chassis_id=\"1\"}} {watts}\n")
            + &format!("kepler_node_gpu_joules_total{{gpu_uuid=\"a\"}} {}\n", seconds * 50.0)
    };
    let mut watched = Watched::new();
    watched.page(0.0, &page(0.0, 240.0)).page(60.0, &page(60.0, 260.0));
    let window = watched.only_window();
    assert!(window.sampled);
    near(window.energy.package.unwrap().get(), 6_000.0, 1e-6);
    assert_eq!(window.energy.accelerators, None);
    near(window.energy.total().unwrap().get(), 15_000.0, 1e-6);
}
