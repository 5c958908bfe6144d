//! The pinned programs: what is built, from which sources, with which flags.

mod hash;
mod sources;

use self::hash::Fnv;
pub use self::sources::{GoModule, NodePackages, PublishedCrate, PythonPackages, SourceFile, Sources};

/// Kubernetes itself, as the programs report it.
pub const KUBERNETES_VERSION: &str = "v1.37.2";

/// The modules that a control plane consists of; the others are for single tests.
pub const CONTROL_PLANE: [&str; 3] = ["etcd", "kwok", "kubernetes"];

/// Programs that are built in one go, into a folder of the cache that is theirs alone.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Module {
    pub name: &'static str,
    pub sources: Sources,
    pub programs: &'static [Program],
    /// Measured on two cores with nothing cached, download included.
    pub cold_build_seconds: u64,
}

/// One program of a module.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Program {
    pub name: &'static str,
    /// The Go package, the crate, or the script.
    pub package: &'static str,
}

/// In the order of building: short ones first, so that a broken tool chain shows early.
pub const MODULES: [Module; 9] = [
    Module {
        name: "kind",
        sources: Sources::Go(GoModule::new(
            include_str!("../control-plane/kind/go.mod"),
            include_str!("../control-plane/kind/go.sum"),
        )),
        programs: &[Program { name: "kind", package: "sigs.k8s.io/kind" }],
        cold_build_seconds: 7,
    },
    Module {
        name: "etcd",
        sources: Sources::Go(GoModule::new(
            include_str!("../control-plane/etcd/go.mod"),
            include_str!("../control-plane/etcd/go.sum"),
        )),
        programs: &[Program { name: "etcd", package: "go.etcd.io/etcd/server/v3" }],
        cold_build_seconds: 42,
    },
    Module {
        name: "scaphandre",
        // Without `json` it does not compile. Containers, and with them the names of pods, need a container engine.
        sources: Sources::Crate(PublishedCrate { version: "1.0.0", features: "prometheus,json" }),
        programs: &[Program { name: "scaphandre", package: "scaphandre" }],
        cold_build_seconds: 60,
    },
    Module {
        name: "kwok",
        sources: Sources::Go(GoModule {
            stages: &STAGES,
            ..GoModule::new(include_str!("../control-plane/kwok/go.mod"), include_str!("../control-plane/kwok/go.sum"))
        }),
        programs: &[Program { name: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok" }],
        cold_build_seconds: 116,
    },
    Module {
        name: "go-client",
        sources: Sources::Go(
            GoModule::new(include_str!("../clients/go/go.mod"), include_str!("../clients/go/go.sum"))
                .files(&[SourceFile::new("main.go", include_str!("../clients/go/main.go"))]),
        ),
        programs: &[Program { name: "go-metrics-client", package: "." }],
        cold_build_seconds: 60,
    },
    Module {
        name: "python-client",
        sources: Sources::Python(PythonPackages {
            requirements: include_str!("../clients/python/requirements.txt"),
            script: SourceFile::new("client.py", include_str!("../clients/python/client.py")),
        }),
        programs: &[Program { name: "python-metrics-client", package: "client.py" }],
        cold_build_seconds: 30,
    },
    Module {
        name: "node-client",
        sources: Sources::Node(NodePackages {
            package: include_str!("../clients/node/package.json"),
            lock: include_str!("../clients/node/package-lock.json"),
            script: SourceFile::new("client.mjs", include_str!("../clients/node/client.mjs")),
        }),
        programs: &[Program { name: "node-metrics-client", package: "client.mjs" }],
        cold_build_seconds: 20,
    },
    Module {
        name: "prometheus",
        sources: Sources::Go(GoModule {
            // Targets come from files: the clients of twenty clouds would triple the build.
            tags: "remove_all_sd",
            link: " -X github.com/prometheus/common/version.Version=3.16.0",
            ..GoModule::new(
                include_str!("../control-plane/prometheus/go.mod"),
                include_str!("../control-plane/prometheus/go.sum"),
            )
        }),
        programs: &[Program { name: "prometheus", package: "github.com/prometheus/prometheus/cmd/prometheus" }],
        cold_build_seconds: 130,
    },
    Module {
        name: "kubernetes",
        sources: Sources::Go(GoModule {
            // Without a version kubectl and the autoscaler's code see v0.0.0.
            link: " -X k8s.io/component-base/version.gitVersion=v1.37.2 \
                   -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37",
            ..GoModule::new(
                include_str!("../control-plane/kubernetes/go.mod"),
                include_str!("../control-plane/kubernetes/go.sum"),
            )
        }),
        programs: &[
            Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver" },
            Program { name: "kube-controller-manager", package: "k8s.io/kubernetes/cmd/kube-controller-manager" },
            Program { name: "kube-scheduler", package: "k8s.io/kubernetes/cmd/kube-scheduler" },
            Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl" },
        ],
        cold_build_seconds: 626,
    },
];

/// The module whose folder holds kwok's stages, and the files in it that make nodes and pods live.
pub const KWOK_MODULE: &str = "sigs.k8s.io/kwok";
pub const STAGES: [&str; 5] = [
    "kustomize/stage/node/fast/node-initialize.yaml",
    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "kustomize/stage/pod/fast/pod-ready.yaml",
    "kustomize/stage/pod/fast/pod-complete.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
];

impl Module {
    /// The name of the folder in the cache; it changes when anything that goes into the programs changes.
    ///
    /// The version of the compiler is left out: a patch release of Go must not cost everybody a quarter of an hour, and
    /// ready programs must stay usable where Go is not installed. The version used is noted beside the programs.
    pub fn folder_name(&self) -> String {
        let mut hash = Fnv::default();
        for ingredient in self.sources.ingredients(self.programs) {
            hash.add(&ingredient);
        }
        format!("{}-{:016x}", self.name, hash.0)
    }

    /// A Go module of somebody else's, such as a benchmark's peers.
    pub const fn go(
        name: &'static str,
        module: GoModule,
        programs: &'static [Program],
        cold_build_seconds: u64,
    ) -> Self {
        Self { name, sources: Sources::Go(module), programs, cold_build_seconds }
    }
}

impl Program {
    pub const fn new(name: &'static str, package: &'static str) -> Self {
        Self { name, package }
    }
}

/// Names of all programs.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().flat_map(|module| module.programs).map(|program| program.name)
}
