//! The metrics pages of a workload's own pods.

use std::{
    hash::{BuildHasher, BuildHasherDefault},
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube_sci_signals::{
    exposition::{self, Format, Limits, Options, Sample},
    http::{HttpService, Request},
};
use rustc_hash::FxHasher;
use sci_core::scaling::{LoadError, LoadSample};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Inner, LoadFault, checked,
    counters::{Counters, PodPage, PodSeen, Total},
    metric::segment,
    shortened,
    target::{Target, get},
};
use crate::{
    policy::{PodsSpec, Scheme, TargetRef},
    table::LoadReading,
};

/// Pages of one workload asked for at the same time.
const AT_ONCE: usize = 16;
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// The pages of one workload's pods.
pub(super) struct PodsSource {
    target: Target,
    http: HttpService,
    spec: PodsSpec,
    stale_after: Duration,
    counters: Counters,
}

#[derive(Deserialize)]
struct PodList {
    items: Vec<Pod>,
}

/// What is read of a pod.
#[derive(Deserialize)]
struct Pod {
    metadata: Meta,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    conditions: Vec<Condition>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    condition_type: String,
    status: String,
}

#[derive(Deserialize)]
struct ContainerStatus {
    #[serde(default)]
    state: ContainerState,
}

#[derive(Default, Deserialize)]
struct ContainerState {
    #[serde(default)]
    running: Option<Running>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    #[serde(default)]
    started_at: Option<Timestamp>,
}

impl PodsSource {
    pub(super) fn new(
        clients: &Inner,
        namespace: &str,
        (target, spec): (&TargetRef, &PodsSpec),
        stale_after: Duration,
    ) -> Self {
        let http = match spec.scheme {
            Scheme::Http => &clients.pages,
            Scheme::Https => &clients.secure_pages,
        };
        Self {
            target: Target::new(clients.kube.clone(), namespace, target),
            http: http.clone(),
            spec: spec.clone(),
            stale_after,
            counters: Counters::default(),
        }
    }

    pub(super) async fn read(&mut self, now: Timestamp) -> Result<LoadReading, LoadFault> {
        let selected = self.target.selected().await?;
        // From the API server's cache: a pod that is missing there for a moment is one that just came.
        let path = format!(
            "/api/v1/namespaces/{}/pods?labelSelector={}&resourceVersion=0",
            self.target.namespace(),
            segment(&selected.selector)
        );
        let list: PodList = get(self.target.client(), &path).await?;
        let started = Instant::now();
        let pages = self.pages(list.items.iter().filter_map(Pod::seen).collect(), (now, started)).await;
        let Total { value, at, warning } = self.counters.round(self.spec.kind, now, &pages)?;
        checked(LoadReading {
            sample: LoadSample { value, at },
            source: format!("pods/{}", self.spec.metric).into(),
            warning: warning.map(Into::into),
        })
    }

    async fn pages(
        &self,
        pods: Vec<(PodSeen, String)>,
        (now, started): (Timestamp, Instant),
    ) -> Vec<(PodSeen, Result<PodPage, LoadFault>)> {
        stream::iter(pods)
            .map(|(pod, address)| async move {
                let page = self.page(&address, (now, started)).await;
                (pod, page)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    async fn page(&self, address: &str, (now, started): (Timestamp, Instant)) -> Result<PodPage, LoadFault> {
        let PodsSpec { port, path, scheme, .. } = &self.spec;
        let scheme = match scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let request = Request::get(format!("{scheme}://{host}:{port}{path}")).accept(ACCEPT);
        let answer = self.http.get_once(&request).await.map_err(|error| LoadFault::of_http(&error))?;
        if !answer.is_success() {
            return Err(LoadFault::Refused(format!("{path} was answered with status {}", answer.status.as_u16())));
        }
        let format = answer.content_type.as_deref().map_or(Format::Detect, Format::from_content_type);
        let arrived = now.checked_add(started.elapsed()).unwrap_or(now);
        samples(&self.spec, &answer.body, format, (arrived, self.stale_after))
    }
}

/// The samples that a policy means, of a page that arrived at `arrived`.
///
/// Samples may say when they were taken. The page is as old as the oldest that does: a rate is one between instants of
/// samples, and where an application renews them more seldom than it is asked, the rate holds until it does. An instant
/// to come is that of the arrival.
fn samples(
    spec: &PodsSpec,
    body: &[u8],
    format: Format,
    (arrived, stale_after): (Timestamp, Duration),
) -> Result<PodPage, LoadFault> {
    let (mut series, mut odd, mut oldest) = (Vec::new(), None, arrived);
    let options = Options { format, limits: Limits::default() };
    let read = exposition::parse_with(
        body,
        options,
        |name| name == spec.metric,
        |sample| {
            if !matches(spec, &sample) {
                return;
            }
            // A value that is no number makes the sum none.
            if !sample.value.is_finite() || sample.value < 0.0 {
                odd = Some(sample.value);
            }
            oldest = sample.at.map_or(oldest, |at| at.min(oldest));
            series.push((identity(&sample), sample.value));
        },
    );
    read.map_err(|error| LoadFault::Malformed(shortened(&error.to_string())))?;
    if let Some(value) = odd {
        return Err(LoadFault::Malformed(format!("a sample of {} is {value}", spec.metric)));
    }
    let age = Duration::try_from(arrived.duration_since(oldest)).unwrap_or_default();
    if age > stale_after {
        return Err(LoadError::Stale { age, stale_after }.into());
    }
    Ok(PodPage { at: oldest, series })
}

fn matches(spec: &PodsSpec, sample: &Sample<'_>) -> bool {
    spec.match_labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value.as_str()))
}

/// The same for the same labels, in whatever order.
fn identity(sample: &Sample<'_>) -> u64 {
    let hasher = BuildHasherDefault::<FxHasher>::default();
    sample.labels.iter().fold(0, |sum: u64, pair| sum.wrapping_add(hasher.hash_one(pair)))
}

impl Pod {
    /// `None` for pods that are not there yet, or not any more.
    fn seen(&self) -> Option<(PodSeen, String)> {
        let Self { metadata, status } = self;
        if status.phase != "Running" || metadata.deletion_timestamp.is_some() {
            return None;
        }
        let ready = |condition: &Condition| condition.condition_type == "Ready" && condition.status == "True";
        let started = status.container_statuses.iter().map(|container| container.state.running.as_ref()?.started_at);
        let pod = PodSeen {
            uid: metadata.uid.clone(),
            name: metadata.name.clone(),
            ready: status.conditions.iter().any(ready),
            started_at: started.collect::<Option<Vec<_>>>().and_then(|started| started.into_iter().max()),
        };
        Some((pod, status.pod_ip.clone()?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The load of a page that arrives at noon and may be a minute old.
    fn page(text: &str) -> Result<PodPage, LoadFault> {
        let spec = serde_json::from_value(json!({
            "port": 80, "metric": "requests_total", "matchLabels": { "tier": "web" },
        }));
        samples(&spec.unwrap(), text.as_bytes(), Format::Detect, (noon(), Duration::from_mins(1)))
    }

    fn noon() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    /// A line of a page whose sample was taken so many seconds before noon.
    fn line(path: &str, value: f64, seconds_ago: i64) -> String {
        let millis = noon().as_millisecond() - seconds_ago * 1_000;
        format!("requests_total{{tier=\"web\",path=\"{path}\"}} {value} {millis}\n")
    }

    #[test]
    fn a_page_is_as_old_as_its_oldest_sample() {
        let at = |text: &str| page(text).unwrap().at;
        assert_eq!(at("requests_total{tier=\"web\"} 7\n"), noon(), "no instant");
        assert_eq!(at(&(line("/", 1.0, 10) + &line("/a", 2.0, 25))), noon() - Duration::from_secs(25));
        let mixed = line("/", 1.0, 10) + "requests_total{tier=\"web\",path=\"/a\"} 7\n";
        assert_eq!(at(&mixed), noon() - Duration::from_secs(10));
        assert_eq!(at(&line("/", 1.0, -3_600)), noon(), "an instant to come");
        assert_eq!(page(&(line("/", 1.0, 10) + &line("/a", 2.0, 25))).unwrap().series.len(), 2);
    }

    #[test]
    fn a_sample_that_is_too_old_makes_the_page_so() {
        assert_eq!(page(&line("/", 1.0, 60)).unwrap().at, noon() - Duration::from_mins(1));
        let stale = page(&(line("/", 1.0, 5) + &line("/a", 2.0, 61))).unwrap_err();
        assert_eq!(
            (stale.kind(), stale.to_string().as_str()),
            ("stale", "the load is 61 s old, more than 60 s are too old")
        );
        // What the policy does not ask for may be as old as it likes.
        let others = line("/", 1.0, 5) + "requests_total{tier=\"db\"} 7 1000\nother_total 7 1000\n";
        assert_eq!(page(&others).unwrap().series.len(), 1);
    }

    #[test]
    fn running_pods_with_an_address_are_asked() {
        let pod = |change: fn(&mut serde_json::Value)| {
            let mut pod = json!({
                "metadata": { "name": "web-1", "uid": "u" },
                "status": {
                    "phase": "Running", "podIP": "10.0.0.7",
                    "conditions": [{ "type": "Ready", "status": "True" }],
                    "containerStatuses": [
                        { "state": { "running": { "startedAt": "2026-01-31T12:00:00Z" } } },
                        { "state": { "running": { "startedAt": "2026-01-31T12:00:05Z" } } },
                    ],
                },
            });
            change(&mut pod);
            serde_json::from_value::<Pod>(pod).unwrap().seen()
        };
        let (seen, address) = pod(|_| ()).unwrap();
        assert_eq!((seen.ready, address.as_str()), (true, "10.0.0.7"));
        assert_eq!(seen.started_at, Some("2026-01-31T12:00:05Z".parse().unwrap()));
        assert!(!pod(|pod| pod["status"]["conditions"][0]["status"] = json!("False")).unwrap().0.ready);
        assert!(pod(|pod| pod["status"]["phase"] = json!("Pending")).is_none());
        assert!(pod(|pod| pod["metadata"]["deletionTimestamp"] = json!("2026-01-31T12:00:00Z")).is_none());
        assert!(pod(|pod| drop(pod["status"].as_object_mut().unwrap().remove("podIP"))).is_none());
        let waiting = pod(|pod| pod["status"]["containerStatuses"][0]["state"] = json!({ "waiting": {} })).unwrap();
        assert_eq!(waiting.0.started_at, None, "not all of it runs");
    }
}
