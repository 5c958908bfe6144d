//! `external.metrics.k8s.io`: grid zones by selector.

mod span;

use std::{borrow::Cow, time::Duration};

use aggregated_apiserver::{
    ApiRequest, Status,
    selector::{LabelSelector, Operator},
};
use kube_sci_cluster::wanted::WantedZones;
use kube_sci_signals::grid::ZoneState;
use sci_core::{
    intensity::Zone,
    region::{self, Region},
};

use self::span::Span;
use super::{
    body::Value,
    quantity::Quantity,
    selectors,
    values::{Absent, View},
};
use crate::catalogue::ExternalMetric;

/// A value of a longer time is no sample of it.
const LONGEST_SAMPLE: Duration = Duration::from_hours(24);

const ZONE: &str = "zone";
const PROVIDER: &str = "provider";
const REGION: &str = "region";

/// What a path of the group asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    metric: ExternalMetric,
    selector: LabelSelector,
}

/// A zone, or a cloud region in one.
#[derive(Clone)]
struct Place<'a> {
    zone: Cow<'a, Zone>,
    region: Option<&'static Region>,
}

impl Question {
    /// Reads a request.
    ///
    /// # Errors
    /// 404 for what is no path of the group, 400 for a selector that cannot be understood.
    pub fn parse(request: &ApiRequest) -> Result<Self, Status> {
        let attributes = &request.attributes;
        if attributes.namespace.is_empty() || !attributes.name.is_empty() || !attributes.rest.is_empty() {
            return Err(Status::not_found("there is nothing at this path: metrics are at namespaces/NAMESPACE/METRIC"));
        }
        let metric = ExternalMetric::named(&attributes.resource).ok_or_else(|| {
            let known: Vec<&str> = ExternalMetric::ALL.iter().map(|metric| metric.doc().name).collect();
            Status::not_found(format!(
                "the metric {} is not served here: there are {}",
                selectors::shown(&attributes.resource),
                known.join(", ")
            ))
        })?;
        Ok(Self { metric, selector: selectors::parse(request, "labelSelector")? })
    }

    /// Its name, as served.
    pub fn name(&self) -> &'static str {
        self.metric.doc().name
    }

    /// Values of all zones or regions that the selector picks. Zones named in it are asked about from now on.
    ///
    /// # Errors
    /// 404 where none of them has a value, with the cause of the first.
    pub fn answer<'a>(&self, view: &View<'a>, wanted: &WantedZones) -> Result<Vec<Value<'a>>, Status> {
        let mut values = Vec::new();
        let mut problem = None;
        for place in self.places(view) {
            if !self.selects(&place) {
                continue;
            }
            match self.value(view, &place, wanted) {
                // `link` and `quality` are known only now.
                Ok(value) if value.matches(&self.selector) => values.push(value),
                Ok(_) => {}
                Err(absent) => drop(problem.get_or_insert(absent)),
            }
        }
        match problem {
            Some(absent) if values.is_empty() => Err(Status::not_found(format!("{}: {absent}", self.name()))),
            _ => Ok(values),
        }
    }

    /// Where the selector is looked for: in cloud regions if it asks for them, else in zones that it names, else in
    /// zones that a node stands in.
    fn places<'a>(&self, view: &View<'a>) -> Vec<Place<'a>> {
        let asks_for = |key: &str| self.selector.requirements.iter().any(|requirement| requirement.key == key);
        if asks_for(PROVIDER) || asks_for(REGION) {
            let regions = region::catalogue().regions().iter();
            return regions.map(|region| Place { zone: Cow::Borrowed(&region.zone), region: Some(region) }).collect();
        }
        let named = self.selector.requirements.iter().filter(|r| r.key == ZONE && r.operator == Operator::In);
        let mut zones: Vec<Cow<'a, Zone>> =
            named.flat_map(|r| &r.values).filter_map(|name| Zone::new(name).ok().map(Cow::Owned)).collect();
        if zones.is_empty() {
            zones = view.snapshot.inhabited_zones().map(|state| Cow::Borrowed(&state.zone)).collect();
        }
        zones.sort();
        zones.dedup();
        zones.into_iter().map(|zone| Place { zone, region: None }).collect()
    }

    /// Whether what is known of the place before its value is looked up speaks for it.
    fn selects(&self, place: &Place<'_>) -> bool {
        self.selector.requirements.iter().all(|requirement| match requirement.key.as_str() {
            ZONE => requirement.matches(Some(place.zone.as_str())),
            PROVIDER => requirement.matches(place.region.map(|region| region.provider.as_str())),
            REGION => requirement.matches(place.region.map(|region| region.name)),
            _ => true,
        })
    }

    fn value<'a>(&self, view: &View<'a>, place: &Place<'a>, wanted: &WantedZones) -> Result<Value<'a>, Absent> {
        let canonical = region::catalogue().canonical(&place.zone);
        let known = view.snapshot.zones().iter().find(|state| state.zone == canonical);
        let inhabited = |state: &ZoneState| view.snapshot.inhabited_zones().any(|known| known.zone == state.zone);
        if !known.is_some_and(inhabited) && !wanted.want(&canonical, view.now) {
            return Err(Absent::Cause(format!("zone {canonical} cannot be looked up: too many others are at present")));
        }
        let Some(state) = known else {
            return Err(Absent::Cause(format!("zone {canonical} is looked up from now on, ask again in some seconds")));
        };
        let value = view.zone_value(state)?;
        let reading = value.reading;
        let (number, (at, window), basis) = match self.metric {
            ExternalMetric::Intensity => (reading.value.get(), (reading.start, reading.duration), None),
            ExternalMetric::ForecastMin => {
                let span = Span::ahead(view, state)?;
                (span.least.get(), span.at, None)
            }
            ExternalMetric::Relative => {
                let span = Span::ahead_or_past(view, state, (reading.value, reading.start, reading.duration))?;
                (span.relative(reading.value), span.at, Some(span.basis))
            }
        };
        let mut labels = vec![(ZONE, Cow::Owned(place.zone.to_string()))];
        if let Some(region) = place.region {
            labels.extend([(PROVIDER, region.provider.as_str().into()), (REGION, region.name.into())]);
        }
        labels.extend([("link", value.link.as_str().into()), ("quality", reading.quality.as_str().into())]);
        labels.extend(basis.map(|basis| ("basis", basis.into())));
        let quantity = Quantity::new(number).map_err(|error| Absent::Cause(error.to_string()))?;
        Ok(Value { quantity, at, window: Some(window), labels })
    }
}

/// The age of a value for metrics: zero while it speaks of the present. `None` for what is usual for a month or a year
/// and has no age.
pub fn age(value: &Value<'_>, now: jiff::Timestamp) -> Option<Duration> {
    let window = value.window.unwrap_or_default();
    if window > LONGEST_SAMPLE {
        return None;
    }
    let end = value.at.checked_add(window).unwrap_or(value.at);
    Some(now.duration_since(end).try_into().unwrap_or(Duration::ZERO))
}
