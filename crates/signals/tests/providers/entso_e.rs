use std::io::{Cursor, Write};

use kube_sci_signals::grid::providers::{EntsoE, EntsoEConfig};
use zip::write::SimpleFileOptions;

use super::*;

const GERMANY: &str = "10Y1001A1001A83F";

fn provider() -> EntsoE {
    EntsoE::new(&EntsoEConfig::default())
}

/// One series of one period of hours; a point per value, `None` leaves it out.
fn series(psr_type: &str, curve: &str, start: Timestamp, values: &[Option<f64>]) -> String {
    let end = start + std::time::Duration::from_hours(values.len().try_into().unwrap());
    let points: String = (1..)
        .zip(values)
        .filter_map(|(position, value)| {
            Some(format!("<Point><position>{position}</position><quantity>{}</quantity></Point>", (*value)?))
        })
        .collect();
    format!(
        "<TimeSeries><inBiddingZone_Domain.mRID codingScheme=\"A01\">{GERMANY}</inBiddingZone_Domain.mRID>\
         <quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name><curveType>{curve}</curveType>\
         <MktPSRType><psrType>{psr_type}</psrType></MktPSRType><Period><timeInterval><start>{start}</start>\
         <end>{end}</end></timeInterval><resolution>PT60M</resolution>{points}</Period></TimeSeries>"
    )
}

fn document(series: &[String]) -> Vec<u8> {
    format!("<?xml version=\"1.0\"?><GL_MarketDocument xmlns=\"urn:x\">{}</GL_MarketDocument>", series.concat()).into()
}

fn zipped(files: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (index, file) in files.iter().enumerate() {
        archive.start_file(format!("{index}.xml"), SimpleFileOptions::default()).unwrap();
        archive.write_all(file).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn history(body: impl AsRef<[u8]>) -> Result<Answer, ProviderError> {
    read(&provider(), &zone("DE"), Purpose::History, body, now())
}

fn values(answer: &Answer) -> Vec<f64> {
    slots(answer).into_iter().map(|slot| slot.1).collect()
}

#[test]
fn points_that_repeat_are_filled_in_on_one_curve_only() {
    let start = at("2026-01-31T08:00:00Z");
    let gas = series("B04", "A01", start, &[Some(100.0); 3]);
    let sparse = [Some(100.0), None, Some(300.0)];
    // Gas 490, nuclear 12: (100 * 490 + 100 * 12) / 200 twice, then (100 * 490 + 300 * 12) / 400.
    let filled = history(document(&[gas.clone(), series("B14", "A03", start, &sparse)])).unwrap();
    assert_eq!(values(&filled), [251.0, 251.0, 131.5]);
    let gap = history(document(&[gas, series("B14", "A01", start, &sparse)])).unwrap();
    assert_eq!(values(&gap), [251.0, 131.5]);
    assert_eq!(problems(&gap), ["50 % of the generation is not reported yet".into()]);
}

#[test]
fn a_zip_archive_holds_documents() {
    let start = at("2026-01-31T08:00:00Z");
    let one = document(&[series("B04", "A03", start, &[Some(100.0)])]);
    let other = document(&[series("B14", "A03", start, &[Some(100.0)])]);
    assert_eq!(values(&history(zipped(&[one, other])).unwrap()), [251.0]);
    let acknowledgement = zipped(&[sample("entsoe_ack_nodata_999.xml")]);
    assert_eq!(history(acknowledgement).unwrap_err(), ProviderError::NoData);
    let cut = zipped(&[document(&[])]);
    assert_eq!(history(&cut[..cut.len() / 2]).unwrap_err().kind(), "malformed");
}

#[test]
fn an_archive_that_bursts_is_refused() {
    let bomb = zipped(&[vec![b' '; 65 << 20]]);
    assert!(bomb.len() < 1 << 20);
    let error = history(bomb).unwrap_err();
    assert!(error.to_string().contains("too large when unpacked"), "{error}");
}

#[test]
fn refusals_of_the_platform_are_told_apart() {
    let provider = provider();
    let acknowledged = sample("entsoe_ack_nodata_999.xml");
    assert_eq!(read_status(&provider, &zone("DE"), 400, &acknowledged).unwrap_err(), ProviderError::NoData);
    let other = "<Acknowledgement_MarketDocument><Reason><code>999</code><text>Input parameter does not exist</text></Reason></Acknowledgement_MarketDocument>";
    let error = read_status(&provider, &zone("DE"), 400, other).unwrap_err();
    assert!(error.to_string().ends_with("999: Input parameter does not exist"), "{error}");
    for (status, kind) in [(401, "unauthorized"), (429, "rate_limited"), (503, "unavailable"), (400, "rejected")] {
        assert_eq!(read_status(&provider, &zone("DE"), status, "<html>").unwrap_err().kind(), kind);
    }
    assert_eq!(history("<html>busy</html>").unwrap_err().kind(), "malformed");
    let ban = provider.limits()[0];
    assert_eq!((ban.calls, ban.per.as_secs(), ban.ban.as_secs()), (400, 60, 600));
}

#[test]
fn another_area_unit_or_resolution_is_refused() {
    let good =
        String::from_utf8(document(&[series("B04", "A03", at("2026-01-31T08:00:00Z"), &[Some(100.0)])])).unwrap();
    assert!(history(&good).is_ok());
    assert_eq!(history(good.replace(GERMANY, "10YFR-RTE------C")).unwrap_err().kind(), "other_zone");
    for (from, to) in [("MAW", "MWH"), ("PT60M", "P1D"), ("B04", "B99"), ("<quantity>100", "<quantity>many")] {
        assert!(history(good.replace(from, to)).is_err(), "{to}");
    }
}

/// Hours from a midnight on, with the same mix all the time.
fn week_of(gas: f64, wind: f64, hours: usize) -> Vec<u8> {
    let start = at("2026-01-23T00:00:00Z");
    document(&[
        series("B04", "A03", start, &vec![Some(gas); hours]),
        series("B19", "A03", start, &vec![Some(wind); hours]),
    ])
}

#[test]
fn a_forecast_of_wind_and_sun_becomes_one_of_intensity_once_a_week_is_known() {
    let provider = provider();
    let germany = zone("DE");
    let purposes = |planned: Vec<PlannedRequest>| planned.iter().map(|one| one.purpose).collect::<Vec<_>>();
    assert_eq!(purposes(provider.plan(std::slice::from_ref(&germany), now())), [Purpose::History, Purpose::Backfill]);
    read(&provider, &germany, Purpose::Backfill, week_of(600.0, 400.0, 8 * 24), now()).unwrap();

    let planned = question(&provider, &germany, Purpose::Forecast, now());
    assert_eq!(
        planned.path_and_query,
        "/api?documentType=A69&processType=A01&in_Domain=10Y1001A1001A83F&periodStart=202601311200&periodEnd=202602021200"
    );
    // A week before 12:00 is known; the day after the last known day is not.
    let wind = document(&[series("B19", "A03", at("2026-01-31T12:00:00Z"), &[Some(400.0), Some(900.0), Some(0.0)])]);
    let answer = provider.read(&planned, 200, &wind, now()).unwrap();
    assert!(slots(&answer).iter().all(|slot| slot.2 == "forecast"));
    // Demand 1,000 MW: (600 * 490 + 400 * 11), (100 * 490 + 900 * 11), (1000 * 490), all over 1,000.
    assert_eq!(values(&answer), [298.4, 58.9, 490.0]);

    let beyond = document(&[series("B19", "A03", at("2026-02-07T12:00:00Z"), &[Some(400.0)])]);
    assert_eq!(provider.read(&planned, 200, &beyond, now()).unwrap_err().kind(), "absurd");
}

#[test]
fn zones_are_known_by_name_or_by_code() {
    let provider = provider();
    for known in [zone("DE"), zone("NO-NO1"), zone_as("IE", "10Y1001A1001A59C"), zone_as("somewhere", "DE")] {
        assert!(provider.serves(&known), "{known:?}");
    }
    for unknown in [zone("GB"), zone("US-MIDA-PJM"), zone_as("DE", "10Y1001A1001A83X"), zone_as("DE", "&x=y")] {
        assert!(!provider.serves(&unknown), "{unknown:?}");
        assert!(provider.plan(&[unknown], now()).is_empty());
    }
}
