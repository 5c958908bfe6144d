//! Simulated Kepler agents on a thousand nodes, in a process of their own, so that what they use is not counted.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use kube_sci_e2e::simulation::{Agent, AgentServer, HardwareClass, Kepler, Program, SimulatedNode, SimulationClock};
use kube_sci_signals::energy::{NodeDirectory, NodeFacts, NodeNames};
use sci_core::quantity::{Cores, Watts};
use serde_json::{Value, json};

use crate::{request::node_name, world::PODS_PER_NODE};

/// Nodes with an agent each.
pub const NODES: usize = 1_000;
/// Agents have run for a while.
const UPTIME: Duration = Duration::from_mins(10);
const NODES_PER_BYTE: usize = 250;

/// The running process; ends when dropped.
#[derive(Debug)]
pub struct Agents {
    child: Child,
    /// The port of all agents. Each has an address of its own.
    pub port: u16,
}

impl Agents {
    /// Starts this program again as the agents and returns when they answer.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(env::current_exe().context("find this program")?)
            .arg("agents")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the agents")?;
        let output = child.stdout.take().context("read the agents' port")?;
        let mut agents = Self { child, port: 0 };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("read the agents' port")?;
        agents.port = line.trim().parse().with_context(|| format!("the agents have no port: {line:?}"))?;
        Ok(agents)
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        // Already ended is as good as ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process of the agents does, until its standard input ends.
///
/// # Errors
/// When there is no port for them.
pub async fn serve() -> anyhow::Result<()> {
    let server = AgentServer::new(SimulationClock::real_time(UPTIME));
    let mut port = 0;
    for number in 0..NODES {
        let name = node_name(number);
        let node = SimulatedNode::seeded(&name, HardwareClass::efficient(), u32::try_from(PODS_PER_NODE)?, 1);
        let program = Program::Kepler(Kepler::full());
        let slug = program.slug();
        server.add(Agent::new(Arc::new(node.start()), program));
        let address = SocketAddr::from((address(number)?, port));
        port = server.listen_for(address, &name, slug).await.with_context(|| format!("listen on {address}"))?.port();
    }
    writeln!(io::stdout(), "{port}")?;
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// Where the agent of a node listens: all of 127.0.0.0/8 is this machine.
///
/// # Errors
/// Beyond 62,500 nodes.
pub fn address(number: usize) -> anyhow::Result<Ipv4Addr> {
    let (high, low) = (number / NODES_PER_BYTE, number % NODES_PER_BYTE + 1);
    ensure!(high < NODES_PER_BYTE, "no address for node {number}");
    Ok(Ipv4Addr::new(127, 1, u8::try_from(high)?, u8::try_from(low)?))
}

/// The nodes as the cluster knows them.
///
/// # Errors
/// As [`address`].
pub fn directory() -> anyhow::Result<NodeDirectory> {
    let facts = |number: usize| -> anyhow::Result<NodeFacts> {
        Ok(NodeFacts {
            name: node_name(number).into(),
            addresses: vec![address(number)?.to_string().into()],
            cores: Cores::new(64.0)?,
            max_power: Watts::new(1_000.0)?,
        })
    };
    let nodes: Vec<_> = (0..NODES).map(facts).collect::<Result<_, _>>()?;
    let directory = NodeDirectory::default();
    directory.publish(NodeNames::new(nodes));
    Ok(directory)
}

/// The agents' pods as the API server lists them.
///
/// # Errors
/// As [`address`].
pub fn pods(port: u16) -> anyhow::Result<Vec<Value>> {
    let pod = |number: usize| -> anyhow::Result<Value> {
        Ok(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": format!("kepler-{number}"), "namespace": "monitoring",
                "uid": format!("10000000-0000-4000-8000-{number:012x}"), "resourceVersion": "1",
                "creationTimestamp": "2026-01-01T00:00:00Z", "labels": { "app": "kepler" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kepler",
                    "uid": "0c1d2e3f-0000-4000-8000-000000000002", "controller": true }] },
            "spec": { "nodeName": node_name(number), "containers": [
                { "name": "kepler", "ports": [{ "name": "http", "containerPort": port, "protocol": "TCP" }] }] },
            "status": { "phase": "Running", "podIP": address(number)?.to_string() }
        }))
    };
    (0..NODES).map(pod).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_agent_has_an_address_of_its_own() {
        let addresses: BTreeSet<_> = (0..NODES).map(|number| address(number).unwrap()).collect();
        assert_eq!(addresses.len(), NODES);
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
    }
}
