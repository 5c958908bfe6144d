use super::*;

fn names<'a>(request: &'a Request<'_>) -> Vec<&'a str> {
    request.candidates.names().collect()
}

#[test]
fn names_are_read_as_the_scheduler_sends_them() {
    let body = br#"{"Pod":{"metadata":{"name":"p"}},"Nodes":null,"NodeNames":["n1","n2"]}"#;
    let request = parse(body).unwrap();
    assert_eq!(names(&request), ["n1", "n2"]);
    assert_eq!(request.pod.get(), r#"{"metadata":{"name":"p"}}"#);
}

#[test]
fn full_nodes_are_kept_verbatim() {
    let body = br#"{"Pod":{},"Nodes":{"metadata":{},"items":[{"spec":{"x": 1.50},"metadata":{"name":"n1"}}]},"NodeNames":null}"#;
    let request = parse(body).unwrap();
    let Candidates::Nodes(nodes) = &request.candidates else { panic!("names") };
    assert_eq!(nodes[0].name, "n1");
    assert_eq!(nodes[0].raw.get(), r#"{"spec":{"x": 1.50},"metadata":{"name":"n1"}}"#);
}

#[test]
fn keys_are_read_in_any_case_and_unknown_keys_are_ignored() {
    let request = parse(br#"{"pod":{},"nodeNames":["n1"],"Later":[{"a":{}}]}"#).unwrap();
    assert_eq!(names(&request), ["n1"]);
}

#[test]
fn plain_names_are_borrowed_and_escaped_ones_unescaped() {
    let request = parse(br#"{"Pod":{},"NodeNames":["plain","tab\t"]}"#).unwrap();
    let Candidates::Names(names) = &request.candidates else { panic!("nodes") };
    assert!(matches!(names[0], Cow::Borrowed("plain")));
    assert_eq!(names[1], "tab\t");
}

#[test]
fn each_malformed_document_has_its_kind_and_status() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "document"),
        (b"{", "document"),
        (b"[]", "document"),
        (b"null", "document"),
        (br#"{"Pod":{},"NodeNames":["n"]} trailing"#, "document"),
        (br#"{"Pod":{},"NodeNames":"n1"}"#, "document"),
        (br#"{"Pod":{},"NodeNames":[1]}"#, "document"),
        (br#"{"Pod":{},"Nodes":{"items":[{"metadata":{}}]}}"#, "document"),
        (br#"{"Pod":null,"NodeNames":["n"]}"#, "pod_missing"),
        (br#"{"NodeNames":["n"]}"#, "pod_missing"),
        (br#"{"Pod":{},"Nodes":null,"NodeNames":null}"#, "candidates_missing"),
        (b"{\"Pod\":{},\"NodeNames\":[\"\xff\"]}", "encoding"),
    ];
    for (body, kind) in cases {
        let error = parse(body).unwrap_err();
        assert_eq!(error.kind(), kind, "{}", String::from_utf8_lossy(body));
        assert!(WireError::KINDS.contains(&kind));
        assert_eq!(error.status().as_u16(), 400);
    }
}

#[test]
fn deep_nesting_is_an_error_or_skipped_but_no_overflow() {
    let deep = "[".repeat(200_000);
    let body = format!(r#"{{"Pod":{{}},"NodeNames":[],"X":{deep}"#);
    assert_eq!(parse(body.as_bytes()).unwrap_err().kind(), "document");
}

#[test]
fn priorities_are_a_bare_array_of_integers() {
    let answer = write_priorities([("n1", 7), ("n2", 10), ("n3", 0)].into_iter());
    assert_eq!(answer, br#"[{"Host":"n1","Score":7},{"Host":"n2","Score":10},{"Host":"n3","Score":0}]"#);
    assert_eq!(write_priorities(std::iter::empty()), NO_OPINION);
}

#[test]
fn a_filter_answer_by_names_matches_the_golden_document() {
    let kept = FilterAnswer::Names(vec!["n1"]);
    let answer = write_filter(&kept, &[("n3", "why")]);
    let golden =
        br#"{"Nodes":null,"NodeNames":["n1"],"FailedNodes":{},"FailedAndUnresolvableNodes":{"n3":"why"},"Error":""}"#;
    assert_eq!(answer, golden);
}

#[test]
fn a_filter_answer_by_names_that_keeps_nothing_is_an_empty_list_not_null() {
    let answer = write_filter(&FilterAnswer::Names(vec![]), &[]);
    assert!(String::from_utf8(answer).unwrap().contains(r#""NodeNames":[]"#));
}

#[test]
fn a_filter_answer_by_nodes_echoes_them_byte_by_byte() {
    let node = RawValue::from_string(r#"{ "metadata" : {"name":"n1"}, "q": 1.0 }"#.to_owned()).unwrap();
    let answer = write_filter(&FilterAnswer::Nodes(vec![&node, &node]), &[]);
    let text = String::from_utf8(answer).unwrap();
    assert!(text.starts_with(&format!(r#"{{"Nodes":{{"metadata":{{}},"items":[{node},{node}]}},"NodeNames":null"#)));
}

#[test]
fn hostile_names_come_back_as_valid_json() {
    let name = "a\"b\\c\u{1}\u{1f}\n\u{2028}é";
    let answer = write_priorities([(name, 3)].into_iter());
    let value: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(value[0]["Host"], name);
}
