//! Embodied carbon: what making the hardware emitted, and which part of it a piece of software answers for.

use std::time::Duration;

use super::SciError;
use crate::quantity::{Cores, GramsCo2e, Share};

/// Embodied carbon of a machine together with the time it is spread over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbodiedCarbon {
    total: GramsCo2e,
    lifetime: Duration,
}

impl EmbodiedCarbon {
    /// `total` (TE) of the whole machine over its expected `lifetime` (EL).
    ///
    /// # Errors
    /// [`SciError::NoLifetime`] for a lifetime of zero.
    pub fn new(total: GramsCo2e, lifetime: Duration) -> Result<Self, SciError> {
        if lifetime.is_zero() {
            return Err(SciError::NoLifetime);
        }
        Ok(Self { total, lifetime })
    }

    /// TE, in gCO2e.
    pub fn total(&self) -> GramsCo2e {
        self.total
    }

    /// EL.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The embodied carbon M of a share of the machine that is reserved for some time:
    ///
    /// ```text
    /// M = TE * (TiR / EL) * (RR / ToR)
    /// ```
    ///
    /// TE and M in gCO2e, `TiR` (`reserved_for`) and EL in the same unit of time, RR/ToR (`resources`) a share of 0
    /// to 1. SCI specification v1.1.0, "Embodied emissions". The time share is not cut at 1: hardware that outlives
    /// its expected lifetime goes on being charged at the same rate.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sci_core::{power::LIFETIME, quantity::{GramsCo2e, Share}, sci::EmbodiedCarbon};
    ///
    /// // The specification's example: a server of 1000 kg for one hour of four years.
    /// let server = EmbodiedCarbon::new(GramsCo2e::new(1_000_000.0)?, LIFETIME)?;
    /// let hour = server.charge(Duration::from_hours(1), Share::ALL);
    /// assert!((hour.get() - 28.538_812_785).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn charge(&self, reserved_for: Duration, resources: Share) -> GramsCo2e {
        let time_share = reserved_for.as_secs_f64() / self.lifetime.as_secs_f64();
        GramsCo2e::clamped(self.total.get() * time_share) * resources
    }
}

/// What a machine is made of, as far as [`PartEmissions`] asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServerParts {
    /// Hardware threads.
    pub vcpus: Cores,
    /// Memory in GB.
    pub memory_gb: f64,
    /// Solid state drives.
    pub ssds: u32,
    /// Hard disks.
    pub hdds: u32,
    /// Accelerator cards.
    pub gpus: u32,
}

/// Embodied carbon of a machine estimated from its parts: a baseline machine, corrected part by part.
///
/// For hardware without a life cycle assessment of its own. The shape is that of the Impact Framework's
/// `SciEmbodied` (Green Software Foundation, MIT), the coefficients are the caller's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartEmissions {
    /// The baseline machine, without drives and cards.
    pub baseline: GramsCo2e,
    /// Hardware threads of the baseline machine.
    pub baseline_vcpus: Cores,
    /// Memory of the baseline machine in GB.
    pub baseline_memory_gb: f64,
    /// Each further thread.
    pub per_vcpu: GramsCo2e,
    /// Each further GB of memory.
    pub per_memory_gb: GramsCo2e,
    /// Each solid state drive.
    pub per_ssd: GramsCo2e,
    /// Each hard disk.
    pub per_hdd: GramsCo2e,
    /// Each accelerator card.
    pub per_gpu: GramsCo2e,
}

impl PartEmissions {
    /// TE of a machine, in gCO2e:
    ///
    /// ```text
    /// TE = baseline + (vCPU - vCPU_b) * c_vcpu + (GB - GB_b) * c_gb + SSD * c_ssd + HDD * c_hdd + GPU * c_gpu
    /// ```
    ///
    /// A machine smaller than the baseline comes out lower, never below zero.
    ///
    /// ```
    /// use sci_core::{
    ///     quantity::{Cores, GramsCo2e},
    ///     sci::{PartEmissions, ServerParts},
    /// };
    ///
    /// let kg = |n: f64| GramsCo2e::new(n * 1000.0);
    /// let coefficients = PartEmissions {
    ///     baseline: kg(1000.0)?,
    ///     baseline_vcpus: Cores::new(1.0)?,
    ///     baseline_memory_gb: 16.0,
    ///     per_vcpu: kg(100.0)?,
    ///     per_memory_gb: kg(1.5)?,
    ///     per_ssd: kg(100.0)?,
    ///     per_hdd: kg(50.0)?,
    ///     per_gpu: kg(150.0)?,
    /// };
    /// let server = ServerParts { vcpus: Cores::new(3.0)?, memory_gb: 32.0, ssds: 2, hdds: 0, gpus: 0 };
    /// // 1000 + 2 * 100 + 16 * 1.5 + 2 * 100
    /// assert_eq!(coefficients.total(&server), kg(1424.0)?);
    /// # Ok::<(), sci_core::quantity::QuantityError>(())
    /// ```
    pub fn total(&self, parts: &ServerParts) -> GramsCo2e {
        let further_vcpus = parts.vcpus.get() - self.baseline_vcpus.get();
        let further_gb = parts.memory_gb - self.baseline_memory_gb;
        GramsCo2e::clamped(
            self.baseline.get()
                + further_vcpus * self.per_vcpu.get()
                + further_gb * self.per_memory_gb.get()
                + f64::from(parts.ssds) * self.per_ssd.get()
                + f64::from(parts.hdds) * self.per_hdd.get()
                + f64::from(parts.gpus) * self.per_gpu.get(),
        )
    }
}
