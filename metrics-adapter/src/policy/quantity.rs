//! Load per replica as Kubernetes writes amounts.

use std::{borrow::Cow, fmt};

use kube_sci_cluster::objects::CpuMillis;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longer text is no amount.
const MAX_LENGTH: usize = 32;

/// Load per replica: a Kubernetes quantity such as `100`, `"1500m"` or `"2k"`, in the unit of the load. Kept in
/// thousandths, as the autoscaler keeps its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerReplica(u64);

/// Why text is no load per replica.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write {0:?} as an amount above zero like 100, 1500m or 2k")]
pub struct PerReplicaError(String);

impl PerReplica {
    /// Reads a quantity above zero.
    ///
    /// # Errors
    /// [`PerReplicaError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PerReplicaError> {
        let refused = || PerReplicaError(text.chars().take(MAX_LENGTH).collect());
        // The quantity of `cpu` is kept in thousandths, as every target of an autoscaler is.
        let CpuMillis(millis) = CpuMillis::parse(text).map_err(|_| refused())?;
        if millis == 0 || text.len() > MAX_LENGTH { Err(refused()) } else { Ok(Self(millis)) }
    }

    /// In thousandths of the unit.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// In the unit of the load.
    pub fn get(self) -> f64 {
        kube_sci_cluster::objects::float(self.0) / 1_000.0
    }
}

impl fmt::Display for PerReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CpuMillis(self.0).fmt(f)
    }
}

impl<'de> Deserialize<'de> for PerReplica {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl de::Visitor<'_> for Amount {
            type Value = PerReplica;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount above zero")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<PerReplica, E> {
                PerReplica::parse(text).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<PerReplica, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<PerReplica, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<PerReplica, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Amount)
    }
}

impl Serialize for PerReplica {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for PerReplica {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "PerReplica".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "pattern": r"^\+?[0-9.]+([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
            "maxLength": MAX_LENGTH,
            "x-kubernetes-validations": [{
                "rule": "isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",
                "message": "write an amount above zero, like 100, 1500m or 2k",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_text_mean_the_same() {
        for (json, millis, text) in [
            ("100", 100_000, "100"),
            ("\"1500m\"", 1_500, "1500m"),
            ("\"2k\"", 2_000_000, "2000"),
            ("0.5", 500, "500m"),
        ] {
            let read: PerReplica = serde_json::from_str(json).unwrap();
            assert_eq!((read.millis(), read.to_string().as_str()), (millis, text), "{json}");
        }
    }

    #[test]
    fn nothing_but_amounts_above_zero_is_taken() {
        for json in ["0", "-1", "\"0\"", "\"many\"", "\"\"", "true", "\"1e99\""] {
            assert!(serde_json::from_str::<PerReplica>(json).is_err(), "{json}");
        }
    }
}
