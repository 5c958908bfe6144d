//! The pinned Go programs: what is built, from which module, with which flags.

/// Kubernetes itself, as the programs report it.
pub const KUBERNETES_VERSION: &str = "v1.37.2";

/// One Go module of ours with the programs that are built from it in one go.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Module {
    /// Name of the folder under `control-plane/`.
    pub name: &'static str,
    pub go_mod: &'static str,
    pub go_sum: &'static str,
    pub programs: &'static [Program],
    /// Linker flags beyond `-s -w`.
    link: &'static str,
    /// Measured on two cores with nothing in Go's caches, download included.
    pub cold_build_seconds: u64,
}

/// One program of a module.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Program {
    pub name: &'static str,
    pub package: &'static str,
}

/// In the order of building: short ones first, so that a broken tool chain shows early.
pub const MODULES: [Module; 4] = [
    Module {
        name: "etcd",
        go_mod: include_str!("../control-plane/etcd/go.mod"),
        go_sum: include_str!("../control-plane/etcd/go.sum"),
        programs: &[Program { name: "etcd", package: "go.etcd.io/etcd/server/v3" }],
        link: "",
        cold_build_seconds: 42,
    },
    Module {
        name: "kind",
        go_mod: include_str!("../control-plane/kind/go.mod"),
        go_sum: include_str!("../control-plane/kind/go.sum"),
        programs: &[Program { name: "kind", package: "sigs.k8s.io/kind" }],
        link: "",
        cold_build_seconds: 7,
    },
    Module {
        name: "kwok",
        go_mod: include_str!("../control-plane/kwok/go.mod"),
        go_sum: include_str!("../control-plane/kwok/go.sum"),
        programs: &[Program { name: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok" }],
        link: "",
        cold_build_seconds: 116,
    },
    Module {
        name: "kubernetes",
        go_mod: include_str!("../control-plane/kubernetes/go.mod"),
        go_sum: include_str!("../control-plane/kubernetes/go.sum"),
        programs: &[
            Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver" },
            Program { name: "kube-controller-manager", package: "k8s.io/kubernetes/cmd/kube-controller-manager" },
            Program { name: "kube-scheduler", package: "k8s.io/kubernetes/cmd/kube-scheduler" },
            Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl" },
        ],
        // Without a version kubectl and the autoscaler's code see v0.0.0.
        link: " -X k8s.io/component-base/version.gitVersion=v1.37.2 \
               -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37",
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
    /// Arguments of `go` that build the module's programs into a folder.
    pub fn build_arguments(&self, output: &std::path::Path) -> Vec<String> {
        let fixed = ["build", "-trimpath", "-buildvcs=false", "-mod=readonly"];
        let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
        arguments.extend(["-ldflags".to_owned(), format!("-s -w{}", self.link), "-o".to_owned()]);
        match self.programs {
            // The program of etcd's module would otherwise be called `v3`.
            [only] => arguments.push(output.join(only.name).display().to_string()),
            _several => arguments.push(format!("{}/", output.display())),
        }
        arguments.extend(self.programs.iter().map(|program| program.package.to_owned()));
        arguments
    }
}

/// Names of all programs.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().flat_map(|module| module.programs).map(|program| program.name)
}

/// Changes when anything that goes into the programs changes: 16 hexadecimal digits.
///
/// Go's own version is left out: a patch release of Go must not cost everybody a quarter of an hour, and ready programs
/// must stay usable where Go is not installed. The version used is noted beside the programs.
pub fn fingerprint() -> String {
    let mut hash = Fnv::default();
    for module in MODULES {
        hash.add(module.go_mod);
        hash.add(module.go_sum);
        for argument in module.build_arguments(std::path::Path::new("")) {
            hash.add(&argument);
        }
    }
    for stage in STAGES {
        hash.add(stage);
    }
    format!("{:016x}", hash.0)
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
