//! The tree against the published vectors, against RFC 6962's own recursive definitions, and against
//! changed proofs.

#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    reason = "a test stops at what it did not expect"
)]

use creditbank_chain::{
    Frontier, Node, ProofError, Span, TreeHash, consistency, inclusion, verify_consistency,
    verify_inclusion,
};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

/// The eight inputs of the reference implementation of RFC 6962, in hexadecimal.
const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const LEAF_HASHES: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
    "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn hash(hex: &str) -> TreeHash {
    hex.parse().unwrap()
}

fn leaves(n: usize) -> Vec<TreeHash> {
    let inputs = INPUTS.iter().map(|input| TreeHash::of_leaf(&bytes(input)));
    let more = (8_u64..).map(|n| TreeHash::of_leaf(&n.to_be_bytes()));
    inputs.chain(more).take(n).collect()
}

/// RFC 6962 section 2.1, word for word.
fn mth(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::of_nothing(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(below(leaves.len()));
            TreeHash::of_node(&mth(left), &mth(right))
        }
    }
}

/// The largest power of two smaller than `n`.
fn below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// Section 2.1.1, word for word.
fn path(m: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = below(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m < k {
        [path(m, left), vec![mth(right)]].concat()
    } else {
        [path(m - k, right), vec![mth(left)]].concat()
    }
}

/// Section 2.1.2, word for word.
fn subproof(m: usize, leaves: &[TreeHash], whole: bool) -> Vec<TreeHash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = below(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m <= k {
        [subproof(m, left, whole), vec![mth(right)]].concat()
    } else {
        [subproof(m - k, right, false), vec![mth(left)]].concat()
    }
}

/// The hashes of a proof, of hashes kept as complete subtrees alone.
fn read(parts: &[Span], leaves: &[TreeHash]) -> Vec<TreeHash> {
    let node = |node: Node| {
        let (from, until) = node.leaves();
        let range = usize::try_from(from).unwrap()..usize::try_from(until).unwrap();
        mth(&leaves[range])
    };
    let part = |span: &Span| {
        let nodes: Vec<TreeHash> = span.nodes().into_iter().map(node).collect();
        span.hash(&nodes).unwrap()
    };
    parts.iter().map(part).collect()
}

fn size(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

#[test]
fn hashes_and_roots_are_the_published_ones() {
    let leaves = leaves(8);
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), hash(ROOTS[0]));
    for (idx, leaf) in leaves.iter().enumerate() {
        assert_eq!(*leaf, hash(LEAF_HASHES[idx]));
        frontier.push(*leaf, |_, _| {});
        assert_eq!(frontier.root(), hash(ROOTS[idx + 1]));
        assert_eq!(frontier.size(), size(idx + 1));
    }
    assert_eq!(
        TreeHash::of_leaf(b"L123456"),
        hash("395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56")
    );
}

#[test]
fn proofs_are_the_published_ones() {
    let leaves = leaves(8);
    let included = |index, size: usize| read(&inclusion(index, size as u64).unwrap(), &leaves);
    let consistent = |old, new| read(&consistency(old, new).unwrap(), &leaves);
    let [l1, l2, l4, l6, l7] = [1, 2, 4, 6, 7].map(|idx: usize| leaves[idx]);
    let l3 = leaves[3];
    let of_23 = hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e");
    let of_67 = hash("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
    let of_45 = hash("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    let of_4567 = hash("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4");
    let of_456 = hash("837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e");
    let root = |size: usize| hash(ROOTS[size]);
    assert_eq!(included(5, 8), [l4, of_67, root(4)]);
    assert_eq!(included(2, 3), [root(2)]);
    assert_eq!(included(1, 5), [leaves[0], of_23, l4]);
    assert_eq!(included(0, 8), [l1, of_23, of_4567]);
    assert_eq!(consistent(1, 8), included(0, 8));
    assert_eq!(consistent(6, 8), [of_45, of_67, root(4)]);
    assert_eq!(consistent(2, 5), [of_23, l4]);
    assert_eq!(consistent(4, 8), [of_4567]);
    assert_eq!(consistent(3, 7), [l2, l3, root(2), of_456]);
    assert_eq!(consistent(7, 8), [l6, l7, of_45, root(4)]);
    assert_eq!(consistent(6, 7), [of_45, l6, root(4)]);
}

#[test]
fn every_proof_of_every_small_tree_is_that_of_the_definition_and_holds() {
    let all = leaves(70);
    for n in 1..=70 {
        let leaves = &all[..n];
        let root = mth(leaves);
        for index in 0..n {
            let proof = read(&inclusion(size(index), size(n)).unwrap(), leaves);
            assert_eq!(proof, path(index, leaves), "leaf {index} of {n}");
            let checked = verify_inclusion(&leaves[index], size(index), &proof, size(n), &root);
            assert_eq!(checked, Ok(()), "leaf {index} of {n}");
        }
        for old in 1..=n {
            let proof = read(&consistency(size(old), size(n)).unwrap(), leaves);
            assert_eq!(proof, subproof(old, leaves, true), "{old} in {n}");
            let old_root = mth(&leaves[..old]);
            let checked = verify_consistency((size(old), &old_root), (size(n), &root), &proof);
            assert_eq!(checked, Ok(()), "{old} in {n}");
        }
    }
}

#[test]
fn sizes_and_leaves_that_do_not_exist_have_no_proof() {
    assert_eq!(inclusion(0, 0), None);
    assert_eq!(inclusion(8, 8), None);
    assert_eq!(consistency(0, 8), None);
    assert_eq!(consistency(9, 8), None);
    assert_eq!(consistency(8, 8), Some(Vec::new()));
    let [one, other] = [1_u8, 2].map(|n| TreeHash::of_leaf(&[n]));
    let (index, size) = (8, 8);
    assert_eq!(
        verify_inclusion(&one, 8, &[], 8, &one),
        Err(ProofError::NoSuchLeaf { index, size })
    );
    assert_eq!(
        verify_consistency((0, &one), (8, &one), &[]),
        Err(ProofError::OfNothing)
    );
    assert_eq!(
        verify_consistency((9, &one), (8, &one), &[]),
        Err(ProofError::Shrunk { old: 9, new: 8 })
    );
    assert_eq!(verify_consistency((8, &one), (8, &one), &[]), Ok(()));
    assert_eq!(
        verify_consistency((8, &one), (8, &one), &[other]),
        Err(ProofError::TooLong)
    );
    assert!(matches!(
        verify_consistency((8, &one), (8, &other), &[]),
        Err(ProofError::Root { .. })
    ));
    assert_eq!(
        verify_consistency((4, &one), (8, &one), &[]),
        Err(ProofError::TooShort)
    );
}

/// Whole-log roots of a log of JSON entries, as an independent program computed them: beginning and end.
#[test]
fn roots_of_a_long_log_are_those_of_another_program() {
    let ends = [
        (255, "df79d6d5", "ebd4c"),
        (256, "250d21bf", "28191"),
        (257, "65e0d91b", "d755b"),
        (600, "ab12020b", "2fe7"),
        (
            70_000,
            "6ad126ff592d57c2e43d04f96c43f54896d8caf5049e3cad39b059fa192bd4ca",
            "",
        ),
    ];
    let mut frontier = Frontier::default();
    for (size, begins, ends) in ends {
        while frontier.size() < size {
            let i = frontier.size();
            let (account, amount) = (i % 97, i * 7919 % 100_000);
            let entry = format!(r#"{{"i":{i},"acct":"A{account:05}","amt":{amount}}}"#);
            frontier.push(TreeHash::of_leaf(entry.as_bytes()), |_, _| {});
        }
        let root = frontier.root().to_string();
        assert!(
            root.starts_with(begins) && root.ends_with(ends),
            "{size}: {root}"
        );
    }
}

proptest! {
    #[test]
    fn a_frontier_goes_on_from_what_it_has_told(n in 0_usize..600, more in 0_usize..40) {
        let all = leaves(n + more);
        let mut levels: Vec<Vec<TreeHash>> = vec![Vec::new(); 64];
        let mut frontier = Frontier::default();
        for leaf in &all[..n] {
            frontier.push(*leaf, |level, hash| levels[level as usize].push(hash));
        }
        prop_assert_eq!(frontier.root(), mth(&all[..n]));
        let whole = Span { from: 0, until: size(n) };
        let kept = |node: Node| levels[node.level as usize][node.index as usize];
        let roots = whole.nodes().into_iter().map(kept).collect();
        let mut again = Frontier::new(size(n), roots).unwrap();
        prop_assert_eq!(&again, &frontier);
        for leaf in &all[n..] {
            again.push(*leaf, |_, _| {});
        }
        prop_assert_eq!(again.root(), mth(&all));
    }

    #[test]
    fn a_changed_proof_does_not_hold(
        n in 1_usize..300, index in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), bit in 0_usize..256, how in 0..5,
    ) {
        let all = leaves(n);
        let (root, index, old) = (mth(&all), index.index(n), old.index(n) + 1);
        let change = |proof: &mut Vec<TreeHash>| match how {
            0 if proof.is_empty() => proof.push(all[0]),
            0 => { let at = at.index(proof.len()); proof[at].0[bit / 8] ^= 1 << (bit % 8); }
            1 => proof.push(all[index]),
            2 => { if proof.pop().is_none() { proof.push(all[index]); } }
            3 => { let at = at.index(proof.len() + 1); proof.insert(at, root); }
            _ => { if proof.is_empty() { proof.push(root) } else { let at = at.index(proof.len()); proof.remove(at); } }
        };
        let mut proof = read(&inclusion(size(index), size(n)).unwrap(), &all);
        change(&mut proof);
        prop_assert!(verify_inclusion(&all[index], size(index), &proof, size(n), &root).is_err());
        let mut proof = read(&consistency(size(old), size(n)).unwrap(), &all);
        change(&mut proof);
        let old_root = mth(&all[..old]);
        prop_assert!(verify_consistency((size(old), &old_root), (size(n), &root), &proof).is_err());
    }
}
