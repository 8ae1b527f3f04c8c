//! What is published, read and checked by code that is not ours: crates `tlog_tiles`, `signed_note` and
//! `ct-merkle`.

use std::path::Path;
use std::sync::Arc;

use chain::{NoteSigner, Position, Span, Tile, TileKind, TreeHash, consistency, inclusion};
use creditbank_publish::{Published, Publisher, Reader};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use durable::SimFs;
use sha2::Sha256;
use signed_note::{StandardVerifier, VerifierList};
use store::contract::{SampleKeys, block, block_on};
use store::{EventStore, MemoryStore};
use tlog_tiles::{HashReader as _, TileHashReader, TileReader};

const ORIGIN: &str = "ledger.example/one";

/// A log, published at some sizes.
struct Log {
    reader: Reader<SimFs>,
    published: Vec<Published>,
    leaves: Vec<Vec<u8>>,
    vkey: String,
}

fn log(sizes: &[u64]) -> Log {
    let signer = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
    let vkey = signer.verifier().to_string();
    let store = Arc::new(MemoryStore::new(Arc::new(SampleKeys)));
    block_on(async {
        let (fs, of) = (SimFs::new(), Arc::clone(&store));
        let mut publisher = Publisher::open(fs, Path::new("tree"), of, signer, &[])
            .await
            .unwrap();
        let mut published = Vec::new();
        for size in sizes {
            let mut head = store.head().await.unwrap();
            while head.size < *size {
                let names: Vec<u64> = (head.size..(*size).min(head.size + 500)).collect();
                head = store.append(head, block(head, &names, 8)).await.unwrap();
            }
            published.extend(publisher.publish().await.unwrap());
        }
        let records = store.read(Position(0), u64::MAX).await.unwrap();
        Log {
            reader: publisher.reader(),
            published,
            leaves: records
                .iter()
                .map(|record| record.leaf.encode().to_vec())
                .collect(),
            vkey,
        }
    })
}

/// Another's client of tiles, which reads our files as if they came over HTTP: by path.
struct Tiles<'l>(&'l Log);

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            // It names the height, too, as Go's checksum database does.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            let tile: Tile = path.parse().expect("a path that is ours, too");
            let TileKind::Hashes { level } = tile.kind else {
                panic!("no data was asked for");
            };
            let (first, files) = (tile.first().unwrap(), self.0.reader.files());
            files.read(level, first, tile.width).unwrap()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[tlog_tiles::Tile], _data: &[Vec<u8>]) {}
}

#[test]
fn checkpoints_are_read_and_verified_by_another_program() {
    let log = log(&[1, 256, 300]);
    for published in &log.published {
        let note = signed_note::Note::from_bytes(published.note.as_bytes()).unwrap();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&log.vkey).unwrap())]);
        let (verified, unverified) = note.verify(&known).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
        let read = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        let ours = &published.checkpoint;
        assert_eq!((read.origin(), read.size()), (ORIGIN, ours.size));
        assert_eq!(read.hash().0, ours.root.0);
    }
    // And ours reads what it signs.
    let (skey, vkey) = (
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    );
    let mut note = signed_note::Note::new(b"text\n", &[]).unwrap();
    note.add_sigs(&[&signed_note::StandardSigner::new(skey).unwrap()])
        .unwrap();
    let read = chain::Note::read(&note.to_bytes()).unwrap();
    assert!(read.check(&vkey.parse().unwrap()).is_ok());
}

#[test]
fn our_tiles_prove_every_record_to_another_client() {
    for size in [1, 255, 256, 257, 700, 65_537, 70_000] {
        let log = log(&[size]);
        let root = tlog_tiles::Hash(log.published[0].checkpoint.root.0);
        let tiles = Tiles(&log);
        let hashes = TileHashReader::new(size, root, &tiles);
        let asked = [0, 1, 254, 255, 256, 511, 699, 65_535, 65_536, 69_999];
        for n in asked.into_iter().filter(|n| *n < size) {
            let leaf = tlog_tiles::record_hash(&log.leaves[usize::try_from(n).unwrap()]);
            let stored = hashes
                .read_hashes(&[tlog_tiles::stored_hash_index(0, n)])
                .unwrap();
            assert_eq!(stored, [leaf], "record {n} of {size}");
            let proof = tlog_tiles::prove_record(size, n, &hashes).unwrap();
            tlog_tiles::check_record(&proof, size, root, n, leaf).unwrap();
            let parts = log.reader.proof(&inclusion(n, size).unwrap()).unwrap();
            assert_eq!(
                proof.iter().map(|hash| hash.0).collect::<Vec<_>>(),
                raw(&parts)
            );
        }
    }
}

fn raw(hashes: &[TreeHash]) -> Vec<[u8; 32]> {
    hashes.iter().map(|hash| hash.0).collect()
}

#[test]
fn our_proofs_are_those_of_another_tree() {
    let log = log(&[3, 64, 257, 600]);
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let read = |parts: Vec<Span>| raw(&log.reader.proof(&parts).unwrap()).concat();
    for leaf in &log.leaves {
        tree.push(leaf.clone());
    }
    let last = &log.published.last().unwrap().checkpoint;
    assert_eq!(tree.root().as_bytes().as_slice(), last.root.0);
    for index in [0, 1, 255, 256, 511, 598, 599] {
        let proof = read(inclusion(index, last.size).unwrap());
        let index_of = usize::try_from(index).unwrap();
        assert_eq!(proof, tree.prove_inclusion(index_of).as_bytes());
        let proof = InclusionProof::<Sha256>::try_from_bytes(proof).unwrap();
        tree.root()
            .verify_inclusion(&log.leaves[index_of], index, &proof)
            .unwrap();
    }
    for old in &log.published {
        let old = &old.checkpoint;
        let root = ct_merkle::RootHash::<Sha256>::new(old.root.0.into(), old.size);
        let proof = read(consistency(old.size, last.size).unwrap());
        // It has no proof that a tree is itself.
        if old.size < last.size {
            let proof = ConsistencyProof::<Sha256>::try_from_bytes(proof).unwrap();
            tree.root().verify_consistency(&root, &proof).unwrap();
        }
    }
}
