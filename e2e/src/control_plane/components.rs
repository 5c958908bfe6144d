//! The command line of every component.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ControlPlaneError, http_url};
use crate::binaries::Binaries;
use crate::pki::{Authority, KeyPairFiles, Subject, service_account_key, write_kubeconfig};
use crate::ports::free_address;
use crate::process::{Group, Process, Program};

const SERVICE_RANGE: &str = "10.0.0.0/24";
/// The first address of the service range is the API server's.
const SERVICE_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// Renewed after a quarter of it. A kubelet's 40 seconds would mean 500 writes per second for 5,000 nodes that never fail,
/// on the cores that a benchmark needs.
const LEASE_SECONDS: u32 = 1_200;
/// A node is given up after this long without a renewal.
const NODE_GRACE_SECONDS: u32 = 3_600;
/// Nodes and pods handled at once; kwok's own default is 4.
const KWOK_CONFIGURATION: &str = "apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  nodePlayStageParallelism: 16
  podPlayStageParallelism: 16
  nodeLeaseParallelism: 16
";
const ISSUER: &str = "https://kubernetes.default.svc";

/// Everything the components have in common: addresses, certificates, folders.
pub(super) struct Site<'a> {
    pub(super) server: String,
    pub(super) authority: Authority,
    pub(super) authority_file: PathBuf,
    pub(super) admin: KeyPairFiles,
    pub(super) kubeconfig: PathBuf,
    controller_manager_kubeconfig: PathBuf,
    front_proxy_authority: PathBuf,
    front_proxy_client: KeyPairFiles,
    serving: KeyPairFiles,
    service_accounts: KeyPairFiles,
    etcd_clients: SocketAddr,
    etcd_peers: SocketAddr,
    secure_port: u16,
    kwok_address: SocketAddr,
    binaries: &'a Binaries,
    folder: PathBuf,
    group: Arc<Group>,
}

impl<'a> Site<'a> {
    pub(super) fn prepare(
        binaries: &'a Binaries,
        folder: &Path,
        group: &Arc<Group>,
    ) -> Result<Self, ControlPlaneError> {
        let secure_port = free_address()?.port();
        let server = format!("https://127.0.0.1:{secure_port}");
        let authority = Authority::new("cluster-ca")?;
        let authority_file = authority.write(folder)?;
        let front_proxy = Authority::new("front-proxy-ca")?;
        let admin = authority.issue(folder, "admin", &Subject::client("admin", Some("system:masters")))?;
        let kubeconfig = folder.join("admin.kubeconfig");
        write_kubeconfig(&kubeconfig, &server, &authority_file, &admin)?;
        for (name, user) in
            [("controller-manager", "system:kube-controller-manager"), ("scheduler", "system:kube-scheduler")]
        {
            let credentials = authority.issue(folder, name, &Subject::client(user, None))?;
            write_kubeconfig(&folder.join(format!("{name}.kubeconfig")), &server, &authority_file, &credentials)?;
        }
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let serving = Subject { server_addresses: vec![SERVICE_ADDRESS], ..Subject::server("kube-apiserver", &names) };
        Ok(Self {
            serving: authority.issue(folder, "apiserver", &serving)?,
            front_proxy_authority: front_proxy.write(folder)?,
            front_proxy_client: front_proxy.issue(
                folder,
                "front-proxy-client",
                &Subject::client("front-proxy-client", None),
            )?,
            service_accounts: service_account_key(folder)?,
            controller_manager_kubeconfig: folder.join("controller-manager.kubeconfig"),
            etcd_clients: free_address()?,
            etcd_peers: free_address()?,
            kwok_address: free_address()?,
            server,
            authority,
            authority_file,
            admin,
            kubeconfig,
            secure_port,
            binaries,
            folder: folder.to_owned(),
            group: Arc::clone(group),
        })
    }

    pub(super) fn etcd(&self) -> Result<Process, ControlPlaneError> {
        let clients = http_url(self.etcd_clients, "");
        let peers = http_url(self.etcd_peers, "");
        let program = self
            .program("etcd")
            .file("data-dir", &self.folder.join("etcd"))
            .flag("listen-client-urls", &clients)
            .flag("advertise-client-urls", &clients)
            .flag("listen-peer-urls", &peers)
            .flag("initial-advertise-peer-urls", &peers)
            .flag("initial-cluster", format!("default={peers}"))
            // Data that is thrown away need not survive a power cut.
            .argument("--unsafe-no-fsync")
            .flag("log-level", "warn");
        self.start(program)
    }

    pub(super) fn etcd_health(&self) -> String {
        http_url(self.etcd_clients, "/readyz")
    }

    pub(super) fn apiserver(&self, further: &[String]) -> Result<Process, ControlPlaneError> {
        let program = self
            .program("kube-apiserver")
            .flag("etcd-servers", http_url(self.etcd_clients, ""))
            .flag("bind-address", Ipv4Addr::LOCALHOST)
            .flag("advertise-address", Ipv4Addr::LOCALHOST)
            .flag("secure-port", self.secure_port)
            .file("tls-cert-file", &self.serving.certificate)
            .file("tls-private-key-file", &self.serving.key)
            .file("client-ca-file", &self.authority_file)
            .flag("authorization-mode", "RBAC")
            .flag("service-account-issuer", ISSUER)
            .file("service-account-key-file", &self.service_accounts.certificate)
            .file("service-account-signing-key-file", &self.service_accounts.key)
            .flag("service-cluster-ip-range", SERVICE_RANGE)
            // There is one server and its address is no real endpoint.
            .flag("endpoint-reconciler-type", "none")
            .file("requestheader-client-ca-file", &self.front_proxy_authority)
            .flag("requestheader-allowed-names", "front-proxy-client")
            .flag("requestheader-username-headers", "X-Remote-User")
            .flag("requestheader-group-headers", "X-Remote-Group")
            .flag("requestheader-extra-headers-prefix", "X-Remote-Extra-")
            .flag("requestheader-uid-headers", "X-Remote-Uid")
            .file("proxy-client-cert-file", &self.front_proxy_client.certificate)
            .file("proxy-client-key-file", &self.front_proxy_client.key);
        self.start(with(program, further))
    }

    pub(super) fn controller_manager(&self, further: &[String]) -> Result<Process, ControlPlaneError> {
        let program = self
            .program("kube-controller-manager")
            .file("kubeconfig", &self.controller_manager_kubeconfig)
            // Without it the controllers lack their own roles: no ReplicaSet makes a pod.
            .argument("--use-service-account-credentials=true")
            .file("service-account-private-key-file", &self.service_accounts.key)
            .file("root-ca-file", &self.authority_file)
            .flag("leader-elect", false)
            // Nobody asks for its metrics.
            .flag("secure-port", 0)
            .flag("node-monitor-grace-period", format!("{NODE_GRACE_SECONDS}s"))
            .flag("kube-api-qps", 1000)
            .flag("kube-api-burst", 2000)
            .flag("concurrent-deployment-syncs", 20)
            .flag("concurrent-replicaset-syncs", 20);
        self.start(with(program, further))
    }

    pub(super) fn kwok(&self, stages: &[PathBuf]) -> Result<Process, ControlPlaneError> {
        let configuration = self.folder.join("kwok.yaml");
        std::fs::write(&configuration, KWOK_CONFIGURATION)
            .map_err(|source| ControlPlaneError::Folder { path: configuration.clone(), source })?;
        let program = self
            .program("kwok")
            .file("kubeconfig", &self.kubeconfig)
            .argument("--manage-all-nodes=true")
            .flag("node-ip", Ipv4Addr::LOCALHOST)
            .flag("node-name", "kwok")
            .flag("node-port", self.kwok_address.port())
            .flag("node-lease-duration-seconds", LEASE_SECONDS)
            .file("config", &configuration)
            .flag("server-address", self.kwok_address)
            // kwok keeps a working folder in the home of its user; give it one of its own.
            .environment("HOME", self.folder.display().to_string());
        self.start(stages.iter().fold(program, |program, stage| program.file("config", stage)))
    }

    pub(super) fn kwok_health(&self) -> String {
        http_url(self.kwok_address, "/healthz")
    }

    fn program(&self, name: &str) -> Program {
        Program::new(name, self.binaries.program(name))
    }

    fn start(&self, program: Program) -> Result<Process, ControlPlaneError> {
        Ok(Process::start(program, &self.group, &self.folder)?)
    }
}

fn with(program: Program, further: &[String]) -> Program {
    further.iter().fold(program, |program, argument| program.argument(argument.as_str()))
}
