//! What one replica should carry, and what it must never have to.

use serde::Serialize;

use super::{GreenFactor, Load, LoadError, LoadPerReplica, ScalingError, Tolerance};

/// Target T and guard S of a policy, `T * (1 + tolerance) < S`.
///
/// An autoscaler whose guard metric has the target S settles at a load per replica of at most `S * (1 + tolerance)`,
/// as every `HorizontalPodAutoscaler` may stay that much above its target. So a limit H that must hold gives
///
/// ```text
/// S = H / (1 + tolerance)
/// ```
///
/// ```
/// use sci_core::scaling::{LoadPerReplica, Thresholds, Tolerance};
///
/// let (target, hard_limit) = (LoadPerReplica::new(100.0)?, LoadPerReplica::new(140.0)?);
/// let thresholds = Thresholds::with_hard_limit(target, hard_limit, Tolerance::CLUSTER_DEFAULT)?;
/// assert!((thresholds.guard().get() - 127.2727).abs() < 1e-4);
/// assert!((thresholds.floor_factor().get() - 0.785_714).abs() < 1e-6);
/// # Ok::<(), sci_core::scaling::ScalingError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    target: LoadPerReplica,
    guard: LoadPerReplica,
}

impl Thresholds {
    /// From the guard's target S itself.
    ///
    /// # Errors
    /// [`ScalingError::GuardNotAboveTarget`] where S <= T, [`ScalingError::GuardWithinTolerance`] where the
    /// autoscaler could not tell the two apart.
    pub fn with_guard(
        target: LoadPerReplica,
        guard: LoadPerReplica,
        tolerance: Tolerance,
    ) -> Result<Self, ScalingError> {
        let (t, s) = (target.get(), guard.get());
        if s <= t {
            return Err(ScalingError::GuardNotAboveTarget { target: t, guard: s });
        }
        if s <= t * (1.0 + tolerance.get()) {
            return Err(ScalingError::GuardWithinTolerance { target: t, guard: s, tolerance: tolerance.get() });
        }
        Ok(Self { target, guard })
    }

    /// From the load H per replica that must not be passed while the autoscaler is at rest.
    ///
    /// # Errors
    /// As [`with_guard`](Self::with_guard) for the S that follows.
    pub fn with_hard_limit(
        target: LoadPerReplica,
        hard_limit: LoadPerReplica,
        tolerance: Tolerance,
    ) -> Result<Self, ScalingError> {
        Self::with_guard(target, LoadPerReplica::new(hard_limit.get() / (1.0 + tolerance.get()))?, tolerance)
    }

    /// T: comfortable load per replica.
    pub const fn target(&self) -> LoadPerReplica {
        self.target
    }

    /// S: load per replica that the guard metric aims at.
    pub const fn guard(&self) -> LoadPerReplica {
        self.guard
    }

    /// T/S, the least factor that is served.
    pub fn floor_factor(&self) -> GreenFactor {
        GreenFactor::or_one(self.target.get() / self.guard.get())
    }

    /// The load, where an autoscaler can count the replicas that it takes.
    ///
    /// # Errors
    /// [`LoadError::TooManyReplicas`].
    pub fn countable(&self, load: Load) -> Result<Load, LoadError> {
        let target = self.target.get();
        if load.get() / target > f64::from(i32::MAX) {
            return Err(LoadError::TooManyReplicas { value: load.get(), target });
        }
        Ok(load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_replica(value: f64) -> LoadPerReplica {
        LoadPerReplica::new(value).unwrap()
    }

    fn with_guard(target: f64, guard: f64) -> Result<Thresholds, ScalingError> {
        Thresholds::with_guard(per_replica(target), per_replica(guard), Tolerance::CLUSTER_DEFAULT)
    }

    #[test]
    fn the_floor_is_target_over_guard() {
        assert!((with_guard(100.0, 125.0).unwrap().floor_factor().get() - 0.8).abs() < 1e-12);
    }

    #[test]
    fn a_hard_limit_leaves_room_for_the_tolerance() {
        let of = |tolerance| {
            let tolerance = Tolerance::new(tolerance).unwrap();
            Thresholds::with_hard_limit(per_replica(100.0), per_replica(132.0), tolerance).unwrap().guard().get()
        };
        assert!((of(0.1) - 120.0).abs() < 1e-9);
        assert!((of(0.0) - 132.0).abs() < 1e-9);
    }

    #[test]
    fn a_guard_that_guards_nothing_is_refused() {
        assert!(matches!(with_guard(100.0, 100.0), Err(ScalingError::GuardNotAboveTarget { .. })));
        assert!(matches!(with_guard(100.0, 90.0), Err(ScalingError::GuardNotAboveTarget { .. })));
        assert!(matches!(with_guard(100.0, 105.0), Err(ScalingError::GuardWithinTolerance { .. })));
        // A limit of 115 leaves a guard of 104.5.
        let limit = Thresholds::with_hard_limit(per_replica(100.0), per_replica(115.0), Tolerance::CLUSTER_DEFAULT);
        assert!(matches!(limit, Err(ScalingError::GuardWithinTolerance { .. })));
    }

    #[test]
    fn what_is_no_load_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e16, 1e-4] {
            assert!(matches!(LoadPerReplica::new(bad), Err(ScalingError::LoadPerReplica { .. })), "{bad}");
        }
    }
}
