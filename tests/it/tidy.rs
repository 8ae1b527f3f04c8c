//! The rules of the house as tests: arrows between crates, who may name what, headers, lengths,
//! licences, and that the README's commands exist.
//!
//! They stand together, apart from the tests of behaviour, because they read the source and the
//! manifests instead of running anything.

mod arrows;
mod licences;
mod readme;
mod sources;

use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What cargo knows of the workspace and of everything that is linked on this machine, from what was
/// downloaded to build it.
fn metadata() -> cargo_metadata::Metadata {
    let version = std::process::Command::new("rustc")
        .arg("-vV")
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let options = ["--offline", "--filter-platform", host].map(str::to_owned);
    let manifest = root().join("Cargo.toml");
    cargo_metadata::MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(options)
        .exec()
        .unwrap()
}

/// Every Rust file below a directory that people write, with its path relative to the root.
fn rust_files(below: &str) -> Vec<(String, String)> {
    let root = root();
    let mut files = Vec::new();
    let mut open = vec![root.join(below)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() && !name.ends_with("/generated") && !name.ends_with("/target") {
                open.push(path);
            } else if name.ends_with(".rs") && !name.contains("/generated/") {
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
