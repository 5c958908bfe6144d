//! Whose power is it: a node's watts among the pods that run on it.

use crate::quantity::{Share, Utilization, Watts};

/// A node's power, split by load.
///
/// `idle` is what the split leaves over, not the power of the idle machine: it goes to zero as load goes to one.
/// For the latter see [`PowerCurve::idle`](crate::power::PowerCurve::idle).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerSplit {
    /// The part that goes with work.
    pub active: Watts,
    /// The rest.
    pub idle: Watts,
}

impl PowerSplit {
    /// Splits the power of a node:
    ///
    /// ```text
    /// active = P * u        idle = P - active        all in W
    /// ```
    ///
    /// Kepler 0.10 and later, `docs/developer/power-attribution-guide.md`; ALUMET's and Scaphandre's attributions
    /// come to the same.
    ///
    /// ```
    /// use sci_core::{quantity::{Utilization, Watts}, sci::attribution::PowerSplit};
    ///
    /// let split = PowerSplit::new(Watts::new(40.0)?, Utilization::new(0.25)?);
    /// assert_eq!((split.active.get(), split.idle.get()), (10.0, 30.0));
    /// # Ok::<(), sci_core::quantity::QuantityError>(())
    /// ```
    pub fn new(node: Watts, utilization: Utilization) -> Self {
        let active = Watts::clamped(node.get() * utilization.get());
        Self { active, idle: node.saturating_sub(active) }
    }

    /// What the work of one pod draws: its share of the node's busy CPU time.
    ///
    /// ```text
    /// P_pod = active * t_pod / t_all        in W
    /// ```
    ///
    /// Kepler, as above. Over all pods this sums to `active`: idle power belongs to nobody.
    ///
    /// ```
    /// use sci_core::{quantity::{Share, Watts}, sci::attribution::PowerSplit};
    ///
    /// let split = PowerSplit { active: Watts::new(20.0)?, idle: Watts::new(30.0)? };
    /// let pod = split.used_by(Share::new(0.1)?);
    /// assert_eq!(pod.get(), 2.0);
    /// # Ok::<(), sci_core::quantity::QuantityError>(())
    /// ```
    pub fn used_by(&self, cpu_time: Share) -> Watts {
        self.active * cpu_time
    }

    /// What one pod answers for: its work, and its part of the idle power it keeps reserved.
    ///
    /// ```text
    /// P_pod = active * t_pod / t_all + idle * q        in W
    /// ```
    ///
    /// `q` (`reserved`) is the pod's part of what pods reserve on the node. The SCI specification v1.1.0, "Energy",
    /// wants energy of reserved hardware counted whether it is used or not. Where `t_pod / t_all` and `q` each sum
    /// to 1 over the pods, their power sums to that of the node.
    ///
    /// ```
    /// use sci_core::{quantity::{Share, Watts}, sci::attribution::PowerSplit};
    ///
    /// let split = PowerSplit { active: Watts::new(20.0)?, idle: Watts::new(30.0)? };
    /// let pod = split.answered_by(Share::new(0.1)?, Share::new(0.5)?);
    /// assert_eq!(pod.get(), 17.0);
    /// # Ok::<(), sci_core::quantity::QuantityError>(())
    /// ```
    pub fn answered_by(&self, cpu_time: Share, reserved: Share) -> Watts {
        self.used_by(cpu_time) + self.idle * reserved
    }
}
