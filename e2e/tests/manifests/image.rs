//! What can be known about the container images without a container engine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{read, repository};

const CONTAINERFILE: &str = "Containerfile";
/// Programs that have an image: the target of the build.
const PROGRAMS: [&str; 2] = ["extender", "metrics-adapter"];

/// Instructions with their arguments; continued lines are joined, comments left out.
fn instructions() -> Result<Vec<Vec<String>>> {
    let text = read(CONTAINERFILE)?.replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect())
}

/// Sources of `COPY` that come from the repository, with where they go.
fn copied() -> Result<Vec<(String, String)>> {
    let mut copied = Vec::new();
    for line in instructions()? {
        if let [instruction, sources @ .., target] = line.as_slice()
            && instruction == "COPY"
            && !sources.iter().any(|source| source.starts_with("--from="))
        {
            copied.extend(sources.iter().map(|source| (source.clone(), target.clone())));
        }
    }
    Ok(copied)
}

#[test]
fn every_copied_path_exists_and_is_let_into_the_context() -> Result<()> {
    let ignore = read(".dockerignore")?;
    let admitted: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignore.lines().any(|line| line == "*"), "everything else is left out");
    let copied = copied()?;
    assert!(copied.len() > 4, "{copied:?}");
    for (source, _) in &copied {
        assert!(repository().join(source).exists(), "{source} does not exist");
        assert!(admitted.contains(&source.as_str()), "{source} is not in the build context");
    }
    for path in admitted {
        assert!(copied.iter().any(|(source, _)| source == path), "{path} is in the build context for nothing");
    }
    Ok(())
}

#[test]
fn base_images_are_pinned_and_the_compiler_is_the_workspaces() -> Result<()> {
    let lines = instructions()?;
    let stages: Vec<&Vec<String>> = lines.iter().filter(|line| line[0] == "FROM").collect();
    let own: Vec<&String> = stages.iter().filter_map(|line| line.get(3)).collect();
    let bases: Vec<&String> = stages.iter().map(|line| &line[1]).filter(|base| !own.contains(base)).collect();
    let toolchain = read("rust-toolchain.toml")?;
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).context("a channel")?;
    assert_eq!(bases, [&format!("rust:{}-alpine", version.trim_matches('"')), "scratch"]);
    Ok(())
}

/// The instructions of a stage and of those that it is made from, up to an image from outside.
fn stage(name: &str) -> Result<Vec<Vec<String>>> {
    let lines = instructions()?;
    let begins = |line: &Vec<String>| line.first().is_some_and(|word| word == "FROM");
    let mut rest = lines.iter().skip_while(|line| !begins(line) || line.get(3).is_none_or(|stage| stage != name));
    let Some([_, base, ..]) = rest.next().map(Vec::as_slice) else { return Ok(Vec::new()) };
    let own = rest.take_while(|line| !begins(line)).cloned();
    Ok(stage(base)?.into_iter().chain(own).collect())
}

#[test]
fn images_run_their_program_as_the_user_of_the_manifests() -> Result<()> {
    let containers = [
        "manifests/components/extender-container/container.yaml",
        "manifests/components/metrics-adapter/deployment.yaml",
    ];
    for (program, container) in PROGRAMS.into_iter().zip(containers) {
        let lines = stage(program)?;
        let user = lines.iter().rfind(|line| line[0] == "USER").context("USER")?;
        let container = super::read_yaml(container)?;
        let spec = container.pointer("/spec/template/spec").context("a pod")?;
        let context = &spec["securityContext"];
        assert_eq!(user[1], format!("{}:{}", context["runAsUser"], context["runAsGroup"]), "{program}");
        assert_eq!(super::text(spec, "/containers/0/image"), format!("kube-sci/{program}"));
        let entry = lines.iter().rfind(|line| line[0] == "ENTRYPOINT").context("ENTRYPOINT")?;
        assert_eq!(entry[1], format!("[\"/kube-sci-{program}\"]"));
        let exposed: Vec<&String> = lines.iter().filter(|line| line[0] == "EXPOSE").flatten().collect();
        for port in super::items(spec, "/containers/0/ports") {
            let number = port["containerPort"].to_string();
            assert!(exposed.contains(&&number), "{program}: {number} of {exposed:?}");
        }
    }
    Ok(())
}

/// Cargo reads the copied part as a whole workspace whose lock file needs no change.
#[test]
fn what_is_copied_is_a_workspace_with_a_valid_lock_file() -> Result<()> {
    let place = tempfile::tempdir()?;
    for (source, target) in copied()? {
        let target = place.path().join(if target == "./" { &source } else { target.trim_start_matches('/') });
        copy(&repository().join(&source), &target).with_context(|| format!("copy {source}"))?;
    }
    for line in instructions()?.iter().filter(|line| line[0] == "RUN" && line[1] == "mkdir") {
        let made = Command::new("sh").arg("-c").arg(line[1..].join(" ")).current_dir(place.path()).status()?;
        assert!(made.success(), "{line:?}");
    }
    let arguments = ["metadata", "--locked", "--offline", "--no-deps", "--format-version=1", "--quiet"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(&cargo).args(arguments).current_dir(place.path()).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for program in PROGRAMS {
        let package = format!("--package=kube-sci-{program}");
        let tree = ["tree", "--locked", "--offline", &package, "--depth=0"];
        let output = Command::new(&cargo).args(tree).current_dir(place.path()).output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> Result<()> {
    if source.is_dir() {
        std::fs::create_dir_all(target)?;
        for entry in std::fs::read_dir(source)? {
            let entry = entry?;
            copy(&entry.path(), &target.join(entry.file_name()))?;
        }
    } else {
        target.parent().map(std::fs::create_dir_all).transpose()?;
        std::fs::copy(source, target)?;
    }
    Ok(())
}

#[test]
fn shell_scripts_parse() -> Result<()> {
    let scripts = [
        "kind-config/up",
        "manifests/overlays/own-scheduler/make-certificates",
        "manifests/overlays/adapter-mounted-certificate/make-certificate",
        "e2e/tests/manifests/docker",
    ];
    for script in scripts {
        let output = Command::new("bash").arg("-n").arg(repository().join(script)).output()?;
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
