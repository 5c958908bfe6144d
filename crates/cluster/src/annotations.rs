//! Every annotation and label that kube-sci reads, in one place.

/// Node: grid zone of the node, stronger than every other source ("DE", "US-CAL-CISO", a name of your own).
pub const GRID_ZONE: &str = "kube-sci.dev/grid-zone";
/// Node: hardware class, from the configuration or a family of the SPECpower table.
pub const HARDWARE_CLASS: &str = "kube-sci.dev/hardware-class";
/// Node: power usage effectiveness of its site, a number from 1 to 10.
pub const PUE: &str = "kube-sci.dev/pue";
/// Pod (annotation) or namespace (label or annotation): "true" asks for no opinion about carbon.
pub const OPT_OUT: &str = "kube-sci.dev/opt-out";
/// Pod: refuse nodes whose grid zone is above this many gCO2e/kWh.
pub const MAX_INTENSITY: &str = "kube-sci.dev/max-intensity";
/// Pod: refuse nodes where the pod would cost more than this many gCO2e per hour.
pub const MAX_GRAMS_PER_HOUR: &str = "kube-sci.dev/max-grams-per-hour";
/// Pod: comma-separated grid zones; all others are refused.
pub const ALLOWED_ZONES: &str = "kube-sci.dev/allowed-zones";

/// Label of Kubernetes: region of a node.
pub const TOPOLOGY_REGION: &str = "topology.kubernetes.io/region";
/// Label of Kubernetes: instance type of a node.
pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";

/// One annotation for the reference page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnotationDoc {
    /// The key.
    pub key: &'static str,
    /// Where it is read.
    pub on: &'static str,
    /// Accepted values.
    pub value: &'static str,
    /// What it does.
    pub effect: &'static str,
}

/// Every annotation of ours, for the reference page.
pub const ALL: [AnnotationDoc; 7] = [
    AnnotationDoc {
        key: GRID_ZONE,
        on: "node",
        value: "1 to 64 letters, digits, `_`, `.`, `-`",
        effect: "grid zone of the node, stronger than rules and labels",
    },
    AnnotationDoc {
        key: HARDWARE_CLASS,
        on: "node",
        value: "a class of the configuration, or a SPECpower family",
        effect: "power curve and embodied carbon of the node",
    },
    AnnotationDoc { key: PUE, on: "node", value: "number, 1 to 10", effect: "power usage effectiveness of the site" },
    AnnotationDoc {
        key: OPT_OUT,
        on: "pod annotation; namespace label or annotation",
        value: "`true` or `false`",
        effect: "neutral answers for the pod, or for every pod of the namespace",
    },
    AnnotationDoc {
        key: MAX_INTENSITY,
        on: "pod",
        value: "number, gCO2e/kWh",
        effect: "nodes in dirtier grid zones are refused",
    },
    AnnotationDoc {
        key: MAX_GRAMS_PER_HOUR,
        on: "pod",
        value: "number, gCO2e per hour",
        effect: "nodes where the pod would cost more are refused",
    },
    AnnotationDoc {
        key: ALLOWED_ZONES,
        on: "pod",
        value: "grid zones, comma-separated",
        effect: "nodes of other grid zones are refused",
    },
];

/// The value of a yes-or-no annotation; `None` for anything but "true" and "false".
pub fn flag(value: &str) -> Option<bool> {
    match value.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_share_the_prefix_and_differ() {
        let mut keys: Vec<&str> = ALL.iter().map(|doc| doc.key).collect();
        assert!(keys.iter().all(|key| key.starts_with("kube-sci.dev/")));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ALL.len());
    }

    #[test]
    fn only_true_and_false_are_flags() {
        assert_eq!(flag(" true "), Some(true));
        assert_eq!(flag("false"), Some(false));
        assert_eq!(flag("yes"), None);
        assert_eq!(flag(""), None);
    }
}
