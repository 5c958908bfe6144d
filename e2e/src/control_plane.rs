//! etcd, API server, controller manager and kwok as child processes, and schedulers on top.

mod components;
mod kubectl;
mod scheduler;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

pub use self::kubectl::Kubectl;
pub use self::scheduler::{ExtenderEntry, ExtenderTls, Scheduler, SchedulerOptions};
use crate::binaries::{Binaries, BinariesError};
use crate::folder::{Folder, FolderError};
use crate::pki::{
    Authority, KeyPairFiles, PkiError, Subject, install_crypto_provider, write_kubeconfig, write_token_kubeconfig,
};
use crate::ports::PortError;
use crate::process::{Group, Process, ProcessError};
use crate::world::World;

/// Generous: a machine may be busy with something else. In quiet every wait takes one to three seconds.
const DEADLINE: Duration = Duration::from_mins(2);

/// The control plane could not be started or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlPlaneError {
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("prepare the folder {path}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("make a client from {path}")]
    Client { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("run kubectl")]
    KubectlStart(#[source] std::io::Error),
    #[error("kubectl {arguments} failed ({status}): {stderr}")]
    Kubectl { arguments: String, status: std::process::ExitStatus, stderr: String },
    #[error("make an HTTP client")]
    Http(#[source] reqwest::Error),
    #[error("read the metrics of scheduler {scheduler}")]
    Metrics { scheduler: String, source: reqwest::Error },
}

impl From<FolderError> for ControlPlaneError {
    fn from(FolderError { path, source }: FolderError) -> Self {
        Self::Folder { path, source }
    }
}

/// How a control plane is started; the default suits a test.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keeps certificates, logs and data in this empty folder instead of in a temporary one that is removed at the end.
    pub folder: Option<PathBuf>,
    /// Further arguments of kube-apiserver, `--name=value`.
    pub apiserver_arguments: Vec<String>,
    /// Further arguments of kube-controller-manager.
    pub controller_manager_arguments: Vec<String>,
}

impl Options {
    /// Autoscalers are looked at every two seconds, by fifty workers, and scale down after five seconds instead of after
    /// five minutes.
    pub fn fast_autoscaler() -> Self {
        let arguments = [
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-downscale-stabilization=5s",
            "--concurrent-horizontal-pod-autoscaler-syncs=50",
        ];
        Self { controller_manager_arguments: arguments.map(str::to_owned).to_vec(), ..Self::default() }
    }

    /// Adds an argument of kube-apiserver.
    #[must_use]
    pub fn apiserver_argument(mut self, argument: impl Into<String>) -> Self {
        self.apiserver_arguments.push(argument.into());
        self
    }

    /// Adds an argument of kube-controller-manager; of two for the same flag the later one counts.
    #[must_use]
    pub fn controller_manager_argument(mut self, argument: impl Into<String>) -> Self {
        self.controller_manager_arguments.push(argument.into());
        self
    }
}

/// A running control plane; everything ends when this value is dropped.
///
/// It also ends when the process that owns it panics, is interrupted or killed.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order: clients of the API server first, the folder last.
    kwok: Process,
    controller_manager: Process,
    apiserver: Process,
    etcd: Process,
    world: World,
    server: String,
    authority: Authority,
    authority_file: PathBuf,
    admin: KeyPairFiles,
    kubeconfig: PathBuf,
    binaries: Binaries,
    folder: Folder,
    group: Arc<Group>,
}

impl ControlPlane {
    /// Starts everything and returns when pods can be created: about six seconds on two quiet cores.
    pub async fn start(options: Options) -> Result<Self, ControlPlaneError> {
        let binaries = Binaries::locate()?;
        install_crypto_provider();
        let folder = Folder::open("control-plane", options.folder.as_deref())?;
        let group = Group::new(folder.scratch())?;
        let site = components::Site::prepare(&binaries, folder.path(), &group)?;

        let mut etcd = site.etcd()?;
        let http = loopback_client()?;
        etcd.ready(DEADLINE, async || answers(&http, &site.etcd_health()).await).await?;
        let mut apiserver = site.apiserver(&options.apiserver_arguments)?;
        let client = client_from(&site.kubeconfig).await?;
        apiserver.ready(DEADLINE, async || server_ready(&client).await).await?;
        let mut controller_manager = site.controller_manager(&options.controller_manager_arguments)?;
        let mut kwok = site.kwok(binaries.stages())?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
        // Pods are refused until the controller manager has made the namespace's account.
        controller_manager.ready(DEADLINE, async || accounts.get("default").await.map(drop)).await?;
        kwok.ready(DEADLINE, async || answers(&http, &site.kwok_health()).await).await?;

        let components::Site { server, authority, authority_file, admin, kubeconfig, .. } = site;
        Ok(Self {
            kwok,
            controller_manager,
            apiserver,
            etcd,
            world: World::new(client),
            server,
            authority,
            authority_file,
            admin,
            kubeconfig,
            binaries,
            folder,
            group,
        })
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.world.client()
    }

    /// Builders and waits on top of the client.
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// A kubeconfig with all rights.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Certificates, logs and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process group that new processes of a test should join.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The cluster's certificate authority: what it signs for clients, the API server believes.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Makes a kubeconfig for another identity, for example `system:serviceaccount:NAMESPACE:NAME`.
    ///
    /// The name is proven by a client certificate. Rights bound to a service account apply, because the server knows it by
    /// exactly this user name; rights bound to its groups need `group`.
    pub fn kubeconfig_for(&self, user: &str, group: Option<&str>) -> Result<PathBuf, ControlPlaneError> {
        let name = user.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
        let credentials = self.authority.issue(self.folder(), &name, &Subject::client(user, group))?;
        let path = self.folder().join(format!("{name}.kubeconfig"));
        write_kubeconfig(&path, &self.server, &self.authority_file, &credentials)?;
        Ok(path)
    }

    /// Makes a kubeconfig with a token of a service account, which must be there: the identity that a pod of it has, and no
    /// right more.
    pub async fn kubeconfig_of_account(&self, namespace: &str, account: &str) -> Result<PathBuf, ControlPlaneError> {
        let token = self.token_of_account(namespace, account).await?;
        let path = self.folder().join(format!("{namespace}-{account}.kubeconfig"));
        write_token_kubeconfig(&path, &self.server, &self.authority_file, &token)?;
        Ok(path)
    }

    /// A new token of a service account, which must be there.
    pub async fn token_of_account(&self, namespace: &str, account: &str) -> Result<String, ControlPlaneError> {
        let token = self.kubectl().run(&["create", "token", account, "--namespace", namespace]).await?;
        Ok(token.trim().to_owned())
    }

    /// A client from [`Self::kubeconfig_for`].
    pub async fn client_for(&self, user: &str, group: Option<&str>) -> Result<Client, ControlPlaneError> {
        client_from(&self.kubeconfig_for(user, group)?).await
    }

    /// kubectl with all rights.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(self.binaries.program("kubectl"), self.kubeconfig.clone())
    }

    /// Starts a real kube-scheduler; several may run side by side under different names.
    pub async fn start_scheduler(&self, options: SchedulerOptions) -> Result<Scheduler, ControlPlaneError> {
        Scheduler::start(self, options).await
    }

    /// Ends the API server and starts it again on the same port; returns when it is ready.
    pub async fn restart_apiserver(&mut self) -> Result<(), ControlPlaneError> {
        self.apiserver.restart().await?;
        let client = self.client();
        self.apiserver.ready(DEADLINE, async || server_ready(&client).await).await?;
        Ok(())
    }

    /// Ends the controller manager and starts it again: autoscalers lose their memory.
    pub async fn restart_controller_manager(&mut self) -> Result<(), ControlPlaneError> {
        Ok(self.controller_manager.restart().await?)
    }

    /// What the controller manager has logged so far.
    pub fn controller_manager_log(&self) -> String {
        self.controller_manager.log_text()
    }

    /// The controller manager's process, to freeze or look at it.
    pub fn controller_manager(&mut self) -> &mut Process {
        &mut self.controller_manager
    }

    /// The API server's process, to stop, freeze or look at it.
    pub fn apiserver(&mut self) -> &mut Process {
        &mut self.apiserver
    }

    /// Freezes kwok and the controller manager for good: nodes stay as they are and nothing but API server and scheduler
    /// uses the processor. For measurements.
    pub fn quieten(&self) -> Result<(), ControlPlaneError> {
        self.kwok.suspend()?;
        Ok(self.controller_manager.suspend()?)
    }

    /// Fails when one of the processes, schedulers aside, has ended.
    pub fn check(&mut self) -> Result<(), ControlPlaneError> {
        for process in [&mut self.etcd, &mut self.apiserver, &mut self.controller_manager, &mut self.kwok] {
            process.check()?;
        }
        Ok(())
    }

    /// Every process but the schedulers, as name and id.
    pub fn processes(&self) -> [(&str, u32); 4] {
        [&self.etcd, &self.apiserver, &self.controller_manager, &self.kwok]
            .map(|process| (process.name(), process.id()))
    }
}

/// A client from a kubeconfig file.
pub async fn client_from(kubeconfig: &Path) -> Result<Client, ControlPlaneError> {
    install_crypto_provider();
    let failed = |source| ControlPlaneError::Client { path: kubeconfig.to_owned(), source };
    let file = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(error.into()))?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|error| failed(error.into()))?;
    // The server is on loopback, whatever proxy the user's shell names.
    config.proxy_url = None;
    Client::try_from(config).map_err(|error| failed(error.into()))
}

async fn server_ready(client: &Client) -> Result<(), String> {
    let request = http::Request::get("/readyz").body(Vec::new()).map_err(|error| error.to_string())?;
    client.request_text(request).await.map(drop).map_err(|error| error.to_string())
}

/// A client for plain HTTP on loopback.
pub(crate) fn loopback_client() -> Result<reqwest::Client, ControlPlaneError> {
    install_crypto_provider();
    reqwest::Client::builder().no_proxy().build().map_err(ControlPlaneError::Http)
}

/// A GET that must answer 2xx.
async fn answers(http: &reqwest::Client, url: &str) -> Result<(), reqwest::Error> {
    http.get(url).send().await?.error_for_status().map(drop)
}

fn http_url(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
}
