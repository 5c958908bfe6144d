//! Grid zones that somebody asks about although no node stands in them.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustc_hash::FxHashMap;
use sci_core::intensity::Zone;

/// A zone that nobody asked about for this long costs no calls any more.
const FORGET_AFTER_SECONDS: i64 = 3_600;
/// Zones at a time. Each may cost calls of a grid API.
const MAX_ZONES: usize = 256;

/// Which zones are asked about. Clones share it; asking takes no lock.
#[derive(Debug, Clone, Default)]
pub struct WantedZones(Arc<ArcSwap<Wanted>>);

/// When each zone was last asked about, in seconds.
type Wanted = FxHashMap<Zone, Arc<AtomicI64>>;

impl WantedZones {
    /// Somebody asks about `zone`. Whether there is room for it.
    pub fn want(&self, zone: &Zone, now: Timestamp) -> bool {
        let second = now.as_second();
        if let Some(asked) = self.0.load().get(zone) {
            asked.fetch_max(second, Ordering::Relaxed);
            return true;
        }
        let alive = |(zone, asked): (&Zone, &Arc<AtomicI64>)| {
            is_alive(asked, second).then(|| (zone.clone(), Arc::clone(asked)))
        };
        self.0.rcu(|known| {
            let mut wanted: Wanted = known.iter().filter_map(alive).collect();
            if wanted.len() < MAX_ZONES {
                wanted.insert(zone.clone(), Arc::new(AtomicI64::new(second)));
            }
            wanted
        });
        self.0.load().contains_key(zone)
    }

    /// Every zone that was asked about lately.
    pub fn zones(&self, now: Timestamp) -> Vec<Zone> {
        let second = now.as_second();
        self.0.load().iter().filter(|(_, asked)| is_alive(asked, second)).map(|(zone, _)| zone.clone()).collect()
    }
}

fn is_alive(asked: &AtomicI64, second: i64) -> bool {
    second.saturating_sub(asked.load(Ordering::Relaxed)) <= FORGET_AFTER_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn zone(name: &str) -> Zone {
        Zone::new(name).unwrap()
    }

    #[test]
    fn a_zone_is_wanted_for_an_hour_after_it_was_asked_about() {
        let wanted = WantedZones::default();
        assert!(wanted.want(&zone("DE"), at(0)) && wanted.want(&zone("FR"), at(0)));
        assert!(wanted.want(&zone("DE"), at(3_000)));
        assert_eq!(wanted.zones(at(3_600)).len(), 2);
        assert_eq!(wanted.zones(at(3_601)), [zone("DE")]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let wanted = WantedZones::default();
        for number in 0..MAX_ZONES {
            assert!(wanted.want(&zone(&format!("Z{number}")), at(0)));
        }
        assert!(!wanted.want(&zone("ONE-MORE"), at(1)));
        // Room comes back with time.
        assert!(wanted.want(&zone("ONE-MORE"), at(4_000)));
    }
}
