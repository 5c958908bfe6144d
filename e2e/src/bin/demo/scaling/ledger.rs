//! What came of a day: replicas, limits, energy, carbon.

use std::{ops::Add, time::Duration};

use sci_core::quantity::{GramsCo2e, GramsPerKwh, Joules};

use super::{
    machines::{Machines, Parts},
    twins::Twins,
};

const MINUTES: f64 = 60.0;
const SECONDS: f64 = 3_600.0;

/// What was seen at one time of the day; it holds until the next look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Hours since midnight.
    pub hour: f64,
    /// Requests per second, to each of both.
    pub requests: f64,
    pub intensity: GramsPerKwh,
    pub replicas: Twins<Replicas>,
}

/// Replicas of a deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replicas {
    /// That the autoscaler asked for.
    pub wanted: u32,
    /// That answer requests.
    pub ready: u32,
}

/// The day of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    pub runs: Twins<Run>,
    /// Of the machines of one deployment, all on all day with nothing to do.
    pub idle: Spent,
    /// Requests to one deployment, over the day.
    pub requests: f64,
}

/// The day of one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Run {
    pub replica_hours: f64,
    pub fewest: u32,
    pub most: u32,
    /// The most requests per second that a ready replica had; infinite where none was ready.
    pub worst: f64,
    /// Minutes of the day with more than the hard limit on each ready replica.
    pub minutes_above: f64,
    /// How often the autoscaler changed its mind.
    pub scale_events: u32,
    pub spent: Parts<Spent>,
}

/// Energy, and what its making emitted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    pub energy: Joules,
    pub carbon: GramsCo2e,
}

impl Ledger {
    /// Adds up what was seen until `end`, in hours since midnight; `limit` is the load that no replica may exceed.
    pub fn settle(looks: &[Look], end: f64, limit: f64, machines: &Machines) -> Self {
        let first = looks.first().map(|look| look.replicas.map(|replicas| replicas.wanted)).unwrap_or_default();
        let mut runs = first.map(|wanted| Run { fewest: wanted, ..Run::default() });
        let (mut idle, mut requests) = (Spent::default(), 0.0);
        let ends = looks.iter().skip(1).map(|next| next.hour).chain([end]);
        let mut before = first;
        for (look, until) in looks.iter().zip(ends) {
            let hours = (until.min(end) - look.hour).max(0.0);
            requests += look.requests * hours * SECONDS;
            idle = idle + Spent::of(machines.idle() * lasting(hours), look.intensity);
            for ((run, replicas), before) in runs.as_mut().into_iter().zip(look.replicas.both()).zip(before.as_mut()) {
                run.add(look, replicas, hours, limit);
                run.scale_events += u32::from(replicas.wanted != *before);
                *before = replicas.wanted;
                let watts = machines.draw(look.requests, replicas.ready);
                run.spent = run.spent + watts.map(|watts| Spent::of(watts * lasting(hours), look.intensity));
            }
        }
        Self { runs, idle, requests }
    }
}

impl Run {
    fn add(&mut self, look: &Look, replicas: Replicas, hours: f64, limit: f64) {
        let each = per_replica(look.requests, replicas.ready);
        self.replica_hours += f64::from(replicas.ready) * hours;
        self.fewest = self.fewest.min(replicas.wanted);
        self.most = self.most.max(replicas.wanted);
        self.worst = self.worst.max(each);
        if each > limit {
            self.minutes_above += hours * MINUTES;
        }
    }

    /// All of it, where machines leave with the replicas that were on them.
    pub fn leaving(&self) -> Spent {
        self.staying(self.spent.machines)
    }

    /// All of it, where machines that draw this much stay on.
    pub fn staying(&self, idle: Spent) -> Spent {
        self.spent.work + self.spent.waiting + idle
    }
}

/// Requests per second on each ready replica.
pub fn per_replica(requests: f64, ready: u32) -> f64 {
    if requests > 0.0 { requests / f64::from(ready) } else { 0.0 }
}

impl Spent {
    fn of(energy: Joules, intensity: GramsPerKwh) -> Self {
        Self { energy, carbon: energy * intensity }
    }
}

impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { energy: self.energy + other.energy, carbon: self.carbon + other.carbon }
    }
}

fn lasting(hours: f64) -> Duration {
    Duration::try_from_secs_f64(hours * SECONDS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sci_core::quantity::Pue;

    use super::*;

    fn look(hour: f64, requests: f64, grams: f64, plain: (u32, u32), green: (u32, u32)) -> Look {
        let replicas = |(wanted, ready)| Replicas { wanted, ready };
        let replicas = Twins { plain: replicas(plain), green: replicas(green) };
        Look { hour, requests, intensity: GramsPerKwh::new(grams).unwrap(), replicas }
    }

    fn is(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} instead of {expected}");
    }

    /// Ten hours: 1,000 requests per second at 100 g, then 1,200 at 400 g.
    fn looks() -> Vec<Look> {
        vec![
            look(0.0, 1_000.0, 100.0, (10, 10), (10, 10)),
            look(4.0, 1_200.0, 400.0, (12, 10), (8, 8)),
            look(5.0, 1_200.0, 400.0, (12, 12), (8, 8)),
        ]
    }

    #[test]
    fn replicas_and_limits_are_added_up_until_the_end() {
        let ledger = Ledger::settle(&looks(), 10.0, 140.0, &Machines::of_the_shop());
        let Twins { plain, green } = ledger.runs;
        is(plain.replica_hours, 50.0 + 60.0);
        is(green.replica_hours, 40.0 + 48.0);
        assert_eq!((plain.fewest, plain.most, plain.scale_events), (10, 12, 1));
        assert_eq!((green.fewest, green.most, green.scale_events), (8, 10, 1));
        is(plain.worst, 120.0);
        is(plain.minutes_above, 0.0);
        is(green.worst, 150.0);
        is(green.minutes_above, 6.0 * 60.0);
        is(ledger.requests, 3_600.0 * (4.0 * 1_000.0 + 6.0 * 1_200.0));
    }

    /// A busy core draws 7.5 W, a replica's room 5 W, all machines 160 W.
    #[test]
    fn energy_is_that_of_the_curves_and_carbon_that_of_the_hour() {
        let machines = Machines { pue: Pue::IDEAL, ..Machines::of_the_shop() };
        let ledger = Ledger::settle(&looks(), 10.0, 140.0, &machines);
        let Twins { plain, green } = ledger.runs;
        for run in [plain, green] {
            is(run.spent.work.energy.kwh(), 0.0075 * 6.0 * (4.0 + 6.0 * 1.2));
            is(run.spent.work.carbon.get(), 0.0075 * 6.0 * (4.0 * 100.0 + 6.0 * 1.2 * 400.0));
        }
        is(plain.spent.waiting.energy.kwh(), 0.000_375 * 110.0);
        is(plain.spent.waiting.carbon.get() - green.spent.waiting.carbon.get(), 0.000_375 * 22.0 * 400.0);
        is(plain.spent.machines.carbon.get() - green.spent.machines.carbon.get(), 0.005 * 22.0 * 400.0);
        is(ledger.idle.energy.kwh(), 1.6);
        is(ledger.idle.carbon.get(), 0.16 * (400.0 + 2_400.0));
        // Machines that stay on hide all but the waiting.
        let saved = plain.staying(ledger.idle).carbon.get() - green.staying(ledger.idle).carbon.get();
        is(saved, 0.000_375 * 22.0 * 400.0);
        is(plain.leaving().carbon.get() - green.leaving().carbon.get(), 0.005_375 * 22.0 * 400.0);
    }

    #[test]
    fn no_replica_and_a_request_is_as_bad_as_it_gets() {
        let ledger = Ledger::settle(&[look(0.0, 1.0, 1.0, (1, 0), (1, 1))], 1.0, 140.0, &Machines::of_the_shop());
        assert!(ledger.runs.plain.worst.is_infinite());
        is(ledger.runs.plain.minutes_above, 60.0);
        is(per_replica(0.0, 0), 0.0);
    }

    #[test]
    fn nothing_seen_is_nothing_spent() {
        let ledger = Ledger::settle(&[], 24.0, 140.0, &Machines::of_the_shop());
        assert_eq!(ledger.runs, Twins::default());
        is(ledger.requests, 0.0);
    }
}
