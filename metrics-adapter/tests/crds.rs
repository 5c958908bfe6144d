//! The kinds as they are installed, and their page. `KUBE_SCI_UPDATE_REFERENCE=1` rewrites both.

use std::{collections::BTreeSet, path::PathBuf};

use kube::CustomResourceExt;
use kube_sci_metrics_adapter::policy::{self, CarbonBudget, GreenScalingPolicy, condition};
use kube_sci_server::{
    config::to_yaml,
    reference::{GENERATED, keep},
};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schemas() -> Vec<(String, Value)> {
    let schema = |crd: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition| {
        let version = &crd.spec.versions[0];
        let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        (crd.spec.names.kind.clone(), serde_json::to_value(schema).unwrap())
    };
    policy::crds().unwrap().into_iter().map(schema).collect()
}

/// Every part of a schema, with its path.
fn walk(schema: &Value, path: &str, each: &mut impl FnMut(&str, &Value)) {
    each(path, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(field, &format!("{path}.{name}"), each);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}[]"), each);
    }
}

#[test]
fn reference_manifests_of_the_kinds_are_current() {
    for crd in policy::crds().unwrap() {
        let file = format!("manifests/crds/{}.yaml", crd.spec.names.plural);
        let text = format!("# Made from the code; `make reference` writes it anew.\n{}", to_yaml(&crd).unwrap());
        keep(&root().join(&file), &text).unwrap();
        let listed = std::fs::read_to_string(root().join("manifests/crds/kustomization.yaml")).unwrap();
        assert!(listed.contains(&format!("{}.yaml", crd.spec.names.plural)), "kustomization.yaml does not list {file}");
    }
}

#[test]
fn reference_page_of_the_kinds_is_current() {
    keep(&root().join("docs/reference/crds.md"), &policy::reference(GENERATED).unwrap()).unwrap();
}

#[test]
fn the_kinds_are_called_as_the_api_server_calls_them() {
    assert_eq!(GreenScalingPolicy::crd_name(), "greenscalingpolicies.kube-sci.dev");
    assert_eq!(CarbonBudget::crd_name(), "carbonbudgets.kube-sci.dev");
    for crd in policy::crds().unwrap() {
        let version = &crd.spec.versions[0];
        assert!(version.subresources.as_ref().unwrap().status.is_some());
        assert!(crd.spec.names.short_names.as_ref().is_some_and(|names| !names.is_empty()));
        let columns = version.additional_printer_columns.as_ref().unwrap();
        assert!(columns.iter().any(|column| column.name == "Age"));
    }
}

#[test]
fn every_field_is_documented_and_none_may_be_null() {
    for (kind, schema) in schemas() {
        let mut missing = Vec::new();
        walk(&schema, &kind, &mut |path, part| {
            let described = part["description"].as_str().is_some_and(|text| !text.is_empty());
            // Items of lists of words have their meaning with the list; those of Kubernetes' own types have one there.
            let own = !path.ends_with("[]") && !path.contains("selector") && !path.contains("conditions[]");
            if own && !described && path != kind {
                missing.push(path.to_owned());
            }
            assert!(part.get("nullable").is_none(), "{path}");
        });
        assert_eq!(missing, Vec::<String>::new());
    }
}

#[test]
fn conditions_are_a_map_by_type() {
    for (kind, schema) in schemas() {
        let conditions = schema.pointer("/properties/status/properties/conditions").unwrap();
        assert_eq!(conditions["x-kubernetes-list-type"], "map", "{kind}");
        assert_eq!(conditions["x-kubernetes-list-map-keys"], serde_json::json!(["type"]), "{kind}");
    }
    let unique: BTreeSet<&str> = condition::OF_POLICIES.into_iter().collect();
    assert_eq!(unique.len(), condition::OF_POLICIES.len());
}

#[test]
fn every_rule_says_what_to_do_and_lists_it_looks_at_have_an_end() {
    for (_, schema) in schemas() {
        let mut rules = 0;
        walk(&schema, "", &mut |path, part| {
            for rule in part["x-kubernetes-validations"].as_array().into_iter().flatten() {
                rules += 1;
                assert!(rule["message"].as_str().is_some_and(|message| message.len() > 10), "{path}: {rule}");
                // The API server estimates what a rule costs by the longest list it allows.
                if rule["rule"].as_str().unwrap().contains("self.map(") {
                    assert!(part["maxItems"].as_u64().is_some(), "{path}");
                }
            }
        });
        assert!(rules > 0 || schema["properties"]["spec"]["properties"]["gramsPerMonth"].is_object());
    }
}
