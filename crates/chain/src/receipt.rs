//! Receipts: that a leaf is in the tree of a signed checkpoint, in one text that stands alone.
//!
//! Apart from checkpoints because a receipt is what leaves the house: a learner keeps it, and anybody can
//! check it offline, for ever. Source: C2SP tlog-proof v1 (`.tlog-proof`).

use std::fmt;

use crate::checkpoint::{Checkpoint, decimal, to_base64, tree_hash};
use crate::error::ReceiptError;
use crate::note::VerifierKey;
use crate::tree::{TreeHash, verify_inclusion};

const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// A leaf's place in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the issuer of the receipt adds, in base64; nothing vouches for it.
    pub extra: Option<String>,
    /// The leaf's index: its record's position.
    pub index: u64,
    /// The inclusion proof, the leaf's sibling first.
    pub proof: Vec<TreeHash>,
    /// The signed checkpoint, as it was given.
    pub checkpoint: String,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {extra}")?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{}", to_base64(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl Receipt {
    /// Reads a receipt; nothing in it is checked.
    ///
    /// # Errors
    /// Which line is not what belongs there.
    pub fn read(text: &str) -> Result<Receipt, ReceiptError> {
        let head = ReceiptError::Head { expected: HEAD };
        let rest = text.strip_prefix(HEAD).ok_or(head.clone())?;
        let rest = rest.strip_prefix('\n').ok_or(head)?;
        let blank = ReceiptError::Line {
            line: 2,
            expected: "an index, the hashes of a proof, a blank line and a checkpoint",
        };
        let (proof, checkpoint) = rest.split_once("\n\n").ok_or(blank)?;
        let mut lines = (2..).zip(proof.split('\n')).peekable();
        let mut extra = None;
        if let Some((_, line)) = lines.peek()
            && let Some(given) = line.strip_prefix("extra ")
        {
            extra = Some(given.to_owned());
            lines.next();
        }
        let no_index = |line| ReceiptError::Line {
            line,
            expected: "`index` and a decimal number without leading zeros",
        };
        let (line, index) = lines.next().ok_or(no_index(2))?;
        let index = index.strip_prefix("index ").and_then(decimal);
        let index = index.ok_or(no_index(line))?;
        let hash = |(line, text)| {
            let expected = "base64 of a hash of 32 bytes";
            tree_hash(text).ok_or(ReceiptError::Line { line, expected })
        };
        Ok(Receipt {
            extra,
            index,
            proof: lines.map(hash).collect::<Result<_, _>>()?,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// The checkpoint, when it is signed by that key and the leaf is in its tree.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, leaf: &[u8], key: &VerifierKey) -> Result<Checkpoint, ReceiptError> {
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), key)?;
        let hash = TreeHash::of_leaf(leaf);
        let (size, root) = (checkpoint.size, &checkpoint.root);
        verify_inclusion(&hash, self.index, &self.proof, size, root)?;
        Ok(checkpoint)
    }
}
