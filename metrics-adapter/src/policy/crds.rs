//! The CRDs as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, core::ApiResource};
use serde_json::Value;

use super::{CarbonBudget, GreenScalingPolicy};

/// Both CRDs. Made from the types, with what Kubernetes wants otherwise put right; never the types' own `crd()`.
///
/// # Errors
/// Where a schema is no schema of Kubernetes: a mistake in the types, which a test finds.
pub fn crds() -> Result<Vec<CustomResourceDefinition>, serde_json::Error> {
    [GreenScalingPolicy::crd(), CarbonBudget::crd()].into_iter().map(put_right).collect()
}

/// The kind of [`GreenScalingPolicy`] for clients.
pub fn policy_resource() -> ApiResource {
    GreenScalingPolicy::api_resource()
}

/// The kind of [`CarbonBudget`] for clients.
pub fn budget_resource() -> ApiResource {
    CarbonBudget::api_resource()
}

/// An optional field is absent or has a value. Were `null` allowed, rules would have to ask for it everywhere; so it is
/// pruned by the API server.
fn put_right(crd: CustomResourceDefinition) -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut value = serde_json::to_value(crd)?;
    strip(&mut value);
    serde_json::from_value(value)
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("nullable").is_some_and(Value::is_boolean) {
                fields.remove("nullable");
            }
            // Bounds say as much, and the API server warns of formats that it does not know.
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
