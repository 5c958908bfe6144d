//! Tokens, quotas, entity tags and faults, as a plain client sees them and as our sources bear them.

use kube_sci_e2e::grid_api::{Fault, PASSWORD, Quota, TOKEN};
use reqwest::{Client, Response, StatusCode};

use super::*;

const LATEST: &str = "/v3/carbon-intensity/latest?zone=DE&emissionFactorType=lifecycle";

async fn get(grid: &GridApi, token: &str) -> reqwest::Result<Response> {
    let url = format!("{}{LATEST}", grid.url(Api::ElectricityMaps));
    Client::builder().no_proxy().build()?.get(url).header("auth-token", token).send().await
}

fn electricity_maps(grid: &GridApi, secrets: &TempDir) -> Box<dyn IntensitySource> {
    source(grid, Api::ElectricityMaps, "electricityMaps: {}", "DE", secrets)
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_told() {
    let grid = grid(false).await;
    assert_eq!(get(&grid, "wrong").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(grid.calls_with(Api::ElectricityMaps, "wrong"), 1);
    let secrets = secrets("not-the-token-0123456789", "not-the-password-0123456789");
    for (api, part, zone, _) in apis() {
        let mut source = source(&grid, api, part, zone, &secrets);
        let guarded = matches!(api, Api::ElectricityMaps | Api::WattTime | Api::EntsoE | Api::Eia);
        match poll(source.as_mut(), &grid).await {
            Err(error) => {
                let text = error.to_string();
                assert!(guarded && text.contains("refused"), "{part}: {text}");
                assert!(!text.contains("not-the-"), "{text}");
            }
            Ok(answer) => assert!(!guarded, "{part}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_new_token_in_the_file_is_used() {
    let grid = grid(false).await;
    let secrets = secrets(TOKEN, PASSWORD);
    grid.change_token(Api::ElectricityMaps, "another-token-0123456789");
    let mut source = electricity_maps(&grid, &secrets);
    assert!(poll(source.as_mut(), &grid).await.is_err());
    std::fs::write(secrets.path().join("token"), "another-token-0123456789").unwrap();
    grid.advance(Duration::from_hours(2));
    let answer = poll(source.as_mut(), &grid).await.unwrap();
    assert!(!answer.series.is_empty());
}

#[tokio::test]
async fn a_quota_is_counted_per_token_and_says_when_to_come_again() {
    let grid = grid(false).await;
    let quota = Quota { calls: 2, per: Duration::from_mins(1), retry_after: true, ban: Duration::ZERO };
    grid.quota(Api::ElectricityMaps, quota);
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(get(&grid, TOKEN).await.unwrap().status(), status);
    }
    let refused = get(&grid, TOKEN).await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "60");
    grid.advance(Duration::from_mins(1));
    assert_eq!(get(&grid, TOKEN).await.unwrap().status(), StatusCode::OK);
    assert_eq!(grid.calls_with(Api::ElectricityMaps, TOKEN), 5);
}

#[tokio::test]
async fn a_ban_lasts_its_ten_minutes() {
    let grid = grid(false).await;
    let ban = Duration::from_mins(10);
    grid.quota(Api::ElectricityMaps, Quota { calls: 1, per: Duration::from_mins(1), retry_after: false, ban });
    assert_eq!(get(&grid, TOKEN).await.unwrap().status(), StatusCode::OK);
    assert_eq!(get(&grid, TOKEN).await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    grid.advance(Duration::from_secs(599));
    assert_eq!(get(&grid, TOKEN).await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    grid.advance(Duration::from_secs(1));
    assert_eq!(get(&grid, TOKEN).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_entity_tag_saves_the_body() {
    let grid = grid(false).await;
    let first = get(&grid, TOKEN).await.unwrap();
    let tag = first.headers()["etag"].clone();
    let url = format!("{}{LATEST}", grid.url(Api::ElectricityMaps));
    let again = || Client::new().get(&url).header("auth-token", TOKEN).header("if-none-match", tag.clone()).send();
    let unchanged = again().await.unwrap();
    assert_eq!((unchanged.status(), grid.unmodified(Api::ElectricityMaps)), (StatusCode::NOT_MODIFIED, 1));
    assert!(unchanged.bytes().await.unwrap().is_empty());
    grid.set("DE", 123.0);
    assert_eq!(again().await.unwrap().status(), StatusCode::OK, "the value changed, and so did the tag");
}

#[tokio::test]
async fn our_source_sends_the_tag_and_keeps_the_values() {
    let grid = grid(false).await;
    let secrets = secrets(TOKEN, PASSWORD);
    let mut source = electricity_maps(&grid, &secrets);
    poll(source.as_mut(), &grid).await.unwrap();
    grid.advance(Duration::from_mins(15));
    poll(source.as_mut(), &grid).await.unwrap();
    assert!(grid.unmodified(Api::ElectricityMaps) > 0, "the hour is the same");
}

#[tokio::test]
async fn no_fault_brings_a_value_that_is_not_in_the_table() {
    for fault in [
        Fault::Status(503),
        Fault::Html,
        Fault::CutOff,
        Fault::Nulls,
        Fault::NotInPlan,
        Fault::Ban(Duration::from_mins(10)),
        Fault::Values(-1.0),
        Fault::Values(1e9),
        Fault::Values(0.0),
        Fault::Values(0.35),
        Fault::Values(350_000.0),
    ] {
        let grid = grid(false).await;
        let secrets = secrets(TOKEN, PASSWORD);
        grid.fault(Api::ElectricityMaps, fault.clone());
        let mut source = electricity_maps(&grid, &secrets);
        match poll(source.as_mut(), &grid).await {
            Err(_) => {}
            Ok(answer) => assert!(answer.series.is_empty(), "{fault:?}: {answer:?}"),
        }
        grid.mend(Api::ElectricityMaps);
        grid.advance(Duration::from_hours(7));
        let answer = poll(source.as_mut(), &grid).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert!(!answer.series.is_empty() && worst(&grid, &answer.series) < 1e-6, "{fault:?}");
    }
}

#[tokio::test]
async fn absurd_generation_is_refused_too() {
    let secrets = secrets(TOKEN, PASSWORD);
    for (api, part, zone, _) in apis() {
        let grid = grid(false).await;
        grid.fault(api, Fault::Nulls);
        let mut source = source(&grid, api, part, zone, &secrets);
        match poll(source.as_mut(), &grid).await {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(answer) => assert!(answer.series.is_empty(), "{part}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn faults_of_the_way_are_seen_by_a_client() {
    let grid = grid(false).await;
    grid.fault_times(Api::ElectricityMaps, Fault::Status(502), 1);
    assert_eq!(get(&grid, TOKEN).await.unwrap().status(), StatusCode::BAD_GATEWAY);
    grid.fault_times(Api::ElectricityMaps, Fault::CutOff, 1);
    assert!(get(&grid, TOKEN).await.unwrap().bytes().await.is_err());
    grid.fault_times(Api::ElectricityMaps, Fault::WrongContentType, 1);
    assert_eq!(get(&grid, TOKEN).await.unwrap().headers()["content-type"], "application/octet-stream");
    grid.fault_times(Api::ElectricityMaps, Fault::Slow(Duration::from_millis(200)), 1);
    let start = std::time::Instant::now();
    let whole = get(&grid, TOKEN).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(whole.status(), StatusCode::OK, "every fault has passed");
}

#[tokio::test]
async fn a_right_body_of_a_wrong_type_is_read_all_the_same() {
    let grid = grid(false).await;
    let secrets = secrets(TOKEN, PASSWORD);
    grid.fault(Api::ElectricityMaps, Fault::WrongContentType);
    let answer = poll(electricity_maps(&grid, &secrets).as_mut(), &grid).await.unwrap();
    assert!(!answer.series.is_empty());
}
