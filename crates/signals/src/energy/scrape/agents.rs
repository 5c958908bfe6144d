//! The agents' pods, as the API server tells them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::BoxStream};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource as _,
    core::{DeserializeGuard, ObjectMeta},
    runtime::watcher::{self, Event, watcher},
};
use tokio::time::{Instant, timeout_at};

use super::pod::{AgentPod, PortChoice};
use crate::{
    config::ScrapeConfig,
    energy::{directory::NodeNames, window::Exporter},
};

/// Pods per page of a list.
const PAGE: u32 = 500;
/// A watch is renewed this often, so that a connection that died without a word is noticed.
const WATCH_SECONDS: u32 = 120;
/// The first list is waited for.
const FIRST_LIST: Duration = Duration::from_secs(10);
/// A later one goes on in the next round: the pods of before are still known.
const LATER_LIST: Duration = Duration::from_secs(1);
/// So many rounds without a word from a watch that failed, and it is well again.
const QUIET_ROUNDS: u8 = 2;

type Events = BoxStream<'static, Result<Event<DeserializeGuard<AgentPod>>, watcher::Error>>;

/// A page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agent {
    pub node: Arc<str>,
    pub url: Arc<str>,
}

/// A watch of the agents' pods that makes progress when it is asked.
pub(super) struct Agents {
    choice: Choice,
    client: Client,
    events: Events,
    /// By UID.
    pods: HashMap<String, Known>,
    /// The list that is to replace them.
    list: Option<HashMap<String, Known>>,
    listed_once: bool,
    /// What the watch said last, and for how many rounds it has been quiet since.
    failed: Option<(String, u8)>,
}

/// Which pods are agents, and where their pages are.
#[derive(Debug)]
struct Choice {
    label_selector: String,
    namespace: String,
    port: PortChoice,
    scheme: String,
    path: String,
}

/// What is kept of an agent's pod.
#[derive(Debug)]
struct Known {
    node: String,
    /// `None`: nobody says which port.
    url: Option<Arc<str>>,
    controller: String,
    created_at: Option<Timestamp>,
}

impl Agents {
    /// Nothing is asked before [`follow`](Self::follow).
    pub(super) fn new(client: Client, scrape: &ScrapeConfig, exporters: &[Exporter]) -> Self {
        let usual = exporters.iter().copied().map(usual_port).collect();
        let choice = Choice {
            label_selector: scrape.label_selector.clone(),
            namespace: scrape.namespace.clone(),
            port: PortChoice::new(&scrape.port, usual),
            scheme: scrape.scheme.clone(),
            path: scrape.path.clone(),
        };
        let events = choice.watch(client.clone());
        Self { choice, client, events, pods: HashMap::new(), list: None, listed_once: false, failed: None }
    }

    /// Takes what the API server has said since the last time. Waits for it only while a list is under way.
    ///
    /// # Errors
    /// A text, while no list was ever complete.
    pub(super) async fn follow(&mut self) -> Result<(), String> {
        let patience = if self.listed_once { LATER_LIST } else { FIRST_LIST };
        let deadline = Instant::now() + patience;
        if let Some((_, quiet)) = &mut self.failed {
            *quiet += 1;
        }
        self.failed.take_if(|(_, quiet)| *quiet > QUIET_ROUNDS);
        loop {
            let waits = !self.listed_once || self.list.is_some();
            let next = self.events.next();
            let event = if waits { timeout_at(deadline, next).await.ok() } else { next.now_or_never() };
            match event {
                None => break,
                Some(None) => {
                    self.events = self.choice.watch(self.client.clone());
                    break;
                }
                Some(Some(Ok(event))) => {
                    self.failed = None;
                    self.take(event);
                }
                Some(Some(Err(error))) => {
                    self.failed = Some((format!("the agents' pods cannot be watched: {error}"), 0));
                    break;
                }
            }
        }
        if self.listed_once {
            return Ok(());
        }
        let failed = self.failed.as_ref().map(|(problem, _)| problem.clone());
        Err(failed.unwrap_or_else(|| "the API server has not listed the agents' pods yet".to_owned()))
    }

    /// The agents on nodes of the cluster: of several pods of one controller on a node, the newest.
    pub(super) fn on(&self, names: &NodeNames) -> Vec<Agent> {
        let mut newest: BTreeMap<(&str, &str), &Known> = BTreeMap::new();
        for known in self.pods.values().filter(|known| known.url.is_some()) {
            let chosen = newest.entry((&known.node, &known.controller)).or_insert(known);
            if (known.created_at, &known.url) > (chosen.created_at, &chosen.url) {
                *chosen = known;
            }
        }
        let agents = newest.into_values();
        agents
            .filter_map(|known| {
                let node = Arc::clone(&names.named(&known.node)?.name);
                Some(Agent { node, url: known.url.clone()? })
            })
            .collect()
    }

    /// Why agents may be missing.
    pub(super) fn problem(&self) -> Option<String> {
        if let Some((problem, _)) = &self.failed {
            return Some(problem.clone());
        }
        if self.pods.is_empty() {
            let Choice { label_selector, namespace, .. } = &self.choice;
            let place = if namespace.is_empty() { "any namespace" } else { namespace };
            return Some(format!(
                "no running pod in {place} is an agent by labelSelector {label_selector:?} and the configured port"
            ));
        }
        let portless = self.pods.values().filter(|known| known.url.is_none()).count();
        (portless > 0).then(|| format!("{portless} agents do not say which port their page is on; set scrape.port"))
    }

    fn take(&mut self, event: Event<DeserializeGuard<AgentPod>>) {
        match event {
            Event::Init => self.list = Some(HashMap::new()),
            Event::InitApply(pod) => {
                if let (uid, Some(known)) = self.known(pod) {
                    self.list.get_or_insert_default().insert(uid, known);
                }
            }
            Event::InitDone => {
                self.pods = self.list.take().unwrap_or_default();
                self.listed_once = true;
            }
            Event::Apply(pod) => match self.known(pod) {
                (uid, Some(known)) => drop(self.pods.insert(uid, known)),
                (uid, None) => drop(self.pods.remove(&uid)),
            },
            Event::Delete(pod) => drop(self.pods.remove(&key(pod.meta()))),
        }
    }

    /// A pod by its key; `None` in it where it is no agent, or cannot be read.
    fn known(&self, pod: DeserializeGuard<AgentPod>) -> (String, Option<Known>) {
        match pod.0 {
            Ok(pod) => (key(&pod.metadata), self.choice.agent(&pod)),
            Err(invalid) => (key(&invalid.metadata), None),
        }
    }
}

impl Choice {
    fn watch(&self, client: Client) -> Events {
        let api: Api<DeserializeGuard<AgentPod>> =
            if self.namespace.is_empty() { Api::all(client) } else { Api::namespaced(client, &self.namespace) };
        let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS).fields("status.phase=Running");
        let config = if self.label_selector.is_empty() { config } else { config.labels(&self.label_selector) };
        watcher(api, config).boxed()
    }

    fn agent(&self, pod: &AgentPod) -> Option<Known> {
        let by_port = self.label_selector.is_empty();
        let port = self.port.of(pod, by_port);
        if !pod.is_running() || by_port && port.is_none() {
            return None;
        }
        Some(Known {
            node: pod.spec.node_name.clone(),
            url: port.map(|port| pod.url(port, &self.scheme, &self.path).into()),
            controller: pod.controller().to_owned(),
            created_at: pod.created_at(),
        })
    }
}

fn key(meta: &ObjectMeta) -> String {
    meta.uid.clone().or_else(|| meta.name.clone()).unwrap_or_default()
}

const fn usual_port(exporter: Exporter) -> u16 {
    match exporter {
        Exporter::Alumet => 9_091,
        Exporter::Kepler => 28_282,
        Exporter::KeplerLegacy => 9_102,
        Exporter::Scaphandre => 8_080,
    }
}
