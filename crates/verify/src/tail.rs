//! The last part of a ledger, checked in seconds: whether its bytes are whole and its chains go on.
//!
//! Apart from [`verify`](crate::verify()) because it begins in the middle, where the header of a segment says
//! which head it continues. What needs everything before, it does not judge: whether that head is right,
//! the rules, erasures, issuers' signatures.

use std::collections::HashMap;
use std::path::Path;

use chain::{Handle, Hash, Head, SEGMENT_HEADER_LEN, SegmentHeader};
use durable::{Fs, Mode};

use crate::directory::{Directory, SegmentFile};
use crate::error::CouldNotRun;
use crate::examine::{self, ExaminedBlock, Held, Reading, Wanted};
use crate::finding::{FINDINGS_MAX, Finding, Place};
use crate::gathered::Gathered;
use crate::invariants::{self as must, Tip};
use crate::judge::{Item, Stop, read_segments};
use crate::structure::Structure;
use crate::width::offset;

/// What the last part of a ledger holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Position of the first record that was checked.
    pub from: u64,
    /// The head.
    pub head: Head,
    /// Segments of the whole ledger.
    pub segments: u64,
    /// Records that were checked.
    pub records: u64,
    /// Of those, records without a body, which were not judged.
    pub erased: u64,
    /// Bytes of the blocks that were checked.
    pub bytes: u64,
    /// Bytes of the whole ledger's segments.
    pub bytes_total: u64,
    /// When the first and the last of the records that were checked were recorded, in microseconds since
    /// 1970.
    pub recorded_at: Option<(u64, u64)>,
    /// What a crash cut off, which was never acknowledged; also a write of a running server, caught halfway.
    pub torn: Option<String>,
    /// What is wrong: the first of them, in order of position.
    pub findings: Vec<Finding>,
    /// How many findings there are.
    pub findings_total: u64,
}

/// Checks the segments that hold the last `bytes` of a ledger: checksums, both hash chains, commitments,
/// times and pairs. Takes no lock and writes nothing.
///
/// # Errors
/// [`CouldNotRun`] when nothing can be said.
pub fn tail<F: Fs>(fs: &F, dir: &Path, bytes: u64) -> Result<Tail, CouldNotRun> {
    let mut directory = Directory::read(fs, dir)?;
    let mut out = Gathered::new();
    let findings = directory.findings.drain(..);
    findings.for_each(|finding| out.find(finding));
    let segments = last_segments(&directory.segments, bytes);
    let start = segments
        .first()
        .map_or(Ok(Head::EMPTY), |first| head_before(fs, first))?;
    let mut walk = Walk {
        structure: Structure::new(None, None),
        tips: HashMap::new(),
        out,
        erased: 0,
        recorded_at: None,
    };
    walk.structure.head = start;
    let wanted = |_: &chain::Leaf| Wanted {
        is_own: true,
        commitment: true,
        reading: Reading::Nothing,
    };
    let mut torn = None;
    let mut bytes: u64 = 0;
    let read = read_segments(fs, segments, start, &mut |item| {
        match item {
            Item::Block(located) => {
                bytes = bytes.saturating_add(offset(located.block.encoded_len()));
                walk.block(&examine::block(located, None, &wanted));
            }
            Item::Finding(finding) => walk.out.find(finding),
            Item::Note(note) => torn = Some(note),
            // What is lost was reported as a finding where it should be.
            Item::Mark | Item::Lost(_) | Item::Read(_) => {}
        }
        Ok(())
    });
    if let Err(Stop::Failed(error)) = read {
        return Err(error);
    }
    Ok(Tail {
        from: start.size,
        head: walk.structure.head,
        segments: u64::try_from(directory.segments.len()).unwrap_or(u64::MAX),
        records: walk.structure.counts.records,
        erased: walk.erased,
        bytes,
        bytes_total: directory.bytes(),
        recorded_at: walk.recorded_at,
        torn,
        findings_total: walk.out.findings.total(),
        findings: walk
            .out
            .findings
            .into_sorted()
            .into_iter()
            .take(FINDINGS_MAX)
            .collect(),
    })
}

/// The last segment, which may be almost empty, and as many before it as have so many bytes.
fn last_segments(all: &[SegmentFile], bytes: u64) -> &[SegmentFile] {
    let mut first = all.len().saturating_sub(1);
    let mut before: u64 = 0;
    while first > 0 && before < bytes {
        first -= 1;
        before = before.saturating_add(all[first].len);
    }
    &all[first..]
}

/// The head that a segment says it continues; that of nothing when it cannot be read, which is a finding of
/// its own later on.
fn head_before<F: Fs>(fs: &F, segment: &SegmentFile) -> Result<Head, CouldNotRun> {
    let mut bytes = vec![0; SEGMENT_HEADER_LEN];
    let read = fs
        .open(&segment.path, Mode::Read)
        .and_then(|file| durable::read_exact_at(&file, &mut bytes, 0));
    match read {
        Ok(()) => Ok(SegmentHeader::decode(&bytes).map_or(Head::EMPTY, |header| header.head)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(Head::EMPTY),
        Err(source) => Err(CouldNotRun::Unreadable {
            path: segment.path.clone(),
            source,
        }),
    }
}

/// What is known on the way.
struct Walk {
    structure: Structure,
    /// The last record of every learner that has been met.
    tips: HashMap<Handle, Tip>,
    out: Gathered,
    erased: u64,
    recorded_at: Option<(u64, u64)>,
}

impl Walk {
    fn block(&mut self, block: &ExaminedBlock) {
        self.structure.take(block, &mut self.out);
        for record in block.records() {
            let leaf = record.leaf;
            let place = Place::new(leaf.position.0, block.segment, block.start);
            let at = leaf.recorded_at.0;
            let first = self.recorded_at.map_or(at, |(first, _)| first);
            self.recorded_at = Some((first, at));
            match record.held {
                Held::Body => {}
                Held::Zeros => self.erased += 1,
                Held::Other(found) => {
                    let holds = must::a_body_is_what_its_leaf_commits_to(leaf.commitment, found);
                    self.out.check(place, holds);
                }
            }
            if let Some(link) = &leaf.learner {
                self.follow(link, leaf.position.0, *record.hash, place);
            }
        }
    }

    /// The learner's chain, where its record before lies in this part too.
    fn follow(&mut self, link: &chain::LearnerLink, position: u64, hash: Hash, place: Place) {
        let tip = Tip {
            revision: link.revision,
            position,
            hash,
        };
        let before = self.tips.insert(link.handle, tip);
        if before.is_some() || link.revision == 0 {
            let holds = must::a_learners_history_has_no_gap(before, link);
            self.out.check(place, holds);
        }
    }
}
