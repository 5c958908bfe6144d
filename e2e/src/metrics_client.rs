//! Clients nobody here wrote, asked through the small programs of `e2e/clients`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde::Deserialize;

use crate::binaries::{self, BinariesError};

/// A client starts its interpreter and reads discovery first.
const DEADLINE: Duration = Duration::from_mins(1);

/// A client could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    #[error("run {program}")]
    Start { program: &'static str, source: std::io::Error },
    #[error("{program} did not answer within {DEADLINE:?}")]
    Late { program: &'static str },
    #[error("{program} says {said:?}: {errors}")]
    Answer { program: &'static str, said: String, errors: String },
}

/// A way to ask for metrics that programs of others use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricsClient {
    /// `k8s.io/metrics`, as the autoscaler itself.
    Go,
    /// The dynamic client of the package `kubernetes`.
    Python,
    /// `@kubernetes/client-node`.
    Node,
}

/// What a client got.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ClientAnswer {
    Samples(Vec<ClientSample>),
    /// Names from discovery.
    Resources(Vec<String>),
    Refused(Refusal),
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ClientSample {
    pub metric: String,
    /// `KIND/NAME`; empty of an external metric.
    #[serde(default)]
    pub object: String,
    /// A Kubernetes quantity.
    pub value: String,
    pub timestamp: String,
}

/// What the server said instead of a value; status 0 where the client itself refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    pub status: u16,
    pub reason: String,
    pub message: String,
}

impl MetricsClient {
    pub const ALL: [Self; 3] = [Self::Go, Self::Python, Self::Node];

    /// The name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Go => "go-metrics-client",
            Self::Python => "python-metrics-client",
            Self::Node => "node-metrics-client",
        }
    }

    /// Asks in the words of `e2e/clients/README.md`.
    pub async fn ask(self, kubeconfig: &Path, question: &[&str]) -> Result<ClientAnswer, ClientError> {
        let program = self.program();
        let command = command(&binaries::find(program)?, kubeconfig, question);
        let failed = |source| ClientError::Start { program, source };
        let run = tokio::task::spawn_blocking(move || run(command));
        let output = tokio::time::timeout(DEADLINE, run).await.map_err(|_elapsed| ClientError::Late { program })?;
        let output = output.map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        serde_json::from_str(&said).map_err(|_strange| {
            let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            ClientError::Answer { program, said, errors }
        })
    }
}

fn command(program: &PathBuf, kubeconfig: &Path, question: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(question).env("KUBECONFIG", kubeconfig).env("NO_PROXY", "127.0.0.1,localhost");
    command
}

fn run(mut command: Command) -> std::io::Result<Output> {
    command.output()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_kinds_are_read() {
        let read = |text: &str| serde_json::from_str::<ClientAnswer>(text).unwrap();
        let samples = r#"{"samples": [{"metric": "m", "object": "Pod/a", "value": "1500m", "timestamp": "t"}]}"#;
        let ClientAnswer::Samples(samples) = read(samples) else { panic!("no samples") };
        assert_eq!((samples[0].object.as_str(), samples[0].value.as_str()), ("Pod/a", "1500m"));
        assert_eq!(read(r#"{"resources": ["a"]}"#), ClientAnswer::Resources(vec!["a".to_owned()]));
        let refused = read(r#"{"refused": {"status": 404, "reason": "NotFound", "message": "no"}}"#);
        assert!(matches!(refused, ClientAnswer::Refused(Refusal { status: 404, .. })), "{refused:?}");
    }
}
