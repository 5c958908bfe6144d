//! Which link answers for a zone.

use jiff::Timestamp;
use sci_core::{
    forecast::Method,
    intensity::{Quality, Reading, Zone},
    node::NeutralReason,
    quantity::Share,
};

use super::{Entry, Grid, is_observed};
use crate::grid::{ChainLink, ChosenReading};

/// What the sources say about a zone now.
struct Told {
    live: Option<Reading>,
    /// The youngest value that is over.
    last: Option<Reading>,
    /// A slot that covers the present, said in advance.
    forecast: Option<Reading>,
    /// A slot that covers the present, usual or yearly.
    usual: Option<Reading>,
    /// Why there is no value, where nothing else answers.
    reason: NeutralReason,
}

pub(super) fn choose(
    grid: &Grid,
    zone: &Zone,
    entry: Option<&Entry>,
    now: Timestamp,
) -> Result<ChosenReading, NeutralReason> {
    let Told { live, last, forecast, usual, reason } = told(grid, zone, now);
    if let Some(reading) = live {
        return Ok(certain(reading, ChainLink::Live));
    }
    let (fresh, ageing) = match last {
        Some(last) if is_observed(last.quality) && last.age(now) <= grid.freshness.fresh_for => (Some(last), None),
        last => (None, last),
    };
    if let Some(reading) = fresh {
        return Ok(certain(reading, ChainLink::Cached));
    }
    if let Some(chosen) = expected(grid, zone, entry, forecast, now) {
        return Ok(chosen);
    }
    if let Some(reading) = ageing {
        let link = link_of(reading.quality);
        return Ok(certain(reading, link));
    }
    if let Some(reading) = usual {
        let link = link_of(reading.quality);
        return Ok(certain(reading, link));
    }
    let entry = entry.ok_or(reason)?;
    let learned = entry.learner.as_ref().filter(|_| grid.usual);
    let typical = learned.and_then(|learner| learner.usual(zone, grid.signal, now));
    if let Some(reading) = typical.or_else(|| entry.fallback.typical(now)) {
        return Ok(certain(reading, ChainLink::Typical));
    }
    entry.fallback.annual().map(|annual| certain(annual.clone(), ChainLink::Annual)).ok_or(reason)
}

fn told(grid: &Grid, zone: &Zone, now: Timestamp) -> Told {
    let reason = NeutralReason::IntensityMissing;
    let mut told = Told { live: None, last: None, forecast: None, usual: None, reason };
    for series in grid.series(zone) {
        if series.signal() != grid.signal {
            told.reason = stronger(told.reason, NeutralReason::UnlikeSignal);
            continue;
        }
        let Some(reading) = series.latest_at(now) else { continue };
        if !reading.covers(now) {
            told.reason = NeutralReason::IntensityStale;
            if grid.freshness.confidence(reading.age(now)) > Share::NONE && is_later(&reading, told.last.as_ref(), now)
            {
                told.last = Some(reading);
            }
            continue;
        }
        let place = match reading.quality {
            quality if is_observed(quality) => &mut told.live,
            Quality::Forecast => &mut told.forecast,
            _ => &mut told.usual,
        };
        place.get_or_insert(reading);
        if told.live.is_some() {
            break;
        }
    }
    told
}

/// What the hour should be: as a source said in advance, unless a forecast of our own does better.
fn expected(
    grid: &Grid,
    zone: &Zone,
    entry: Option<&Entry>,
    said: Option<Reading>,
    now: Timestamp,
) -> Option<ChosenReading> {
    let learner = entry.and_then(|entry| entry.learner.as_ref());
    let own = learner.and_then(|learner| Some((learner, learner.present(now)?)));
    let (reading, certainty) = match (own, said) {
        // The source's own slot is finer than an hour.
        (Some((_, (point, certainty))), Some(said)) if point.method == Method::Provider => (said, certainty),
        (Some((learner, (point, certainty))), _) => (learner.reading(point, zone, grid.signal), certainty),
        (None, Some(said)) => (said, Share::ALL),
        (None, None) => return None,
    };
    Some(ChosenReading { reading, link: ChainLink::Forecast, certainty })
}

fn certain(reading: Reading, link: ChainLink) -> ChosenReading {
    ChosenReading { reading, link, certainty: Share::ALL }
}

/// Where a value of a source that is no live one stands.
fn link_of(quality: Quality) -> ChainLink {
    match quality {
        Quality::Measured | Quality::Estimated | Quality::Modelled => ChainLink::Cached,
        Quality::Forecast => ChainLink::Forecast,
        Quality::Typical => ChainLink::Typical,
        Quality::Annual | Quality::Default => ChainLink::Annual,
    }
}

/// Whether a value that is over is the better one to go on with: what happened before what was expected, then the
/// younger one. What is usual is asked for the present, not for the past.
fn is_later(reading: &Reading, best: Option<&Reading>, now: Timestamp) -> bool {
    let rank = |reading: &Reading| (!is_observed(reading.quality), reading.age(now));
    let counts = is_observed(reading.quality) || reading.quality == Quality::Forecast;
    counts && best.is_none_or(|best| rank(reading) < rank(best))
}

/// Why there is no value: a stale value says more than one of another kind, and that more than none.
fn stronger(known: NeutralReason, found: NeutralReason) -> NeutralReason {
    if known == NeutralReason::IntensityStale { known } else { found }
}
