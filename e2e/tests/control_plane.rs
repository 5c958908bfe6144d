//! The control plane library itself, and the stand-ins for extenders.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use kube_sci_e2e::control_plane::{ControlPlane, ExtenderEntry, Options, SchedulerOptions};
use kube_sci_e2e::misbehaving::{Behaviour, Misbehaving};
use kube_sci_e2e::testing::{self, Slot};
use kube_sci_e2e::world::{deployment, node, pod};

use crate::support::{running_members, wait_group_gone};

#[tokio::test]
async fn plain_scheduler_binds_a_pod_to_a_simulated_node_and_all_ends_on_drop() -> Result<()> {
    let plane = testing::control_plane().await?;
    let world = plane.world();
    let nodes = [node("n1").aws("eu-north-1", "m5.xlarge"), node("n2").gcp("europe-west1", "n2-standard-4")];
    world.create_nodes(nodes).await?;
    let scheduler = plane.start_scheduler(SchedulerOptions::plain("plain")).await?;
    world.create_pod(pod("p1").scheduler("plain")).await?;
    let bound = world.wait_bound("p1").await?;
    assert!(["n1", "n2"].contains(&bound.as_str()), "{bound}");
    let scheduled = scheduler.metric("scheduler_schedule_attempts_total", &[("result", "scheduled")]).await?;
    assert_eq!(scheduled, Some(1.0));

    let (group, folder) = (plane.group().id(), plane.folder().to_owned());
    assert_eq!(running_members(group).len(), 6, "watchdog, etcd, API server, controller manager, kwok, scheduler");
    drop((scheduler, plane));
    wait_group_gone(group).await?;
    assert!(!folder.exists(), "{}", folder.display());
    Ok(())
}

#[tokio::test]
async fn two_control_planes_run_side_by_side() -> Result<()> {
    let _slot = Slot::take().await?;
    let (one, two) =
        tokio::try_join!(ControlPlane::start(Options::default()), ControlPlane::start(Options::default()))?;
    one.world().create_nodes([node("only-in-one")]).await?;
    two.world().create_nodes([node("only-in-two")]).await?;
    assert_eq!(one.kubectl().run(&["get", "nodes", "-o", "name"]).await?.trim(), "node/only-in-one");
    assert_eq!(two.kubectl().run(&["get", "nodes", "-o", "name"]).await?.trim(), "node/only-in-two");
    Ok(())
}

#[tokio::test]
async fn schedulers_side_by_side_obey_a_good_extender_and_survive_bad_ones() -> Result<()> {
    let plane = testing::control_plane().await?;
    let world = plane.world();
    world.create_nodes((1..=3).map(|number| node(format!("n{number}")))).await?;
    let behaviours = [
        ("prefer", Behaviour::Prefer("n2".to_owned())),
        ("neutral", Behaviour::Neutral),
        ("late", Behaviour::Slow("n2".to_owned(), Duration::from_secs(5))),
        ("hang", Behaviour::Hang),
        ("garbage", Behaviour::Garbage),
        ("names", Behaviour::WrongNames),
        ("status", Behaviour::Status(500)),
        ("cut", Behaviour::CutOff),
    ];
    for (name, behaviour) in behaviours {
        let extender = Misbehaving::start(behaviour).await?;
        let entry = ExtenderEntry::filter_and_prioritize(extender.url_prefix()).timeout(Duration::from_millis(200));
        let scheduler = plane.start_scheduler(SchedulerOptions::plain(name).extender(entry)).await?;
        world.create_pods((1..=3).map(|number| pod(format!("{name}-{number}")).scheduler(name))).await?;
        world.wait_all_bound(3).await?;
        assert!(extender.requests() >= 3, "{name} was asked {} times", extender.requests());
        if name == "prefer" {
            assert_eq!(world.pods_per_node().await?.into_iter().collect::<Vec<_>>(), [("n2".to_owned(), 3)]);
        }
        drop(scheduler);
        world.clear().await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_cluster_survives_a_restart_of_the_api_server() -> Result<()> {
    let mut plane = testing::control_plane().await?;
    let world = plane.world();
    world.create_nodes([node("n1")]).await?;
    let _scheduler = plane.start_scheduler(SchedulerOptions::plain("plain")).await?;
    plane.restart_apiserver().await?;
    world.create_deployment(deployment(3, pod("web").scheduler("plain"))).await?;
    let bindings = world.wait_all_bound(3).await?;
    assert_eq!(bindings.values().collect::<BTreeSet<_>>().len(), 1);
    plane.check()?;
    Ok(())
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_is_pending_with_the_scheduler_s_reason() -> Result<()> {
    let plane = testing::control_plane().await?;
    let world = plane.world();
    world.create_nodes([node("n1").capacity("2", "4Gi")]).await?;
    let _scheduler = plane.start_scheduler(SchedulerOptions::plain("plain")).await?;
    world.create_pod(pod("big").cpu("3").scheduler("plain")).await?;
    let reason = world.wait_pending_with_reason("big", "Insufficient cpu").await?;
    assert!(reason.starts_with("Unschedulable: 0/1 nodes are available"), "{reason}");
    world.wait_event("big", "FailedScheduling").await?;
    assert!(world.bindings().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_identity_without_a_role_may_read_nothing() -> Result<()> {
    let plane = testing::control_plane().await?;
    let space = plane.world().create_namespace("apart", &[("team", "blue")]).await?;
    space.create_pod(pod("p1").on_node("nowhere")).await?;
    let stranger = plane.kubeconfig_for("system:serviceaccount:apart:reader", None)?;
    let kubectl = plane.kubectl().with_kubeconfig(stranger);
    let get = ["get", "pods", "--namespace=apart", "--output=name"];
    let refused = kubectl.run(&get).await.unwrap_err().to_string();
    assert!(refused.contains("Forbidden"), "{refused}");

    let grant =
        ["create", "rolebinding", "reader", "--namespace=apart", "--clusterrole=view", "--serviceaccount=apart:reader"];
    plane.kubectl().run(&grant).await?;
    // The server's authorizer learns of the binding through a watch.
    let seen =
        kube_sci_e2e::wait::eventually(Duration::from_secs(10), "the right to read", async || kubectl.run(&get).await);
    assert_eq!(seen.await?.trim(), "pod/p1");
    Ok(())
}
