//! The metrics adapter as autoscalers use it, beside adapters of others on the same cluster, in turn.
//!
//! | module | holds |
//! | --- | --- |
//! | [`objects`] | a thousand workloads: policies, autoscalers, pods, series |
//! | [`stage`] | the cluster and Prometheus with all of them |
//! | [`peers`], [`server`] | adapters of others, built; all adapters, started |
//! | [`poll`] | asking as autoscalers do |
//! | [`upstream`] | how often others were asked meanwhile |
//! | [`in_process`] | the answer and the engine without a network |
//! | [`turn`], [`compare`] | what one adapter did in a turn; figures of all turns |

pub mod compare;
pub mod in_process;
pub mod objects;
pub mod peers;
pub mod poll;
pub mod server;
pub mod stage;
pub mod turn;
pub mod upstream;

use anyhow::Context as _;

use self::{
    compare::Record,
    server::{OURS, Server},
    stage::Stage,
    turn::Turn,
};
use crate::figure::Figure;

/// Turns of each adapter.
const ROUNDS: usize = 3;

/// Asks all adapters in turn.
///
/// # Errors
/// When a program does not start, or an adapter does not answer as it should.
pub async fn figures() -> anyhow::Result<Vec<Figure>> {
    let mut stage = Stage::set().await.context("set the stage")?;
    let mut servers = Server::all(&stage).await.context("start the adapters")?;
    let mut turns: [Vec<Turn>; 3] = Default::default();
    for server in &mut servers {
        server.process().suspend()?;
    }
    for round in 0..ROUNDS {
        for (server, turns) in servers.iter_mut().zip(&mut turns) {
            let turn = Turn::take(&mut stage, server, round == 0).await;
            turns.push(turn.with_context(|| format!("round {round}, {}", server.name))?);
        }
    }
    let names = [OURS, peers::PROMETHEUS_ADAPTER, peers::CONSTANT_ADAPTER];
    let [ours, prometheus, constant] = turns;
    let [first, second, third] = names;
    Ok(compare::figures(&[
        Record::new(first, &ours)?,
        Record::new(second, &prometheus)?,
        Record::new(third, &constant)?,
    ]))
}
