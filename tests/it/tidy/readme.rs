//! The README's commands exist, and the continuous integration runs its test command.

use super::root;

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn the_two_commands_are_there_and_ci_runs_the_second() {
    let readme = read("README.md");
    assert!(readme.contains("cargo run --release -- demo"));
    assert!(readme.contains("cargo test --workspace"));
    assert!(read(".ci/run").contains("cargo test --workspace"));
}

/// Every `creditbank WORD` in the README is a command of the program.
#[test]
fn every_command_that_the_readme_names_exists() {
    let source: String = super::rust_files("crates/cli/src")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let readme = read("README.md");
    let named = readme
        .lines()
        .filter_map(|line| line.trim().strip_prefix("creditbank "));
    for command in named.filter_map(|line| line.split_whitespace().next()) {
        let mut variant = command.to_owned();
        variant[..1].make_ascii_uppercase();
        assert!(
            source.contains(&variant),
            "README names `creditbank {command}`"
        );
    }
}

/// Links to files in our own documents lead somewhere.
#[test]
fn links_lead_somewhere() {
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "ledger-data/README.md",
        "docs/clients/README.md",
        "docs/operations.md",
    ];
    for document in documents {
        let base = root().join(document);
        let text = read(document);
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            let target = base.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{document} links to {link}");
        }
    }
}

/// buf is pinned where it lints the API and where it generates a client: to the same version.
#[test]
fn buf_is_pinned_once() {
    let pinned = read("proto/buf");
    let version = pinned
        .split("@bufbuild/buf@")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("proto/buf names a version");
    let example = read("docs/clients/typescript/package.json");
    assert!(
        example.contains(&format!("\"@bufbuild/buf\": \"{version}\"")),
        "not {version}"
    );
    assert!(read(".ci/run").contains("proto/buf breaking proto"));
}
