//! An installed adapter with the rights of its manifests, and a grid whose intensity a test sets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use kube_sci_e2e::adapter_manifests::{self, ACCOUNT, NAMESPACE};
use kube_sci_e2e::adapter_process::{self, API, AdapterProcess};
use kube_sci_e2e::aggregation::{Aggregation, GroupVersion};
use kube_sci_e2e::control_plane::ControlPlane;
use kube_sci_e2e::grid_file::GridFile;
use kube_sci_e2e::manifests::Installation;
use kube_sci_e2e::own_program::ADDRESS;
use kube_sci_e2e::wait::eventually;

use super::stage::{AdapterStage, SOON, WORKLOAD};

/// Who asks for metrics of autoscalers: namespace and account.
pub const AUTOSCALER: (&str, &str) = ("kube-system", "horizontal-pod-autoscaler");

/// What is installed before anything runs.
pub struct Installed<'p> {
    plane: &'p ControlPlane,
    grid: GridFile,
    kubeconfig: PathBuf,
}

/// An installation with a running adapter.
pub struct Site {
    pub adapter: AdapterProcess,
    pub aggregation: Aggregation,
    kubeconfig: PathBuf,
    grid: GridFile,
    zones: Mutex<BTreeMap<String, (f64, Timestamp)>>,
}

impl<'p> Installed<'p> {
    /// Everything that is shipped but for the pods, and the APIs, which nobody serves yet.
    pub async fn begin(plane: &'p ControlPlane) -> Result<Self> {
        install(plane, None).await?;
        let grid = GridFile::create(plane.folder(), "grid", &[])?;
        Ok(Self { plane, grid, kubeconfig: plane.kubeconfig_of_account(NAMESPACE, ACCOUNT).await? })
    }

    /// Starts a replica with the rights that its account gets.
    pub fn spawn(&self, name: &str) -> Result<AdapterProcess> {
        let config = format!(
            "server:\n  address: {ADDRESS}\napi:\n  address: {API}\n  certificate:\n    selfSigned: {{}}\n{}",
            self.grid.quick_config()
        );
        let options = adapter_process::options(adapter_process::shipped_binary()?, self.plane).config(config);
        let options = options.name(name).kubeconfig(self.kubeconfig.clone());
        Ok(AdapterProcess::spawn(self.plane.group(), self.plane.folder(), options)?)
    }

    /// Leads the APIs to a port, and waits until the API server reaches them.
    pub async fn finish(self, mut adapter: AdapterProcess, port: u16) -> Result<Site> {
        install(self.plane, Some(port)).await?;
        adapter.wait_ready().await?;
        let (aggregation, kubeconfig) =
            (Aggregation::new(self.plane.client()), self.plane.kubeconfig_path().to_owned());
        let site = Site { adapter, aggregation, kubeconfig, grid: self.grid, zones: Mutex::default() };
        site.wait_available().await?;
        Ok(site)
    }
}

impl Site {
    /// Installs the adapter as it is shipped and starts one.
    pub async fn install(plane: &ControlPlane) -> Result<Self> {
        let installation = Installed::begin(plane).await?;
        let adapter = installation.spawn("metrics-adapter")?;
        let port = adapter.api_address().port();
        installation.finish(adapter, port).await
    }

    /// Waits until the API server reaches all APIs of the adapter.
    pub async fn wait_available(&self) -> Result<()> {
        Ok(self.aggregation.wait_metrics_available().await?)
    }

    /// What the adapter says at present of the policy of [`WORKLOAD`], such as `effective_factor`.
    pub async fn figure(&self, stage: &AdapterStage, name: &str) -> Result<Option<f64>> {
        self.figure_of(stage, WORKLOAD, name).await
    }

    /// The same of another policy.
    pub async fn figure_of(&self, stage: &AdapterStage, policy: &str, name: &str) -> Result<Option<f64>> {
        let labels = [("namespace", stage.name), ("policy", policy)];
        Ok(self.adapter.metric(&format!("kube_sci_policy_{name}"), &labels).await?)
    }

    /// Waits until it says just this; nothing, where there is no such policy.
    pub async fn wait_figure(&self, stage: &AdapterStage, name: &str, wanted: impl Into<Option<f64>>) -> Result<()> {
        let wanted = wanted.into();
        eventually(SOON, format!("{name} {wanted:?} in {}", stage.name), async || {
            let seen = self.figure(stage, name).await.map_err(|error| format!("{error:#}"))?;
            if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await?;
        Ok(())
    }

    /// A namespace of its own with a node in a grid zone of the same name, and a workload with these replicas.
    pub async fn stage(&self, name: &'static str, replicas: i32) -> Result<AdapterStage> {
        AdapterStage::create(&self.kubeconfig, name, replicas).await
    }

    /// Sets the intensity of a scenario's zone, in gCO2e/kWh.
    pub fn set_intensity(&self, stage: &AdapterStage, grams_per_kwh: f64) -> Result<()> {
        self.set_intensity_since(stage, grams_per_kwh, Duration::from_hours(1))
    }

    /// The same for the 24 hours that began so long ago.
    pub fn set_intensity_since(&self, stage: &AdapterStage, grams_per_kwh: f64, began: Duration) -> Result<()> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        zones.insert(stage.name.to_owned(), (grams_per_kwh, Timestamp::now() - began));
        Ok(self.grid.write(zones.iter().map(|(zone, (value, start))| (zone.as_str(), *value, *start)))?)
    }
}

/// The version of its API that autoscalers ask.
pub fn custom_metrics() -> GroupVersion {
    GroupVersion::new("custom.metrics.k8s.io", "v1beta2", 200)
}

/// What is shipped, with the right that policies need whose load is on pages of pods, and with the APIs led to a port.
pub async fn install(plane: &ControlPlane, port: Option<u16>) -> Result<()> {
    let selection = Installation { folder: adapter_manifests::FOLDER, components: vec![adapter_manifests::LOAD_PODS] };
    Ok(adapter_manifests::install(plane, &selection, port).await?)
}
