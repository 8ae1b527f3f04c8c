//! The sweeps, with a judge that re-hashes every byte.
//!
//! Apart from the workspace's own sweeps, which judge with the verifier.

use creditbank_store_log::sweep::{self, rehash};

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let summary = sweep::crashes(&sweep::sample_workload(), &|fs, dir| rehash(fs, dir));
    println!("{summary:?}");
    assert!(summary.n_runs > 500, "{summary:?}");
}

#[test]
fn any_operation_may_fail_once() {
    let summary = sweep::errors(&sweep::sample_workload(), &|fs, dir| rehash(fs, dir));
    println!("{summary:?}");
    assert!(summary.n_runs > 400, "{summary:?}");
}

#[test]
fn crashes_during_recovery_lose_nothing_acknowledged() {
    let summary = sweep::cycles(&sweep::sample_workload(), &|fs, dir| rehash(fs, dir), 0..60);
    println!("{summary:?}");
    assert!(summary.n_runs > 200, "{summary:?}");
}

#[test]
fn aligned_blocks_keep_the_same_bounds() {
    let mut workload = sweep::sample_workload();
    workload.options.block_align = 512;
    workload.options.segment_bytes = 8192;
    let summary = sweep::cycles(&workload, &|fs, dir| rehash(fs, dir), 100..130);
    println!("{summary:?}");
    assert!(summary.n_runs > 100, "{summary:?}");
}
