//! What source files may look like, and who may name the file system, the clock and the database.

use super::rust_files;

/// Longest file in lines; what is longer hides a second thing.
const LINES_MAX: usize = 600;
/// Files that may be longer, for now. This list may only shrink.
const LONGER: [&str; 0] = [];

fn all() -> Vec<(String, String)> {
    ["crates", "tests", "benches"]
        .iter()
        .flat_map(|below| rust_files(below))
        .collect()
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> = all()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert!(
        silent.is_empty(),
        "files without a `//!` header: {silent:#?}"
    );
}

#[test]
fn files_are_of_a_size_one_can_read() {
    let long: Vec<String> = all()
        .into_iter()
        .filter(|(name, text)| text.lines().count() > LINES_MAX && !LONGER.contains(&name.as_str()))
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Files that name `what` outside of the crates that may. Tests may name anything.
fn trespassers(what: &[&str], may: &[&str]) -> Vec<String> {
    let is_test = |name: &str| name.contains("/tests/") || name.contains("/tests.rs");
    let code = |text: &str| -> String {
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let text: Vec<&str> = lines.collect();
        text.join("\n")
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    rust_files("crates")
        .into_iter()
        .filter(|(name, _)| !is_test(name) && !may.iter().any(|may| name.starts_with(may)))
        .filter(|(_, text)| what.iter().any(|what| code(text).contains(what)))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn only_durable_names_the_file_system_in_the_store() {
    // The command line reads and writes its user's files.
    let found = trespassers(
        &["std::fs", "fs::File", "tokio::fs"],
        &["crates/durable/", "crates/cli/"],
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_the_clock_reads_the_time() {
    let found = trespassers(
        &["SystemTime::now", "Utc::now", "Local::now"],
        &["crates/server/src/clock.rs"],
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_views_names_sled() {
    let found = trespassers(&["sled::"], &["crates/views/"]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn pure_crates_have_no_clock_no_file_no_socket_and_no_unordered_maps() {
    let impure = ["std::fs", "std::net", "std::time", "tokio", "f32", "f64"];
    let unordered = ["HashMap", "HashSet", "RandomState"];
    // The facts of a state, looked up by key; it shows them to nobody but sorted.
    let behind_an_order = ["crates/ledger/src/state/table.rs"];
    let pure = ["crates/chain/", "crates/ledger/"];
    let found: Vec<String> = trespassers(&impure, &[])
        .into_iter()
        .chain(trespassers(&unordered, &behind_an_order))
        .filter(|name| pure.iter().any(|pure| name.starts_with(pure)))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let marks = [
        "TO".to_owned() + "DO",
        "FIX".to_owned() + "ME",
        "XX".to_owned() + "X",
    ];
    let found: Vec<String> = all()
        .into_iter()
        .filter(|(_, text)| marks.iter().any(|mark| text.contains(mark.as_str())))
        .map(|(name, _)| name)
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
