//! Where sources come from, and how they are built.

use std::path::Path;

use super::Program;

/// Where the sources come from, and how they are built.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Sources {
    Go(GoModule),
    Crate(PublishedCrate),
    Python(PythonPackages),
    Node(NodePackages),
}

/// A file that goes into a build. Its text is part of this program, so it builds from any folder.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SourceFile {
    pub name: &'static str,
    pub text: &'static str,
}

/// A Go module of ours that pins published ones, with a program of its own or without.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct GoModule {
    pub go_mod: &'static str,
    pub go_sum: &'static str,
    /// Build tags.
    pub(super) tags: &'static str,
    /// Linker flags beyond `-s -w`.
    pub(super) link: &'static str,
    /// Files of kwok's sources that lie beside the programs, in `stages/`.
    pub stages: &'static [&'static str],
    /// Go files of ours.
    pub files: &'static [SourceFile],
}

/// A crate of crates.io, built with the lock file that it was published with.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PublishedCrate {
    pub(super) version: &'static str,
    pub(super) features: &'static str,
}

/// Packages of `PyPI` in an environment of their own, and a script of ours that uses them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PythonPackages {
    /// Every package with its version and hashes.
    pub requirements: &'static str,
    pub script: SourceFile,
}

/// Packages of npm in a folder of their own, and a script of ours that uses them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NodePackages {
    pub package: &'static str,
    /// Every package with its version and hash.
    pub lock: &'static str,
    pub script: SourceFile,
}

impl Sources {
    /// Everything that goes into the programs, apart from the tools.
    pub(super) fn ingredients(&self, programs: &[Program]) -> Vec<String> {
        let nowhere = Path::new("");
        match self {
            Self::Go(go) => {
                let texts = [go.go_mod, go.go_sum].into_iter().chain(go.stages.iter().copied());
                let files = go.files.iter().flat_map(|file| [file.name, file.text]);
                let texts = texts.chain(files).map(str::to_owned);
                texts.chain(go.build_arguments(programs, nowhere)).collect()
            }
            Self::Crate(published) => published.install_arguments(programs, nowhere, nowhere),
            Self::Python(python) => {
                let texts = [python.requirements, python.script.name, python.script.text].map(str::to_owned);
                texts.into_iter().chain(python.install_arguments(nowhere)).collect()
            }
            Self::Node(node) => {
                let texts = [node.package, node.lock, node.script.name, node.script.text].map(str::to_owned);
                texts.into_iter().chain(node.install_arguments()).collect()
            }
        }
    }
}

impl SourceFile {
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }
}

impl GoModule {
    pub const fn new(go_mod: &'static str, go_sum: &'static str) -> Self {
        Self { go_mod, go_sum, tags: "", link: "", stages: &[], files: &[] }
    }

    /// With Go files of ours.
    #[must_use]
    pub const fn files(self, files: &'static [SourceFile]) -> Self {
        Self { files, ..self }
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

impl PythonPackages {
    /// Arguments of the environment's `python` that install the packages of a file of requirements.
    pub fn install_arguments(&self, requirements: &Path) -> Vec<String> {
        let fixed =
            ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--only-binary", ":all:"];
        let hashed = ["--no-deps", "--require-hashes", "--requirement"];
        let arguments = fixed.into_iter().chain(hashed).map(str::to_owned);
        arguments.chain([requirements.display().to_string()]).collect()
    }
}

impl NodePackages {
    /// Arguments of `npm` that install what the lock file names into the folder it runs in.
    pub fn install_arguments(&self) -> Vec<String> {
        // Scripts of packages run nothing on this machine.
        ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"].map(str::to_owned).to_vec()
    }
}
