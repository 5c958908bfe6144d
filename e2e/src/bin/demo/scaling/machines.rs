//! What the machines under both deployments really draw, by their known power curves.

use std::ops::Add;

use kube_sci_e2e::simulation::{HardwareClass, PowerCurve};
use sci_core::quantity::{Cores, Pue, Utilization, Watts};

/// Machines of one class and what runs on them.
#[derive(Debug, Clone)]
pub struct Machines {
    pub class: HardwareClass,
    /// How many each deployment has.
    pub count: u32,
    /// Replicas that fit on one.
    pub replicas_each: u32,
    /// Cores that a request per second keeps busy.
    pub cores_per_request: f64,
    /// Cores that a replica keeps busy while nobody asks it for anything.
    pub waiting_cores: f64,
    pub pue: Pue,
}

/// What is spent on what.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Parts<T> {
    /// On requests. It is the same on few replicas as on many.
    pub work: T,
    /// On replicas being there: probes, timers, collection of garbage.
    pub waiting: T,
    /// On machines being on: each replica's share of their idle power, by the room that it takes.
    pub machines: T,
}

impl Machines {
    /// Two machines of 16 cores for each deployment, 80 W idle and 200 W busy; a replica has a core, serves a request in
    /// six milliseconds of it, and uses a twentieth of it by itself.
    pub fn of_the_shop() -> Self {
        let class = HardwareClass::new("shop", 16, 1, PowerCurve::line(66.0, 174.0), PowerCurve::line(14.0, 26.0));
        Self {
            class,
            count: 2,
            replicas_each: 16,
            cores_per_request: 0.006,
            waiting_cores: 0.05,
            pue: Pue::clamped(1.2),
        }
    }

    /// Power at this many requests per second on this many replicas.
    pub fn draw(&self, requests: f64, replicas: u32) -> Parts<Watts> {
        let work = Cores::clamped(requests * self.cores_per_request);
        let waiting = Cores::clamped(f64::from(replicas) * self.waiting_cores);
        let working = self.busy(work);
        let machines = self.one(0.0).get() * f64::from(replicas) / f64::from(self.replicas_each.max(1));
        Parts {
            work: working * self.pue,
            waiting: self.busy(work + waiting).saturating_sub(working) * self.pue,
            machines: Watts::clamped(machines) * self.pue,
        }
    }

    /// Power of all machines with nothing to do.
    pub fn idle(&self) -> Watts {
        Watts::clamped(self.one(0.0).get() * f64::from(self.count)) * self.pue
    }

    /// Watts that so many busy cores add to machines that are on.
    fn busy(&self, cores: Cores) -> Watts {
        let all = Cores::clamped(f64::from(self.class.threads * self.count));
        let load = Utilization::of(cores, all).unwrap_or(Utilization::IDLE).get();
        let added = self.one(load).saturating_sub(self.one(0.0));
        Watts::clamped(added.get() * f64::from(self.count))
    }

    /// Packages and memory of one machine.
    fn one(&self, load: f64) -> Watts {
        Watts::clamped(self.class.package.watts(load) + self.class.dram.watts(load))
    }
}

impl<T> Parts<T> {
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Parts<U> {
        Parts { work: change(self.work), waiting: change(self.waiting), machines: change(self.machines) }
    }
}

impl<T: Add<Output = T>> Add for Parts<T> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            work: self.work + other.work,
            waiting: self.waiting + other.waiting,
            machines: self.machines + other.machines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 120 W over 16 cores: 7.5 W for a busy core, 5 W for the room of a replica.
    #[test]
    fn a_replica_costs_its_waiting_and_its_room_and_requests_cost_the_same_on_any_number() {
        let machines = Machines { pue: Pue::IDEAL, ..Machines::of_the_shop() };
        let [few, many] = [8, 12].map(|replicas| machines.draw(1_000.0, replicas).map(Watts::get));
        for (part, expected) in [
            (few.work, 6.0 * 7.5),
            (many.work, 6.0 * 7.5),
            (few.waiting, 8.0 * 0.05 * 7.5),
            (many.waiting - few.waiting, 4.0 * 0.05 * 7.5),
            (few.machines, 8.0 * 5.0),
            (many.machines - few.machines, 4.0 * 5.0),
            (machines.idle().get(), 160.0),
        ] {
            assert!((part - expected).abs() < 1e-9, "{part} instead of {expected}");
        }
    }

    #[test]
    fn the_building_adds_its_part() {
        let machines = Machines::of_the_shop();
        let plain = Machines { pue: Pue::IDEAL, ..machines.clone() };
        let (with, without) = (machines.draw(500.0, 5), plain.draw(500.0, 5));
        for (with, without) in [(with.work, without.work), (with.waiting, without.waiting)] {
            assert!((with.get() - 1.2 * without.get()).abs() < 1e-9);
        }
    }
}
