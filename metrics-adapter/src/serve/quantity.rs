//! Numbers as the metrics APIs carry them.

use std::fmt;

use sci_core::scaling::{Load, LoadError};
use serde::{Serialize, Serializer};

/// Suffixes of thousands, millions and so on.
const SUFFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// A Kubernetes quantity in canonical decimal form, in thousandths: what an autoscaler reads with `MilliValue()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    milli: u64,
}

impl Quantity {
    /// Rounded up to a thousandth, rounding errors aside.
    ///
    /// # Errors
    /// [`LoadError`] for what no quantity can say in an `int64` of thousandths, and for what no metric here can be:
    /// NaN, infinity, less than zero, 9e15 and more.
    pub fn new(value: f64) -> Result<Self, LoadError> {
        // The same range and rounding for all metrics as for loads.
        Ok(Self { milli: Load::new(value)?.milli() })
    }

    /// In thousandths.
    pub const fn milli(self) -> u64 {
        self.milli
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.milli.is_multiple_of(1_000) {
            return write!(f, "{}m", self.milli);
        }
        let (mut number, mut thousands) = (self.milli / 1_000, 0);
        while number != 0 && number.is_multiple_of(1_000) && thousands + 1 < SUFFIXES.len() {
            number /= 1_000;
            thousands += 1;
        }
        write!(f, "{number}{}", SUFFIXES.get(thousands).unwrap_or(&""))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use kube_sci_cluster::objects::CpuMillis;
    use proptest::prelude::*;

    use super::*;

    fn written(value: f64) -> String {
        Quantity::new(value).unwrap().to_string()
    }

    #[test]
    fn quantities_are_written_in_canonical_form() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (42.0, "42"),
            (1.5, "1500m"),
            (0.7, "700m"),
            (1.1, "1100m"),
            (0.000_1, "1m"),
            (1_000.0, "1k"),
            (1_500.0, "1500"),
            (2_000_000.0, "2M"),
            (1e15, "1P"),
            (8.9e15, "8900T"),
        ] {
            assert_eq!(written(value), text, "{value}");
        }
    }

    #[test]
    fn what_no_metric_can_be_is_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 9e15, 1e300] {
            assert!(Quantity::new(value).is_err(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_was_meant(value in 0.0..1e12_f64) {
            let text = written(value);
            let read: CpuMillis = serde_json::from_value(serde_json::json!(text)).unwrap();
            let quantity = Quantity::new(value).unwrap();
            prop_assert_eq!(read.0, quantity.milli());
            // Rounded up, and by less than a thousandth.
            let error = kube_sci_cluster::objects::float(quantity.milli()) / 1_000.0 - value;
            prop_assert!((-1e-9 * value.max(1.0)..0.001 + 1e-9 * value.max(1.0)).contains(&error), "{} {}", value, error);
        }
    }
}
