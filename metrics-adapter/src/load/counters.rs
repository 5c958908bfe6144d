//! From pages of pods to one number: rates of counters whose processes come and go, or gauges.

use std::time::Duration;

use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{LEAST_COVERAGE, LoadFault, metric::share};
use crate::policy::CounterKind;

/// Closer readings of one counter say nothing of its rate.
const LEAST_INTERVAL: Duration = Duration::from_millis(500);
/// Series of one pod; more are somebody's mistake.
const MAX_SERIES: usize = 10_000;

/// What every pod of a workload said.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pods: FxHashMap<String, PodCounters>,
    /// When pods were asked before.
    round: Option<Timestamp>,
}

/// A pod that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodSeen {
    pub uid: String,
    pub name: String,
    /// Whether it is expected to answer.
    pub ready: bool,
    /// When the youngest of its processes began.
    pub started_at: Option<Timestamp>,
}

/// The samples of one page: a number for each series, and its value. `at` is when the oldest of them was taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodPage {
    pub at: Timestamp,
    pub series: Vec<(u64, f64)>,
}

#[derive(Debug)]
struct PodCounters {
    at: Timestamp,
    /// Values of every series the pod ever showed: one that comes back does not begin at zero.
    series: FxHashMap<u64, f64>,
    /// What it adds to the load, once it is known.
    load: Option<f64>,
}

/// The load, and what is odd about it.
#[derive(Debug, PartialEq)]
pub(super) struct Total {
    pub value: f64,
    /// When the oldest sample of this round was taken, not after the round.
    pub at: Timestamp,
    pub warning: Option<String>,
}

impl Counters {
    /// Takes one round: every pod there is, with its page or why there is none.
    ///
    /// A ready pod that does not answer counts with what it added last: to leave it out would look like less load.
    ///
    /// # Errors
    /// [`LoadFault::Partial`] where less than eight of ten ready pods answer, [`LoadFault::Nothing`] without pods or
    /// samples, [`LoadFault::FirstReading`] while no rate is known.
    pub(super) fn round(
        &mut self,
        kind: CounterKind,
        now: Timestamp,
        pods: &[(PodSeen, Result<PodPage, LoadFault>)],
    ) -> Result<Total, LoadFault> {
        let there: FxHashSet<String> = pods.iter().map(|(pod, _)| pod.uid.clone()).collect();
        self.pods.retain(|uid, _| there.contains(uid));
        let previous = self.round.replace(now);
        let expected = pods.iter().filter(|(pod, _)| pod.ready).count();
        let (mut answered, mut with_samples, mut first) = (0, 0, String::new());
        for (pod, page) in pods {
            match page {
                Ok(page) => {
                    answered += usize::from(pod.ready);
                    with_samples += usize::from(!page.series.is_empty());
                    self.observe(kind, pod, page, previous);
                }
                Err(fault) if pod.ready && first.is_empty() => first = format!(", {}: {fault}", pod.name),
                Err(_) => {}
            }
        }
        if pods.is_empty() || expected == 0 {
            return Err(LoadFault::Nothing("the workload has no ready pods".to_owned()));
        }
        if share(answered, expected) < LEAST_COVERAGE {
            return Err(LoadFault::Partial { answered, expected, first });
        }
        if with_samples == 0 {
            return Err(LoadFault::Nothing("no page has a sample of this name and these labels".to_owned()));
        }
        let (value, warning) = self.total(pods, (answered, expected), &first)?;
        let pages = pods.iter().filter_map(|(_, page)| page.as_ref().ok()).filter(|page| !page.series.is_empty());
        Ok(Total { value, at: pages.map(|page| page.at).fold(now, Timestamp::min), warning })
    }

    fn total(
        &self,
        pods: &[(PodSeen, Result<PodPage, LoadFault>)],
        (answered, expected): (usize, usize),
        first: &str,
    ) -> Result<(f64, Option<String>), LoadFault> {
        let known = |pod: &PodSeen| self.pods.get(&pod.uid).and_then(|known| known.load);
        let ready = pods.iter().filter(|(pod, _)| pod.ready);
        let with_load = ready.filter(|(pod, _)| known(pod).is_some()).count();
        if share(with_load, expected) < LEAST_COVERAGE {
            return Err(LoadFault::FirstReading);
        }
        let warning = (answered < expected).then(|| format!("{answered} of {expected} pods answer{first}"));
        Ok((pods.iter().filter_map(|(pod, _)| known(pod)).sum(), warning))
    }

    fn observe(&mut self, kind: CounterKind, pod: &PodSeen, page: &PodPage, previous: Option<Timestamp>) {
        let known = self.pods.remove(&pod.uid);
        let load = match kind {
            CounterKind::Value => Some(page.series.iter().map(|(_, value)| value).sum()),
            CounterKind::Rate => match &known {
                Some(known) => known.rate(page),
                None => first_rate(pod, page, previous),
            },
        };
        let mut counters =
            known.unwrap_or_else(|| PodCounters { at: page.at, series: FxHashMap::default(), load: None });
        // Too close to the one before: the next reading is compared with that one.
        if load.is_none() && counters.load.is_some() {
            self.pods.insert(pod.uid.clone(), counters);
            return;
        }
        counters.at = page.at;
        counters.load = load.or(counters.load);
        if kind == CounterKind::Rate {
            for &(series, value) in &page.series {
                if counters.series.len() < MAX_SERIES || counters.series.contains_key(&series) {
                    counters.series.insert(series, value);
                }
            }
        }
        self.pods.insert(pod.uid.clone(), counters);
    }
}

impl PodCounters {
    /// Per second since the reading before. A counter that fell has begun again at zero, one that is new did so too.
    fn rate(&self, page: &PodPage) -> Option<f64> {
        let rise = |&(series, value): &(u64, f64)| match self.series.get(&series) {
            Some(before) if value >= *before => value - before,
            _ => value,
        };
        per_second(page.series.iter().map(rise).sum(), self.at, page.at)
    }
}

/// A pod that began after the round before began at zero; of others the past is not known.
fn first_rate(pod: &PodSeen, page: &PodPage, previous: Option<Timestamp>) -> Option<f64> {
    let started = pod.started_at.filter(|started| previous.is_some_and(|previous| *started >= previous))?;
    per_second(page.series.iter().map(|(_, value)| value).sum(), started, page.at)
}

fn per_second(rise: f64, from: Timestamp, to: Timestamp) -> Option<f64> {
    let time = Duration::try_from(to.duration_since(from)).ok().filter(|time| *time >= LEAST_INTERVAL)?;
    Some(rise / time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_769_860_800 + second).unwrap()
    }

    fn pod(uid: &str) -> PodSeen {
        PodSeen { uid: uid.into(), name: uid.into(), ready: true, started_at: Some(at(-10_000)) }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a page stands beside faults")]
    fn page(second: i64, series: &[(u64, f64)]) -> Result<PodPage, LoadFault> {
        Ok(PodPage { at: at(second), series: series.to_vec() })
    }

    fn gone() -> Result<PodPage, LoadFault> {
        Err(LoadFault::Unreachable("connection refused".into()))
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better in tests")]
    fn round(
        counters: &mut Counters,
        second: i64,
        pods: Vec<(PodSeen, Result<PodPage, LoadFault>)>,
    ) -> Result<f64, LoadFault> {
        counters.round(CounterKind::Rate, at(second), &pods).map(|total| total.value)
    }

    #[test]
    fn rates_of_all_series_and_pods_are_added_up() {
        let mut counters = Counters::default();
        let first = vec![(pod("a"), page(0, &[(1, 100.0), (2, 50.0)])), (pod("b"), page(1, &[(1, 1_000.0)]))];
        assert_eq!(round(&mut counters, 0, first), Err(LoadFault::FirstReading));
        let second = vec![(pod("a"), page(10, &[(1, 200.0), (2, 60.0)])), (pod("b"), page(11, &[(1, 1_300.0)]))];
        // (100 + 10) / 10 s + 300 / 10 s.
        assert!((round(&mut counters, 10, second).unwrap() - 41.0).abs() < 1e-9);
    }

    #[test]
    fn a_load_is_as_old_as_its_oldest_page() {
        let mut counters = Counters::default();
        let ask = |counters: &mut Counters, now, a, b| {
            let pods = vec![(pod("a"), page(a, &[(1, 3.0)])), (pod("b"), page(b, &[(1, 4.0)]))];
            counters.round(CounterKind::Value, at(now), &pods).unwrap().at
        };
        assert_eq!(ask(&mut counters, 60, 50, 20), at(20));
        // Pages arrive after the round began.
        assert_eq!(ask(&mut counters, 75, 76, 77), at(75));
    }

    #[test]
    fn a_rate_holds_while_samples_are_the_same() {
        let mut counters = Counters::default();
        let mut ask = |now, taken, value| round(&mut counters, now, vec![(pod("a"), page(taken, &[(1, value)]))]);
        let _ = ask(0, 0, 0.0);
        // Renewed every minute, asked for every 15 seconds.
        assert!((ask(60, 60, 600.0).unwrap() - 10.0).abs() < 1e-9);
        assert!((ask(75, 60, 600.0).unwrap() - 10.0).abs() < 1e-9);
        assert!((ask(105, 60, 600.0).unwrap() - 10.0).abs() < 1e-9);
        assert!((ask(120, 120, 1_800.0).unwrap() - 20.0).abs() < 1e-9);
        // Another process behind the same address may be behind: no rate goes backwards in time.
        assert!((ask(135, 90, 1_900.0).unwrap() - 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_restart_is_no_loss_and_no_negative_rate() {
        let mut counters = Counters::default();
        let _ = round(&mut counters, 0, vec![(pod("a"), page(0, &[(1, 5_000.0)]))]);
        assert!((round(&mut counters, 10, vec![(pod("a"), page(10, &[(1, 40.0)]))]).unwrap() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_series_that_hides_for_a_while_does_not_begin_at_zero() {
        let mut counters = Counters::default();
        let _ = round(&mut counters, 0, vec![(pod("a"), page(0, &[(1, 5_000.0), (2, 9_000.0)]))]);
        let _ = round(&mut counters, 10, vec![(pod("a"), page(10, &[(1, 5_010.0)]))]);
        let back = round(&mut counters, 20, vec![(pod("a"), page(20, &[(1, 5_020.0), (2, 9_010.0)]))]);
        assert!((back.unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_new_pod_takes_its_part_at_once() {
        let mut counters = Counters::default();
        let _ = round(&mut counters, 0, vec![(pod("a"), page(0, &[(1, 0.0)]))]);
        let _ = round(&mut counters, 10, vec![(pod("a"), page(10, &[(1, 1_000.0)]))]);
        // Half of the load went to a pod that began five seconds ago.
        let young = PodSeen { started_at: Some(at(15)), ..pod("b") };
        let both = vec![(pod("a"), page(20, &[(1, 1_500.0)])), (young, page(20, &[(1, 250.0)]))];
        assert!((round(&mut counters, 20, both).unwrap() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_ready_pod_that_does_not_answer_keeps_its_part() {
        let mut counters = Counters::default();
        let ten = |second: i64, value: f64, silent: usize| {
            let answer = move |n: usize| if n < silent { gone() } else { page(second, &[(1, value)]) };
            (0..10).map(|n| (pod(&n.to_string()), answer(n))).collect::<Vec<_>>()
        };
        let _ = round(&mut counters, 0, ten(0, 0.0, 0));
        assert!((round(&mut counters, 10, ten(10, 100.0, 0)).unwrap() - 100.0).abs() < 1e-9);
        let partial = counters.round(CounterKind::Rate, at(20), &ten(20, 200.0, 2)).unwrap();
        assert!((partial.value - 100.0).abs() < 1e-9);
        assert_eq!(partial.warning.unwrap(), "8 of 10 pods answer, 0: connection refused");
        let lost = round(&mut counters, 30, ten(30, 300.0, 3)).unwrap_err();
        assert_eq!(lost.to_string(), "7 of 10 pods answer, eight of ten are needed, 0: connection refused");
    }

    #[test]
    fn pods_that_are_gone_take_their_part_with_them() {
        let mut counters = Counters::default();
        let _ = round(&mut counters, 0, vec![(pod("a"), page(0, &[(1, 0.0)])), (pod("b"), page(0, &[(1, 0.0)]))]);
        let _ = round(&mut counters, 10, vec![(pod("a"), page(10, &[(1, 10.0)])), (pod("b"), page(10, &[(1, 10.0)]))]);
        assert!((round(&mut counters, 20, vec![(pod("a"), page(20, &[(1, 30.0)]))]).unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(counters.pods.len(), 1);
    }

    #[test]
    fn no_pods_and_no_samples_are_no_zero() {
        let mut counters = Counters::default();
        assert!(matches!(round(&mut counters, 0, vec![]), Err(LoadFault::Nothing(_))));
        let starting = PodSeen { ready: false, ..pod("a") };
        assert!(matches!(round(&mut counters, 1, vec![(starting, gone())]), Err(LoadFault::Nothing(_))));
        assert!(matches!(round(&mut counters, 2, vec![(pod("a"), page(2, &[]))]), Err(LoadFault::Nothing(_))));
    }

    #[test]
    fn gauges_count_as_they_are() {
        let mut counters = Counters::default();
        let pods = vec![(pod("a"), page(0, &[(1, 3.0), (2, 4.0)])), (pod("b"), page(0, &[]))];
        assert!((counters.round(CounterKind::Value, at(0), &pods).unwrap().value - 7.0).abs() < 1e-9);
    }

    #[test]
    fn readings_too_close_to_each_other_change_nothing() {
        let mut counters = Counters::default();
        let mut ask = |second, value| round(&mut counters, second, vec![(pod("a"), page(second, &[(1, value)]))]);
        let _ = ask(0, 0.0);
        assert!((ask(10, 50.0).unwrap() - 5.0).abs() < 1e-9);
        assert!((ask(10, 50.0).unwrap() - 5.0).abs() < 1e-9);
        assert!((ask(20, 100.0).unwrap() - 5.0).abs() < 1e-9);
    }

    proptest! {
        /// Whatever restarts there are, a rate is never negative and never above what was counted.
        #[test]
        fn rates_stay_within_what_was_counted(values in proptest::collection::vec(0.0f64..1e6, 2..40)) {
            let mut counters = Counters::default();
            for (second, value) in (0i64..).step_by(10).zip(values) {
                if let Ok(rate) = round(&mut counters, second, vec![(pod("a"), page(second, &[(1, value)]))]) {
                    prop_assert!(rate >= 0.0 && rate <= value / 10.0 + 1e-9);
                }
            }
        }
    }
}
