//! Every API is read through the whole of our own fetching, and the values are those of the table.

use kube_sci_e2e::grid_api::{PASSWORD, TOKEN};

use super::*;

#[tokio::test]
async fn every_api_yields_what_the_table_says() {
    let grid = grid(false).await;
    let secrets = secrets(TOKEN, PASSWORD);
    for (api, part, zone, signal) in apis() {
        let mut source = source(&grid, api, part, zone, &secrets);
        let answer = poll(source.as_mut(), &grid).await.unwrap_or_else(|error| panic!("{part}: {error}"));
        assert!(!answer.series.is_empty(), "{part}: {answer:?}");
        for series in &answer.series {
            assert_eq!((series.zone().as_str(), series.signal().to_string().as_str()), (zone, signal), "{part}");
        }
        assert!(worst(&grid, &answer.series) < 1e-6, "{part}: {}", worst(&grid, &answer.series));
        assert_eq!((answer.refused_rows, &answer.unanswered), (0, &Vec::new()), "{part}");
    }
}

#[tokio::test]
async fn apis_with_forecasts_reach_into_tomorrow_and_into_last_week() {
    let grid = grid(false).await;
    let secrets = secrets(TOKEN, PASSWORD);
    for (api, part, zone, _) in apis() {
        let mut source = source(&grid, api, part, zone, &secrets);
        let mut series = poll(source.as_mut(), &grid).await.unwrap().series;
        grid.advance(Duration::from_mins(1));
        // ENTSO-E is asked for the forecast of wind and sun only once the week before is known.
        series.extend(poll(source.as_mut(), &grid).await.unwrap().series);
        let forecasts =
            matches!(api, Api::ElectricityMaps | Api::WattTime | Api::Uk | Api::EntsoE | Api::CarbonAwareSdk);
        let learned = matches!(api, Api::ElectricityMaps | Api::WattTime | Api::Uk | Api::EntsoE | Api::Eia);
        assert_eq!(has(&series, Quality::Forecast), forecasts, "{part}");
        assert!(!learned || span(&series) > Duration::from_hours(7 * 24), "{part}");
        assert!(worst(&grid, &series) < 1e-6, "{part}");
        let asked = grid.questions(api).join(" ");
        assert_eq!(
            asked.contains("forecast") || asked.contains("fw48h") || asked.contains("A69"),
            forecasts,
            "{asked}"
        );
    }
}

#[tokio::test]
async fn https_is_trusted_by_its_own_authority_only() {
    let grid = grid(true).await;
    let secrets = secrets(TOKEN, PASSWORD);
    let (api, part, zone, _) = apis()[0];
    let mut source = source(&grid, api, part, zone, &secrets);
    assert!(worst(&grid, &poll(source.as_mut(), &grid).await.unwrap().series) < 1e-6);
    let stranger = reqwest::get(format!("{}/metrics", grid.url(Api::Exporter))).await;
    assert!(stranger.is_err(), "nobody else trusts it");
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let grid = grid(false).await;
    grid.zip(true);
    let secrets = secrets(TOKEN, PASSWORD);
    let mut source = source(&grid, Api::EntsoE, "entsoE: {}", "DE", &secrets);
    let answer = poll(source.as_mut(), &grid).await.unwrap();
    assert!(!answer.series.is_empty() && worst(&grid, &answer.series) < 1e-6);
}

#[tokio::test]
async fn no_question_holds_a_secret() {
    let grid = grid(false).await;
    let secrets = secrets(TOKEN, PASSWORD);
    for (api, part, zone, _) in apis() {
        let mut source = source(&grid, api, part, zone, &secrets);
        poll(source.as_mut(), &grid).await.unwrap();
        assert!(grid.calls(api) > 0, "{part}");
        for question in grid.questions(api) {
            assert!(!question.contains(TOKEN) && !question.contains(PASSWORD), "{question}");
        }
        let told = format!("{:?}", source.status().map(|status| status.load()));
        assert!(!told.contains(TOKEN) && !told.contains(PASSWORD), "{told}");
    }
}
