//! Values drawn from a seed: the same on every machine and for ever.
//!
//! Apart from the tests because the pinned conformance hashes depend on every line here: to change what
//! is drawn is to change the constants, for no reason but this file.

use chain::{
    Block, BlockBuilder, ChecksumKey, Handle, Hash, Head, Institution, Leaf, LearnerLink,
    LearnerTip, Position, Salt, Timestamp,
};

/// The key of all blocks made here.
pub(crate) const KEY: ChecksumKey = ChecksumKey([0x4b; 32]);

/// An endless stream of numbers from a seed: BLAKE3 in extendable-output mode.
pub(crate) struct Draw(blake3::OutputReader);

impl Draw {
    pub(crate) fn new(seed: u64) -> Draw {
        Draw(
            blake3::Hasher::new()
                .update(&seed.to_be_bytes())
                .finalize_xof(),
        )
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    /// Below `bound`; slightly uneven, which does not matter here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.u64() % bound
    }

    pub(crate) fn len(&mut self, bound: u64) -> usize {
        usize::try_from(self.below(bound)).expect("bounds here are small")
    }

    pub(crate) fn vec(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill(&mut bytes);
        bytes
    }

    pub(crate) fn kind(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes()).max(1)
    }

    pub(crate) fn institution(&mut self) -> Institution {
        let len = self.len(65);
        let id: Vec<u8> = self.vec(len).iter().map(|byte| 0x21 + byte % 94).collect();
        Institution::try_from(&id[..]).expect("at most 64 graphic bytes")
    }

    pub(crate) fn head(&mut self) -> Head {
        match self.below(4) {
            0 => Head::EMPTY,
            _ => Head {
                size: 1 + self.u64() / 2,
                hash: Hash(self.bytes()),
            },
        }
    }

    fn learner(&mut self, position: u64) -> Option<LearnerLink> {
        let handle = Handle(self.bytes());
        match self.below(3) {
            0 => None,
            1 if position > 0 => Some(LearnerLink {
                handle,
                revision: self.u64().max(1),
                previous_position: Position(self.below(position)),
                previous_hash: Hash(self.bytes()),
            }),
            _ => Some(LearnerLink {
                handle,
                revision: 0,
                previous_position: Position(0),
                previous_hash: Hash::ZERO,
            }),
        }
    }

    pub(crate) fn leaf(&mut self) -> Leaf {
        let head = self.head();
        Leaf {
            position: Position(head.size),
            recorded_at: Timestamp(self.u64()),
            kind: self.kind(),
            issuer: self.institution(),
            submitter: self.institution(),
            learner: self.learner(head.size),
            previous_hash: head.hash,
            commitment: Hash(self.bytes()),
        }
    }

    /// A block of up to `count_bound - 1` records of two learners and nobody.
    pub(crate) fn block(&mut self, count_bound: u64, body_bound: u64) -> Block {
        let mut builder = BlockBuilder::new(self.head(), Timestamp(self.u64()));
        let mut tips: [(Handle, Option<LearnerTip>); 2] =
            [(Handle(self.bytes()), None), (Handle(self.bytes()), None)];
        for _ in 0..self.below(count_bound) {
            let chosen = self.len(3);
            let learner = tips.get(chosen).copied();
            let body_len = self.len(body_bound);
            let pushed = builder
                .push(
                    self.kind(),
                    self.institution(),
                    self.institution(),
                    learner,
                    Salt(self.bytes()),
                    self.vec(body_len),
                )
                .expect("drawn within the limits");
            if let Some(learner) = tips.get_mut(chosen) {
                learner.1 = pushed.tip;
            }
        }
        builder.finish()
    }
}
