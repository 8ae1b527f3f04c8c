//! Licences of everything that is linked: only those that go with Apache-2.0.

use super::metadata;

/// Licences that ask for no more than attribution, by SPDX id.
const ALLOWED: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unlicense",
];
/// Others that ask for no more either.
const ALLOWED_TOO: [&str; 3] = ["Unicode-3.0", "Zlib", "CDLA-Permissive-2.0"];

/// Whether one alternative of every part of an SPDX expression is allowed. `/` is the old `OR`.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    expression.split(" AND ").all(|part| {
        part.split(" OR ").any(|licence| {
            let licence = licence.trim();
            ALLOWED.contains(&licence) || ALLOWED_TOO.contains(&licence)
        })
    })
}

#[test]
fn every_licence_goes_with_ours() {
    let wrong: Vec<String> = metadata()
        .packages
        .iter()
        .filter(|package| !package.license.as_deref().is_some_and(allowed))
        .map(|package| {
            format!(
                "{} {}: {:?}",
                package.name, package.version, package.license
            )
        })
        .collect();
    assert!(wrong.is_empty(), "licences to look at: {wrong:#?}");
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    assert!(allowed("MIT OR GPL-3.0-only"));
    assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(allowed("Unlicense/MIT"));
    assert!(!allowed("MIT AND GPL-3.0-only"));
    assert!(!allowed("AGPL-3.0-only"));
}
