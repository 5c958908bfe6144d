//! The pinned programs: what is built, from which sources, with which flags.

use std::path::Path;

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
    /// The Go package or the crate.
    pub package: &'static str,
}

/// Where the sources come from, and how they are built.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Sources {
    Go(GoModule),
    Crate(PublishedCrate),
}

/// A Go module of ours, `control-plane/NAME`, that pins published ones.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct GoModule {
    pub go_mod: &'static str,
    pub go_sum: &'static str,
    /// Build tags.
    tags: &'static str,
    /// Linker flags beyond `-s -w`.
    link: &'static str,
    /// Files of kwok's sources that lie beside the programs, in `stages/`.
    pub stages: &'static [&'static str],
}

/// A crate of crates.io, built with the lock file that it was published with.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PublishedCrate {
    version: &'static str,
    features: &'static str,
}

/// In the order of building: short ones first, so that a broken tool chain shows early.
pub const MODULES: [Module; 6] = [
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
        let nowhere = Path::new("");
        let arguments = match self.sources {
            Sources::Go(go) => {
                [go.go_mod, go.go_sum].into_iter().chain(go.stages.iter().copied()).for_each(|text| hash.add(text));
                go.build_arguments(self.programs, nowhere)
            }
            Sources::Crate(published) => published.install_arguments(self.programs, nowhere, nowhere),
        };
        for argument in arguments {
            hash.add(&argument);
        }
        format!("{}-{:016x}", self.name, hash.0)
    }
}

impl GoModule {
    const fn new(go_mod: &'static str, go_sum: &'static str) -> Self {
        Self { go_mod, go_sum, tags: "", link: "", stages: &[] }
    }

    /// Arguments of `go` that build the programs into a folder.
    pub fn build_arguments(&self, programs: &[Program], output: &Path) -> Vec<String> {
        let fixed = ["build", "-trimpath", "-buildvcs=false", "-mod=readonly"];
        let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
        if !self.tags.is_empty() {
            arguments.extend(["-tags".to_owned(), self.tags.to_owned()]);
        }
        arguments.extend(["-ldflags".to_owned(), format!("-s -w{}", self.link), "-o".to_owned()]);
        match programs {
            // The program of etcd's module would otherwise be called `v3`.
            [only] => arguments.push(output.join(only.name).display().to_string()),
            _several => arguments.push(format!("{}/", output.display())),
        }
        arguments.extend(programs.iter().map(|program| program.package.to_owned()));
        arguments
    }
}

impl PublishedCrate {
    /// Arguments of `cargo` that build the programs into the folder `bin` of `root`.
    pub fn install_arguments(&self, programs: &[Program], root: &Path, target: &Path) -> Vec<String> {
        // A slow program will do: it is built in half the time.
        let fixed = ["install", "--locked", "--debug", "--config", "profile.dev.debug=false", "--no-default-features"];
        let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
        arguments.extend(["--features", self.features, "--version", self.version].map(str::to_owned));
        for (flag, folder) in [("--root", root), ("--target-dir", target)] {
            arguments.extend([flag.to_owned(), folder.display().to_string()]);
        }
        arguments.extend(programs.iter().map(|program| program.package.to_owned()));
        arguments
    }
}

/// Names of all programs.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().flat_map(|module| module.programs).map(|program| program.name)
}

/// FNV-1a, 64 bit: stable over compilers, which the standard library's hasher does not promise.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a text and a mark of its end.
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
