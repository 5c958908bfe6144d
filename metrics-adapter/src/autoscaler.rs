//! Who reads a policy: its autoscaler, and whether it is set up as it should be.

mod report;

pub use self::report::{AutoscalerReport, Finding, FindingKind, Severity};
