use sci_core::{
    intensity::Zone,
    node::{NeutralReason, RejectReason},
    quantity::{GramsPerHour, GramsPerKwh},
    region,
};

use crate::limits::Limits;

/// What is known about a pod on a node, as far as limits go.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The node's grid zone.
    pub zone: Option<&'a Zone>,
    /// Its intensity, unless missing or stale.
    pub intensity: Result<GramsPerKwh, NeutralReason>,
    /// The pod's footprint there.
    pub footprint: Result<GramsPerHour, NeutralReason>,
}

/// The outcome for one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Within all limits.
    Keep,
    /// Kept, although one limit could not be checked.
    Unchecked(NeutralReason),
    /// Above a limit.
    Reject(RejectReason),
}

/// Holds one node against the limits. A limit that is known to be broken outweighs one that cannot be checked.
pub fn judge(limits: &Limits, subject: &Subject<'_>) -> Verdict {
    let verdicts = [zone(limits, subject), intensity(limits, subject), footprint(limits, subject)];
    let rejected = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Reject(_)));
    let unchecked = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Unchecked(_)));
    rejected.or(unchecked).copied().unwrap_or(Verdict::Keep)
}

fn zone(limits: &Limits, subject: &Subject<'_>) -> Verdict {
    let Some(allowed) = &limits.allowed_zones else { return Verdict::Keep };
    let Some(zone) = subject.zone else { return Verdict::Unchecked(NeutralReason::ZoneUnknown) };
    if allowed.iter().any(|allowed| is_within(zone, allowed)) {
        Verdict::Keep
    } else {
        Verdict::Reject(RejectReason::ZoneNotAllowed)
    }
}

fn intensity(limits: &Limits, subject: &Subject<'_>) -> Verdict {
    above(limits.max_intensity, subject.intensity, RejectReason::IntensityAboveLimit)
}

fn footprint(limits: &Limits, subject: &Subject<'_>) -> Verdict {
    above(limits.max_grams_per_hour, subject.footprint, RejectReason::FootprintAboveLimit)
}

fn above<Q: PartialOrd>(limit: Option<Q>, value: Result<Q, NeutralReason>, reason: RejectReason) -> Verdict {
    let Some(limit) = limit else { return Verdict::Keep };
    match value {
        Err(unknown) => Verdict::Unchecked(unknown),
        Ok(value) if value > limit => Verdict::Reject(reason),
        Ok(_) => Verdict::Keep,
    }
}

/// `zone` is `area`, by today's name or an older one, or lies in it.
fn is_within(zone: &Zone, area: &Zone) -> bool {
    let catalogue = region::catalogue();
    let (zone, area) = (catalogue.canonical(zone), catalogue.canonical(area));
    // Zones nest once ("SE" over "SE-SE3"); the bound only guards against a loop in the data.
    std::iter::successors(Some(zone), |zone| catalogue.parent(zone)).take(4).any(|ancestor| ancestor == area)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn zone_of(name: &str) -> Zone {
        Zone::new(name).unwrap()
    }

    fn grams_per_kwh(value: f64) -> GramsPerKwh {
        GramsPerKwh::new(value).unwrap()
    }

    fn allowed(zones: &[&str]) -> Limits {
        let zones: Arc<[Zone]> = zones.iter().map(|zone| zone_of(zone)).collect();
        Limits { allowed_zones: Some(zones), ..Limits::default() }
    }

    fn known(zone: &Zone) -> Subject<'_> {
        Subject { zone: Some(zone), intensity: Ok(grams_per_kwh(50.0)), footprint: Ok(GramsPerHour::new(2.0).unwrap()) }
    }

    #[test]
    fn a_value_at_the_limit_is_within() {
        let zone = zone_of("FR");
        let limits = |value| Limits { max_intensity: Some(grams_per_kwh(value)), ..Limits::default() };
        assert_eq!(judge(&limits(50.0), &known(&zone)), Verdict::Keep);
        assert_eq!(judge(&limits(49.9), &known(&zone)), Verdict::Reject(RejectReason::IntensityAboveLimit));
    }

    #[test]
    fn a_footprint_above_the_limit_is_refused() {
        let zone = zone_of("FR");
        let limits = Limits { max_grams_per_hour: Some(GramsPerHour::new(1.9).unwrap()), ..Limits::default() };
        assert_eq!(judge(&limits, &known(&zone)), Verdict::Reject(RejectReason::FootprintAboveLimit));
    }

    #[test]
    fn what_cannot_be_checked_is_kept() {
        let subject = Subject {
            zone: None,
            intensity: Err(NeutralReason::IntensityStale),
            footprint: Err(NeutralReason::IntensityStale),
        };
        let limits = Limits { max_intensity: Some(grams_per_kwh(0.0)), ..Limits::default() };
        assert_eq!(judge(&limits, &subject), Verdict::Unchecked(NeutralReason::IntensityStale));
        assert_eq!(judge(&allowed(&["FR"]), &subject), Verdict::Unchecked(NeutralReason::ZoneUnknown));
        assert_eq!(judge(&Limits::default(), &subject), Verdict::Keep);
    }

    #[test]
    fn a_broken_limit_outweighs_one_that_cannot_be_checked() {
        let zone = zone_of("PL");
        let subject = Subject { intensity: Err(NeutralReason::IntensityMissing), ..known(&zone) };
        let limits = Limits { max_intensity: Some(grams_per_kwh(1.0)), ..allowed(&["FR"]) };
        assert_eq!(judge(&limits, &subject), Verdict::Reject(RejectReason::ZoneNotAllowed));
    }

    #[test]
    fn a_zone_stands_for_its_sub_zones_and_not_the_other_way_round() {
        let (sweden, stockholm) = (zone_of("SE"), zone_of("SE-SE3"));
        assert_eq!(judge(&allowed(&["SE"]), &known(&stockholm)), Verdict::Keep);
        assert_eq!(judge(&allowed(&["SE-SE3"]), &known(&sweden)), Verdict::Reject(RejectReason::ZoneNotAllowed));
        assert_eq!(judge(&allowed(&["NO", "SE-SE3"]), &known(&stockholm)), Verdict::Keep);
    }

    #[test]
    fn a_zone_of_the_owners_own_is_matched_by_name() {
        let zone = zone_of("my-hydro-plant");
        assert_eq!(judge(&allowed(&["my-hydro-plant"]), &known(&zone)), Verdict::Keep);
    }
}
