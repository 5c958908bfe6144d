//! Answers as Prometheus, Thanos and proxies between them give.

use proptest::prelude::*;

use super::*;

const MATRIX: &str = r#"{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[
    {"metric":{"__name__":"a","path":"C:\\x","é":"ü"},"values":[[1700000000.123,"1.5"],[1700000015,"NaN"],[1700000030,"+Inf"]]},
    {"metric":{},"histograms":[[1,{"count":"3"}]],"value":[1700000000,"2"]}
]},"infos":["a name"],"warnings":["store 10.0.0.1 cannot be reached"]}"#;

type Owned = (Vec<(String, String)>, Vec<(i64, String)>);

fn read_all(body: &str) -> Result<(Outcome, Vec<Owned>), AnswerError> {
    let mut all = Vec::new();
    let outcome = read(body.as_bytes(), |series| {
        let labels = series.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        all.push((labels, series.points.iter().map(|(at, value)| (at.as_millisecond(), value.to_string())).collect()));
    })?;
    Ok((outcome, all))
}

fn problem(body: &str) -> String {
    read_all(body).unwrap_err().to_string()
}

#[test]
fn series_come_with_their_labels_times_and_odd_values() {
    let (outcome, all) = read_all(MATRIX).unwrap();
    let warnings = vec![PARTIAL.to_owned(), "store 10.0.0.1 cannot be reached".to_owned()];
    assert_eq!(outcome, Outcome { series: 2, malformed: 0, warnings });
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(all[0].0, [pair("__name__", "a"), pair("path", "C:\\x"), pair("é", "ü")]);
    let point = |millis: i64, value: &str| (millis, value.to_owned());
    let odd = [point(1_700_000_000_123, "1.5"), point(1_700_000_015_000, "NaN"), point(1_700_000_030_000, "inf")];
    assert_eq!(all[0].1, odd);
    assert_eq!(all[1], (vec![], vec![point(1_700_000_000_000, "2")]));
}

#[test]
fn an_answer_that_calls_itself_whole_or_nothing_is_whole() {
    for partial in ["false", "null"] {
        let body = format!(r#"{{"status":"success","isPartial":{partial},"data":{{"result":[]}}}}"#);
        assert_eq!(read_all(&body).unwrap().0, Outcome::default());
    }
}

#[test]
fn a_point_that_cannot_be_read_is_counted() {
    let body = r#"{"status":"success","data":{"result":[{"metric":{},"values":[[1,"x"],[1e300,"1"],[2,"3"]]}]}}"#;
    let (outcome, all) = read_all(body).unwrap();
    assert_eq!((outcome.malformed, all[0].1.len()), (2, 1));
}

#[test]
fn an_error_says_its_reason() {
    let body = r#"{"status":"error","errorType":"execution","error":"too many samples","data":null}"#;
    assert!(problem(body).contains("(execution): too many samples"));
}

#[test]
fn what_is_no_answer_is_told_apart_from_an_empty_one() {
    let empty = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    assert_eq!(read_all(empty).unwrap().0, Outcome::default());
    for body in [
        "<html>Bad gateway</html>",
        "",
        "{}",
        "[]",
        r#"{"status":"success"}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#,
        &format!("{empty}{empty}"),
    ] {
        assert!(problem(body).contains("this is no whole answer"), "{body}");
    }
}

#[test]
fn an_answer_that_was_cut_off_anywhere_is_no_answer() {
    let ends = (0..MATRIX.len()).filter(|end| MATRIX.is_char_boundary(*end));
    assert_eq!(ends.filter(|end| read_all(&MATRIX[..*end]).is_ok()).count(), 0);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&body, |_| {});
    }

    #[test]
    fn labels_and_values_come_through(name in "[a-z]{1,8}", text in ".{0,20}", value: f64, millis in 0_i64..4_000_000_000_000) {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let seconds = millis as f64 / 1e3;
        let point = serde_json::json!([seconds, value.to_string()]);
        let series = serde_json::json!({ "metric": { &name: &text }, "values": [point] });
        let body = serde_json::json!({ "status": "success", "data": { "result": [series] } }).to_string();
        let (_, all) = read_all(&body).unwrap();
        prop_assert_eq!(&all[0].0, &[(name, text)]);
        prop_assert_eq!(&all[0].1, &[(millis, value.to_string())]);
    }
}
