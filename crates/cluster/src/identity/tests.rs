use serde_json::{Value, json};

use super::*;

fn resolver(config: &Value) -> Resolver {
    Resolver::new(&serde_json::from_value(config.clone()).unwrap()).unwrap()
}

/// A node of 16 CPUs and 64 GiB.
fn node(provider_id: &str, labels: &Value, annotations: &Value) -> NodeView {
    let amounts = json!({ "cpu": "16", "memory": "64Gi" });
    serde_json::from_value(json!({
        "metadata": { "name": "n", "labels": labels, "annotations": annotations },
        "spec": { "providerID": provider_id },
        "status": { "capacity": amounts, "allocatable": amounts }
    }))
    .unwrap()
}

fn region(name: &str) -> Value {
    json!({ "topology.kubernetes.io/region": name })
}

fn site_rules() -> Value {
    json!({ "nodes": {
        "zoneRules": [
            { "selector": { "matchLabels": { "site": "hq" } }, "zone": "HQ", "pue": 1.3 },
            { "selector": { "matchExpressions": [{ "key": "site", "operator": "Exists" }] }, "zone": "EDGE" }
        ],
        "hardwareClasses": { "edge": { "idleWatts": 5, "fullWatts": 20, "embodiedKilograms": 80 } },
        "hardwareRules": [{ "selector": { "matchLabels": { "site": "hq" } }, "class": "edge" }],
        "defaultPue": 1.6
    } })
}

fn zone_of(identity: &NodeIdentity) -> Option<&str> {
    identity.zone.as_ref().map(Zone::as_str)
}

#[test]
fn provider_and_region_lead_to_the_zone() {
    let identity = resolver(&json!({})).resolve(&node("aws:///eu-north-1a/i-1", &region("eu-north-1"), &json!({})));
    assert_eq!((zone_of(&identity), identity.zone_origin), (Some("SE-SE3"), ZoneOrigin::ProviderRegion));
    assert_eq!(identity.provider, Some(Provider::Aws));
}

#[test]
fn a_rule_is_stronger_than_the_region_and_the_first_rule_wins() {
    let mut resolver = resolver(&site_rules());
    let labels = json!({ "site": "hq", "topology.kubernetes.io/region": "eu-north-1" });
    let identity = resolver.resolve(&node("aws:///eu-north-1a/i-1", &labels, &json!({})));
    assert_eq!((zone_of(&identity), identity.zone_origin), (Some("HQ"), ZoneOrigin::Rule));
    assert_eq!((identity.pue.get(), identity.pue_origin), (1.3, PueOrigin::Rule));
    let identity = resolver.resolve(&node("", &json!({ "site": "shop" }), &json!({})));
    assert_eq!(zone_of(&identity), Some("EDGE"));
}

#[test]
fn the_annotation_is_stronger_than_the_rule() {
    let annotations = json!({
        "kube-sci.dev/grid-zone": "PL", "kube-sci.dev/pue": "1.11", "kube-sci.dev/hardware-class": "edge"
    });
    let identity = resolver(&site_rules()).resolve(&node("", &json!({ "site": "hq" }), &annotations));
    assert_eq!((zone_of(&identity), identity.zone_origin), (Some("PL"), ZoneOrigin::Annotation));
    assert_eq!((identity.pue.get(), identity.pue_origin), (1.11, PueOrigin::Annotation));
    assert_eq!((&*identity.hardware.class, identity.hardware_origin), ("edge", HardwareOrigin::Annotation));
    assert!(identity.refused.is_empty());
}

#[test]
fn bad_annotations_are_told_and_the_next_source_is_used() {
    let annotations = json!({
        "kube-sci.dev/grid-zone": "no zone", "kube-sci.dev/pue": "0.2", "kube-sci.dev/hardware-class": "abacus"
    });
    let identity = resolver(&site_rules()).resolve(&node("", &json!({ "site": "hq" }), &annotations));
    assert_eq!(identity.zone_origin, ZoneOrigin::Rule);
    assert_eq!(identity.pue_origin, PueOrigin::Rule);
    assert_eq!(identity.hardware_origin, HardwareOrigin::Rule);
    let keys: Vec<&str> = identity.refused.iter().map(|refused| refused.key).collect();
    assert_eq!(keys, [annotations::GRID_ZONE, annotations::PUE, annotations::HARDWARE_CLASS]);
    assert!(identity.refused.iter().all(|refused| !refused.problem.is_empty()));
}

#[test]
fn a_region_that_one_provider_alone_has_is_accepted_without_provider() {
    for provider_id in ["", "kind://docker/kind/kind-worker", "kwok://n1"] {
        let identity = resolver(&json!({})).resolve(&node(provider_id, &region("westeurope"), &json!({})));
        assert_eq!((identity.provider, identity.zone_origin), (Some(Provider::Azure), ZoneOrigin::RegionLabel));
    }
}

#[test]
fn nothing_known_is_unknown_and_not_another_region() {
    for (provider_id, labels) in [
        ("", json!({})),
        ("", region("nowhere-1")),
        ("aws:///x/i-1", region("westeurope")),
        ("aws:///x/i-1", json!({})),
        // Alibaba's London and Huawei's Hong Kong: AWS has regions of these names elsewhere.
        ("eu-west-1.i-1", region("eu-west-1")),
        ("huaweicloud://1", region("ap-southeast-1")),
    ] {
        let identity = resolver(&json!({})).resolve(&node(provider_id, &labels, &json!({})));
        assert_eq!((zone_of(&identity), identity.zone_origin), (None, ZoneOrigin::Unknown), "{provider_id} {labels}");
    }
}

#[test]
fn the_instance_type_leads_to_the_hardware_of_its_provider() {
    let labels = json!({ "node.kubernetes.io/instance-type": "m5.4xlarge" });
    let mut resolver = resolver(&json!({}));
    let identity = resolver.resolve(&node("aws:///eu-north-1a/i-1", &labels, &json!({})));
    assert_eq!(identity.hardware_origin, HardwareOrigin::InstanceType);
    let identity = resolver.resolve(&node("gce://p/z/i", &labels, &json!({})));
    assert_eq!(identity.hardware_origin, HardwareOrigin::Capacity);
}

#[test]
fn equal_machines_share_their_description() {
    let mut resolver = resolver(&json!({}));
    let one = resolver.resolve(&node("", &json!({}), &json!({})));
    let other = resolver.resolve(&node("", &json!({ "a": "b" }), &json!({})));
    assert!(Arc::ptr_eq(&one.hardware, &other.hardware));
    assert_eq!(one, other);
}

#[test]
fn the_overhead_falls_from_region_to_provider_to_configuration_to_assumption() {
    let pue = |config: &Value, provider_id: &str, labels: &Value| {
        resolver(config).resolve(&node(provider_id, labels, &json!({}))).pue_origin
    };
    let with_pue = region::catalogue().regions().iter().find(|region| region.pue.is_some()).unwrap();
    let provider_id = match with_pue.provider {
        Provider::Aws => "aws:///z/i",
        Provider::Azure => "azure:///subscriptions/s",
        Provider::Gcp => "gce://p/z/i",
    };
    assert!(matches!(pue(&json!({}), provider_id, &region(with_pue.name)), PueOrigin::Region { .. }));
    assert!(matches!(pue(&json!({}), "aws:///z/i", &region("unknown-1")), PueOrigin::Provider(_)));
    assert_eq!(pue(&site_rules(), "", &json!({})), PueOrigin::Configuration);
    assert!(matches!(pue(&json!({}), "", &json!({})), PueOrigin::Assumption(_)));
}
