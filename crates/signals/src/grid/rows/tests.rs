use proptest::prelude::*;
use sci_core::intensity::{Scope, SignalKind};

use super::*;

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn context() -> ParseContext {
    ParseContext { zone: None, signal: Signal::default(), quality: Quality::Estimated, source: "test".into() }
}

fn in_zone(zone: &str) -> ParseContext {
    ParseContext { zone: Some(Zone::new(zone).unwrap()), ..context() }
}

fn csv(text: &str) -> Result<Answer, RowProblem> {
    parse_csv(text.as_bytes(), &context(), now())
}

fn json(text: &str) -> Result<Answer, RowProblem> {
    parse_json(text.as_bytes(), &context(), now())
}

/// Zone, hours since midnight of the 31st, seconds, value: of every slot.
fn slots(answer: &Answer) -> Vec<(String, i64, u64, f64)> {
    let midnight: Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();
    let slots = answer.series.iter().flat_map(|series| series.slots().iter().map(move |slot| (series.zone(), slot)));
    slots
        .map(|(zone, slot)| {
            let hour = slot.start.duration_since(midnight).as_secs() / 3_600;
            (zone.to_string(), hour, slot.duration.as_secs(), slot.value.get())
        })
        .collect()
}

#[test]
fn rows_become_series_by_zone() {
    let answer =
        csv("zone,start,value\nFR,2026-01-31T01:00:00Z,50\nDE,2026-01-31T00:00:00Z,400\nFR,2026-01-31T00:00:00Z,40\n");
    let expected = [("DE", 0, 3_600, 400.0), ("FR", 0, 3_600, 40.0), ("FR", 1, 3_600, 50.0)];
    assert_eq!(
        slots(&answer.unwrap()),
        expected.map(|(zone, hour, length, value)| (zone.to_owned(), hour, length, value))
    );
}

#[test]
fn two_columns_and_a_zone_of_the_configuration_are_enough() {
    let text = "timestamp,gCO2eq_per_kWh\n2026-01-31 00:00:00+00:00,100\n2026-01-31 00:30:00+00:00,200\n";
    let answer = parse_csv(text.as_bytes(), &in_zone("PL"), now()).unwrap();
    assert_eq!(slots(&answer), [("PL".to_owned(), 0, 1_800, 100.0), ("PL".to_owned(), 0, 1_800, 200.0)]);
    let problem = csv(text).unwrap_err();
    assert_eq!(problem.to_string(), "line 1: add a column named zone, or name the file's zone in the configuration");
}

#[test]
fn optional_columns_are_used() {
    let text = "zone,start,value,duration,kind,scope,quality\n\
                DE,2026-01-31T00:00:00Z,400,15m,marginal,direct,forecast\n\
                DE,2026-01-31T01:00:00Z,300,900,,,\n";
    let answer = csv(text).unwrap();
    let signals: Vec<_> = answer.series.iter().map(|series| (series.signal(), series.quality())).collect();
    let marginal = Signal { kind: SignalKind::Marginal, scope: Scope::Direct };
    assert_eq!(signals, [(Signal::default(), Quality::Estimated), (marginal, Quality::Forecast)]);
    assert!(slots(&answer).iter().all(|slot| slot.2 == 900));
}

#[test]
fn a_gap_does_not_stretch_a_slot_beyond_a_day() {
    let answer = csv("zone,start,value\nDE,2026-01-01T00:00:00Z,100\nDE,2026-01-31T00:00:00Z,200\n").unwrap();
    assert_eq!(slots(&answer)[0].2, 86_400);
}

#[test]
fn rows_that_cannot_be_meant_are_left_out_by_line() {
    let text = "zone,start,value,duration\n\
                DE,2026-01-31T00:00:00Z,400,1h\n\
                DE,2026-01-31T01:00:00Z,NaN,1h\n\
                DE,2026-01-31T02:00:00Z,-1,1h\n\
                DE,2026-01-31T03:00:00Z,5001,1h\n\
                DE,2027-01-31T00:00:00Z,400,1h\n\
                DE,yesterday,400,1h\n\
                DE,2026-01-31T04:00:00Z,400,0s\n\
                no zone,2026-01-31T05:00:00Z,400,1h\n\
                DE,2026-01-31T00:30:00Z,300,1h\n\
                DE,2026-01-31T06:00:00Z,many,1h\n\
                DE,2026-01-31T07:00:00Z,100,1h\n";
    let answer = csv(text).unwrap();
    assert_eq!(slots(&answer).iter().map(|slot| slot.1).collect::<Vec<_>>(), [0, 7]);
    let mut lines: Vec<u64> = answer.refused.iter().map(|problem| problem.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(answer.refused_rows, 9);
}

/// What is wrong with a row, read as CSV and as JSON.
fn problems(start: &str, value: &str, quality: &str) -> [Option<String>; 2] {
    let good = "2026-01-31T00:00:00Z";
    let rows = format!("zone,start,value,quality\nDE,{good},400,measured\nDE,{start},{value},{quality}\n");
    let series = |start: &str, value: &str, quality: &str| {
        format!(r#"{{"zone":"DE","quality":"{quality}","slots":[{{"start":"{start}","value":{value}}}]}}"#)
    };
    let series = format!("[{},\n{}]", series(good, "400", "measured"), series(start, value, quality));
    [csv(&rows), json(&series)].map(|answer| {
        let answer = answer.unwrap();
        assert_eq!(answer.refused.len(), answer.refused_rows);
        answer.refused.into_iter().next().map(|problem| problem.problem)
    })
}

#[test]
fn rows_pass_the_checks_of_providers() {
    let (hour, then) = ("2026-01-31T06:00:00Z", "the start 2026-01-31T15:00:00Z lies too far in the future");
    let advance = format!("{then}: a value said in advance has the quality forecast");
    for (start, value, quality, expected) in [
        (hour, "371", "measured", None),
        // Kilograms, milligrams, unknown written as 0, and a zone that was never like this.
        (hour, "0.371", "measured", Some("a thousandfold of the value would be usual for the zone: correct the unit")),
        (hour, "371000", "estimated", Some("a thousandth of the value would be usual for the zone: correct the unit")),
        (hour, "0", "measured", Some("a grid of 0 g/kWh over life cycles does not exist, it stands for unknown")),
        (hour, "2", "forecast", Some("2 g/kWh is less than a 20th of the zone's annual mean")),
        // Nobody can measure an hour to come.
        ("2026-01-31T13:59:00Z", "400", "measured", None),
        ("2026-01-31T15:00:00Z", "400", "measured", Some(&*advance)),
        ("2026-01-31T15:00:00Z", "400", "forecast", None),
        ("2026-02-09T12:00:00Z", "400", "forecast", None),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(problems(start, value, quality), [expected.clone(), expected], "{start} {value} {quality}");
    }
    for quality in ["measured", "forecast", "typical"] {
        let [csv, json] = problems("2027-01-31T00:00:00Z", "400", quality);
        assert_eq!(
            (csv.as_deref(), json.is_some()),
            (Some("the start 2027-01-31T00:00:00Z lies too far in the future"), true)
        );
    }
}

#[test]
fn what_is_usual_may_last_a_year() {
    let rows =
        |quality: &str| format!("zone,start,value,duration,quality\nDE,2026-01-01T00:00:00Z,400,8760h,{quality}\n");
    assert_eq!(slots(&csv(&rows("annual")).unwrap())[0].2, 8_760 * 3_600);
    assert!(csv(&rows("measured")).unwrap_err().problem.contains("longer than a day"));
}

#[test]
fn many_problems_are_counted_and_the_first_are_named() {
    let bad: String = (0..100).map(|_| "DE,2026-01-31T00:00:00Z,-1\n").collect();
    let answer = csv(&format!("zone,start,value\nDE,2026-01-31T00:00:00Z,100\n{bad}")).unwrap();
    assert_eq!((answer.refused.len(), answer.refused_rows), (MAX_NAMED, 100));
}

#[test]
fn a_broken_csv_is_refused_with_its_line() {
    assert_eq!(csv("").unwrap_err().to_string(), "line 1: add a column named start");
    assert_eq!(
        csv("zone,start\nDE,2026-01-31T00:00:00Z\n").unwrap_err().to_string(),
        "line 1: add a column named value"
    );
    assert_eq!(csv("zone,start,value\n").unwrap_err().to_string(), "line 1: add at least one row with a value");
    assert_eq!(csv("zone,start,value\nDE,2026-01-31T00:00:00Z,1\nDE,2026-01-31T00:00:00Z\n").unwrap_err().line, 3);
    assert_eq!(csv("zone,start,value\nDE,2026-01-31T00:00:00Z,-1\n").unwrap_err().line, 2, "no row is left");
}

#[test]
fn json_series_are_read() {
    let answer = json(
        r#"[{ "zone": "DE", "signal": "average", "scope": "lifecycle", "unit": "gCO2eq/kWh", "slots": [
            { "start": "2026-01-31T00:00:00Z", "durationSeconds": 900, "value": 400 },
            { "start": "2026-01-31T01:00:00Z", "durationSeconds": 900, "value": 300.5 }] }]"#,
    );
    assert_eq!(slots(&answer.unwrap()), [("DE".to_owned(), 0, 900, 400.0), ("DE".to_owned(), 1, 900, 300.5)]);
}

#[test]
fn json_slots_that_cannot_be_meant_are_left_out_by_line() {
    let answer = json(
        "[{\"zone\": \"DE\", \"slots\": [\n\
         {\"start\": \"2026-01-31T00:00:00Z\", \"value\": 400},\n\
         {\"start\": \"2026-01-31T01:00:00Z\", \"value\": null},\n\
         {\"start\": \"2026-01-31T02:00:00Z\", \"value\": 9000},\n\
         \"nonsense\"\n]}]",
    )
    .unwrap();
    assert_eq!(answer.refused.iter().map(|problem| problem.line).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(slots(&answer).len(), 1);
}

#[test]
fn a_broken_json_is_refused_with_its_line() {
    assert_eq!(json("[\n{\"zone\": \"DE\",").unwrap_err().line, 2);
    assert_eq!(json("[]").unwrap_err().to_string(), "line 1: add at least one row with a value");
    let unit = json(r#"[{ "zone": "DE", "unit": "lbs/MWh", "slots": [] }]"#).unwrap_err();
    assert_eq!(unit.to_string(), "line 1: convert the values to gCO2eq/kWh, they are in \"lbs/MWh\"");
    assert!(json(r#"[{ "slots": [{ "start": "2026-01-31T00:00:00Z", "value": 1 }] }]"#).is_err(), "no zone");
    assert!(parse_json(b"[\xff", &context(), now()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(content in any::<Vec<u8>>()) {
        let _ = parse_csv(&content, &in_zone("DE"), now());
        let _ = parse_json(&content, &in_zone("DE"), now());
    }

    #[test]
    fn nothing_like_a_file_makes_the_parsers_panic(
        rows in proptest::collection::vec("[A-Z\", ]{0,4},(2026-01-31T0[0-9]:00:00Z|-?[0-9]{1,9}|),[-+0-9eE.]{0,9}(,[0-9]{0,20}[hms]?)?", 0..8),
    ) {
        let text = format!("zone,start,value,duration\n{}", rows.join("\n"));
        let _ = csv(&text);
        let slots: Vec<String> = rows.iter().map(|row| format!("{{\"start\":\"{row}\",\"value\":{row}}}")).collect();
        let _ = json(&format!("[{{\"zone\":\"DE\",\"slots\":[{}]}}]", slots.join(",")));
    }

    #[test]
    fn whatever_is_read_is_ordered_and_plausible(
        rows in proptest::collection::vec((0i64..100_000, 0.0f64..6_000.0, proptest::option::of(0u64..10_000)), 1..40),
    ) {
        let base = now().as_second() - 50_000;
        let line = |&(offset, value, duration): &(i64, f64, Option<u64>)| {
            let start = Timestamp::from_second(base + offset).unwrap();
            format!("DE,{start},{value},{}\n", duration.map(|seconds| seconds.to_string()).unwrap_or_default())
        };
        let text: String = rows.iter().map(line).collect();
        if let Ok(answer) = csv(&format!("zone,start,value,duration\n{text}")) {
            let kept: usize = answer.series.iter().map(|series| series.slots().len()).sum();
            prop_assert_eq!(kept + answer.refused_rows, rows.len());
        }
    }
}
