//! The generated code is committed; this test makes it again from `proto/` and fails once when it is
//! stale, after writing the new files. So nobody needs protoc or a build script, and nobody can forget.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Replaces a committed file when it differs; tells whether it did.
fn refresh(committed: &Path, fresh: &[u8]) -> bool {
    if fs::read(committed).is_ok_and(|now| now == fresh) {
        return false;
    }
    fs::create_dir_all(committed.parent().expect("a file lies in a directory")).unwrap();
    fs::write(committed, fresh).unwrap();
    true
}

#[test]
fn generated_code_is_fresh() {
    let root = root();
    let proto = root.join("proto");
    let wire = [
        "types",
        "record_service",
        "account_service",
        "learner_service",
        "registry_service",
        "audit_service",
    ]
    .map(|name| proto.join(format!("creditbank/v1/{name}.proto")));
    let wire_set = protox::compile(&wire, [&proto]).expect("proto/creditbank/v1 compiles");
    let event_set = protox::compile([proto.join("creditbank/event/v1/event.proto")], [&proto])
        .expect("proto/creditbank/event/v1 compiles");

    let out = tempfile::tempdir().unwrap();
    let descriptor = wire_set.encode_to_vec();
    tonic_prost_build::configure()
        .build_transport(false)
        .out_dir(out.path())
        .compile_fds(wire_set)
        .expect("the wire generates");
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .out_dir(out.path())
        .compile_fds(event_set)
        .expect("the event bodies generate");

    let read = |name: &str| fs::read(out.path().join(name)).unwrap();
    let stale = [
        refresh(
            &root.join("crates/api/src/generated/creditbank.v1.rs"),
            &read("creditbank.v1.rs"),
        ),
        refresh(
            &root.join("crates/api/src/generated/creditbank.v1.bin"),
            &descriptor,
        ),
        refresh(
            &root.join("crates/ledger/src/generated/creditbank.event.v1.rs"),
            &read("creditbank.event.v1.rs"),
        ),
    ];
    assert!(
        !stale.contains(&true),
        "generated code was stale and has been rewritten: commit it"
    );
}
