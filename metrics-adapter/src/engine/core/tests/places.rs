//! Whose electricity counts.

use serde_json::json;

use super::stage::{Stage, number};
use crate::table::{IntensityProblem, PlacementBasis};

#[test]
fn zones_count_by_pods() {
    let mut stage = Stage::ready(600.0);
    stage.node("c", "FR");
    stage.pod("web", 4, "c");
    stage.intensities(&[("DE", 600.0), ("FR", 100.0)]);
    let state = stage.policy(json!({}));
    let intensity = state.intensity.as_ref().unwrap();
    // Four pods at 600, one at 100.
    assert!((intensity.carbon.intensity.get() - 500.0).abs() < 1e-9);
    assert_eq!(intensity.zone_names(), "DE,FR", "the larger share first");
    assert!((intensity.zones[0].share.get() - 0.8).abs() < 1e-9);
}

#[test]
fn pods_of_others_do_not_count() {
    let mut stage = Stage::ready(600.0);
    stage.node("c", "FR");
    stage.pod("api", 0, "c");
    stage.intensities(&[("DE", 600.0), ("FR", 100.0)]);
    let state = stage.policy(json!({}));
    assert!((state.intensity.as_ref().unwrap().carbon.intensity.get() - 600.0).abs() < 1e-9);
}

#[test]
fn what_is_not_known_of_more_than_a_fifth_is_not_guessed() {
    let mut stage = Stage::ready(600.0);
    stage.node("c", "FR");
    stage.pod("web", 4, "c");
    let state = stage.policy(json!({}));
    // Four of five pods are known: just enough.
    assert!((state.intensity.as_ref().unwrap().carbon.intensity.get() - 600.0).abs() < 1e-9);
    stage.pod("web", 5, "c");
    assert_eq!(stage.state().intensity.as_ref().unwrap_err(), &IntensityProblem::Missing);
}

#[test]
fn a_workload_without_pods_is_where_it_was() {
    let mut stage = Stage::ready(600.0);
    stage.node("c", "FR");
    stage.intensities(&[("DE", 600.0), ("FR", 100.0)]);
    stage.policy(json!({}));
    stage.no_pods();
    let state = stage.state();
    let intensity = state.intensity.as_ref().unwrap();
    assert_eq!((intensity.basis, intensity.zone_names().as_str()), (PlacementBasis::LastPods, "DE"));
}

#[test]
fn a_workload_that_never_had_pods_could_be_anywhere() {
    let mut stage = Stage::ready(600.0);
    stage.node("c", "FR");
    stage.intensities(&[("DE", 600.0), ("FR", 300.0)]);
    stage.no_pods();
    let state = stage.policy(json!({}));
    let intensity = state.intensity.as_ref().unwrap();
    assert_eq!(intensity.basis, PlacementBasis::Nodes);
    assert!((intensity.carbon.intensity.get() - 500.0).abs() < 1e-9, "two nodes in DE, one in FR");
}

#[test]
fn a_named_zone_is_asked_for_even_if_no_node_stands_there() {
    let mut stage = Stage::ready(600.0);
    let state = stage.policy(json!({ "zone": { "name": "SE" } }));
    assert_eq!(state.intensity.as_ref().unwrap_err(), &IntensityProblem::Missing);
    assert!(state.outcome.is_none(), "its sources are asked first: what is decided now holds for ten minutes");
    assert_eq!(stage.wanted.zones(stage.now).len(), 1);
    stage.intensities(&[("DE", 600.0), ("SE", 30.0)]);
    stage.tick();
    let state = stage.state();
    let intensity = state.intensity.as_ref().unwrap();
    assert_eq!(intensity.basis, PlacementBasis::Named);
    assert!((intensity.carbon.intensity.get() - 30.0).abs() < 1e-9);
    assert!(state.decision().unwrap().carbon.is_ok());
}

#[test]
fn a_zone_that_nobody_knows_is_waited_for_only_so_long() {
    let mut stage = Stage::ready(600.0);
    assert!(stage.policy(json!({ "zone": { "name": "SE" } })).adjusted_load(stage.now).is_err());
    stage.pass(std::time::Duration::from_secs(10));
    assert!((number(stage.state().adjusted_load(stage.now)) - 1_000.0).abs() < 1e-9);
}
