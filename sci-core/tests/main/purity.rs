//! The crate knows no cluster, network, file, environment or clock.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ALLOWED_DEPENDENCIES: [&str; 3] = ["jiff", "serde", "thiserror"];

/// Ways to the world outside, as they appear in source text.
const FORBIDDEN: [&str; 25] = [
    "SystemTime",
    "Instant::now",
    "UNIX_EPOCH",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "env::var",
    "env!(",
    "fs::read",
    "File::open",
    "thread_rng",
    "RandomState",
    "HashMap",
    "HashSet",
    "println!",
    "tokio",
    "kube::",
    "async fn",
];

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names under `[dependencies]`, `[build-dependencies]` and their target-specific forms.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let table = header.trim_end_matches(']');
            // `[dependencies.name]` is the long form of one entry.
            if let Some((_, name)) = table.split_once("dependencies.").filter(|_| !table.starts_with("dev-")) {
                names.insert(name.to_owned());
            }
            inside = table.ends_with("dependencies") && !table.ends_with("dev-dependencies");
        } else if inside && let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            names.insert(key.split('.').next().unwrap_or(key).trim().to_owned());
        }
    }
    names
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

/// What others compile: all but the module of unit tests.
fn shipped(source: &str) -> String {
    let Some((ahead, tests)) = source.split_once("#[cfg(test)]\nmod tests {") else {
        return source.to_owned();
    };
    let behind = tests.split_once("\n}\n").map_or("", |(_, behind)| behind);
    format!("{ahead}{behind}")
}

/// Lines of code, without comments, that mention something forbidden.
fn offences(source: &str) -> Vec<String> {
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| {
            FORBIDDEN
                .iter()
                .filter(|word| line.contains(**word))
                .map(move |word| format!("{word} in `{}`", line.trim()))
        })
        .collect()
}

/// The top-level names of every `use std::{...}` and `std::` path, so that a grouped import hides nothing.
fn std_modules(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in source.match_indices("std::") {
        let rest = &source[at + "std::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(identifier(rest));
            continue;
        };
        let mut depth = 0_usize;
        let mut begins = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && depth == 0 && c.is_alphabetic() => {
                    found.insert(identifier(&group[i..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn only_the_allowed_crates_are_dependencies() {
    let manifest = fs::read_to_string(crate_folder().join("Cargo.toml")).unwrap();
    let allowed: BTreeSet<String> = ALLOWED_DEPENDENCIES.map(str::to_owned).into();
    assert_eq!(dependencies(&manifest), allowed);
}

#[test]
fn every_form_of_a_dependency_is_seen() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n# b = \"1\"\nc = \"1\"\n\
        [dev-dependencies]\nd = \"1\"\n[target.'cfg(unix)'.dependencies]\ne = \"1\"\n[build-dependencies]\nf = \"1\"\n\
        [dependencies.g]\nversion = \"1\"\n[lints]\nworkspace = true\n";
    let expected: BTreeSet<String> = ["a", "c", "e", "f", "g"].map(str::to_owned).into();
    assert_eq!(dependencies(manifest), expected);
}

#[test]
fn the_source_reaches_for_nothing_outside() {
    let mut files = Vec::new();
    source_files(&crate_folder().join("src"), &mut files);
    assert!(files.len() > 5, "the crate's source is not where the test looks");
    let outside: BTreeSet<String> =
        ["env", "fs", "io", "net", "os", "process", "thread", "path"].map(str::to_owned).into();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let source = shipped(&source);
        assert_eq!(offences(&source), Vec::<String>::new(), "{}", file.display());
        let reached: Vec<_> = std_modules(&source).intersection(&outside).cloned().collect();
        assert_eq!(reached, Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn only_unit_tests_are_exempt() {
    let source = "mod a;\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n\nfn b() {}\n";
    assert_eq!(shipped(source), "mod a;\n\n\nfn b() {}\n");
    let declared = "#[cfg(test)]\nmod tests;\nuse std::fs;\n";
    assert_eq!(shipped(declared), declared);
}

#[test]
fn grouped_imports_hide_nothing() {
    let source = "use std::{collections::{BTreeMap, VecDeque}, fmt, fs};\nfn f() { std::net::lookup() }";
    let expected: BTreeSet<String> = ["collections", "fmt", "fs", "net"].map(str::to_owned).into();
    assert_eq!(std_modules(source), expected);
    assert_eq!(offences("let t = Timestamp::now(); // why\n// Timestamp::now()").len(), 1);
}
