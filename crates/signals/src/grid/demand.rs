//! Which zones anybody wants to know about.

use std::sync::Arc;

use arc_swap::ArcSwap;
use sci_core::intensity::Zone;

use super::providers::CloudRegion;

/// A zone that nodes stand in, and a cloud region of theirs, for APIs that place regions themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemandedZone {
    /// By the name that the catalogue knows today.
    pub zone: Zone,
    /// One of the regions in it.
    pub region: Option<CloudRegion>,
}

/// The zones that nodes stand in. Written by whoever knows the nodes, read by every source that is asked by zone.
/// Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct ZoneDemand(Arc<ArcSwap<Vec<DemandedZone>>>);

impl ZoneDemand {
    /// Replaces the zones; whether any changed. A zone named twice counts once, with the first region named.
    pub fn set(&self, zones: impl IntoIterator<Item = DemandedZone>) -> bool {
        let mut zones: Vec<DemandedZone> = zones.into_iter().collect();
        zones.sort_by(|left, right| left.zone.cmp(&right.zone));
        zones.dedup_by(|later, first| later.zone == first.zone);
        let changed = **self.0.load() != zones;
        if changed {
            self.0.store(Arc::new(zones));
        }
        changed
    }

    /// The zones, in order of name.
    pub fn zones(&self) -> Arc<Vec<DemandedZone>> {
        self.0.load_full()
    }
}

impl DemandedZone {
    /// A zone whose regions are not known.
    pub fn new(zone: Zone) -> Self {
        Self { zone, region: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_regions_of_a_zone_are_one_demand() {
        let demand = ZoneDemand::default();
        let zone = |name: &str| DemandedZone::new(Zone::new(name).unwrap());
        assert!(demand.set([zone("FR"), zone("DE"), zone("FR")]));
        assert_eq!(*demand.zones(), [zone("DE"), zone("FR")]);
        assert!(!demand.set([zone("DE"), zone("FR")]), "the same zones are no change");
        assert!(demand.set([]));
    }
}
