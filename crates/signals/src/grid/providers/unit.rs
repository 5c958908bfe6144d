//! Units that intensities come in.

use super::UnitConfig;

/// Grams in one pound (international avoirdupois pound, exact).
pub const GRAMS_PER_POUND: f64 = 453.592_37;

impl UnitConfig {
    /// What one of this unit is in gCO2e/kWh.
    ///
    /// ```text
    /// kg/MWh = g/kWh        lb/MWh = 453.59237 g / 1000 kWh        kg/kWh = t/MWh = 1000 g/kWh
    /// ```
    pub const fn grams_per_kwh(self) -> f64 {
        match self {
            Self::GramsPerKwh | Self::KilogramsPerMwh => 1.0,
            Self::KilogramsPerKwh | Self::TonnesPerMwh => 1_000.0,
            Self::PoundsPerMwh => GRAMS_PER_POUND / 1_000.0,
        }
    }

    /// The unit as publishers write it: `gCO2eq/kWh`, `gCO2e per kWh`, `lbs_co2_per_mwh`. `None` for what is no
    /// intensity, such as a percentage.
    pub(super) fn named(text: &str) -> Option<Self> {
        let plain: String = text.to_ascii_lowercase().replace("per", "/");
        let plain: String = plain.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        let (mass, energy) = plain.split_once('/')?;
        let mass =
            ["co2equivalent", "co2eq", "co2e", "co2"].iter().find_map(|gas| mass.strip_suffix(gas)).unwrap_or(mass);
        match (mass, energy) {
            ("g", "kwh") => Some(Self::GramsPerKwh),
            ("kg", "kwh") => Some(Self::KilogramsPerKwh),
            ("kg", "mwh") => Some(Self::KilogramsPerMwh),
            ("t", "mwh") => Some(Self::TonnesPerMwh),
            ("lb" | "lbs", "mwh") => Some(Self::PoundsPerMwh),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_by_the_names_that_publishers_use() {
        for (text, unit) in [
            ("gCO2eq/kWh", UnitConfig::GramsPerKwh),
            ("gCO2e per kWh", UnitConfig::GramsPerKwh),
            ("gCO2 per kWh", UnitConfig::GramsPerKwh),
            ("lbCO2e per MWh", UnitConfig::PoundsPerMwh),
            ("lbs_co2_per_mwh", UnitConfig::PoundsPerMwh),
            ("kg/MWh", UnitConfig::KilogramsPerMwh),
            ("tCO2/MWh", UnitConfig::TonnesPerMwh),
        ] {
            assert_eq!(UnitConfig::named(text), Some(unit), "{text}");
        }
        for text in ["", "percent", "g", "kWh", "gCO2/MJ", "per", "//"] {
            assert_eq!(UnitConfig::named(text), None, "{text}");
        }
    }

    #[test]
    fn a_thousand_pounds_per_megawatt_hour_are_454_grams_per_kilowatt_hour() {
        assert!((1_000.0 * UnitConfig::PoundsPerMwh.grams_per_kwh() - 453.592_37).abs() < 1e-9);
    }
}
