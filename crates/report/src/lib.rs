//! What every program shows of the picture that it answers from.
//!
//! | module | shows |
//! | --- | --- |
//! | [`observer`] | what the tasks that build the snapshot count |
//! | [`snapshot`] | how large and how old the snapshot is |
//! | [`export`] | energy and carbon of nodes, pods and workloads, intensity of zones, how sources fare |
//! | [`quality`] | `GET /v1/quality`: what answers for every node and zone, and what is not believed |
//! | [`set`], [`encode`] | metrics whose series are known at start, and metrics that are read at scrape time |
#![warn(missing_docs)]

pub mod encode;
pub mod export;
pub mod observer;
pub mod quality;
pub mod set;
pub mod snapshot;

pub use self::quality::NotSynced;

/// What readers of the metrics of [`export`] have to know.
pub const SHARED: &str = "\
`kube_sci_node_*`, `kube_sci_pod_*`, `kube_sci_workload_*` and `kube_sci_zone_*` speak of the cluster, not of the program: \
every replica of the extender and of the metrics adapter exports all of them. A plain `sum` counts each as often as it is \
scraped. Take one first, and add up qualities before that, as one thing may have several:

```
sum(max by (node) (kube_sci_node_power_watts))
sum by (namespace) (max by (namespace, pod) (sum without (quality, component) (rate(kube_sci_pod_emissions_grams_total[15m]))))
```";
