//! Readers of grid APIs, on recorded answers and on what else may come.

mod electricity_maps;
mod entso_e;
mod exporters;
mod generation;
mod guide;
mod plans;
mod recorded;
mod robustness;
mod sanity;
mod uk;
mod watt_time;

use std::{fs, path::Path, sync::Arc};

use jiff::Timestamp;
use kube_sci_signals::grid::{
    Answer,
    providers::{PlannedRequest, Provider, ProviderError, Purpose, ZoneRequest},
};
use sci_core::intensity::Zone;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The time that most tests stand at.
fn now() -> Timestamp {
    at("2026-01-31T12:00:00Z")
}

fn zone(name: &str) -> ZoneRequest {
    ZoneRequest { forecast: true, ..ZoneRequest::new(Zone::new(name).unwrap()) }
}

fn zone_as(name: &str, id: &str) -> ZoneRequest {
    ZoneRequest { id: Some(id.into()), ..zone(name) }
}

fn sample(file: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api").join(file)).unwrap()
}

/// The question for one zone; a question of that purpose without the provider's own conditions where it plans none.
fn question(provider: &dyn Provider, zone: &ZoneRequest, purpose: Purpose, now: Timestamp) -> PlannedRequest {
    let planned = provider.plan(std::slice::from_ref(zone), now);
    let found = planned.iter().find(|planned| planned.purpose == purpose).cloned();
    found.unwrap_or_else(|| PlannedRequest { purpose, ..planned.first().expect("a question").clone() })
}

fn read(
    provider: &dyn Provider,
    zone: &ZoneRequest,
    purpose: Purpose,
    body: impl AsRef<[u8]>,
    now: Timestamp,
) -> Result<Answer, ProviderError> {
    provider.read(&question(provider, zone, purpose, now), 200, body.as_ref(), now)
}

fn read_status(
    provider: &dyn Provider,
    zone: &ZoneRequest,
    status: u16,
    body: impl AsRef<[u8]>,
) -> Result<Answer, ProviderError> {
    let question = provider.plan(std::slice::from_ref(zone), now()).remove(0);
    provider.read(&question, status, body.as_ref(), now())
}

/// `start / seconds` and value of every slot, with its quality.
fn slots(answer: &Answer) -> Vec<(String, f64, &'static str)> {
    let slots = answer.series.iter().flat_map(|series| series.slots().iter().map(move |slot| (series, slot)));
    slots
        .map(|(series, slot)| {
            let start = format!("{} / {}", slot.start, slot.duration.as_secs());
            (start, slot.value.get(), series.quality().as_str())
        })
        .collect()
}

fn signals(answer: &Answer) -> Vec<String> {
    answer.series.iter().map(|series| series.signal().to_string()).collect()
}

fn problems(answer: &Answer) -> Vec<Arc<str>> {
    answer.refused.iter().map(|row| row.problem.as_str().into()).collect()
}

fn flags(answer: &Answer) -> String {
    answer.flagged.iter().map(|row| row.problem.as_str()).collect::<Vec<_>>().join("; ")
}
