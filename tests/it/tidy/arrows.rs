//! Arrows between our crates, and dependencies that nobody uses.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Package};

use super::{metadata, root, rust_files};

/// What each crate may name of ours, besides what tests name (ARCHITECTURE.md shows the same).
const ALLOWED: [(&str, &[&str]); 13] = [
    ("chain", &[]),
    ("ledger", &[]),
    ("durable", &[]),
    ("api", &[]),
    ("client", &["api", "ledger"]),
    ("store", &["chain"]),
    ("store-log", &["store", "chain", "durable"]),
    ("views", &["store", "chain", "ledger", "durable"]),
    ("publish", &["store", "chain", "durable"]),
    (
        "server",
        &[
            "api",
            "ledger",
            "chain",
            "store",
            "store-log",
            "views",
            "durable",
        ],
    ),
    (
        "verify",
        &["chain", "ledger", "store", "store-log", "durable"],
    ),
    (
        "cli",
        &[
            "server", "api", "client", "verify", "ledger", "chain", "durable",
        ],
    ),
    ("tests", &["*"]),
];

fn ours(name: &str) -> Option<&str> {
    name.strip_prefix("creditbank-")
}

#[test]
fn crates_name_only_what_the_architecture_allows() {
    let allowed = BTreeMap::from(ALLOWED);
    let mut wrong = Vec::new();
    for package in metadata().workspace_packages() {
        let name = ours(&package.name).expect("our crates are called creditbank-...");
        let may = allowed.get(name).copied().unwrap_or(&["*"]);
        for dependency in &package.dependencies {
            let Some(named) = ours(&dependency.name) else {
                continue;
            };
            let normal = dependency.kind == DependencyKind::Normal;
            if normal && !may.contains(&named) && !may.contains(&"*") {
                wrong.push(format!("{name} -> {named}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that are not allowed: {wrong:?}");
}

fn sources_of(package: &Package) -> String {
    let directory = package.manifest_path.parent().unwrap();
    let below = directory
        .strip_prefix(root().canonicalize().unwrap().to_str().unwrap())
        .unwrap();
    rust_files(below.as_str())
        .into_iter()
        .map(|(_, text)| text)
        .collect()
}

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for package in metadata().workspace_packages() {
        let text = sources_of(package);
        let names: BTreeSet<String> = package
            .dependencies
            .iter()
            .map(|dependency| {
                dependency
                    .rename
                    .as_ref()
                    .unwrap_or(&dependency.name)
                    .replace('-', "_")
            })
            .collect();
        for name in names {
            let named = [format!("{name}::"), format!("use {name};")];
            // The generated clients and servers of `api` name these two in an included file.
            let generated =
                *package.name == "creditbank-api" || name == "prost" && text.contains("generated");
            if !generated && !named.iter().any(|named| text.contains(named)) {
                unused.push(format!("{} does not use {name}", package.name));
            }
        }
    }
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_verifier_depends_on_no_network_no_async_runtime_and_no_database() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let name = |id| metadata[id].name.to_string();
    let start = metadata
        .workspace_packages()
        .into_iter()
        .find(|p| *p.name == "creditbank-verify");
    let mut open = vec![&start.unwrap().id];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(name(id)) {
            continue;
        }
        let node = resolve.nodes.iter().find(|node| node.id == *id).unwrap();
        let normal = node.deps.iter().filter(|dependency| {
            dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
        });
        open.extend(normal.map(|dependency| &dependency.pkg));
    }
    let banned = [
        "hyper",
        "h2",
        "tonic",
        "reqwest",
        "sled",
        "mio",
        "socket2",
        "creditbank-server",
    ];
    let found: Vec<_> = banned
        .iter()
        .filter(|banned| seen.contains(**banned))
        .collect();
    assert!(found.is_empty(), "creditbank-verify reaches {found:?}");
}
