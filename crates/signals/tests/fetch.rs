//! When a grid API is asked, how often, and what happens when it fails.

use std::{fs, time::Duration};

use kube_sci_signals::grid::{
    Allowance, BreakerState, DemandedZone, FetcherOptions,
    providers::{Auth, CallLimit},
};
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{any, header, path, path_regex},
};

use crate::fetch_support::{Fixture, INTERVAL, Numbers, noon, seconds, values, zone};

fn number(value: f64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(value.to_string())
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code)
}

impl Fixture {
    async fn answers(&self, template: ResponseTemplate) {
        Mock::given(any()).respond_with(template).mount(&self.server).await;
    }

    async fn answers_now(&self, template: ResponseTemplate) {
        self.server.reset().await;
        self.answers(template).await;
    }
}

#[tokio::test]
async fn every_zone_is_asked_once_in_an_interval() {
    let mut fixture = Fixture::new(&["DE", "FR"], Numbers::default(), |_| ()).await;
    fixture.answers(number(100.0)).await;
    let said = fixture.run(seconds(60)).await;
    let last = said.last().unwrap().as_ref().unwrap();
    assert_eq!(values(last), [("DE".to_owned(), 100.0), ("FR".to_owned(), 100.0)]);
    let mut asked = fixture.asked().await;
    asked.sort();
    assert_eq!(asked, ["/zones/DE", "/zones/FR"]);

    fixture.now += INTERVAL + INTERVAL / 10;
    fixture.run(seconds(5)).await;
    assert_eq!(fixture.asked().await.len(), 2);
}

#[tokio::test]
async fn several_regions_of_a_zone_are_one_call() {
    let mut fixture = Fixture::new(&["DE", "DE"], Numbers::default(), |_| ()).await;
    fixture.answers(number(100.0)).await;
    fixture.run(seconds(10)).await;
    assert_eq!(fixture.asked().await, ["/zones/DE"]);
}

#[tokio::test]
async fn zones_that_go_by_one_name_over_there_are_one_call() {
    let ids = ["DE", "AT"].map(|name| (zone(name), "DE-AT".into()));
    let mut fixture = Fixture::new(&["AT", "DE"], Numbers::default(), |options| options.ids = ids.to_vec()).await;
    fixture.answers(number(100.0)).await;
    let said = fixture.run(seconds(10)).await;
    assert_eq!(fixture.asked().await, ["/zones/DE-AT"]);
    assert_eq!(values(said[0].as_ref().unwrap()).len(), 2);
}

#[tokio::test]
async fn only_zones_that_are_wanted_and_served_are_asked_for() {
    let mut fixture = Fixture::new(&["DE", "FR", "NOWHERE"], Numbers::default(), |options| {
        options.only = ["FR", "PL", "NOWHERE"].map(zone).to_vec();
        options.further = vec![zone("PL")];
    })
    .await;
    fixture.answers(number(100.0)).await;
    fixture.run(seconds(10)).await;
    let mut asked = fixture.asked().await;
    asked.sort();
    assert_eq!(asked, ["/zones/FR", "/zones/PL"]);
}

#[tokio::test]
async fn a_zone_without_nodes_is_not_asked_for_any_longer_and_its_value_goes() {
    let mut fixture = Fixture::new(&["DE", "FR"], Numbers::default(), |_| ()).await;
    fixture.answers(number(100.0)).await;
    fixture.run(seconds(5)).await;
    fixture.demand.set([DemandedZone::new(zone("FR"))]);
    let said = fixture.run(seconds(1)).await;
    assert_eq!(values(said[0].as_ref().unwrap()), [("FR".to_owned(), 100.0)]);
    assert_eq!(fixture.status().questions.len(), 1);
}

#[tokio::test]
async fn the_quota_is_kept_and_no_zone_starves() {
    let zones = ["A", "B", "C", "D", "E", "F"];
    let mut fixture = Fixture::new(&zones, Numbers::default(), |options| options.calls_per_hour = Some(4)).await;
    fixture.answers(number(100.0)).await;
    for hour in 0..3 {
        fixture.run(Duration::from_hours(1)).await;
        assert!(fixture.asked().await.len() <= 4, "in hour {hour}");
    }
    let status = fixture.status();
    assert!(status.calls.made >= 10, "most of the quota is used: {:?}", status.calls);
    let oldest = status.questions.iter().map(|question| question.last_success.unwrap()).min().unwrap();
    assert!(fixture.now.duration_since(oldest).unsigned_abs() <= Duration::from_hours(2), "{status:?}");
}

#[tokio::test]
async fn sources_of_one_token_have_one_quota() {
    let allowance = Allowance::default();
    let with = |calls| {
        let allowance = allowance.clone();
        move |options: &mut FetcherOptions| {
            (options.calls_per_hour, options.allowance) = (Some(calls), allowance);
        }
    };
    let mut first = Fixture::new(&["A", "B", "C", "D"], Numbers::default(), with(10)).await;
    let mut second = Fixture::new(&["E", "F", "G", "H"], Numbers::default(), with(6)).await;
    first.answers(number(100.0)).await;
    second.answers(number(100.0)).await;
    let mut made = [0, 0];
    for _ in 0..60 * 60 {
        first.run(seconds(1)).await;
        second.run(seconds(1)).await;
        made = [&first, &second].map(|fixture| fixture.status().calls.made);
    }
    assert!(made.iter().all(|&calls| calls > 0), "none starves: {made:?}");
    assert_eq!(made.iter().sum::<u64>(), 6, "the smaller number holds for both together: {made:?}");
    assert_eq!([&first, &second].map(|fixture| fixture.status().calls.left), [Some(0), Some(0)]);
}

#[tokio::test]
async fn logins_have_a_limit_of_their_own_and_count_as_calls() {
    const LOGINS: &[CallLimit] = &[CallLimit { calls: 2, per: Duration::from_hours(2), ban: Duration::ZERO }];
    let provider = Numbers { auth: Auth::Session, login: true, login_limits: LOGINS, ..Numbers::default() };
    let mut fixture = Fixture::new(&["DE"], provider, |options| options.calls_per_hour = Some(20)).await;
    let session = ResponseTemplate::new(200).set_body_string("a-session-token");
    Mock::given(path("/login")).respond_with(session).mount(&fixture.server).await;
    fixture.answers(number(100.0)).await;
    fixture.run(Duration::from_mins(100)).await;
    let asked = fixture.asked().await;
    // Sessions last half an hour: the second login comes at the pace of one an hour, a third one not at all.
    assert_eq!(asked.iter().filter(|path| *path == "/login").count(), 2, "{asked:?}");
    assert_eq!(fixture.status().calls.made, u64::try_from(asked.len()).unwrap());
}

#[tokio::test]
async fn the_publishers_own_limit_is_kept_too() {
    const LIMITS: &[CallLimit] = &[CallLimit { calls: 2, per: Duration::from_mins(5), ban: Duration::ZERO }];
    let provider = Numbers { limits: LIMITS, ..Numbers::default() };
    let mut fixture = Fixture::new(&["A", "B", "C", "D"], provider, |_| ()).await;
    fixture.answers(number(100.0)).await;
    fixture.run(Duration::from_mins(5)).await;
    assert_eq!(fixture.asked().await.len(), 2);
    assert_eq!(fixture.status().calls.left, Some(0));
}

#[tokio::test]
async fn too_many_requests_stop_everything_until_the_service_says() {
    let mut fixture = Fixture::new(&["DE", "FR"], Numbers::default(), |_| ()).await;
    fixture.answers(status(429).insert_header("retry-after", "120")).await;
    let said = fixture.run(seconds(119)).await;
    assert_eq!(fixture.asked().await.len(), 1, "the other zone is not tried");
    assert_eq!(said.len(), 1, "one problem is told once: {said:?}");
    assert!(said[0].as_ref().unwrap_err().contains("refuses further calls"), "{said:?}");
    let status = fixture.status();
    assert_eq!(status.next_attempt, Some(noon() + seconds(121)));
    assert_eq!(status.failures["rate_limited"], 1);
    fixture.answers_now(number(50.0)).await;
    fixture.run(seconds(5)).await;
    assert_eq!(fixture.status().questions.iter().filter(|question| question.last_success.is_some()).count(), 2);
}

#[tokio::test]
async fn a_date_to_retry_after_is_understood() {
    let mut fixture = Fixture::new(&["DE"], Numbers::default(), |_| ()).await;
    let at = "Sat, 31 Jan 2026 12:05:00 GMT";
    let now = "Sat, 31 Jan 2026 12:00:00 GMT";
    fixture.answers(status(503).insert_header("retry-after", at).insert_header("date", now)).await;
    fixture.run(seconds(299)).await;
    assert_eq!(fixture.asked().await.len(), 1);
}

#[tokio::test]
async fn failures_are_retried_ever_more_seldom_and_then_the_breaker_opens() {
    let mut fixture = Fixture::new(&["DE"], Numbers::default(), |_| ()).await;
    fixture.answers(status(500)).await;
    fixture.run(Duration::from_mins(2)).await;
    let early = fixture.asked().await.len();
    assert!((2..=6).contains(&early), "{early}");
    fixture.run(Duration::from_hours(6)).await;
    let calls = fixture.asked().await.len();
    assert!((6..=24).contains(&calls), "{calls} calls in six hours");
    let status = fixture.status();
    assert!(status.breaker != BreakerState::Closed && status.answering_since.is_none(), "{status:?}");

    fixture.server.reset().await;
    fixture.answers(number(100.0)).await;
    fixture.run(Duration::from_hours(1)).await;
    let status = fixture.status();
    assert_eq!((status.breaker, status.last_success.is_some()), (BreakerState::Closed, true));
    assert!(status.questions[0].last_failure.is_none());
}

#[tokio::test]
async fn an_open_breaker_lets_one_question_through() {
    let zones = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let mut fixture = Fixture::new(&zones, Numbers::default(), |_| ()).await;
    fixture.answers(status(502)).await;
    fixture.run(seconds(20)).await;
    assert_eq!(fixture.status().breaker, BreakerState::Open);
    fixture.asked().await;
    while fixture.asked().await.is_empty() {
        fixture.run(seconds(1)).await;
    }
    assert_eq!(fixture.status().breaker, BreakerState::Open, "the one probe failed too");
}

#[tokio::test]
async fn one_bad_zone_does_not_spoil_the_others() {
    let mut fixture = Fixture::new(&["DE", "FR"], Numbers::default(), |_| ()).await;
    Mock::given(path("/zones/FR")).respond_with(status(403)).with_priority(1).mount(&fixture.server).await;
    fixture.answers(number(100.0)).await;
    let said = fixture.run(Duration::from_mins(30)).await;
    let asked = fixture.asked().await;
    assert_eq!(asked.iter().filter(|path| path.ends_with("FR")).count(), 1, "an operator must mend it");
    assert!(asked.iter().filter(|path| path.ends_with("DE")).count() >= 2);
    let told: Vec<_> = said.iter().flatten().flat_map(|answer| &answer.unanswered).collect();
    let errors = said.iter().filter(|said| said.is_err()).count();
    assert_eq!(told.len() + errors, 1, "told once: {said:?}");
    let status = fixture.status();
    let bad = status.questions.iter().find(|question| question.zones == [zone("FR")]).unwrap();
    assert_eq!(bad.last_failure.as_ref().unwrap().kind, "not_in_plan");
}

#[tokio::test]
async fn a_wrong_token_is_one_clear_error_and_no_hammering() {
    let zones = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let mut fixture = Fixture::new(&zones, Numbers::default(), |_| ()).await;
    fixture.answers(status(401)).await;
    let said = fixture.run(Duration::from_mins(9)).await;
    assert_eq!(fixture.asked().await.len(), 3, "three zones may be beyond the plan, then the token is at fault");
    let text = said[0].as_ref().unwrap_err();
    assert!(text.contains("the token is refused: put a valid one into the token file"), "{text}");
    assert!(text.contains(fixture.token.to_str().unwrap()), "{text}");
    assert!(said.iter().all(|said| said.as_ref() == Err(text)), "one error, whichever question finds it out: {said:?}");

    fixture.server.reset().await;
    let good = header("auth-token", "another-token");
    Mock::given(good).respond_with(number(100.0)).mount(&fixture.server).await;
    fs::write(&fixture.token, "another-token").unwrap();
    fixture.run(seconds(15)).await;
    let answered = fixture.status().questions.iter().filter(|question| question.last_success.is_some()).count();
    assert_eq!(answered, zones.len(), "the new file is seen at once");
}

#[tokio::test]
async fn a_wrong_token_for_one_zone_is_shown_once_in_hours() {
    let mut fixture = Fixture::new(&["DE"], Numbers::default(), |_| ()).await;
    fixture.answers(status(401)).await;
    fixture.run(Duration::from_hours(5)).await;
    assert_eq!(fixture.asked().await.len(), 1);
}

#[tokio::test]
async fn a_token_for_one_zone_only_still_serves_that_zone() {
    let mut fixture = Fixture::new(&["A", "B", "C", "D", "E"], Numbers::default(), |_| ()).await;
    Mock::given(path("/zones/E")).respond_with(number(5.0)).with_priority(1).mount(&fixture.server).await;
    fixture.answers(status(401)).await;
    fixture.run(Duration::from_mins(25)).await;
    let status = fixture.status();
    let good = status.questions.iter().find(|question| question.zones == [zone("E")]).unwrap();
    assert!(good.last_success.is_some(), "{status:?}");
}

#[tokio::test]
async fn a_missing_token_file_is_named_and_nothing_is_asked() {
    let mut fixture = Fixture::new(&["DE"], Numbers::default(), |_| ()).await;
    fs::remove_file(&fixture.token).unwrap();
    let said = fixture.run(seconds(10)).await;
    assert!(fixture.asked().await.is_empty());
    let text = said[0].as_ref().unwrap_err();
    assert!(text.contains("read the secret in") && said.len() == 1, "{said:?}");
}

#[tokio::test]
async fn a_session_is_begun_once_and_again_when_it_ends() {
    let provider = Numbers { auth: Auth::Session, login: true, ..Numbers::default() };
    let mut fixture = Fixture::new(&["DE", "FR"], provider, |_| ()).await;
    Mock::given(path("/login")).respond_with(status(200).set_body_string("session-1")).mount(&fixture.server).await;
    let shown = header("authorization", "Bearer session-1");
    Mock::given(path_regex("/zones/.*")).and(shown).respond_with(number(1.0)).mount(&fixture.server).await;
    fixture.run(seconds(5)).await;
    let mut asked = fixture.asked().await;
    asked.sort();
    assert_eq!(asked, ["/login", "/zones/DE", "/zones/FR"]);

    // The service forgets the session before its time.
    fixture.server.reset().await;
    Mock::given(path("/login")).respond_with(status(200).set_body_string("session-2")).mount(&fixture.server).await;
    let shown = header("authorization", "Bearer session-2");
    Mock::given(path_regex("/zones/.*")).and(shown).respond_with(number(2.0)).mount(&fixture.server).await;
    fixture.answers(status(401)).await;
    fixture.now += INTERVAL + INTERVAL / 10;
    let said = fixture.run(seconds(5)).await;
    let last = said.last().unwrap().as_ref().unwrap();
    assert_eq!(values(last), [("DE".to_owned(), 2.0), ("FR".to_owned(), 2.0)]);
    assert!(fixture.status().failures.is_empty(), "an ended session is no failure");
}

#[tokio::test]
async fn a_wrong_password_is_one_clear_error() {
    let provider = Numbers { auth: Auth::Session, login: true, ..Numbers::default() };
    let mut fixture = Fixture::new(&["A", "B", "C", "D", "E"], provider, |_| ()).await;
    fixture.answers(status(401)).await;
    let said = fixture.run(Duration::from_mins(30)).await;
    assert_eq!(fixture.asked().await, ["/login"]);
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test]
async fn a_clock_that_jumps_asks_again_but_within_the_quota() {
    let mut fixture = Fixture::new(&["DE"], Numbers::default(), |options| options.calls_per_hour = Some(2)).await;
    fixture.answers(number(100.0)).await;
    fixture.run(seconds(5)).await;
    for jump in [-86_400, 0, -3_600, -7_200] {
        fixture.now = noon() + jiff::SignedDuration::from_secs(jump);
        fixture.run(seconds(5)).await;
    }
    let asked = fixture.asked().await.len();
    assert!(asked <= 4, "{asked} calls");
    fixture.now = noon() + Duration::from_hours(24 * 365);
    fixture.run(seconds(5)).await;
    assert_eq!(fixture.asked().await.len(), 1);
}

#[tokio::test]
async fn an_unmodified_answer_is_no_news_and_is_counted() {
    let mut fixture = Fixture::new(&["DE"], Numbers::default(), |_| ()).await;
    let unmodified = Mock::given(header("if-none-match", "\"1\"")).respond_with(status(304)).with_priority(1);
    unmodified.mount(&fixture.server).await;
    fixture.answers(number(100.0).insert_header("etag", "\"1\"")).await;
    fixture.run(seconds(2)).await;
    fixture.now += INTERVAL + INTERVAL / 10;
    fixture.run(seconds(2)).await;
    let status = fixture.status();
    assert_eq!((status.calls.made, status.calls.unmodified), (2, 1));
    assert_eq!(status.questions[0].last_success.unwrap(), fixture.now - seconds(1));
}
