//! Pods that run, by their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use super::State;

/// The label that names the workload.
const APP: &str = "app";

/// Running pods of one namespace.
#[derive(Debug, Default)]
pub(super) struct Pods(BTreeMap<IpAddr, Share>);

#[derive(Debug)]
struct Share {
    app: String,
    total: f64,
}

impl Pods {
    pub(super) fn app(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address).map(|share| share.app.as_str())
    }

    /// A pod's part of the demand, and what it has got so far.
    pub(super) fn share(&self, address: IpAddr, demand: f64) -> Option<(f64, f64)> {
        let own = self.0.get(&address)?;
        Some((demand / self.running(&own.app), own.total))
    }

    /// Every pod of the workload gets its part of what came in.
    pub(super) fn advance(&mut self, app: &str, came: f64) {
        let running = self.running(app);
        for share in self.0.values_mut().filter(|share| share.app == app) {
            share.total += came / running;
        }
    }

    pub(super) fn insert(&mut self, address: IpAddr, app: &str) {
        let share = self.0.entry(address).or_insert_with(|| Share { app: app.to_owned(), total: 0.0 });
        if share.app != app {
            // The address was another pod's.
            *share = Share { app: app.to_owned(), total: 0.0 };
        }
    }

    pub(super) fn remove(&mut self, address: IpAddr) {
        self.0.remove(&address);
    }

    /// Pods that a new list does not have ended while nobody watched.
    pub(super) fn retain(&mut self, listed: &BTreeSet<IpAddr>) {
        self.0.retain(|address, _| listed.contains(address));
    }

    fn running(&self, app: &str) -> f64 {
        let running = self.0.values().filter(|share| share.app == app).count();
        f64::from(u32::try_from(running).unwrap_or(u32::MAX))
    }
}

/// Follows the pods of the namespace until dropped.
pub(super) async fn watch(client: Client, state: Arc<State>) {
    let pods: Api<Pod> = Api::namespaced(client, &state.namespace);
    let mut events = pin!(watcher(pods, watcher::Config::default()).default_backoff());
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(pod)) => {
                listed.extend(address(&pod));
                changed(&state, &pod);
            }
            Ok(Event::InitDone) => relisted(&state, &listed),
            Ok(Event::Apply(pod)) => changed(&state, &pod),
            Ok(Event::Delete(pod)) => {
                if let Some(address) = address(&pod) {
                    leave(&state, &pod, address);
                }
            }
            // After an error it watches again.
            Err(_) => {}
        }
    }
}

fn changed(state: &State, pod: &Pod) {
    let Some(address) = address(pod) else { return };
    let running = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
    if running && pod.metadata.deletion_timestamp.is_none() {
        // What came in before was shared without it.
        state.with(app(pod), |_as_it_is| ());
        state.pods().insert(address, app(pod));
    } else {
        leave(state, pod, address);
    }
}

fn leave(state: &State, pod: &Pod, address: IpAddr) {
    state.with(app(pod), |_as_it_is| ());
    state.pods().remove(address);
}

fn relisted(state: &State, listed: &BTreeSet<IpAddr>) {
    let apps: BTreeSet<String> = state.pods().0.values().map(|share| share.app.clone()).collect();
    for app in apps {
        state.with(&app, |_as_it_is| ());
    }
    state.pods().retain(listed);
}

fn app(pod: &Pod) -> &str {
    pod.metadata.labels.as_ref().and_then(|labels| labels.get(APP)).map(String::as_str).unwrap_or_default()
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_ended_while_nobody_watched_gets_no_share() {
        let [stays, ended] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let mut pods = Pods::default();
        pods.insert(stays, "web");
        pods.insert(ended, "web");
        assert_eq!(pods.share(stays, 100.0), Some((50.0, 0.0)));
        pods.retain(&BTreeSet::from([stays]));
        assert_eq!(pods.share(stays, 100.0), Some((100.0, 0.0)));
        assert_eq!(pods.share(ended, 100.0), None);
    }
}
