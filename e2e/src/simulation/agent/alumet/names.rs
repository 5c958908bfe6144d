//! Four ways to name a metric.

/// The naming schemes, each called after the version that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlumetVersion {
    /// Unit before the suffix.
    V0_8,
    /// Unit behind the suffix, also where it makes an illegal name.
    V0_9_0,
    /// No unit where there is one, an underscore where there is none.
    V0_9_3,
    /// The unit in words, with a UNIT line.
    Main,
}

/// A unit as the versions spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    short: &'static str,
    word: &'static str,
}

/// A metric of ALUMET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) base: String,
    pub(super) help: &'static str,
    pub(super) unit: Option<Unit>,
}

pub(super) const JOULES: Unit = Unit { short: "J", word: "joules" };
pub(super) const NANOSECONDS: Unit = Unit { short: "ns", word: "nanoseconds" };
pub(super) const MILLISECONDS: Unit = Unit { short: "ms", word: "milliseconds" };
/// 0 to 100 although its word reads otherwise.
pub(super) const PERCENT: Unit = Unit { short: "%", word: "ratio" };
pub(super) const GRAMS_CO2: Unit = Unit { short: "g_CO2", word: "g_CO2" };

impl AlumetVersion {
    pub const ALL: [Self; 4] = [Self::V0_8, Self::V0_9_0, Self::V0_9_3, Self::Main];

    pub(super) fn name(self, metric: &Metric, summed: bool) -> String {
        let base = if summed { format!("{}_sum", metric.base) } else { metric.base.clone() };
        match (self, metric.unit) {
            (Self::V0_8, Some(unit)) => format!("{base}_{}_alumet", unit.short),
            (Self::V0_9_0, Some(unit)) => format!("{base}_alumet_{}", unit.short),
            (Self::Main, Some(unit)) => format!("{base}_alumet_{}", unit.word),
            (Self::V0_9_0 | Self::V0_9_3, None) => format!("{base}_alumet_"),
            (Self::V0_9_3, Some(_)) | (Self::V0_8 | Self::Main, None) => format!("{base}_alumet"),
        }
    }

    /// What stands behind `# UNIT` and the name, where such a line is written.
    pub(super) fn unit_line(self, metric: &Metric) -> Option<&'static str> {
        match (self, metric.unit) {
            (Self::Main, Some(unit)) => Some(unit.word),
            (Self::V0_9_3, None) => Some(""),
            _ => None,
        }
    }
}

impl Metric {
    pub(super) fn new(base: &str, help: &'static str, unit: Option<Unit>) -> Self {
        Self { base: base.to_owned(), help, unit }
    }
}
