//! What holds for every input.

use std::time::Duration;

use kube_sci_signals::energy::Route;
use proptest::{collection::vec, prelude::*};

use super::{Watched, alumet, alumet_pod, kepler, kepler_pod, near, options};

proptest! {
    /// Whenever pages are read, windows add up to what the counter rose by.
    #[test]
    fn windows_add_up_to_the_counter(
        waits in vec(0.5_f64..60.0, 5..60),
        watts in vec(1.0_f64..700.0, 60),
        window in 5_u64..120,
    ) {
        let mut options = options(Route::Scrape);
        options.window = Duration::from_secs(window);
        let length = options.window.as_secs_f64();
        let mut watched = Watched::with(options);
        let (mut time, mut joules) = (0.0, 0.0);
        let mut readings = vec![(0.0, 0.0)];
        watched.page(0.0, &kepler(0.0));
        for (wait, watts) in waits.iter().zip(&watts) {
            time += (wait * 1e6_f64).round() / 1e6;
            joules += watts * wait;
            readings.push((time, joules));
            watched.page(time, &kepler(joules));
        }
        // Of the last window a part is still open.
        let end = (time / length + 1e-9).floor() * length;
        let after = readings.iter().position(|(at, _)| *at >= end - 1e-6).unwrap();
        let expected = match after.checked_sub(1) {
            None => 0.0,
            Some(before) => {
                let ((t0, e0), (t1, e1)) = (readings[before], readings[after]);
                e0 + (e1 - e0) * ((end - t0) / (t1 - t0)).min(1.0)
            }
        };
        prop_assert!((watched.joules() - expected).abs() <= 1e-3 + expected * 1e-6, "{} {expected}", watched.joules());
        prop_assert!(watched.output.gaps.is_empty());
    }

    /// Whatever an exporter says, no window has more than the node can draw, and no pod more than the node.
    #[test]
    fn nothing_exceeds_the_node(steps in vec((0.0_f64..40.0, hostile(), hostile(), 0_u8..4), 1..80)) {
        for form in 0..3 {
            let mut watched = Watched::new();
            let mut time = 0.0;
            for (wait, node, pod, shape) in &steps {
                time += wait;
                let page = match (form, shape) {
                    (_, 0) => String::new(),
                    (0, 1) => kepler(*node) + &kepler_pod("web", "terminated", *pod),
                    (0, _) => kepler(*node) + &kepler_pod("web", "running", *pod),
                    (1, _) => alumet("", *node) + &alumet_pod("", "web", *pod),
                    _ => alumet("_sum", *node) + &alumet_pod("_sum", "web", *pod),
                };
                watched.page(time, &page);
            }
            watched.take(time + 1_000.0);
            for window in &watched.output.windows {
                let most = 800.0 * window.covered.as_secs_f64() + 1e-3;
                let total = window.energy.total().map_or(0.0, f64::from);
                prop_assert!(total <= most, "{total} > {most}");
                prop_assert!(window.covered <= Duration::from_mins(1) && window.coverage().get() >= 0.799);
                prop_assert!(window.pods.iter().all(|pod| pod.energy.get() <= 1.1 * most));
            }
        }
    }
}

/// Numbers as they should not be.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0_f64..300_000.0,
        2 => 0.0_f64..200.0,
        1 => prop_oneof![
            Just(f64::NAN), Just(-1.0), Just(f64::INFINITY), Just(1e300), Just(f64::MAX), Just(0.0), Just(9.2e14),
            Just(f64::MIN_POSITIVE), Just(-0.0)
        ],
    ]
}

#[test]
fn hostile_values_are_left_out() {
    let mut watched = Watched::new();
    for (step, value) in (0_u32..).zip([0.0, 1_500.0, f64::NAN, -5.0, 6_000.0]) {
        watched.page(f64::from(step) * 15.0, &kepler(value));
    }
    near(watched.only_window().energy.total().unwrap().get(), 6_000.0, 1e-6);
}
