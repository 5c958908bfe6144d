//! Questions: no secret in them, stable, told apart by their keys.

use std::{collections::BTreeSet, time::Duration};

use kube_sci_signals::grid::providers::Retry;

use super::{robustness::all, *};

fn wanted() -> Vec<(Box<dyn Provider>, Vec<ZoneRequest>)> {
    let since = Some(at("2026-01-05T03:04:05Z"));
    all()
        .into_iter()
        .map(|(provider, zone)| {
            let second = ZoneRequest { zone: Zone::new("US-NW-BPAT").unwrap(), ..zone.clone() };
            let zones = [zone, second].map(|zone| ZoneRequest { since, ..zone }).to_vec();
            (provider, zones)
        })
        .collect()
}

#[test]
fn keys_are_unique_and_paths_are_whole() {
    for (provider, zones) in wanted() {
        let planned = provider.plan(&zones, now());
        let keys: BTreeSet<&str> = planned.iter().map(|question| &*question.key).collect();
        assert_eq!(keys.len(), planned.len(), "{}", provider.name());
        assert!(!planned.is_empty(), "{}", provider.name());
        for question in &planned {
            assert!(question.path_and_query.starts_with('/') && question.path_and_query.is_ascii(), "{question:?}");
            assert!(!question.path_and_query.contains([' ', '"', '<', '#']), "{}", question.path_and_query);
            assert!(question.min_interval >= Duration::from_mins(1), "{question:?}");
        }
    }
}

#[test]
fn a_question_stays_the_same_for_some_minutes() {
    for (provider, zones) in wanted() {
        let first = provider.plan(&zones, at("2026-01-31T12:00:00Z"));
        assert_eq!(first, provider.plan(&zones, at("2026-01-31T12:04:59Z")), "{}", provider.name());
    }
}

#[test]
fn only_providers_with_sessions_have_a_login() {
    for (provider, _) in wanted() {
        let expected = provider.name() == "watttime";
        assert_eq!(provider.login().is_some(), expected);
        assert_eq!(provider.read_login(200, br#"{"token": "abc"}"#, now()).is_ok(), expected, "{}", provider.name());
    }
}

#[test]
fn errors_never_quote_a_token() {
    let token = "abcdef0123456789-ABCDEF";
    for (provider, zone) in all() {
        for status in [200, 301, 400, 401, 403, 404, 409, 429, 500] {
            for body in [
                format!(r#"{{"error": "key {token} is wrong", "message": "token={token}"}}"#),
                format!("<html>{token}</html>"),
                token.to_owned(),
                format!(r#"[{{"location": "{token}", "time": "{token}", "rating": "{token}"}}]"#),
                format!(r#"{{"zone": "{token}", "carbonIntensity": 1, "datetime": "{token}"}}"#),
                format!(
                    "<Acknowledgement_MarketDocument><Reason><code>{token}</code><text>{token}</text></Reason>\
                     </Acknowledgement_MarketDocument>"
                ),
            ] {
                if let Err(error) = read_status(provider.as_ref(), &zone, status, &body) {
                    let text = format!("{error} {error:?}");
                    assert!(!text.contains("abcdef01"), "{}: {text}", provider.name());
                }
            }
        }
    }
}

#[test]
fn every_failure_has_a_kind_and_something_to_do() {
    let kinds: BTreeSet<&str> = ProviderError::KINDS.into_iter().collect();
    assert_eq!(kinds.len(), ProviderError::KINDS.len());
    for (error, retry) in [
        (ProviderError::Unauthorized, Retry::NewToken),
        (ProviderError::NotInPlan, Retry::Rarely),
        (ProviderError::NoData, Retry::AsPlanned),
        (ProviderError::RateLimited, Retry::After(Duration::from_mins(1))),
        (ProviderError::Unavailable { status: 502 }, Retry::Backoff),
    ] {
        assert_eq!(error.retry(), retry);
        assert!(kinds.contains(error.kind()));
        let text = error.to_string();
        assert!(text.contains(": ") && !text.ends_with('.'), "says what to do: {text}");
    }
}
