//! One adapter at a time: the others are frozen meanwhile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kube_sci_e2e::{aggregation::GroupVersion, pki::KeyPairFiles, wait::eventually};

use super::{
    objects::{Workload, workloads},
    poll::{Caller, Pace},
    server::Server,
    stage::Stage,
    upstream::Calls,
};
use crate::{samples::Samples, usage};

/// In which autoscalers ask for every metric once: the default period of kube-controller-manager.
pub const SYNC_PERIOD: Duration = Duration::from_secs(15);

const WITHIN: Duration = Duration::from_mins(1);
/// Questions without pause: so few different ones, so often, that what was found out about the caller is remembered.
const DIFFERENT: usize = 100;
const REPEATED: usize = 30;
/// Who an autoscaler is, as the API server passes it on.
const USER: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
const GROUPS: [&str; 3] = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"];

/// What one adapter did while it was its turn.
#[derive(Debug, Clone)]
pub struct Turn {
    /// At rest for a [`SYNC_PERIOD`], where that was measured.
    pub rest: Option<Measured>,
    /// Every policy asked for once in a [`SYNC_PERIOD`], through the API server.
    pub autoscalers: Measured,
    /// As fast as it goes, through the API server.
    pub flat: Measured,
    /// As fast as it goes, without the API server in between.
    pub direct: Measured,
    /// Resident memory afterwards, in MiB.
    pub resident: f64,
}

/// Some requests and what they cost.
#[derive(Debug, Clone)]
pub struct Measured {
    /// How long answers took.
    pub samples: Samples,
    /// How long all took together.
    pub wall: Duration,
    /// CPU time of the adapter, everything that it did meanwhile.
    pub adapter: Duration,
    /// CPU time of the API server.
    pub api_server: Duration,
    /// CPU time of Prometheus.
    pub prometheus: Duration,
    /// Others that were asked.
    pub calls: Calls,
    /// Queries that the adapter made of its own accord.
    pub own_queries: f64,
}

impl Turn {
    /// Lets one adapter serve the cluster's metrics and asks it.
    ///
    /// # Errors
    /// Where it does not answer every question as it should.
    pub async fn take(stage: &mut Stage, server: &mut Server, with_rest: bool) -> anyhow::Result<Self> {
        server.process().resume()?;
        let through = through_api_server(stage, server)?;
        let direct = past_api_server(stage, server)?;
        let all: Arc<[String]> = workloads().map(Workload::path).collect();
        let few: Arc<[String]> = workloads().take(DIFFERENT).map(Workload::path).collect();
        let often: Arc<[String]> = few.iter().cycle().take(DIFFERENT * REPEATED).cloned().collect();
        put_in_charge(stage, server, &through, &all).await?;
        server.wait_settled().await?;

        let rest = if with_rest { Some(measure(stage, server, rest()).await?) } else { None };
        let autoscalers = measure(stage, server, through.poll(&all, Pace::Over(SYNC_PERIOD))).await?;
        through.poll(&few, Pace::Flat).await?;
        let flat = measure(stage, server, through.poll(&often, Pace::Flat)).await?;
        direct.poll(&few, Pace::Flat).await?;
        let direct = measure(stage, server, direct.poll(&often, Pace::Flat)).await?;
        let resident = usage::resident_mebibytes_of(server.process().id())?;
        server.process().suspend()?;
        Ok(Self { rest, autoscalers, flat, direct, resident })
    }
}

/// Registers its APIs and waits until it answers for every policy.
async fn put_in_charge(stage: &Stage, server: &Server, caller: &Caller, all: &Arc<[String]>) -> anyhow::Result<()> {
    stage.aggregation.serve(&server.service).await?;
    let authority = stage.authority.pem();
    for version in GroupVersion::of_metrics().iter().filter(|version| version.group.starts_with("custom.")) {
        stage.aggregation.register(version, &server.service, Some(&authority)).await?;
    }
    let answered = eventually(WITHIN, format!("{} answers for every policy", server.name), async || {
        // One first: the APIs may still be those of the one before.
        if let Some(path) = all.first() {
            caller.ask(path).await.map_err(|error| format!("{error:#}"))?;
        }
        caller.poll(all, Pace::Flat).await.map_err(|error| format!("{error:#}"))
    });
    answered.await.map(drop).context("wait for its turn")
}

async fn rest() -> anyhow::Result<Samples> {
    tokio::time::sleep(SYNC_PERIOD).await;
    Samples::new()
}

async fn measure(
    stage: &mut Stage,
    server: &mut Server,
    work: impl Future<Output = anyhow::Result<Samples>>,
) -> anyhow::Result<Measured> {
    let client = stage.plane.client();
    let (calls, own_queries) = (Calls::read(&client, &stage.prometheus).await?, server.own_queries().await?);
    let processes = [server.process().id(), stage.plane.apiserver().id(), stage.prometheus.process().id()];
    let before = processes.map(usage::cpu_time_of);
    let started = Instant::now();
    let samples = work.await?;
    let wall = started.elapsed();
    let after = processes.map(usage::cpu_time_of);
    let mut used = [Duration::ZERO; 3];
    for ((used, before), after) in used.iter_mut().zip(before).zip(after) {
        *used = after?.saturating_sub(before?);
    }
    let [adapter, api_server, prometheus] = used;
    let own_queries = server.own_queries().await? - own_queries;
    let calls = Calls::read(&client, &stage.prometheus).await? - calls;
    Ok(Measured { samples, wall, adapter, api_server, prometheus, calls, own_queries })
}

/// As the autoscaler's account, with its token.
fn through_api_server(stage: &Stage, server: &Server) -> anyhow::Result<Caller> {
    let client = stage.plane.authority().https_client(None)?;
    let mut bearer: HeaderValue = format!("Bearer {}", stage.token).parse()?;
    bearer.set_sensitive(true);
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    Caller::new(client, stage.plane.server(), headers, server.value)
}

/// As the API server, on behalf of the autoscaler's account.
fn past_api_server(stage: &Stage, server: &Server) -> anyhow::Result<Caller> {
    let file = |name: &str| stage.plane.folder().join(name);
    let proxy = KeyPairFiles { certificate: file("front-proxy-client.crt"), key: file("front-proxy-client.key") };
    let client = stage.authority.https_client(Some(&proxy))?;
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("x-remote-user"), HeaderValue::from_static(USER));
    for group in GROUPS {
        headers.append(HeaderName::from_static("x-remote-group"), HeaderValue::from_static(group));
    }
    Caller::new(client, &format!("https://{}", server.address), headers, server.value)
}
