//! Scheduler requests as large and as wordy as real ones.

use serde_json::{Value, json};

/// Names as clouds give them, 40 characters and more.
pub fn node_name(index: usize) -> String {
    format!("ip-10-{}-{}-{}.eu-north-1.compute.internal", index / 65_536 % 256, index / 256 % 256, index % 256)
}

/// A pod of about 10 KB: two containers with environment, probes, volumes, and the managed fields that a real
/// one carries. `number` makes name and UID distinct.
pub fn pod(number: usize) -> Value {
    let environment: Vec<Value> = (0..30)
        .map(|index| json!({"name": format!("SETTING_{index}"), "value": format!("some-value-of-a-setting-{index}")}))
        .collect();
    let container = |name: &str| {
        json!({
            "name": name,
            "image": format!("registry.example.com/team/{name}@sha256:{}", "0123456789abcdef".repeat(4)),
            "args": ["--config=/etc/app/config.yaml", "--log-format=json", "--listen=:8080"],
            "env": environment,
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
            "livenessProbe": {"httpGet": {"path": "/livez", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": true}],
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
        })
    };
    let managed: Vec<Value> = (0..12)
        .map(|index| {
            json!({"manager": format!("controller-{index}"), "operation": "Update", "apiVersion": "v1",
            "time": "2026-11-01T12:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:pod-template-hash": {}}},
                         "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}, "f:name": {}}}}}})
        })
        .collect();
    json!({
        "metadata": {
            "name": format!("shop-frontend-7d9c5b9f6-{number:05}"),
            "namespace": "shop",
            "uid": format!("6f1c2d3e-0000-4000-8000-{number:012x}"),
            "labels": {"app": "shop-frontend", "pod-template-hash": "7d9c5b9f6"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-frontend-7d9c5b9f6",
                "uid": "0c1d2e3f-0000-4000-8000-000000000001", "controller": true, "blockOwnerDeletion": true}],
            "managedFields": managed,
        },
        "spec": {
            "containers": [container("app"), container("proxy")],
            "volumes": [{"name": "config", "configMap": {"name": "shop-frontend", "defaultMode": 420}}],
            "serviceAccountName": "shop-frontend",
            "schedulerName": "default-scheduler",
            "priority": 0,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300}],
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    })
}

/// The body that kube-scheduler sends with `nodeCacheCapable: true`.
pub fn names_body(pod_number: usize, nodes: usize) -> Vec<u8> {
    let names: Vec<String> = (0..nodes).map(node_name).collect();
    json!({"Pod": pod(pod_number), "Nodes": Value::Null, "NodeNames": names}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_about_ten_kilobytes() {
        let bytes = pod(1).to_string().len();
        assert!((8_000..14_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn names_are_distinct() {
        let names: std::collections::HashSet<String> = (0..5_000).map(node_name).collect();
        assert_eq!(names.len(), 5_000);
    }
}
