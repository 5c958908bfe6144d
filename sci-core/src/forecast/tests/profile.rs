use super::*;

fn history(values: impl IntoIterator<Item = (i32, f64)>) -> HourlyHistory {
    let mut history = HourlyHistory::new();
    values.into_iter().for_each(|(hour, value)| history.set(monday().plus(hour.into()), grams(value)));
    history
}

#[test]
fn the_formula_holds_by_hand() {
    // Three days of 100, 200 and 300 g, each flat, the last hour 40 g above.
    let past = (0..72).map(|hour| (hour, if hour == 71 { 340.0 } else { 100.0 + 100.0 * f64::from(hour / 24) }));
    let week = AnchoredProfile::week(Share::new(0.5).unwrap());
    let ahead = week.predict(&history(past.clone()), monday().plus(72), 2).unwrap();
    // Profile of the last hour without itself: (100 + 200) / 2, so it was off by 190.
    let expected = [200.0 + 190.0 * 0.5, 200.0 + 190.0 * 0.25];
    assert_eq!(get(&ahead), expected);

    let weighted = AnchoredProfile { day_decay: Share::new(0.5).unwrap(), hour_decay: Share::NONE, ..week };
    let ahead = weighted.predict(&history(past), monday().plus(72), 1).unwrap();
    assert!((ahead[0].get() - (300.0 + 0.5 * 200.0 + 0.25 * 100.0) / 1.75).abs() < 1e-9);
}

#[test]
fn working_days_speak_less_for_weekends() {
    // Thursday to Wednesday; the weekend is cleaner by half.
    let thursday = -4 * 24;
    let past = (thursday..thursday + 7 * 24)
        .map(|hour| (hour, if monday().plus(hour.into()).is_weekend() { 200.0 } else { 400.0 }));
    let history = history(past);
    let strict = AnchoredProfile { other_days: Share::NONE, hour_decay: Share::NONE, ..AnchoredProfile::default() };
    let saturday = monday().plus(5 * 24);
    assert!(strict.predict(&history, saturday, 1).is_err(), "two weekend days are too few");
    let lenient = AnchoredProfile { hour_decay: Share::NONE, ..AnchoredProfile::default() };
    let plain = AnchoredProfile { other_days: Share::ALL, ..lenient };
    let value = |profile: AnchoredProfile, hour| profile.predict(&history, hour, 1).unwrap()[0];
    assert!(value(lenient, saturday) < value(plain, saturday));
    assert!(value(lenient, monday().plus(3 * 24)) > value(plain, monday().plus(3 * 24)));
}

#[test]
fn it_says_what_it_lacks() {
    let short = history((0..71).map(|hour| (hour, 100.0)));
    let profile = AnchoredProfile::default();
    let lack = profile.predict(&short, monday().plus(71), 24).unwrap_err();
    assert_eq!(lack, Unfit::FewDays { hour_of_day: 23, known_days: 2, needed_days: 3 });
    assert_eq!(lack.to_string(), "23:00 UTC was seen on 2 of the last days, 3 are needed");
    let late = profile.predict(&short, monday().plus(71 + 7 * 24), 24).unwrap_err();
    assert_eq!(late.to_string(), "no hour of the last 7 days was seen");
    assert!(persistence(&HourlyHistory::new(), monday(), 1).is_err());
}

#[test]
fn a_spike_stays_within_a_fifth_of_the_past() {
    let past = (0..240).map(|hour| (hour, if hour == 239 { 500.0 } else { 100.0 + f64::from(hour % 24) }));
    let stretched = AnchoredProfile { hour_decay: Share::ALL, ..AnchoredProfile::default() };
    let ahead = stretched.predict(&history(past), monday().plus(240), 24).unwrap();
    assert!(ahead.iter().all(|value| (80.0..=600.0).contains(&value.get())));
}

#[test]
fn persistence_looks_past_holes() {
    let mut past = history((0..48).map(|hour| (hour, f64::from(hour))));
    assert_eq!(get(&persistence(&past, monday().plus(48), 2).unwrap()), [24.0, 25.0]);
    assert_eq!(persistence(&past, monday().plus(48), 25).unwrap()[24], grams(24.0), "the day after too");
    past = history((0..48).filter(|hour| *hour != 24).map(|hour| (hour, f64::from(hour))));
    assert_eq!(get(&persistence(&past, monday().plus(48), 2).unwrap()), [0.0, 25.0]);
}
