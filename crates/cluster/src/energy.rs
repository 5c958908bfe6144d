//! Energy of nodes, pods and workloads as readers of the snapshot see it.
//!
//! | type | holds |
//! | --- | --- |
//! | [`NodeMeters`] | what meters say of one node: the answer in force, refused meters, gaps |
//! | [`Accounts`] | joules and grams since start, by pod, workload and node |
//! | [`ProfileTable`] | which hardware suits which workload |
//! | [`EnergySourceStatus`] | how a configured source fares |
//!
//! The single writer fills them, in `index`.

mod accounts;
mod meters;
mod profiles;
mod sources;

pub(crate) use self::accounts::PodEntry;
pub use self::{
    accounts::{Account, Accounts, Latest, NodeAccount, PodAccount, Tally, WorkloadAccount},
    meters::{MeteredPower, NodeMeters, PowerQuality},
    profiles::{ProfileTable, WorkloadFactors},
    sources::EnergySourceStatus,
};
