use serde_json::{Value, json};

use super::*;

fn assert_described(schema: &Value, path: &str) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        assert!(field.get("description").is_some(), "{path}.{name} has no description");
    }
}

fn problem(config: Value) -> String {
    serde_json::from_value::<ModelConfig>(config).unwrap().validate().unwrap_err().to_string()
}

#[test]
fn an_empty_document_is_a_valid_configuration() {
    let config: ModelConfig = serde_json::from_value(json!({})).unwrap();
    assert_eq!(config, ModelConfig::default());
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn defaults_survive_being_written_and_read() {
    let text = serde_json::to_string(&ModelConfig::default()).unwrap();
    assert_eq!(serde_json::from_str::<ModelConfig>(&text).unwrap(), ModelConfig::default());
    assert!(text.contains(r#""defaultCpuRequest":"100m","defaultMemoryRequest":"128Mi""#), "{text}");
}

#[test]
fn unknown_keys_are_refused_by_name() {
    for config in [
        json!({ "grdi": {} }),
        json!({ "grid": { "freshfor": "5m" } }),
        json!({ "nodes": { "zoneRules": [{ "selector": {}, "zone": "DE", "pues": 1 }] } }),
    ] {
        let error = serde_json::from_value::<ModelConfig>(config).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn a_whole_configuration_is_read() {
    let config: ModelConfig = serde_json::from_value(json!({
        "grid": {
            "signal": { "kind": "marginal", "scope": "direct" },
            "files": [{ "path": "grid.csv", "zone": "DE" }, { "path": "more.json", "quality": "forecast" }],
            "freshFor": "10m", "staleAfter": "1h", "annualFallback": false, "pollInterval": "500ms"
        },
        "nodes": {
            "zoneRules": [{ "selector": { "matchLabels": { "site": "hq" } }, "zone": "HQ", "pue": 1.4 }],
            "hardwareClasses": { "edge": {
                "idleWatts": 5, "fullWatts": 20, "points": [{ "utilization": 0.5, "watts": 15 }],
                "embodiedKilograms": 80
            } },
            "hardwareRules": [{ "selector": {}, "class": "edge" }],
            "defaultPue": 1.6
        },
        "score": { "embodiedWeight": 0, "defaultCpuRequest": "50m", "assumeFor": "20s" },
        "optOut": { "namespaces": ["kube-system"] }
    }))
    .unwrap();
    config.validate().unwrap();
    let curve = config.nodes.hardware_classes["edge"].curve().unwrap();
    assert!((curve.at(sci_core::quantity::Utilization::new(0.5).unwrap()).get() - 15.0).abs() < 1e-9);
    assert_eq!(config.grid.freshness().stale_after.as_secs(), 3_600);
}

#[test]
fn problems_name_the_place_and_what_to_do() {
    for (config, expected) in [
        (
            json!({ "grid": { "freshFor": "2h", "staleAfter": "1h" } }),
            "grid.staleAfter: make it at least as long as grid.freshFor",
        ),
        (json!({ "grid": { "pollInterval": "1ms" } }), "grid.pollInterval: make it 100ms or longer"),
        (json!({ "grid": { "files": [{ "path": "a", "zone": "no zone" }] } }), "grid.files[0].zone: "),
        (json!({ "nodes": { "zoneRules": [{ "selector": {}, "zone": "" }] } }), "nodes.zoneRules[0].zone: "),
        (
            json!({ "nodes": { "zoneRules": [{ "selector": {}, "zone": "A", "pue": 0.5 }] } }),
            "nodes.zoneRules[0].pue: ",
        ),
        (
            json!({ "nodes": { "hardwareRules": [{ "selector": {}, "class": "nothing" }] } }),
            "nodes.hardwareRules[0].class: define \"nothing\" in nodes.hardwareClasses or name a SPECpower family",
        ),
        (
            json!({ "nodes": { "hardwareClasses": { "x": { "idleWatts": 9, "fullWatts": -1, "embodiedKilograms": 1 } } } }),
            "nodes.hardwareClasses.x.fullWatts: ",
        ),
        (
            json!({ "nodes": { "hardwareRules": [{ "selector": { "matchExpressions": [{ "key": "a", "operator": "In" }] }, "class": "x" }] } }),
            "nodes.hardwareRules[0].selector: give In and NotIn at least one value",
        ),
        (json!({ "score": { "embodiedWeight": -1 } }), "score.embodiedWeight: "),
        (json!({ "score": { "defaultCpuRequest": "0" } }), "score.defaultCpuRequest: make it more than zero"),
        (json!({ "nodes": { "defaultPue": 0.9 } }), "nodes.defaultPue: "),
    ] {
        let problem = problem(config);
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn the_schema_documents_every_field() {
    let schema = schemars::schema_for!(ModelConfig).to_value();
    assert_described(&schema, "");
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert_described(definition, name);
    }
}
