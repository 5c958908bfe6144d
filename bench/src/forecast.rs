//! The forecast of carbon intensity on recorded traces: errors, saving captured, truth within bounds, and time.
//!
//! | module | holds |
//! | --- | --- |
//! | [`trace`] | compressed tables of hourly values |
//! | [`score`] | errors and savings of one contender |
//! | [`zones`] | our methods on the zones and years of the goals |
//! | [`provider`] | a provider's forecasts, good and poor, beside our own |

pub mod provider;
pub mod score;
pub mod trace;
pub mod zones;

use std::path::Path;

use anyhow::ensure;

use crate::figure::Figure;

/// All figures, from a folder with `hourly/ZONE/YEAR.csv.gz` and, if it is there, `forecasts/NAME.csv.gz`.
///
/// # Errors
/// When a table is missing or cannot be read; the message says what belongs there.
pub fn figures(data: &Path) -> anyhow::Result<Vec<Figure>> {
    let hourly = data.join("hourly");
    ensure!(hourly.is_dir(), "no traces in {}: {HOW_TO_GET_DATA}", hourly.display());
    let mut figures = zones::figures(&hourly)?;
    let forecasts = data.join("forecasts");
    if forecasts.is_dir() {
        figures.extend(provider::figures(&forecasts)?);
    }
    Ok(figures)
}

/// What to put where.
pub const HOW_TO_GET_DATA: &str = "give a folder with hourly/ZONE/YEAR.csv.gz (columns timestamp,gCO2eq_per_kWh, \
    UTC, complete years 2021 to 2023), such as the hourly tables that Electricity Maps publishes under the Open \
    Database License; they are not part of this repository";
