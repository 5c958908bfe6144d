//! Generation by kind of plant: coal (820 g/kWh) and wind on land (11 g/kWh) in such shares that the wanted intensity
//! comes out. Other intensities than those between the two become the nearer one.

use std::fmt::Write;
use std::io::{Cursor, Write as _};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::{Answer, Play, XML, text};
use crate::grid_api::world::{Curve, shifted, steps};

const COAL: f64 = 820.0;
const WIND: f64 = 11.0;
const MEGAWATTS: f64 = 10_000.0;
const HOUR: Duration = Duration::from_hours(1);

/// Power of coal and wind in MW; `None` where a fault takes the values away.
fn mix(play: &Play<'_>, curve: Curve, at: Timestamp) -> Option<(f64, f64)> {
    let grams = play.number(curve, at, 1.0)?;
    let coal = ((grams - WIND) / (COAL - WIND)).clamp(0.0, 1.0) * MEGAWATTS;
    Some((coal, MEGAWATTS - coal))
}

/// `A75` and `A69` of the transparency platform, packed where the platform packs.
pub(super) fn entso_e(play: &Play<'_>) -> Answer {
    let area = play.parameter("in_Domain");
    let time = |name: &str| jiff::civil::DateTime::strptime("%Y%m%d%H%M", play.parameter(name)).ok();
    let instant = |name: &str| time(name)?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let (Some(from), Some(to)) = (instant("periodStart"), instant("periodEnd")) else {
        return xml(play, StatusCode::BAD_REQUEST, &acknowledgement("Input parameter is not valid"));
    };
    let forecast = play.parameter("documentType") == "A69";
    let to = if forecast { to } else { to.min(play.now()) };
    let hours: Vec<Timestamp> = steps(from, to, HOUR).filter(|&at| shifted(at, 1) <= to).collect();
    let values: Option<Vec<(f64, f64)>> =
        play.curve(area).and_then(|curve| hours.iter().map(|&at| mix(play, curve, at)).collect());
    let Some(values) = values.filter(|values| !values.is_empty()) else {
        let text = "No matching data found for Data item Aggregated Generation per Type [16.1.B&amp;C]";
        return xml(play, StatusCode::OK, &acknowledgement(text));
    };
    let start = hours.first().copied().unwrap_or(from);
    let wind: Vec<f64> = values.iter().map(|(_, wind)| *wind).collect();
    let mut series = time_series("B19", area, start, &wind);
    if !forecast {
        let coal: Vec<f64> = values.iter().map(|(coal, _)| *coal).collect();
        series += &time_series("B05", area, start, &coal);
    }
    xml(
        play,
        StatusCode::OK,
        &format!(
            "<GL_MarketDocument xmlns=\"urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0\">{series}</GL_MarketDocument>"
        ),
    )
}

/// One period on curve `A03`: a point that repeats the last value is left out.
fn time_series(psr_type: &str, area: &str, start: Timestamp, values: &[f64]) -> String {
    let end = start.checked_add(HOUR * u32::try_from(values.len()).unwrap_or_default()).unwrap_or(start);
    let time = |instant| text(instant, "%Y-%m-%dT%H:%MZ");
    let mut points = String::new();
    let mut last = None;
    for (position, &megawatts) in (1..).zip(values) {
        if last.is_none_or(|last: f64| last.total_cmp(&megawatts).is_ne()) {
            // Writing into a String cannot fail.
            let _ = write!(points, "<Point><position>{position}</position><quantity>{megawatts}</quantity></Point>");
        }
        last = Some(megawatts);
    }
    format!(
        "<TimeSeries><mRID>{psr_type}</mRID><businessType>A01</businessType>\
         <inBiddingZone_Domain.mRID codingScheme=\"A01\">{area}</inBiddingZone_Domain.mRID>\
         <quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name><curveType>A03</curveType>\
         <MktPSRType><psrType>{psr_type}</psrType></MktPSRType><Period><timeInterval><start>{}</start><end>{}</end>\
         </timeInterval><resolution>PT60M</resolution>{points}</Period></TimeSeries>",
        time(start),
        time(end)
    )
}

fn acknowledgement(text: &str) -> String {
    format!(
        "<Acknowledgement_MarketDocument xmlns=\"urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0\">\
         <Reason><code>999</code><text>{text}</text></Reason></Acknowledgement_MarketDocument>"
    )
}

fn xml(play: &Play<'_>, status: StatusCode, document: &str) -> Answer {
    let document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{document}");
    match packed(&document).filter(|_| play.world.zip) {
        Some(archive) => Answer::new(status, "application/zip", archive),
        None => Answer::new(status, XML, document.into()),
    }
}

fn packed(document: &str) -> Option<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("001-AGGREGATED_GENERATION.xml", SimpleFileOptions::default()).ok()?;
    archive.write_all(document.as_bytes()).ok()?;
    archive.finish().ok().map(Cursor::into_inner)
}

/// Rows of the EIA, newest first: numbers as text, stamps that name the end of the hour, pages of limited length.
pub(super) fn eia(play: &Play<'_>) -> Answer {
    let respondent = play.parameter("facets[respondent][0]");
    let hour = |name: &str| jiff::civil::DateTime::strptime("%Y-%m-%dT%H", play.parameter(name)).ok();
    let instant = |name: &str| hour(name)?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let (Some(from), Some(to)) = (instant("start"), instant("end")) else {
        return Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": "Invalid start or end", "code": 400 }));
    };
    let curve = play.curve(respondent);
    let ends = steps(from, shifted(to, 1), HOUR).filter(|&end| end <= play.now());
    let mut rows: Vec<Value> = Vec::new();
    for end in ends.filter(|_| curve.is_some()) {
        let values = curve.and_then(|curve| mix(play, curve, shifted(end, -1)));
        for (fuel, megawatts) in [("COL", values.map(|(coal, _)| coal)), ("WND", values.map(|(_, wind)| wind))] {
            rows.push(json!({
                "period": text(end, "%Y-%m-%dT%H"),
                "respondent": respondent,
                "fueltype": fuel,
                "value": megawatts.map(|megawatts| megawatts.to_string()),
                "value-units": "megawatthours",
            }));
        }
    }
    let total = rows.len().to_string();
    rows.reverse();
    rows.truncate(play.parameter("length").parse().unwrap_or(5_000).min(5_000));
    let response = json!({ "total": total, "dateFormat": "YYYY-MM-DD\"T\"HH24", "frequency": "hourly", "data": rows });
    Answer::json(StatusCode::OK, &json!({ "response": response, "apiVersion": "2.1.12" }))
}
