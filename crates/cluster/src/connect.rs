//! The way to the API server.

use std::path::{Path, PathBuf};

use kube::{
    Client, Config,
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

/// Why there is no way to the cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The file cannot be used.
    #[error("read {}", path.display())]
    Kubeconfig {
        /// As given.
        path: PathBuf,
        /// Reason.
        source: KubeconfigError,
    },
    /// There is neither a service account nor a file.
    #[error("infer the configuration: give --kubeconfig, or run in a pod with a service account")]
    Infer(#[from] InferConfigError),
    /// The client cannot be made.
    #[error("make a client")]
    Client(#[from] kube::Error),
}

/// A client for the cluster of `kubeconfig`; without it, of the pod's service account, or of the file that
/// `$KUBECONFIG` or `~/.kube/config` names. Nothing is sent yet.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let config = match kubeconfig {
        Some(path) => {
            from_file(path).await.map_err(|source| ConnectError::Kubeconfig { path: path.to_owned(), source })?
        }
        None => Config::infer().await?,
    };
    Ok(Client::try_from(config)?)
}

async fn from_file(path: &Path) -> Result<Config, KubeconfigError> {
    Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await
}
