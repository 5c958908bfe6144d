use super::*;

fn day(low_at: i64) -> Vec<GramsPerKwh> {
    (0..24).map(|hour| grams(if hour == low_at { 100.0 } else { 300.0 })).collect()
}

fn record(board: &mut Scoreboard, method: Method, predicted: &[GramsPerKwh], days: u32) {
    for _ in 0..days * 24 {
        board.record(method, predicted, &day(12));
    }
}

#[test]
fn captured_is_the_share_of_what_could_be_saved() {
    let mut board = Scoreboard::default();
    record(&mut board, Method::Persistence, &day(12), 1);
    record(&mut board, Method::Climatology, &day(3), 1);
    assert_eq!(board.score(Method::Persistence).captured(), Some(1.0));
    assert_eq!(board.score(Method::Climatology).captured(), Some(0.0), "hour 3 costs what now does");
    // Off by 200 g in two of 24 hours.
    let error = board.score(Method::Climatology).mean_absolute_error().unwrap();
    assert!((error.get() - 400.0 / 24.0).abs() < 1e-9);
    assert_eq!(board.score(Method::Provider).captured(), None);
}

#[test]
fn the_preferred_method_goes_after_a_week_and_comes_back() {
    let able = [Method::AnchoredProfile, Method::Persistence];
    let mut board = Scoreboard::default();
    board.decide(&able);
    assert_eq!(board.chosen(), Some(Method::AnchoredProfile));
    record(&mut board, Method::AnchoredProfile, &day(3), 6);
    record(&mut board, Method::Persistence, &day(12), 6);
    assert_eq!(board.choose(&able), Some(Method::AnchoredProfile), "too early to judge");
    record(&mut board, Method::AnchoredProfile, &day(3), 1);
    record(&mut board, Method::Persistence, &day(12), 1);
    board.decide(&able);
    assert_eq!(board.chosen(), Some(Method::Persistence));
    assert_eq!(board.choose(&able[..1]), Some(Method::AnchoredProfile), "the only one that can speak");

    // Months later the tables have turned: what is long over is forgotten.
    record(&mut board, Method::AnchoredProfile, &day(12), 200);
    record(&mut board, Method::Persistence, &day(3), 200);
    assert!(board.score(Method::AnchoredProfile).captured().unwrap() > 0.98);
    assert_eq!(board.choose(&able), Some(Method::AnchoredProfile));
}

#[test]
fn a_small_lead_changes_nothing() {
    let mut board = Scoreboard::default();
    // One of a hundred days better.
    record(&mut board, Method::Persistence, &day(12), 10);
    for hour in 0..240 {
        board.record(Method::AnchoredProfile, &day(if hour % 100 == 0 { 3 } else { 12 }), &day(12));
    }
    let able = [Method::AnchoredProfile, Method::Persistence];
    assert!(board.score(Method::AnchoredProfile).captured() < Some(1.0));
    assert_eq!(board.choose(&able), Some(Method::AnchoredProfile));
}

#[test]
fn a_wrong_unit_is_thrown_out_whatever_it_captures() {
    let mut board = Scoreboard::default();
    let pounds: Vec<_> = day(12).iter().map(|value| grams(value.get() * 2.2)).collect();
    record(&mut board, Method::Provider, &pounds, 8);
    // Sees half of the truth, in the right unit.
    let dull: Vec<_> = (0..24).map(|_| grams(290.0)).collect();
    record(&mut board, Method::AnchoredProfile, &dull, 8);
    assert!(board.score(Method::Provider).captured() > board.score(Method::AnchoredProfile).captured());
    let able = [Method::Provider, Method::AnchoredProfile];
    board.decide(&able);
    assert_eq!(board.chosen(), Some(Method::AnchoredProfile));
    assert_eq!(board.choose(&able), Some(Method::AnchoredProfile), "and stays out");
}

#[test]
fn flat_zones_capture_nothing_and_keep_the_preferred_method() {
    let mut board = Scoreboard::default();
    let flat = vec![grams(400.0); 24];
    for _ in 0..240 {
        board.record(Method::AnchoredProfile, &flat, &flat);
        board.record(Method::Persistence, &flat, &flat);
    }
    assert_eq!(board.score(Method::Persistence).captured(), None);
    assert_eq!(board.choose(&[Method::AnchoredProfile, Method::Persistence]), Some(Method::AnchoredProfile));
    assert_eq!(board.choose(&[]), None);
}

#[test]
fn anything_but_a_whole_day_is_left_out() {
    let mut board = Scoreboard::default();
    board.record(Method::Persistence, &day(12)[..23], &day(12));
    board.record(Method::Persistence, &day(12), &day(12)[..23]);
    assert_eq!(board, Scoreboard::default());
}
