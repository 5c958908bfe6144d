//! The exporter of grid-intensity-go, from its own page or from a Prometheus that scrapes it.
//!
//! Facts: thegreenwebfoundation/grid-intensity-go@0a01b92e and its integration tests. Two sets of labels are in use:
//! now `location` is the place on the grid and `region` the cloud region of the **node**; before, `region` was the
//! place on the grid. Countries come with three letters (`GBR`) or two. `grid_intensity_carbon_relative` is an index
//! from 0 to 100, no intensity.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use sci_core::intensity::{Quality, Scope, Signal, SignalKind, Zone};

use super::{
    ExporterRoute, GridIntensityExporterConfig, PlannedRequest, Provider, ProviderError, UnitConfig, ZoneRequest,
    countries,
    error::quoted,
    points::{Point, Points},
    prometheus::{self, Vector},
};
use crate::{exposition, grid::Answer};

const NAME: &str = "grid-intensity-exporter";
const AVERAGE: &str = "grid_intensity_carbon_average";
const ACTUAL: &str = "grid_intensity_carbon_actual";
const MARGINAL: &str = "grid_intensity_carbon_marginal";
const RELATIVE: &str = "grid_intensity_carbon_relative";
const QUERY: &str = "{__name__=~\"grid_intensity_carbon_(average|actual|marginal|relative)\"}";
/// Gauges hold for as long as the shortest step of the exporter's own sources.
const SLOT: Duration = Duration::from_mins(30);

/// The exporter of grid-intensity-go: signal and quality by the label `provider`.
#[derive(Debug, Clone)]
pub struct GridIntensityExporter {
    config: GridIntensityExporterConfig,
}

/// One gauge, by either route.
#[derive(Debug, Clone, PartialEq)]
struct Gauge {
    name: String,
    /// Place on the grid.
    place: Option<String>,
    provider: String,
    units: Option<String>,
    is_estimated: bool,
    at: Timestamp,
    value: f64,
}

impl GridIntensityExporter {
    /// As configured.
    pub fn new(config: &GridIntensityExporterConfig) -> Self {
        Self { config: config.clone() }
    }

    /// What a gauge means, by what its provider publishes.
    fn meaning(&self, gauge: &Gauge) -> Result<(Signal, Quality), String> {
        let kind = match gauge.name.as_str() {
            AVERAGE | ACTUAL => SignalKind::Average,
            MARGINAL => SignalKind::Marginal,
            _ => return Err("an index from 0 to 100 is no intensity".to_owned()),
        };
        let provider: String =
            gauge.provider.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        let metered = if gauge.is_estimated { Quality::Estimated } else { Quality::Measured };
        let (scope, quality) = if provider.starts_with("ember") {
            (Scope::Lifecycle, Quality::Annual)
        } else if provider.starts_with("electricitymap") {
            (Scope::Lifecycle, metered)
        } else if provider.starts_with("carbonintensityorguk") {
            (Scope::Direct, Quality::Estimated)
        } else if provider.starts_with("watttime") {
            (Scope::Direct, Quality::Modelled)
        } else {
            let signal = self.config.signal.ok_or("its provider is not known: configure what its values mean")?;
            return Ok((signal.into(), Quality::Estimated));
        };
        Ok((Signal { kind, scope }, quality))
    }

    fn read_gauges(
        &self,
        zones: &[ZoneRequest],
        gauges: impl IntoIterator<Item = Result<Gauge, String>>,
        mut points: Points,
    ) -> Result<Answer, ProviderError> {
        // Several replicas of an exporter say the same.
        let mut seen: BTreeMap<(Zone, Signal), f64> = BTreeMap::new();
        for (position, gauge) in (1..).zip(gauges) {
            let taken = gauge.and_then(|gauge| {
                let place = gauge.place.as_deref().ok_or("it has no label location or region")?;
                // Zones that nobody wants are left out without a word.
                let Some(zone) = zone_of(place, zones) else { return Ok(None) };
                let (signal, quality) = self.meaning(&gauge)?;
                let unit = match gauge.units.as_deref() {
                    None => UnitConfig::GramsPerKwh,
                    Some(units) => UnitConfig::named(units).ok_or("its unit is no intensity")?,
                };
                let value = gauge.value * unit.grams_per_kwh();
                let (start, duration) = (gauge.at, Some(SLOT));
                Ok(Some(Point { position, zone: zone.clone(), signal, quality, start, duration, value }))
            });
            match taken {
                Ok(Some(point)) => match seen.insert((point.zone.clone(), point.signal), point.value) {
                    None => points.push(point),
                    Some(first) if first.total_cmp(&point.value).is_eq() => {}
                    Some(_) => points.refuse(position, "two exporters contradict each other"),
                },
                Ok(None) => {}
                Err(problem) => points.refuse(position, problem),
            }
        }
        points.finish()
    }
}

impl Provider for GridIntensityExporter {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], _now: Timestamp) -> Vec<PlannedRequest> {
        let path = match self.config.route {
            ExporterRoute::Page => self.config.path.clone(),
            ExporterRoute::Prometheus => prometheus::query_path(QUERY),
        };
        prometheus::everything(zones, path, Duration::from_mins(1)).into_iter().collect()
    }

    fn serves(&self, _zone: &ZoneRequest) -> bool {
        true
    }

    fn read(
        &self,
        request: &PlannedRequest,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Answer, ProviderError> {
        let mut points = Points::new(NAME, request.purpose, now);
        match self.config.route {
            ExporterRoute::Page => {
                if let Some(error) = ProviderError::of_status(status, body) {
                    return Err(error);
                }
                let mut gauges = Vec::new();
                let counts = exposition::parse(body, is_wanted, |sample| {
                    let labels = |name: &str| sample.labels.get(name);
                    gauges.push(Ok(Gauge::new(sample.name, labels, sample.at.unwrap_or(now), sample.value)));
                })
                .map_err(|error| ProviderError::malformed(quoted(error.to_string().as_bytes())))?;
                let malformed = usize::try_from(counts.malformed).unwrap_or(usize::MAX);
                points.refuse_many(malformed, 1, "lines of the page are malformed");
                self.read_gauges(&request.zones, gauges, points)
            }
            ExporterRoute::Prometheus => {
                let Vector { samples, warnings } = prometheus::vector(status, body)?;
                for warning in warnings {
                    points.flag(1, format!("the server warns: {warning}"));
                }
                let gauges = samples.into_iter().map(|sample| {
                    let sample = sample?;
                    let labels = |name: &str| sample.labels.get(name).map(|value| &**value);
                    Ok(Gauge::new(labels("__name__").unwrap_or_default(), labels, sample.at, sample.value))
                });
                self.read_gauges(&request.zones, gauges, points)
            }
        }
    }
}

impl Gauge {
    fn new<'l>(name: &str, labels: impl Fn(&str) -> Option<&'l str>, at: Timestamp, value: f64) -> Self {
        // Where there is a location, the region is that of the node and says nothing of the grid.
        let place = labels("location").map_or_else(|| labels("region"), Some).filter(|place| !place.is_empty());
        Self {
            name: name.to_owned(),
            place: place.map(str::to_owned),
            provider: labels("provider").unwrap_or_default().to_owned(),
            units: labels("units").map(str::to_owned),
            is_estimated: labels("is_estimated") == Some("true"),
            at,
            value,
        }
    }
}

fn is_wanted(name: &str) -> bool {
    [AVERAGE, ACTUAL, MARGINAL, RELATIVE].contains(&name)
}

/// The wanted zone of a place: by its configured name, else by its own, else as a country.
fn zone_of<'z>(place: &str, zones: &'z [ZoneRequest]) -> Option<&'z Zone> {
    let by_id = zones.iter().find(|zone| zone.id() == place);
    let country = || countries::zone_of(place);
    let by_country = || zones.iter().find(|zone| zone.id.is_none() && Some(zone.zone.as_str()) == country());
    by_id.or_else(by_country).map(|zone| &zone.zone)
}
