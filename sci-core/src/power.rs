//! What a node's hardware draws at a given load, and what making it cost.
//!
//! Nothing in a public cloud measures a virtual machine's power, so the usual answer is a model. [`Hardware`] says
//! which: measured, modelled or a default, with its source and an error band. The look-ups, best first:
//!
//! 1. [`instance`]: the shape is listed. AWS shapes of the Teads EC2 data set have their own four-point curve, all
//!    others draw what their processor family draws per thread.
//! 2. [`family`]: the processor family is known.
//! 3. [`default_for`]: only the size is known.
//!
//! # Power
//! For a family with `idle` and `full` watts per hardware thread, the medians of its published `SPECpower_ssj2008`
//! results:
//!
//! ```text
//! P(u) = threads * (idle + (full - idle) * u)        [W]
//! ```
//!
//! SPECpower watts are those of the whole server at the wall. Accelerators are counted idle, whatever the CPU does.
//!
//! # Two scales
//! Teads curves and family medians do not agree: for the same processor the middle Teads shape draws 3.3 times as
//! much at half load and grows about twice as steeply. SPECpower machines are tuned and hold little memory; Teads
//! adds memory and a share of everything else by estimate. Each is fit for a report. For a ranking all candidates
//! must be on one scale, and only the families cover every cloud and generation: rank with [`instance_by_family`].
//!
//! # Relative performance
//! A SPECpower result prints `overall ssj_ops/watt`: the sum of operations over the sum of watts, over active idle
//! and the ten load levels 10, 20 .. 100 %. Operations grow with the level, so their sum is `5.5 * ops`, where `ops`
//! is the throughput at 100 %. Under a linear curve the watts sum up to `11 * (idle + full) / 2`. Hence
//!
//! ```text
//! ops per thread = overall * (idle + full)           [ssj_ops per thread]
//! relative performance = ops per thread / ops per thread of Cascade Lake
//! ```
//!
//! It speaks of server-side Java: a ranking of generations, not a benchmark of a workload.
//!
//! # Learned power
//! Where a meter speaks, [`fit`] replaces the tables step by step: a curve for each class of hardware, and a scale for
//! each node.
//!
//! # Embodied carbon
//! The rule of Cloud Carbon Footprint, in kgCO2e for a server: 1,000 with one socket and 16 GB, 100 for each further
//! socket, 533 / 384 for each further GB. A node owns the part of it that its vCPUs are of the server's. Spread over
//! [`LIFETIME`].
//!
//! ```
//! use sci_core::{power, quantity::Utilization, region::Provider};
//!
//! let node = power::instance(Provider::Aws, "m5n.large").unwrap();
//! assert!((node.curve.at(Utilization::new(0.5)?).get() - 11.8).abs() < 1e-9);
//! // 1,610.79 kg for a server of 96 vCPUs, of which this node has 2.
//! assert!((node.embodied.get() - 1_610_790.0 * 2.0 / 96.0).abs() < 1e-6);
//! # Ok::<(), sci_core::quantity::QuantityError>(())
//! ```

mod curve;
mod embodied;
mod families;
pub mod fit;
mod instances;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::curve::{PowerCurve, PowerError};
use crate::{
    quantity::{Bytes, Cores, GramsCo2e, RelativePerformance, Share, Watts},
    region::Provider,
};

/// Expected life of a server: 35,040 hours, four years (Cloud Carbon Footprint; also the example of the SCI
/// specification).
pub const LIFETIME: Duration = Duration::from_hours(35_040);

/// Watts per vCPU at idle where nothing else is known (average of Cloud Carbon Footprint).
pub const DEFAULT_IDLE_WATTS_PER_VCPU: f64 = 0.74;
/// Watts per vCPU at full load where nothing else is known (average of Cloud Carbon Footprint).
pub const DEFAULT_FULL_WATTS_PER_VCPU: f64 = 3.5;

const DEFAULT_SOURCE: &str = "Cloud Carbon Footprint: average of all processors, 0.74 to 3.5 W per vCPU";
/// At half load the middle Teads shape draws 3.3 times its family's median, three of four less than 4.1 times.
const FAMILY_ERROR: (f64, f64) = (0.5, 5.0);
/// The other way round.
const TEADS_ERROR: (f64, f64) = (0.2, 2.0);
/// For one processor that stands in for another.
const STAND_IN_ERROR: (f64, f64) = (1.0 / 3.0, 6.0);
/// Family medians per thread lie between 0.29 and 2.4 times the default; [`FAMILY_ERROR`] comes on top.
const DEFAULT_ERROR: (f64, f64) = (0.2, 6.0);

/// How a power curve came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// Fitted to measurements of the node itself.
    Measured,
    /// From measurements of the same kind of hardware.
    Modelled,
    /// An average over unlike hardware.
    Default,
}

impl Provenance {
    /// As printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Modelled => "modelled",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of a node's hardware.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardware {
    /// Instance type, processor family, or `default`.
    pub class: Arc<str>,
    /// Watts over utilisation, for the whole node.
    pub curve: PowerCurve,
    /// Embodied carbon of the part of the machine that this node is.
    pub embodied: GramsCo2e,
    /// Expected life of the machine.
    pub lifetime: Duration,
    /// Work per core of the node, Cascade Lake = 1.
    pub relative_performance: RelativePerformance,
    /// How the curve came to be.
    pub provenance: Provenance,
    /// Who says so.
    pub source: Arc<str>,
    /// From half load upwards the true watts are expected between the curve times the first and the curve times the
    /// second factor. Idle power is known less well.
    pub error_band: (f64, f64),
}

impl Hardware {
    /// How well the power is known: 1 where the band is closed, 0.5 where the truth may be half or twice the curve.
    ///
    /// ```text
    /// confidence = sqrt(low / high)
    /// ```
    ///
    /// It says how wide the band is, not how a node compares: nodes from one table share most of their error, and
    /// what they share cancels in a ranking. So no score is shrunk by it (ADR 10).
    pub fn power_confidence(&self) -> Share {
        let (low, high) = self.error_band;
        Share::of(low, high).map_or(Share::NONE, |ratio| Share::clamped(ratio.get().sqrt()))
    }
}

/// The hardware of a cloud instance type, by its name in any case: `m6i.large`, `Standard_D4s_v5`, `n2-standard-4`.
///
/// A shape that is not listed is answered from its series where the series' names say the number of vCPUs
/// (`m7i.48xlarge`, `Standard_D16ds_v5`, `c3-highmem-22`, `n2-custom-6-20480`). `None` for all others: unknown
/// series, and processors without any published figure (Ampere Altra, Azure Cobalt, Google Axion, Graviton5).
///
/// ```
/// use sci_core::{power::{self, Provenance}, region::Provider};
///
/// let node = power::instance(Provider::Azure, "standard_d16s_V5").unwrap();
/// // Ice Lake, 16 threads at 4.0563 W.
/// assert!((node.curve.full().get() - 16.0 * 4.0563).abs() < 1e-9);
/// assert_eq!(node.provenance, Provenance::Modelled);
/// assert!(power::instance(Provider::Gcp, "n2-giant-4").is_none());
/// ```
pub fn instance(provider: Provider, instance_type: &str) -> Option<Hardware> {
    instances::find(provider, instance_type)?.hardware(instance_type)
}

/// As [`instance`], with the power of the processor family even where the shape has a curve of its own: one scale for
/// all clouds and generations.
///
/// ```
/// use sci_core::{power, region::Provider};
///
/// // m6i is in the Teads data set and c6i is not, but both are cut from the same Ice Lake server.
/// let m6i = power::instance_by_family(Provider::Aws, "m6i.large").unwrap();
/// let c6i = power::instance_by_family(Provider::Aws, "c6i.large").unwrap();
/// assert_eq!(m6i.curve, c6i.curve);
/// ```
pub fn instance_by_family(provider: Provider, instance_type: &str) -> Option<Hardware> {
    instances::find(provider, instance_type)?.without_own_curve().hardware(instance_type)
}

/// The hardware of a node with `threads` hardware threads of a processor family, one of [`family_names`] in any
/// case. Its embodied carbon is its share of a server with two sockets of that family.
///
/// ```
/// use sci_core::{power, quantity::{Bytes, Cores}};
///
/// let node = power::family("ice lake", Cores::new(8.0)?, Bytes::new(32.0 * 1024f64.powi(3))?).unwrap();
/// assert!((node.curve.idle().get() - 8.0 * 0.8297).abs() < 1e-9);
/// // 1,100 kg for 160 threads, and what exceeds the 16 GB that the base server includes.
/// let share = 8.0 / 160.0;
/// let kg = 1_100.0 * share + 533.0 / 384.0 * (32.0 - 16.0 * share);
/// assert!((node.embodied.get() - 1_000.0 * kg).abs() < 1e-6);
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
pub fn family(name: &str, threads: Cores, memory: Bytes) -> Option<Hardware> {
    let family = families::find(name)?;
    let (idle, full) = family.watts(threads.get());
    Some(Hardware {
        class: family.name.into(),
        curve: PowerCurve::between(idle, full),
        embodied: embodied::share_of_server(threads, memory, 2.0 * family.threads_per_socket),
        lifetime: LIFETIME,
        relative_performance: RelativePerformance::clamped(family.relative_performance()),
        provenance: Provenance::Modelled,
        source: family.source().into(),
        error_band: family.error_band(),
    })
}

/// Names that [`family`] knows, without the short forms (`Milan` for `EPYC 3rd Gen (Milan)`).
pub fn family_names() -> impl Iterator<Item = &'static str> {
    families::all().iter().map(|family| family.name)
}

/// What to assume of a node of which only the size is known: the average vCPU of the large clouds, the performance
/// of the reference class, and its share of a server with two sockets and 96 threads.
///
/// ```
/// use sci_core::{power::{self, Provenance}, quantity::{Bytes, Cores}};
///
/// let node = power::default_for(Cores::new(4.0)?, Bytes::new(16.0 * 1024f64.powi(3))?);
/// assert!((node.curve.full().get() - 14.0).abs() < 1e-12);
/// assert_eq!(node.provenance, Provenance::Default);
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
pub fn default_for(threads: Cores, memory: Bytes) -> Hardware {
    let (idle, full) = default_watts(threads.get());
    Hardware {
        class: "default".into(),
        curve: PowerCurve::between(idle, full),
        embodied: embodied::share_of_server(threads, memory, embodied::REFERENCE_SERVER_THREADS),
        lifetime: LIFETIME,
        relative_performance: RelativePerformance::REFERENCE,
        provenance: Provenance::Default,
        source: DEFAULT_SOURCE.into(),
        error_band: DEFAULT_ERROR,
    }
}

fn default_watts(vcpus: f64) -> (Watts, Watts) {
    (Watts::clamped(DEFAULT_IDLE_WATTS_PER_VCPU * vcpus), Watts::clamped(DEFAULT_FULL_WATTS_PER_VCPU * vcpus))
}
