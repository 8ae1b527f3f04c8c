//! The invariants of a ledger as it lies on disk, one function each, named as a sentence.
//!
//! Apart from the passes that call them so that what is verified can be read as a list. Each says what it
//! expected and what it found; the numbered sections are those of `ledger-data/README.md`.

use chain::{BLOCK_BYTES_MAX, BlockError, Hash, Head, Leaf, SegmentError};
use ledger::EventKind;

use crate::error::chain as error_chain;

/// An invariant that does not hold: its name, what was expected and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The name of the function in this module.
    pub invariant: &'static str,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// Holds, or how it does not.
pub type Holds = Result<(), Broken>;

fn holds_if(
    holds: bool,
    invariant: &'static str,
    expected: impl FnOnce() -> String,
    found: impl FnOnce() -> String,
) -> Holds {
    if holds {
        return Ok(());
    }
    Err(Broken {
        invariant,
        expected: expected(),
        found: found(),
    })
}

/// What is known of a learner's last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Index in the learner's history.
    pub revision: u64,
    /// Global index.
    pub position: u64,
    /// Chain hash.
    pub hash: Hash,
}

/// Section 2: numbers start at 0 and have no gap.
///
/// # Errors
/// The number expected and the one found.
pub fn segment_numbers_have_no_gap(expected: u64, found: u64) -> Holds {
    let file = |number| format!("segment {number}");
    let name = "segment_numbers_have_no_gap";
    holds_if(expected == found, name, || file(expected), || file(found))
}

/// Section 9: magic, format, reserved, alignment and checksum of the header.
///
/// # Errors
/// What is wrong with it.
pub fn a_segment_header_is_sound(error: Option<&SegmentError>) -> Holds {
    let Some(error) = error else { return Ok(()) };
    let (expected, found) = match error {
        SegmentError::Checksum { expected, found } => {
            (format!("header checksum {expected}"), found.to_string())
        }
        other => parted("a segment header", error_chain(other)),
    };
    Err(Broken {
        invariant: "a_segment_header_is_sound",
        expected,
        found,
    })
}

/// Section 9: the header's number is the one in the file's name.
///
/// # Errors
/// Both numbers.
pub fn a_segment_carries_the_number_in_its_name(named: u64, carried: u64) -> Holds {
    let name = "a_segment_carries_the_number_in_its_name";
    holds_if(
        named == carried,
        name,
        || named.to_string(),
        || carried.to_string(),
    )
}

/// Section 9: the head in the header is the head after the segment before.
///
/// # Errors
/// Both heads.
pub fn a_segment_continues_the_head_before_it(before: Head, in_header: Head) -> Holds {
    let name = "a_segment_continues_the_head_before_it";
    holds_if(
        before == in_header,
        name,
        || format!("head {before}"),
        || format!("head {in_header}"),
    )
}

/// Section 8: header, lengths, checksum, leaves, and the links between them.
///
/// # Errors
/// What is wrong with it; `beneath` is what still is once the checksum is made right.
pub fn a_block_is_sound(error: &BlockError, beneath: Option<&BlockError>) -> Holds {
    let (expected, mut found) = match error {
        BlockError::Checksum { expected, found } => {
            (format!("block checksum {expected}"), found.to_string())
        }
        other => parted(
            "a block, or zeros to the end of the file",
            error_chain(other),
        ),
    };
    if let Some(beneath) = beneath {
        found = format!("{found}; beneath it: {}", error_chain(beneath));
    }
    Err(Broken {
        invariant: "a_block_is_sound",
        expected,
        found,
    })
}

/// Section 8: the head in the block's header is the head after the block before.
///
/// # Errors
/// Both heads.
pub fn a_block_continues_the_head_before_it(before: Head, in_header: Head) -> Holds {
    let name = "a_block_continues_the_head_before_it";
    holds_if(
        before == in_header,
        name,
        || format!("head {before}"),
        || format!("head {in_header}"),
    )
}

/// Section 9: bytes skipped by alignment, and those after the last block.
///
/// # Errors
/// The offset of the first byte that is not zero.
pub fn what_belongs_to_no_block_is_zero(first_nonzero: Option<u64>) -> Holds {
    let Some(at) = first_nonzero else {
        return Ok(());
    };
    let invariant = "what_belongs_to_no_block_is_zero";
    let found = format!("another byte at {at}");
    Err(Broken {
        invariant,
        expected: "zeros".to_owned(),
        found,
    })
}

/// Section 10, rule 4: a single write cannot have left more.
///
/// # Errors
/// How many bytes there are.
pub fn a_torn_tail_is_at_most_one_block_long(bytes: u64) -> Holds {
    let max = u64::try_from(BLOCK_BYTES_MAX).unwrap_or(u64::MAX);
    let name = "a_torn_tail_is_at_most_one_block_long";
    let expected = || format!("at most {max} bytes after the last block");
    holds_if(bytes <= max, name, expected, || {
        format!("{bytes} bytes that are neither block nor zero")
    })
}

/// Section 2: the spare is zeros, and perhaps a header.
///
/// # Errors
/// The offset of the first byte that is neither.
pub fn the_spare_holds_no_record(first_nonzero: Option<u64>) -> Holds {
    let Some(at) = first_nonzero else {
        return Ok(());
    };
    let expected = "zeros in log/spare, after a header perhaps".to_owned();
    let found = format!("another byte at {at}");
    Err(Broken {
        invariant: "the_spare_holds_no_record",
        expected,
        found,
    })
}

/// Section 11: the text of the mark.
///
/// # Errors
/// What is there instead.
pub fn the_erased_through_mark_is_a_position(bytes: &[u8]) -> Result<u64, Broken> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.strip_suffix('\n'));
    let position = text.and_then(|text| {
        text.parse()
            .ok()
            .filter(|number: &u64| number.to_string() == text)
    });
    position.ok_or_else(|| Broken {
        invariant: "the_erased_through_mark_is_a_position",
        expected: "a decimal number and a line feed in erased-through".to_owned(),
        found: format!(
            "{:?}",
            String::from_utf8_lossy(bytes.get(..32).unwrap_or(bytes))
        ),
    })
}

/// Section 11: the mark is the position of an erasing record. Beyond the head, it shows that the end of
/// the ledger is missing.
///
/// # Errors
/// What stands at that position.
pub fn the_erased_through_mark_names_an_erasing_record(found: Option<u16>) -> Holds {
    let is_erasing = found.is_some_and(|kind| is_erasing(kind_of(kind)));
    let expected = || "an erasing record where erased-through points".to_owned();
    let name = "the_erased_through_mark_names_an_erasing_record";
    let shown = || found.map_or_else(|| "no record".to_owned(), kind_name);
    holds_if(is_erasing, name, expected, shown)
}

/// Section 3: along the ledger, recorded-at never decreases.
///
/// # Errors
/// Both times.
pub fn recorded_at_never_decreases(before: u64, at: u64) -> Holds {
    let name = "recorded_at_never_decreases";
    holds_if(
        before <= at,
        name,
        || format!("at least {before} us"),
        || format!("{at} us"),
    )
}

/// The record at position 0 opens the ledger, and no other does.
///
/// # Errors
/// The kind found.
pub fn the_first_record_and_no_other_opens_the_ledger(position: u64, kind: u16) -> Holds {
    let opens = kind_of(kind) == Some(EventKind::LedgerOpened);
    let name = "the_first_record_and_no_other_opens_the_ledger";
    let word = if position == 0 {
        "the opening of the ledger"
    } else {
        "any other kind"
    };
    holds_if(
        opens == (position == 0),
        name,
        || word.to_owned(),
        || kind_name(kind),
    )
}

/// The opening names a byte format and admission rules that this program knows.
///
/// # Errors
/// The versions found.
pub fn the_format_and_the_rules_are_known(format: u32, rules: u32) -> Holds {
    const FORMAT: u32 = 1;
    let name = "the_format_and_the_rules_are_known";
    let known = ledger::RULES_VERSION;
    let is_known = format == FORMAT && (1..=known).contains(&rules);
    let versions = |format, rules| format!("format version {format}, rules version {rules}");
    holds_if(
        is_known,
        name,
        || versions(FORMAT, known),
        || versions(format, rules),
    )
}

/// Section 5: merges, separations and reassignments are two neighbours in one block. `before` is the kind
/// of the record before, in the same block if any.
///
/// # Errors
/// The kind that should stand here, or be the one before.
pub fn pairs_are_neighbours_in_one_block(before: Option<u16>, kind: Option<u16>) -> Holds {
    let name = "pairs_are_neighbours_in_one_block";
    let second = before.and_then(kind_of).and_then(second_of);
    let is_second = kind.and_then(kind_of).is_some_and(is_second);
    let holds = match second {
        Some(second) => kind.and_then(kind_of) == Some(second),
        None => !is_second,
    };
    let shown = || kind.map_or_else(|| "the end of the block".to_owned(), kind_name);
    let expected = || match second {
        Some(second) => format!(
            "{} after {}",
            short(second),
            before.map_or_else(String::new, kind_name)
        ),
        None => "the first event of the pair before it, in the same block".to_owned(),
    };
    holds_if(holds, name, expected, shown)
}

/// Section 5: for every handle, revisions are 0, 1, 2, ... and each names the one before.
///
/// # Errors
/// The link expected and the one in the leaf.
pub fn a_learners_history_has_no_gap(tip: Option<Tip>, found: &chain::LearnerLink) -> Holds {
    let link = |revision: u64, position: u64, hash: Hash| {
        format!("revision {revision} after position {position} with hash {hash}")
    };
    let (revision, position, hash) = match tip {
        Some(tip) => (tip.revision.checked_add(1), tip.position, tip.hash),
        None => (Some(0), 0, Hash::ZERO),
    };
    let holds = revision == Some(found.revision)
        && position == found.previous_position.0
        && hash == found.previous_hash;
    let expected = || match tip {
        None => "revision 0, as the learner has no record before".to_owned(),
        Some(_) => link(revision.unwrap_or(u64::MAX), position, hash),
    };
    let shown = || {
        link(
            found.revision,
            found.previous_position.0,
            found.previous_hash,
        )
    };
    holds_if(holds, "a_learners_history_has_no_gap", expected, shown)
}

/// A learner's history begins with the registration, and holds it once.
///
/// # Errors
/// The kind found.
pub fn a_learners_history_begins_with_its_registration(leaf: &Leaf) -> Holds {
    let Some(link) = &leaf.learner else {
        return Ok(());
    };
    let registers = kind_of(leaf.kind) == Some(EventKind::LearnerRegistered);
    let name = "a_learners_history_begins_with_its_registration";
    let word = if link.revision == 0 {
        "a registration"
    } else {
        "no second registration"
    };
    let shown = || format!("{} at revision {}", kind_name(leaf.kind), link.revision);
    holds_if(
        registers == (link.revision == 0),
        name,
        || word.to_owned(),
        shown,
    )
}

/// Section 6: a body that is there is the one that its leaf commits to.
///
/// # Errors
/// Both commitments.
pub fn a_body_is_what_its_leaf_commits_to(committed: Hash, found: Hash) -> Holds {
    let name = "a_body_is_what_its_leaf_commits_to";
    let shown = |hash| format!("body commitment {hash}");
    holds_if(
        committed == found,
        name,
        || shown(committed),
        || shown(found),
    )
}

/// Section 11, rules 1 to 3: zeros for salt and body need a later erasing record that covers them.
///
/// # Errors
/// The record's kind.
pub fn zeros_are_covered_by_a_later_erasure(is_covered: bool, kind: u16) -> Holds {
    let expected = || "a body, or a later erasure that covers the record".to_owned();
    let shown = || format!("zeros for salt and body of {}", kind_name(kind));
    holds_if(
        is_covered,
        "zeros_are_covered_by_a_later_erasure",
        expected,
        shown,
    )
}

/// Section 11, rule 4: what an erasing record covers lies in blocks before its own.
///
/// # Errors
/// The position of a covered record in the same block.
pub fn an_erasing_record_shares_no_block_with_what_it_covers(covered: Option<u64>) -> Holds {
    let Some(position) = covered else {
        return Ok(());
    };
    let invariant = "an_erasing_record_shares_no_block_with_what_it_covers";
    let expected = "an erasing record in a later block".to_owned();
    let found = format!("one in the block of position {position}, which it covers");
    Err(Broken {
        invariant,
        expected,
        found,
    })
}

/// Section 11: up to the mark, no covered body is left, whole or in part.
///
/// # Errors
/// How many bodies are left.
pub fn an_erasure_that_was_carried_out_leaves_no_body(erasure: u64, left: u64) -> Holds {
    let name = "an_erasure_that_was_carried_out_leaves_no_body";
    let expected = || format!("zeros, as the erasure at position {erasure} was carried out");
    let bodies = if left == 1 {
        "the body".to_owned()
    } else {
        format!("{left} bodies from here on")
    };
    holds_if(left == 0, name, expected, || {
        format!("{bodies}, whole or in part")
    })
}

/// Sections 6 and 14: a body is the one encoding of an event that fits its leaf.
///
/// # Errors
/// Why it is none.
pub fn a_body_is_the_one_encoding_of_its_event(error: Option<String>) -> Holds {
    let Some(found) = error else { return Ok(()) };
    let expected = "the canonical encoding of an event of the leaf's kind".to_owned();
    Err(Broken {
        invariant: "a_body_is_the_one_encoding_of_its_event",
        expected,
        found,
    })
}

/// Every event is one that the rules of its day admitted.
///
/// # Errors
/// The rule that says no.
pub fn every_event_is_admitted_by_the_rules_of_its_day(
    kind: u16,
    refused: Option<String>,
) -> Holds {
    let Some(found) = refused else { return Ok(()) };
    let expected = format!(
        "an event that the rules admit, not this {}",
        kind_name(kind)
    );
    Err(Broken {
        invariant: "every_event_is_admitted_by_the_rules_of_its_day",
        expected,
        found,
    })
}

/// The head is, or continues, one that was kept elsewhere. `hash` is the chain hash after as many records
/// as that one has.
///
/// # Errors
/// What the ledger has instead.
pub fn the_ledger_holds_the_expected_head(expected: Head, size: u64, hash: Option<Hash>) -> Holds {
    let name = "the_ledger_holds_the_expected_head";
    let holds = hash == Some(expected.hash);
    let shown = || match hash {
        Some(hash) => format!("head {}:{hash}", expected.size),
        None if size < expected.size => format!("only {size} records"),
        None => format!(
            "no readable record at position {}",
            expected.size.saturating_sub(1)
        ),
    };
    holds_if(holds, name, || format!("head {expected}"), shown)
}

/// The two halves of a message of the form "expected .., found ..", else the message as what was found.
fn parted(expected: &str, message: String) -> (String, String) {
    let halves = message
        .strip_prefix("expected ")
        .and_then(|rest| rest.split_once(", found "));
    match halves {
        Some((expected, found)) => (expected.to_owned(), found.to_owned()),
        None => (expected.to_owned(), message),
    }
}

/// The kind with this number, if this program knows it.
pub(crate) fn kind_of(kind: u16) -> Option<EventKind> {
    ledger::codec::kind_of(kind).ok()
}

/// Whether records of this kind erase others.
pub(crate) fn is_erasing(kind: Option<EventKind>) -> bool {
    matches!(
        kind,
        Some(EventKind::LearnerErased | EventKind::LearnerIdentityErased)
    )
}

/// The kind that must directly follow.
pub(crate) fn second_of(kind: EventKind) -> Option<EventKind> {
    match kind {
        EventKind::LearnerMerged => Some(EventKind::LearnerAbsorbed),
        EventKind::LearnersSeparated => Some(EventKind::LearnerReopened),
        EventKind::AchievementReassigned => Some(EventKind::AchievementReceived),
        _ => None,
    }
}

fn is_second(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::LearnerAbsorbed | EventKind::LearnerReopened | EventKind::AchievementReceived
    )
}

/// The kind's name as in the protobuf enumeration, without its prefix.
pub(crate) fn kind_name(kind: u16) -> String {
    kind_of(kind).map_or_else(
        || format!("unknown kind {kind}"),
        |kind| short(kind).to_owned(),
    )
}

fn short(kind: EventKind) -> &'static str {
    let name = kind.as_str_name();
    name.strip_prefix("EVENT_KIND_").unwrap_or(name)
}
