//! Faults of the load and of the policy, each on a workload of its own beside the others.

use anyhow::{Context, Result};
use kube_sci_e2e::control_plane::{ControlPlane, Options};
use kube_sci_e2e::load_world::LoadFault;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use serde_json::Value;

use super::fewest::Fewest;
use super::site::Site;
use super::stage::{AdapterStage, SOON};
use super::usual::{GUARD, LOAD, PLAIN, TARGET, THROTTLED, policy};

const NAMESPACE: &str = "faults";

/// The last load holds until then.
const OLD: &str = "s old, more than 10 s are too old: ";
/// Fault of the load, the condition that is false with its reason, and what is said there and to who asks for a value.
const LOAD_FAULTS: [(&str, LoadFault, (&str, &str), &str); 6] = [
    ("missing", LoadFault::Missing, ("LoadAvailable", "NoResult"), OLD),
    ("not-a-number", LoadFault::NotANumber, ("LoadAvailable", "TooFewPods"), OLD),
    ("negative", LoadFault::Negative, ("LoadAvailable", "TooFewPods"), OLD),
    ("stale", LoadFault::Hangs, ("LoadAvailable", "TooFewPods"), OLD),
    ("huge", LoadFault::Value(1e18), ("LoadAvailable", "NotALoad"), "the load must be below 9e15"),
    // Of six pods: a number like others, but more replicas than the autoscaler counts, by T as by S. It would take them for
    // less than nothing and go down to its minimum.
    ("overflowing", LoadFault::Value(2e11), ("LoadAvailable", "NotALoad"), "would take more than 2147483647 replicas"),
];
const POLICY_FAULTS: [&str; 3] = ["invalid", "other-curve", "deleted"];

#[tokio::test]
async fn nothing_is_scaled_down_by_faults_of_the_load_or_of_the_policy() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let site = Site::install(&plane).await?;
    let stage = site.stage(NAMESPACE, 1).await?;
    site.set_intensity(&stage, 400.0)?;
    let all: Vec<&str> = LOAD_FAULTS.iter().map(|(name, ..)| *name).chain(POLICY_FAULTS).collect();
    for workload in &all {
        stage.workload(workload, PLAIN).await?;
        stage.load.set(workload, LOAD);
        stage.policy_of(&plane, workload, policy(0.6, GUARD)).await?;
        stage.autoscaler_of(&plane, workload, TARGET, GUARD).await?;
    }
    for workload in &all {
        stage.wait_replicas_of(workload, THROTTLED).await?;
    }

    let fewest = Fewest::watch(&stage);
    for (workload, fault, ..) in LOAD_FAULTS {
        stage.load.fault(workload, fault);
    }
    let refusal = stage.policy_of(&plane, "invalid", policy(0.6, TARGET)).await.expect_err("S is not above T");
    assert!(format!("{refusal:#}").contains("make sloGuardPerReplica more than 1.1 times"), "{refusal:#}");
    stage.policy_of(&plane, "other-curve", policy(0.9, GUARD)).await?;
    plane.kubectl().run(&["delete", "greenscalingpolicies/deleted", "--namespace", NAMESPACE]).await?;

    for (workload, fault, condition, why) in LOAD_FAULTS {
        for text in
            [wait_false(&stage, &plane, workload, condition).await?, wait_not_found(&stage, &plane, workload).await?]
        {
            assert!(text.contains(why), "{fault:?}: {text}");
        }
    }
    wait_not_found(&stage, &plane, "deleted").await?;
    stage.wait_replicas_of("other-curve", 9).await?;
    // The autoscaler has looked at all of this by now, at least once after the policy's new curve.
    for workload in &all {
        fewest.held(workload, THROTTLED).await?;
    }

    for (workload, ..) in LOAD_FAULTS {
        stage.load.mend(workload);
    }
    site.set_intensity(&stage, 100.0)?;
    for workload in all.iter().filter(|workload| **workload != "deleted") {
        stage.wait_replicas_of(workload, PLAIN).await?;
    }
    for workload in &all {
        fewest.held(workload, THROTTLED).await?;
    }
    Ok(())
}

/// Waits until a condition is false for this reason; its text.
pub async fn wait_false(
    stage: &AdapterStage,
    plane: &ControlPlane,
    workload: &str,
    (condition, reason): (&str, &str),
) -> Result<String> {
    let found = eventually(SOON, format!("{condition}=False of {workload}, {reason}"), async || {
        let status = stage.status(plane, workload).await.map_err(|error| format!("{error:#}"))?;
        let all = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        let says = |one: &Value, key: &str, word: &str| one.get(key).is_some_and(|said| said == word);
        let found = all.into_iter().find(|one| says(one, "type", condition)).unwrap_or_default();
        let so = says(&found, "status", "False") && says(&found, "reason", reason);
        if so { Ok(found) } else { Err(found.to_string()) }
    })
    .await?;
    found.get("message").and_then(Value::as_str).map(str::to_owned).context("a condition's message")
}

/// Waits until there is no adjusted load; what is said instead.
async fn wait_not_found(stage: &AdapterStage, plane: &ControlPlane, workload: &str) -> Result<String> {
    let path = stage.adjusted_load(workload);
    let said = eventually(SOON, format!("404 for {workload}"), async || {
        match plane.kubectl().run(&["get", "--raw", &path]).await {
            Ok(value) => Err(value),
            Err(error) if error.to_string().contains("(NotFound)") => Ok(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(said)
}
