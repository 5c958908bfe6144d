//! Energy where nothing measures it.
//!
//! A machine with a known load curve is the business of [`PowerCurve`](crate::power::PowerCurve); these are the
//! two coefficients that remain where only vCPUs and gigabytes are known.

use std::time::Duration;

use crate::quantity::{Bytes, Cores, JOULES_PER_KWH, Joules, SECONDS_PER_HOUR, Utilization, Watts};

/// Energy of memory in kWh per GB and hour: Cloud Carbon Footprint's mean of two manufacturers' figures.
pub const MEMORY_KWH_PER_GB_HOUR: f64 = 0.000_392;

const BYTES_PER_GB: f64 = 1e9;

/// Power of `threads` hardware threads of a machine class, in watts:
///
/// ```text
/// P = threads * (idle + (full - idle) * u)
/// ```
///
/// Cloud Carbon Footprint, "Compute" estimate (`ComputeEstimator` of `@cloud-carbon-footprint/core`, Apache-2.0).
/// `idle` and `full` are watts per hardware thread at no and at full load, without PUE. A class that draws less at
/// full load than idle is taken as it is given.
///
/// ```
/// use sci_core::{quantity::{Cores, Utilization, Watts}, sci::energy::thread_power};
///
/// let power = thread_power(Watts::new(0.74)?, Watts::new(3.5)?, Utilization::new(0.5)?, Cores::new(4.0)?);
/// assert!((power.get() - 8.48).abs() < 1e-12);
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
pub fn thread_power(idle: Watts, full: Watts, utilization: Utilization, threads: Cores) -> Watts {
    let per_thread = idle.get() + (full.get() - idle.get()) * utilization.get();
    Watts::clamped(per_thread * threads.get())
}

/// Energy of memory that is held for some time, in joules:
///
/// ```text
/// E = GB * hours * 0.000392 kWh/GBh
/// ```
///
/// Cloud Carbon Footprint, "Memory" estimate ([`MEMORY_KWH_PER_GB_HOUR`]), without PUE; a GB is 10^9 bytes. Watts
/// that were measured at the wall, such as SPECpower's, contain memory already: do not add it twice.
///
/// ```
/// use std::time::Duration;
/// use sci_core::{quantity::Bytes, sci::energy::memory_energy};
///
/// let energy = memory_energy(Bytes::new(16e9)?, Duration::from_hours(2));
/// assert!((energy.kwh() - 0.012_544).abs() < 1e-12);
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
pub fn memory_energy(held: Bytes, time: Duration) -> Joules {
    let gb_hours = held.get() / BYTES_PER_GB * (time.as_secs_f64() / SECONDS_PER_HOUR);
    Joules::clamped(gb_hours * MEMORY_KWH_PER_GB_HOUR * JOULES_PER_KWH)
}
