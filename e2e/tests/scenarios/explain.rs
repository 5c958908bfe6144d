//! What the extender says about its decisions, and whether it is true.

use anyhow::{Context, Result};
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};

use super::stage::{SOON, Stage, ranked};

#[tokio::test]
async fn explanations_tell_the_truth_and_the_event_is_seen_by_kubectl() -> Result<()> {
    let stage = Stage::shared("explained").await?;
    let nodes = [("stockholm", "eu-north-1"), ("frankfurt", "eu-central-1")];
    stage.world.create_nodes(nodes.map(|(name, region)| stage.node(name).aws(region, "m5.xlarge"))).await?;
    stage.world.create_nodes([stage.node_in("cellar", "cellar")]).await?;
    let grid = stage.grid(&[("cellar", 500.0), ("DE", 320.0)])?;
    let config = format!("{}      quality: measured\nevents:\n  enabled: true\n", grid.config());
    let (extender, _scheduler) = stage.green(&config).await?;
    assert_eq!(stage.place(stage.pod_leaning_to("cellar", "p")).await?, "stockholm");

    let explained = eventually(SOON, "the binding explained", async || {
        let explained = extender.get_json("/v1/explain/explained/p").await.map_err(|error| error.to_string())?;
        if explained["bound"].is_null() { Err(explained.to_string()) } else { Ok(explained) }
    })
    .await?;
    assert_eq!(explained["bound"]["node"], json!(stage.full("stockholm")));
    assert_eq!((&explained["bound"]["rank"], &explained["known"]), (&json!(1), &json!(3)));
    let text = explained["text"].as_str().context("no text")?;
    let event = stage.world.wait_event("p", "CarbonFootprint").await?;
    assert!(event.contains(&format!("bound to {}: ", stage.full("stockholm"))), "{event}");
    assert!(event.contains("g/h, best of 3; median candidate "), "{event}");
    assert!(event.ends_with(text), "event {event:?}, explanation {text:?}");
    let described = stage.plane.kubectl().run(&["describe", "pod", "p", "--namespace=explained"]).await?;
    assert!(described.contains(text), "{described}");

    let unasked = extender.http().get(extender.url("/v1/explain/explained/nobody")).send().await?;
    assert_eq!(unasked.status().as_u16(), 404);
    Ok(())
}

#[tokio::test]
async fn the_ranking_names_source_age_and_quality_of_every_term() -> Result<()> {
    let stage = Stage::shared("ranked").await?;
    let nodes = [stage.node("frankfurt").aws("eu-central-1", "m5.xlarge"), stage.node_in("cellar", "cellar")];
    stage.world.create_nodes(nodes).await?;
    let grid = stage.grid(&[("cellar", 500.0)])?;
    let extender = stage.extender(&format!("{}      quality: measured\n", grid.config())).await?;

    let cellar = ranked(&extender, "?cpu=1", &stage.full("cellar")).await?;
    let value = &cellar["intensity"]["value"];
    assert_eq!(cellar["intensity"]["gramsPerKwh"].as_f64(), Some(500.0));
    assert_eq!(value["source"], json!("ranked-grid.csv"));
    assert_eq!((&value["quality"], &value["chainLink"]), (&json!("measured"), &json!("live")));
    assert_eq!(value["ageSeconds"].as_u64(), Some(0));
    assert_eq!(cellar["energy"]["provenance"], json!("default"));

    let frankfurt = ranked(&extender, "?cpu=1", &stage.full("frankfurt")).await?;
    let value = &frankfurt["intensity"]["value"];
    assert_eq!(frankfurt["intensity"]["zone"], json!("DE"));
    assert_eq!((&value["quality"], &value["chainLink"]), (&json!("annual"), &json!("annual")));
    assert!(value["ageSeconds"].as_u64().is_some_and(|age| age > 86_400), "{value}");
    assert_eq!(frankfurt["energy"]["hardwareClass"], json!("m5.xlarge"));
    assert_eq!(frankfurt["energy"]["provenance"], json!("modelled"));

    // The terms add up, in g/h: watts x PUE x intensity, and the hardware's share.
    for entry in [&cellar, &frankfurt] {
        let term = |pointer: &str| entry.pointer(pointer).and_then(Value::as_f64).context(pointer.to_owned());
        let watts = term("/energy/marginalWatts")? + term("/energy/activationWatts")?;
        let operational = watts * term("/energy/powerUsageEffectiveness")? * term("/intensity/gramsPerKwh")? / 1000.0;
        let embodied =
            term("/embodied/nodeGrams")? / term("/embodied/lifetimeHours")? * term("/embodied/resourceShare")?;
        assert!((term("/gramsPerHour")? - operational - embodied).abs() < 1e-6, "{entry}");
    }
    Ok(())
}
