//! The build command, with stand-ins for the tools that only make empty programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Notes every build, takes a while for it so that two builds would overlap, and knows where kwok lies.
const GO: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$1" in
env) cat "$here/version" ;;
list) echo "$here/kwok" ;;
build)
    if [ -e "$here/broken" ]; then echo "undefined: something" >&2; exit 1; fi
    echo build >>"$here/builds"
    sleep 0.3
    while [ "$1" != -o ]; do shift; done
    output=$2
    case "$output" in
    */) for program in kube-apiserver kube-controller-manager kube-scheduler kubectl; do : >"$output$program"; done ;;
    *) : >"$output" ;;
    esac ;;
esac
"#;

/// Notes every build, as the stand-in for Go does.
const CARGO: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ "$1" = --version ]; then echo "cargo 1.95.0"; exit; fi
echo install >>"$here/builds"
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin" && : >"$2/bin/scaphandre"
"#;

/// Makes environments whose interpreter notes what is installed.
const PYTHON: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$1" in
--version) echo "Python 3.11.2" ;;
-c) if [ -e "$here/no-python" ]; then echo "ModuleNotFoundError: No module named 'ensurepip'" >&2; exit 1; fi ;;
-m) mkdir -p "$3/bin" && printf '#!/bin/sh\necho install >>"%s/builds"\n' "$here" >"$3/bin/python" && chmod +x "$3/bin/python" ;;
esac
"#;

const NODE: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ -e "$here/no-node" ]; then echo "node is broken" >&2; exit 1; fi
echo v20.20.2
"#;

const NPM: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ "$1" = --version ]; then echo 10.8.2; exit; fi
echo install >>"$here/builds"
while [ "$1" != --prefix ]; do shift; done
mkdir "$2/node_modules"
"#;

struct Machine(TempDir);

impl Machine {
    fn without_go() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    fn with_go(version: &str) -> Result<Self> {
        let machine = Self::without_go()?;
        for (name, script) in [("go", GO), ("cargo", CARGO), ("python3", PYTHON), ("node", NODE), ("npm", NPM)] {
            let tool = machine.path(name);
            fs::write(&tool, script)?;
            fs::set_permissions(&tool, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(machine.path("version"), version)?;
        for stage in kube_sci_e2e::programs::STAGES {
            let stage = machine.path("kwok").join(stage);
            fs::create_dir_all(stage.parent().unwrap_or(&stage))?;
            fs::write(stage, "kind: Stage\n")?;
        }
        Ok(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, action: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_control-plane"));
        let own = self.0.path().display();
        // The stand-in needs the usual programs, among which there may be a real Go; without it nothing is needed.
        let path = if self.path("go").exists() { format!("{own}:/usr/bin:/bin") } else { own.to_string() };
        command.arg(action).env("PATH", path).env("XDG_CACHE_HOME", self.path("cache"));
        command.env_remove("KUBE_SCI_CONTROL_PLANE_BIN");
        command
    }

    /// The folder of a built program.
    fn folder_of(&self, program: &str) -> Result<PathBuf> {
        let path = String::from_utf8(self.command("path").arg(program).output()?.stdout)?;
        Ok(PathBuf::from(path.trim()).parent().context("a folder")?.to_owned())
    }

    fn builds(&self) -> usize {
        fs::read_to_string(self.path("builds")).unwrap_or_default().lines().count()
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn builds_at_the_same_time_build_once_and_show_progress() -> Result<()> {
    let machine = Machine::with_go("go1.26.8")?;
    let mut build = machine.command("build");
    build.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let (one, two) = (build.spawn()?, build.spawn()?);
    let (one, two) = (one.wait_with_output()?, two.wait_with_output()?);
    assert!(one.status.success() && two.status.success(), "{}{}", errors(&one), errors(&two));
    let modules = kube_sci_e2e::programs::MODULES.len();
    assert_eq!(machine.builds(), modules);
    let shown = errors(&one) + &errors(&two);
    assert!(shown.contains(&format!("[{modules}/{modules}] kubernetes")), "{shown}");

    let again = build.output()?;
    assert!(again.status.success() && again.stderr.is_empty(), "{}", errors(&again));
    assert_eq!(machine.builds(), modules);
    assert_eq!(fs::read_to_string(machine.folder_of("kubectl")?.join("built-with"))?, "go1.26.8\n");
    assert_eq!(fs::read_to_string(machine.folder_of("scaphandre")?.join("built-with"))?, "cargo 1.95.0\n");
    Ok(())
}

#[test]
fn a_module_that_is_missing_is_built_and_no_other() -> Result<()> {
    let machine = Machine::with_go("go1.26.8")?;
    assert!(machine.command("build").output()?.status.success());
    let (all, kwok) = (machine.builds(), machine.folder_of("kwok")?);
    assert_ne!(kwok, machine.folder_of("etcd")?, "each module has its folder");

    fs::remove_dir_all(&kwok)?;
    assert!(!machine.command("path").arg("kwok").output()?.status.success());
    let output = machine.command("build").output()?;
    assert!(errors(&output).contains("[1/1] kwok"), "{}", errors(&output));
    assert_eq!(machine.builds(), all + 1);
    assert_eq!(machine.folder_of("kwok")?, kwok);
    assert!(kwok.join("stages/pod-ready.yaml").is_file());
    Ok(())
}

#[test]
fn a_given_folder_must_hold_every_program() -> Result<()> {
    let machine = Machine::without_go()?;
    let given = machine.path("given");
    fs::create_dir(&given)?;
    for program in kube_sci_e2e::programs::names() {
        fs::write(given.join(program), "")?;
    }
    let build = || machine.command("build").env("KUBE_SCI_CONTROL_PLANE_BIN", &given).output();
    assert!(build()?.status.success());
    fs::remove_file(given.join("prometheus"))?;
    let output = build()?;
    assert!(errors(&output).contains("lacks prometheus"), "{}", errors(&output));
    Ok(())
}

#[test]
fn a_failed_build_shows_what_go_said_and_leaves_nothing_half_done() -> Result<()> {
    let machine = Machine::with_go("go1.26.8")?;
    fs::write(machine.path("broken"), "")?;
    let output = machine.command("build").output()?;
    assert!(errors(&output).contains("undefined: something"), "{}", errors(&output));
    assert!(!machine.command("path").output()?.status.success());

    fs::remove_file(machine.path("broken"))?;
    assert!(machine.command("build").output()?.status.success());
    assert!(machine.command("path").output()?.status.success());
    Ok(())
}

#[test]
fn a_client_whose_interpreter_is_missing_is_left_out_with_what_to_install() -> Result<()> {
    let machine = Machine::with_go("go1.26.8")?;
    for missing in ["no-python", "no-node"] {
        fs::write(machine.path(missing), "")?;
    }
    let output = machine.command("build").output()?;
    assert!(output.status.success(), "{}", errors(&output));
    let shown = errors(&output);
    assert!(shown.contains("python-client is left out") && shown.contains("apt-get install python3-venv"), "{shown}");
    assert!(shown.contains("node-client is left out") && shown.contains("apt-get install nodejs npm"), "{shown}");
    assert_eq!(machine.builds(), kube_sci_e2e::programs::MODULES.len() - 2);
    let path = |program: &str| machine.command("path").arg(program).output();
    assert!(path("kubectl")?.status.success() && path("go-metrics-client")?.status.success());
    assert!(errors(&path("node-metrics-client")?).contains("node-metrics-client is not built"));

    for missing in ["no-python", "no-node"] {
        fs::remove_file(machine.path(missing))?;
    }
    assert!(machine.command("build").output()?.status.success());
    let client = machine.folder_of("node-metrics-client")?;
    assert!(client.join("node_modules").is_dir() && client.join("client.mjs").is_file());
    // The folder was moved after the packages were installed: the starter finds its interpreter all the same.
    let client = machine.folder_of("python-metrics-client")?.join("python-metrics-client");
    let before = machine.builds();
    assert!(Command::new(client).output()?.status.success());
    assert_eq!(machine.builds(), before + 1, "the environment's own interpreter was started");
    Ok(())
}

#[test]
fn go_that_is_missing_or_too_old_is_said_with_what_to_install() -> Result<()> {
    let missing = Machine::without_go()?.command("build").output()?;
    assert!(errors(&missing).contains("install Go 1.26 or newer"), "{}", errors(&missing));
    let old = Machine::with_go("go1.25.4")?.command("build").output()?;
    assert!(errors(&old).contains("go1.25.4 is too old: install Go 1.26"), "{}", errors(&old));
    Ok(())
}
