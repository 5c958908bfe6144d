//! Adapters of others, pinned, and built once into the cache of the control plane's programs.

use std::path::PathBuf;

use kube_sci_e2e::{
    binaries::{self, BinariesError},
    build::{self, BuildError},
    programs::{GoModule, Module, Program, SourceFile},
};

/// Asks Prometheus for every value at the moment it is asked itself.
pub const PROMETHEUS_ADAPTER: &str = "prometheus-adapter";
/// Answers a constant through the library that adapters in Go are written with: their floor.
pub const CONSTANT_ADAPTER: &str = "constant-adapter";

/// What is built.
const MODULES: [Module; 2] = [
    Module::go(
        PROMETHEUS_ADAPTER,
        GoModule::new(
            include_str!("../../adapter-peers/prometheus-adapter/go.mod"),
            include_str!("../../adapter-peers/prometheus-adapter/go.sum"),
        ),
        &[Program::new(PROMETHEUS_ADAPTER, "sigs.k8s.io/prometheus-adapter/cmd/adapter")],
        154,
    ),
    Module::go(
        CONSTANT_ADAPTER,
        GoModule::new(
            include_str!("../../adapter-peers/constant-adapter/go.mod"),
            include_str!("../../adapter-peers/constant-adapter/go.sum"),
        )
        .files(&[SourceFile::new("main.go", include_str!("../../adapter-peers/constant-adapter/main.go"))]),
        &[Program::new(CONSTANT_ADAPTER, ".")],
        120,
    ),
];

/// Builds what is not built yet.
///
/// # Errors
/// Where Go is missing or a program does not build.
pub fn build() -> Result<(), BuildError> {
    build::build_modules(&MODULES).map(drop)
}

/// Where one of them lies.
///
/// # Errors
/// Where it is not built.
pub fn find(name: &str) -> Result<PathBuf, BinariesError> {
    binaries::find_in(&MODULES, name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_those_that_the_table_names() {
        let versions = [
            (include_str!("../../adapter-peers/prometheus-adapter/go.mod"), "sigs.k8s.io/prometheus-adapter v0.12.0"),
            (
                include_str!("../../adapter-peers/constant-adapter/go.mod"),
                "sigs.k8s.io/custom-metrics-apiserver v1.34.0",
            ),
        ];
        for (pinned, version) in versions {
            assert!(pinned.contains(version), "{version}");
        }
    }
}
