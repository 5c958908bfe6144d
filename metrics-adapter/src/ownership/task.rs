//! Looks at the `APIService` objects, now and then and for ever.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::{Api, Client};
use kube_sci_cluster::events::Note;
use tokio::time::{sleep, timeout};

use super::{Conflict, GroupVersion, Owner, Owners, conflicts, served};
use crate::{catalogue::Groups, config::ServiceConfig};

/// Between two looks, or up to a quarter more: how long a change of owner goes unnoticed.
const PERIOD: Duration = Duration::from_secs(5);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is known of owners. Clones share it.
#[derive(Debug, Clone)]
pub struct Ownership {
    wanted: Groups,
    owners: Arc<ArcSwap<Owners>>,
    groups: Arc<ArcSwap<Groups>>,
}

/// What a look brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Conflicts that were not there before.
    pub appeared: Vec<Conflict>,
    /// Conflicts that are over.
    pub resolved: Vec<Conflict>,
}

impl Look {
    /// What is to be told of it.
    pub fn notes(&self, at: Timestamp) -> impl Iterator<Item = Note> {
        let appeared = self.appeared.iter().map(move |conflict| conflict.note(at, false));
        appeared.chain(self.resolved.iter().map(move |conflict| conflict.note(at, true)))
    }
}

impl Ownership {
    /// Nothing is known of the owners of what is wanted.
    pub fn new(wanted: Groups) -> Self {
        let owners = [Owner::NotKnown, Owner::NotKnown, Owner::NotKnown];
        Self {
            wanted,
            owners: Arc::new(ArcSwap::from_pointee(owners)),
            groups: Arc::new(ArcSwap::from_pointee(wanted)),
        }
    }

    /// What is served now.
    pub fn groups(&self) -> Arc<ArcSwap<Groups>> {
        Arc::clone(&self.groups)
    }

    /// Owners now.
    pub fn owners(&self) -> Arc<Owners> {
        self.owners.load_full()
    }

    /// Whether a group and version is to be served at all.
    pub const fn wants(&self, version: GroupVersion) -> bool {
        version.is_in(self.wanted)
    }

    /// One line on every group and version that is wanted.
    pub fn detail(&self) -> String {
        let owners = self.owners.load();
        let lines = GroupVersion::ALL.into_iter().zip(owners.iter()).filter(|(version, _)| version.is_in(self.wanted));
        let lines: Vec<String> = lines.map(|(version, owner)| format!("{} {owner}", version.api_service())).collect();
        if lines.is_empty() { "no API is wanted".to_owned() } else { lines.join(", ") }
    }

    /// Takes what was found.
    pub fn take(&self, owners: Owners) -> Look {
        let before = conflicts(self.wanted, &self.owners.load());
        let now = conflicts(self.wanted, &owners);
        self.groups.store(Arc::new(served(self.wanted, &owners)));
        self.owners.store(Arc::new(owners));
        Look {
            appeared: now.iter().filter(|conflict| !before.contains(conflict)).cloned().collect(),
            resolved: before.into_iter().filter(|conflict| !now.contains(conflict)).collect(),
        }
    }

    /// Looks for ever. `tell` hears of every change.
    pub async fn run(self, client: Client, own: ServiceConfig, heartbeat: impl Fn(), tell: impl Fn(&Look)) {
        let api: Api<APIService> = Api::all(client);
        loop {
            let look = self.take(self.look(&api, &own, &heartbeat).await);
            for conflict in &look.appeared {
                tracing::warn!(api = conflict.version.api_service(), "{}", conflict.text);
            }
            for conflict in &look.resolved {
                tracing::info!(api = conflict.version.api_service(), "over: {}", conflict.text);
            }
            if look != Look::default() {
                tell(&look);
            }
            sleep(pause(RandomState::new().hash_one(PERIOD))).await;
        }
    }

    async fn look(&self, api: &Api<APIService>, own: &ServiceConfig, heartbeat: &impl Fn()) -> Owners {
        let known = self.owners.load_full();
        let mut owners = (*known).clone();
        for (version, owner) in GroupVersion::ALL.into_iter().zip(&mut owners) {
            heartbeat();
            if !version.is_in(self.wanted) {
                continue;
            }
            let found = match timeout(PATIENCE, api.get_opt(version.api_service())).await {
                Ok(Ok(object)) => Owner::of(object.as_ref(), own),
                Ok(Err(error)) => Owner::Unreadable(error.to_string()),
                Err(_) => Owner::Unreadable("no answer in time".to_owned()),
            };
            // What was known stays while it cannot be read: a failing API server changes no owner.
            let keep = matches!((&*owner, &found), (Owner::Us | Owner::Other(_) | Owner::Nobody, Owner::Unreadable(_)));
            if !keep {
                *owner = found;
            }
        }
        owners
    }
}

/// Replicas that began together do not go on asking together.
fn pause(random: u64) -> Duration {
    PERIOD + PERIOD / 4 * u32::try_from(random % 256).unwrap_or(0) / 256
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::fake_api::{self, refusal};

    /// An API server that answers every question with this status, and counts them.
    fn answering(status: &Arc<AtomicU16>, asked: &Arc<AtomicUsize>) -> Api<APIService> {
        let (status, asked) = (Arc::clone(status), Arc::clone(asked));
        let service = json!({ "namespace": "kube-sci", "name": "kube-sci-metrics-adapter" });
        let registered = json!({
            "metadata": { "name": "x" },
            "spec": { "groupPriorityMinimum": 1, "versionPriority": 1, "service": service },
        });
        Api::all(fake_api::client(move |_, _| {
            asked.fetch_add(1, Ordering::Relaxed);
            match status.load(Ordering::Relaxed) {
                200 => (200, registered.clone()),
                code => refusal(code),
            }
        }))
    }

    #[tokio::test]
    async fn an_api_server_that_fails_gives_no_api_away() {
        let (status, asked) = (Arc::new(AtomicU16::new(500)), Arc::new(AtomicUsize::new(0)));
        let api = answering(&status, &asked);
        let ownership = Ownership::new(Groups { external: false, ..Groups::ALL });
        let look = async || ownership.take(ownership.look(&api, &ServiceConfig::default(), &|| ()).await);
        // Before anything is known, and for whatever reason.
        for code in [500, 403, 429] {
            status.store(code, Ordering::Relaxed);
            assert_eq!(look().await, Look::default(), "{code}");
            assert!(matches!(ownership.owners()[0], Owner::Unreadable(_)), "{code}");
            assert_eq!(**ownership.groups().load(), Groups { external: false, ..Groups::ALL });
        }
        status.store(200, Ordering::Relaxed);
        look().await;
        assert_eq!(ownership.owners()[1], Owner::Us);
        status.store(503, Ordering::Relaxed);
        look().await;
        assert_eq!(ownership.owners()[1], Owner::Us, "what is known stays");
        status.store(404, Ordering::Relaxed);
        look().await;
        assert_eq!(ownership.owners()[1], Owner::Nobody);
        // One small question for each version that is wanted.
        assert_eq!(asked.load(Ordering::Relaxed), 6 * 2);
    }

    #[test]
    fn replicas_do_not_ask_in_step() {
        let pauses: Vec<Duration> = (0..256).map(pause).collect();
        assert!(pauses.iter().all(|pause| (PERIOD..PERIOD * 5 / 4).contains(pause)));
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_conflict_is_told_once_and_again_when_it_is_over() {
        let ownership = Ownership::new(Groups::ALL);
        let foreign = || Owner::Other("keda/keda-metrics".to_owned());
        assert_eq!(ownership.take([Owner::Us, Owner::Us, Owner::Us]), Look::default());
        let look = ownership.take([Owner::Us, Owner::Us, foreign()]);
        assert_eq!((look.appeared.len(), look.resolved.len()), (1, 0));
        assert!(!ownership.groups().load().external);
        assert!(ownership.detail().contains("v1beta1.external.metrics.k8s.io owned by keda/keda-metrics"));
        assert_eq!(ownership.take([Owner::Us, Owner::Us, foreign()]), Look::default());
        assert_eq!(ownership.take([Owner::Us, Owner::Us, foreign()]).notes(Timestamp::UNIX_EPOCH).count(), 0);
        let look = ownership.take([Owner::Us, Owner::Us, Owner::Nobody]);
        assert_eq!((look.appeared.len(), look.resolved.len()), (0, 1));
        let note = look.notes(Timestamp::UNIX_EPOCH).next().unwrap();
        assert_eq!(note.regarding.name.as_deref(), Some("v1beta1.external.metrics.k8s.io"));
        assert_eq!((&*note.reason, note.text.starts_with("no longer: ")), ("MetricsApiServed", true));
        assert!(ownership.groups().load().external);
    }
}
