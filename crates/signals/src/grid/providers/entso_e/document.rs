//! Documents of the transparency platform: XML, alone or several in a ZIP archive.
//!
//! Curve `A03` leaves out points that repeat the last value: a value holds up to the next point, and the last one up
//! to the end of its period. Curve `A01` has every point, so that a missing one is a gap.

use std::{
    io::{Cursor, Read},
    time::Duration,
};

use jiff::Timestamp;
use quick_xml::{Reader, events::Event};

use super::super::{ProviderError, text::instant};

const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// Unpacked size of an archive, against archives that are made to burst.
const MAX_UNPACKED_BYTES: u64 = 64 << 20;
const MAX_FILES: usize = 50;
const MAX_DEPTH: usize = 16;
/// Points of a document, and steps of a period: ten series of a year of quarter-hours fit.
const MAX_POINTS: usize = 400_000;

/// Everything that an answer holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Document {
    pub(super) series: Vec<TimeSeries>,
    /// An acknowledgement instead of data: why there are none.
    pub(super) reason: Option<Reason>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) code: String,
    pub(super) text: String,
}

/// Power of one kind of plant.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TimeSeries {
    pub(super) psr_type: String,
    /// The area that the power flows into; generation.
    pub(super) into: Option<String>,
    /// The area that the power is taken out of; pumping and own use.
    pub(super) out_of: Option<String>,
    pub(super) unit: String,
    pub(super) curve: String,
    pub(super) periods: Vec<Period>,
}

/// Points at even distances.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Period {
    start: String,
    end: String,
    resolution: String,
    points: Vec<(u32, f64)>,
    /// Points without a number of either kind.
    pub(super) broken: usize,
}

/// A value, for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) start: Timestamp,
    pub(super) duration: Duration,
    pub(super) megawatts: f64,
}

/// All documents of an answer as one.
pub(super) fn read(body: &[u8]) -> Result<Document, ProviderError> {
    if !body.starts_with(ZIP_MAGIC) {
        return parse(body);
    }
    let broken = |_| ProviderError::malformed("its archive cannot be unpacked");
    let mut archive = zip::ZipArchive::new(Cursor::new(body)).map_err(broken)?;
    let mut left = MAX_UNPACKED_BYTES;
    let mut all = Document::default();
    for index in 0..archive.len().min(MAX_FILES) {
        let file = archive.by_index(index).map_err(broken)?;
        let mut text = Vec::new();
        let read = file.take(left).read_to_end(&mut text);
        left -= u64::try_from(read.map_err(|_| ProviderError::malformed("its archive cannot be unpacked"))?)
            .unwrap_or(left)
            .min(left);
        if left == 0 {
            return Err(ProviderError::malformed("its archive is too large when unpacked"));
        }
        let document = parse(&text)?;
        all.series.extend(document.series);
        all.reason = all.reason.or(document.reason);
    }
    Ok(all)
}

/// What the parser stands in.
#[derive(Default)]
struct State {
    path: Vec<String>,
    text: String,
    document: Document,
    reason: Reason,
    series: TimeSeries,
    period: Period,
    position: Option<u32>,
    quantity: Option<f64>,
    points: usize,
    seen_root: bool,
}

fn parse(xml: &[u8]) -> Result<Document, ProviderError> {
    let malformed = || ProviderError::malformed("its XML is broken or cut off");
    let xml = std::str::from_utf8(xml).map_err(|_| malformed())?;
    let mut reader = Reader::from_str(xml);
    let mut state = State::default();
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(tag) => {
                let name = tag.local_name();
                state.open(std::str::from_utf8(name.as_ref()).map_err(|_| malformed())?)?;
            }
            Event::Text(text) => state.text.push_str(&text.decode().map_err(|_| malformed())?),
            Event::End(_) => state.close()?,
            Event::Eof => break,
            // Attributes, comments and declarations say nothing that is used; entities stand in free text only.
            _ => {}
        }
    }
    if state.seen_root && state.path.is_empty() { Ok(state.document) } else { Err(malformed()) }
}

impl State {
    fn open(&mut self, name: &str) -> Result<(), ProviderError> {
        if self.path.len() >= MAX_DEPTH {
            return Err(ProviderError::malformed("its XML is nested too deep"));
        }
        let known = ["GL_MarketDocument", "Acknowledgement_MarketDocument"].contains(&name);
        if self.path.is_empty() && !known {
            return Err(ProviderError::malformed("it is no document of the transparency platform"));
        }
        match name {
            "TimeSeries" => self.series = TimeSeries::default(),
            "Period" => self.period = Period::default(),
            "Point" => (self.position, self.quantity) = (None, None),
            _ => {}
        }
        self.seen_root = true;
        self.text.clear();
        self.path.push(name.to_owned());
        Ok(())
    }

    fn close(&mut self) -> Result<(), ProviderError> {
        let Some(name) = self.path.pop() else { return Ok(()) };
        let parent = self.path.last().map_or("", String::as_str);
        let text = self.text.trim();
        match (parent, name.as_str()) {
            ("Reason", "code") => text.clone_into(&mut self.reason.code),
            ("Reason", "text") => text.clone_into(&mut self.reason.text),
            (_, "Reason") => self.document.reason = Some(std::mem::take(&mut self.reason)),
            ("MktPSRType", "psrType") => text.clone_into(&mut self.series.psr_type),
            ("TimeSeries", "inBiddingZone_Domain.mRID") => self.series.into = Some(text.to_owned()),
            ("TimeSeries", "outBiddingZone_Domain.mRID") => self.series.out_of = Some(text.to_owned()),
            ("TimeSeries", "quantity_Measure_Unit.name") => text.clone_into(&mut self.series.unit),
            ("TimeSeries", "curveType") => text.clone_into(&mut self.series.curve),
            ("timeInterval", "start") => text.clone_into(&mut self.period.start),
            ("timeInterval", "end") => text.clone_into(&mut self.period.end),
            ("Period", "resolution") => text.clone_into(&mut self.period.resolution),
            ("Point", "position") => self.position = text.parse().ok(),
            ("Point", "quantity") => self.quantity = text.parse().ok(),
            (_, "Point") => self.point()?,
            (_, "Period") => self.series.periods.push(std::mem::take(&mut self.period)),
            (_, "TimeSeries") => self.document.series.push(std::mem::take(&mut self.series)),
            _ => {}
        }
        self.text.clear();
        Ok(())
    }

    fn point(&mut self) -> Result<(), ProviderError> {
        self.points += 1;
        if self.points > MAX_POINTS {
            return Err(ProviderError::malformed("it has too many points"));
        }
        match (self.position, self.quantity) {
            (Some(position), Some(quantity)) => self.period.points.push((position, quantity)),
            _ => self.period.broken += 1,
        }
        Ok(())
    }
}

impl Period {
    /// The values in order. `repeats`: whether a value holds until the next point.
    pub(super) fn steps(&self, repeats: bool) -> Result<Vec<Step>, String> {
        let minutes = match self.resolution.as_str() {
            "PT15M" => 15,
            "PT30M" => 30,
            "PT60M" | "PT1H" => 60,
            _ => return Err("its resolution is none of 15, 30 and 60 minutes".to_owned()),
        };
        let step = Duration::from_mins(minutes);
        let (start, end) = (instant(&self.start)?, instant(&self.end)?);
        let seconds = u64::try_from(end.duration_since(start).as_secs()).map_err(|_| "it ends before it begins")?;
        let count = u32::try_from(seconds / step.as_secs()).unwrap_or(u32::MAX);
        if usize::try_from(count).is_ok_and(|count| count > MAX_POINTS) {
            return Err("its period is too long".to_owned());
        }
        let mut points = self.points.clone();
        points.retain(|(position, _)| (1..=count).contains(position));
        points.sort_by_key(|(position, _)| *position);
        points.dedup_by_key(|(position, _)| *position);
        let next = points.iter().skip(1).map(|(position, _)| *position).chain([count.saturating_add(1)]);
        let steps = points.iter().zip(next).flat_map(|(&(position, megawatts), next)| {
            let last = if repeats { next } else { position + 1 };
            (position..last).filter_map(move |position| {
                Some(Step { start: start.checked_add(step * (position - 1)).ok()?, duration: step, megawatts })
            })
        });
        Ok(steps.collect())
    }
}
