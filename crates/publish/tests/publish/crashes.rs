//! The publisher stopped at every operation, with every kind of survival, and damaged in every file:
//! whatever it has ever signed continues what it signed before.

use std::path::Path;
use std::sync::Arc;

use chain::{
    Checkpoint, Frontier, Head, NoteSigner, Position, TreeHash, consistency, inclusion,
    verify_consistency, verify_inclusion,
};
use creditbank_publish::{CHECKPOINT_FILE, PublishFault, Published, Publisher};
use durable::{Effect, Fs, SimFs, Survivors};
use store::contract::{SampleKeys, block, block_on};
use store::{EventStore, MemoryStore};

const DIR: &str = "tree";

fn signer() -> NoteSigner {
    NoteSigner::new("ledger.example/one", &[7; 32]).unwrap()
}

/// A log of that many records in blocks of some.
fn log(records: u64) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new(Arc::new(SampleKeys)));
    extend(&store, records);
    store
}

fn extend(store: &MemoryStore, records: u64) {
    block_on(async {
        let mut head = store.head().await.unwrap();
        while head.size < records {
            let names: Vec<u64> = (head.size..records.min(head.size + 97)).collect();
            head = store.append(head, block(head, &names, 20)).await.unwrap();
        }
    });
}

async fn open(
    fs: &SimFs,
    store: &Arc<MemoryStore>,
) -> Result<Publisher<SimFs, MemoryStore>, PublishFault> {
    let signer = signer();
    let trusted = [signer.verifier().clone()];
    Publisher::open(
        fs.clone(),
        Path::new(DIR),
        Arc::clone(store),
        signer,
        &trusted,
    )
    .await
}

/// The root over the first records of a log, by a way of its own.
async fn root(store: &MemoryStore, size: u64) -> TreeHash {
    let mut frontier = Frontier::default();
    while frontier.size() < size {
        let from = Position(frontier.size());
        for record in store.read(from, 1 << 20).await.unwrap() {
            if frontier.size() < size {
                frontier.push(TreeHash::of_leaf(&record.leaf.encode()), |_, _| {});
            }
        }
    }
    frontier.root()
}

fn on_disk(fs: &SimFs) -> Option<Checkpoint> {
    let bytes = durable::read_file(fs, &Path::new(DIR).join(CHECKPOINT_FILE)).ok()?;
    Some(Checkpoint::open(&bytes, signer().verifier()).expect("a whole checkpoint or none"))
}

/// Publishes at each size in turn; what was signed, until something fails.
async fn workload(fs: &SimFs, store: &Arc<MemoryStore>, sizes: &[u64]) -> (Vec<Published>, bool) {
    let mut signed = Vec::new();
    let Ok(mut publisher) = open(fs, store).await else {
        return (signed, false);
    };
    for size in sizes {
        extend(store, *size);
        match publisher.publish().await {
            Ok(published) => signed.extend(published),
            Err(_) => return (signed, false),
        }
    }
    (signed, true)
}

const SIZES: [u64; 6] = [1, 255, 256, 257, 600, 700];

async fn judge(store: &Arc<MemoryStore>, signed: &[Published], after: &SimFs, what: &str) {
    let found = on_disk(after);
    let shown = signed.last().map_or(0, |last| last.checkpoint.size);
    assert!(
        found.as_ref().map_or(0, |found| found.size) >= shown,
        "{what}: a checkpoint is lost"
    );
    let mut publisher = open(after, store)
        .await
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(
        publisher.reader().latest().map(|latest| latest.checkpoint),
        found,
        "{what}"
    );
    extend(store, 900);
    let last = publisher
        .publish()
        .await
        .unwrap_or_else(|e| panic!("{what}: {e}"))
        .unwrap();
    let reader = publisher.reader();
    for old in signed.iter().map(|signed| &signed.checkpoint).chain(&found) {
        assert_eq!(old.root, root(store, old.size).await, "{what}");
        let new = &last.checkpoint;
        let proof = reader
            .proof(&consistency(old.size, new.size).unwrap())
            .unwrap();
        let continues = verify_consistency((old.size, &old.root), (new.size, &new.root), &proof);
        assert_eq!(continues, Ok(()), "{what}");
    }
}

#[test]
fn whatever_is_signed_continues_what_was_signed_before_through_every_crash() {
    block_on(async {
        let fs = SimFs::new();
        let (_, whole) = workload(&fs, &log(1), &SIZES).await;
        assert!(whole);
        let ops = fs.ops();
        assert!(ops > 60, "{ops} operations");
        for op in 0..ops {
            let fs = SimFs::new();
            fs.crash_at(op);
            let store = log(1);
            let (signed, _) = workload(&fs, &store, &SIZES).await;
            for survivors in Survivors::EVERY {
                let again = Arc::new(store.reopen(Arc::new(SampleKeys)));
                let what = format!("crash at {op}, {survivors:?} survives");
                judge(&again, &signed, &fs.after_crash(survivors), &what).await;
            }
        }
    });
}

#[test]
fn after_an_error_it_signs_what_is_right_or_nothing() {
    block_on(async {
        let fs = SimFs::new();
        workload(&fs, &log(1), &SIZES).await;
        for op in 0..fs.ops() {
            for effect in [Effect::Absent, Effect::Present] {
                let fs = SimFs::new();
                fs.fail(op, effect);
                let store = log(1);
                let (mut signed, _) = workload(&fs, &store, &SIZES).await;
                // The same process tries again, as a server does.
                let (more, whole) = workload(&fs, &store, &SIZES).await;
                assert!(whole, "operation {op} failed once, {effect:?}");
                signed.extend(more);
                let what = format!("operation {op} failed, {effect:?}");
                judge(&store, &signed, &fs.after_kill(), &what).await;
            }
        }
    });
}

#[test]
fn every_leaf_is_proved_at_sizes_around_the_tiles() {
    block_on(async {
        let (fs, store) = (SimFs::new(), log(1));
        let mut publisher = open(&fs, &store).await.unwrap();
        for size in [1, 2, 255, 256, 257, 511, 513, 1_000] {
            extend(&store, size);
            let published = publisher.publish().await.unwrap().unwrap();
            let Checkpoint {
                size: of,
                root: signed,
                ..
            } = published.checkpoint;
            assert_eq!((of, signed), (size, root(&store, size).await));
            let records = store.read(Position(0), u64::MAX).await.unwrap();
            for (index, record) in (0..size).zip(records) {
                let parts = inclusion(index, size).unwrap();
                let proof = publisher.reader().proof(&parts).unwrap();
                let leaf = TreeHash::of_leaf(&record.leaf.encode());
                assert_eq!(
                    verify_inclusion(&leaf, index, &proof, size, &signed),
                    Ok(())
                );
            }
        }
    });
}

#[test]
fn damaged_hashes_are_made_again_and_a_changed_log_is_not_signed() {
    block_on(async {
        for byte in [0, 31, 32 * 255, 32 * 256 + 5, 32 * 599] {
            let (fs, store) = (SimFs::new(), log(600));
            let first = open(&fs, &store)
                .await
                .unwrap()
                .publish()
                .await
                .unwrap()
                .unwrap();
            fs.flip(&Path::new(DIR).join("hashes-0"), byte, 1).unwrap();
            let mut again = open(&fs, &store).await.unwrap();
            assert_eq!(again.publish().await.unwrap(), Some(first));
            extend(&store, 700);
            assert_eq!(
                again.publish().await.unwrap().unwrap().checkpoint.root,
                root(&store, 700).await
            );
        }
        let (fs, store) = (SimFs::new(), log(600));
        open(&fs, &store).await.unwrap().publish().await.unwrap();
        for file in ["hashes-0", "hashes-1"] {
            fs.remove(&Path::new(DIR).join(file)).unwrap();
        }
        assert!(open(&fs, &store).await.is_ok());
        // Another history of the same length, and a shorter one.
        let other = Arc::new(MemoryStore::new(Arc::new(SampleKeys)));
        other
            .append(Head::EMPTY, block(Head::EMPTY, &[5; 600], 20))
            .await
            .unwrap();
        let refused = open(&fs, &other).await.err();
        assert!(
            matches!(refused, Some(PublishFault::Changed { size: 600, .. })),
            "{refused:?}"
        );
        let refused = open(&fs, &log(599)).await.err();
        let shrunk = matches!(
            refused,
            Some(PublishFault::Shrunk {
                published: 600,
                durable: 599
            })
        );
        assert!(shrunk, "{refused:?}");
        fs.flip(&Path::new(DIR).join(CHECKPOINT_FILE), 3, 1)
            .unwrap();
        let refused = open(&fs, &store).await.err();
        assert!(
            matches!(refused, Some(PublishFault::Checkpoint(_))),
            "{refused:?}"
        );
    });
}
