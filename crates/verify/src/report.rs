//! The report: what was verified, what is wrong, and what could not be judged.
//!
//! Apart from the checks because people read it and programs parse it. It is a function of the ledger
//! alone: neither the time it took nor the memory it was given changes a byte of it.

use std::fmt;

use ledger::EventKind;
use serde::Serialize;

use crate::finding::{FINDINGS_MAX, Finding};

/// How many of each there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records.
    pub records: u64,
    /// Records of the ledger's own family.
    pub ledger: u64,
    /// Records about institutions and the published vocabulary.
    pub registry: u64,
    /// Records about learners' accounts and identities.
    pub learner: u64,
    /// Records about achievements.
    pub achievement: u64,
    /// Records of kinds that this program does not know.
    pub unknown: u64,
    /// Records that cannot be read; not among the others.
    pub unreadable: u64,
    /// Learners' accounts ever opened.
    pub learners: u64,
    /// Institutions ever registered.
    pub institutions: u64,
    /// Bodies erased legally.
    pub erased_bodies: u64,
    /// Blocks with records.
    pub blocks: u64,
    /// Head marks.
    pub head_marks: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of all segments, their unused part included.
    pub bytes: u64,
}

impl Counts {
    pub(crate) fn count(&mut self, kind: Option<EventKind>) {
        self.records += 1;
        let Some(kind) = kind else {
            self.unknown += 1;
            return;
        };
        match kind {
            EventKind::LearnerRegistered => self.learners += 1,
            EventKind::InstitutionRegistered => self.institutions += 1,
            _ => {}
        }
        let from = |kind| ledger::codec::number_of(kind);
        let number = from(kind);
        // The numbers of a family are neighbours, see `EventKind`.
        let family = if number >= from(EventKind::AchievementRecorded) {
            &mut self.achievement
        } else if number >= from(EventKind::LearnerRegistered) {
            &mut self.learner
        } else if number >= from(EventKind::InstitutionRegistered) {
            &mut self.registry
        } else {
            &mut self.ledger
        };
        *family += 1;
    }
}

/// What became of the records when they were admitted again. Every record is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Admissions {
    /// The rules admit them.
    pub admitted: u64,
    /// The rules refuse them: findings.
    pub refused: u64,
    /// Their body is erased, so they cannot be judged.
    pub erased: u64,
    /// What they rest on is erased or damaged, so they cannot be judged.
    pub resting_on_erased: u64,
    /// Their body is damaged or misplaced: findings too.
    pub damaged: u64,
    /// They come after the point where re-admission had to stop.
    pub after_stop: u64,
}

impl Admissions {
    pub(crate) fn add(&mut self, other: Admissions) {
        self.admitted += other.admitted;
        self.refused += other.refused;
        self.erased += other.erased;
        self.resting_on_erased += other.resting_on_erased;
        self.damaged += other.damaged;
        self.after_stop += other.after_stop;
    }
}

/// Records that bring their issuer's signature; of erased ones nobody can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Signatures {
    /// How many do.
    pub signed: u64,
    /// How many of the signatures are genuine: made with the key that the issuer registered, over the
    /// statement that lies beside the content. Whether the statement says what was recorded, and on which
    /// day the key signs, the rules judge.
    pub genuine: u64,
}

impl Signatures {
    pub(crate) fn count(&mut self, genuine: bool) {
        self.signed += 1;
        self.genuine += u64::from(genuine);
    }

    pub(crate) fn add(&mut self, other: Signatures) {
        self.signed += other.signed;
        self.genuine += other.genuine;
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether there is no finding.
    pub clean: bool,
    /// The head as `SIZE:HASH`: what to keep elsewhere and compare next time.
    pub head: String,
    /// The head it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_head: Option<String>,
    /// How many of each there are.
    pub counts: Counts,
    /// Whether only hashes were checked. Then nothing is said of what bodies say, whether the rules admit it,
    /// and issuers' signatures.
    pub hashes_only: bool,
    /// What became of the records when they were admitted again.
    pub admissions: Admissions,
    /// Issuers' signatures.
    pub signatures: Signatures,
    /// How many findings there are.
    pub findings_total: u64,
    /// The first of them, in order of position.
    pub findings: Vec<Finding>,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verdict(f)?;
        self.summary(f)?;
        if self.hashes_only {
            f.write_str(
                "checked       bytes of the log, the ledger's chain, learners' chains, bodies against their \
                 commitments, erasures\n\
                 not checked   what bodies say, the rules of admission, issuers' signatures\n",
            )?;
        } else {
            self.admitted(f)?;
        }
        if !self.notes.is_empty() {
            f.write_str("notes\n")?;
            self.notes
                .iter()
                .try_for_each(|note| writeln!(f, "  {note}"))?;
        }
        self.other_findings(f)
    }
}

impl Report {
    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.findings.first() else {
            return f.write_str(if self.hashes_only {
                "CLEAN as far as hashes go: each is what it must be; what bodies say was not asked\n\n"
            } else {
                "CLEAN: everything that can be checked is as it must be\n\n"
            });
        };
        let findings = match self.findings_total {
            1 => "1 finding".to_owned(),
            n => format!("{} findings, the first", grouped(n)),
        };
        writeln!(f, "NOT CLEAN: {findings} {first}\n")
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.counts;
        let n = grouped;
        writeln!(f, "head          {}", self.head)?;
        if let Some(expected) = &self.expected_head {
            writeln!(f, "expected      {expected}")?;
        }
        let families = [
            ("ledger", c.ledger),
            ("registry", c.registry),
            ("learner", c.learner),
            ("achievement", c.achievement),
            ("unknown", c.unknown),
        ];
        let families: Vec<String> = families
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(family, count)| format!("{family} {}", n(*count)))
            .collect();
        writeln!(
            f,
            "records       {} ({})",
            n(c.records),
            families.join(", ")
        )?;
        if c.unreadable > 0 {
            writeln!(
                f,
                "              and {} that cannot be read",
                n(c.unreadable)
            )?;
        }
        writeln!(f, "institutions  {}", n(c.institutions))?;
        writeln!(f, "learners      {}", n(c.learners))?;
        writeln!(f, "erased bodies {}", n(c.erased_bodies))?;
        let (blocks, marks, segments) = (n(c.blocks), n(c.head_marks), n(c.segments));
        writeln!(
            f,
            "on disk       {} bytes; segments {segments}, blocks {blocks}, head marks {marks}",
            n(c.bytes)
        )
    }

    fn admitted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a = &self.admissions;
        writeln!(
            f,
            "re-admitted   {} of {}",
            grouped(a.admitted),
            grouped(self.counts.records)
        )?;
        let others = [
            (a.refused, "refused by the rules"),
            (a.erased, "not judged: erased"),
            (
                a.resting_on_erased,
                "not judged: what they rest on is erased or damaged",
            ),
            (a.damaged, "not judged: damaged"),
            (
                a.after_stop,
                "not judged: after the point where re-admission had to stop",
            ),
        ];
        for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "              {} {what}", grouped(*count))?;
        }
        let Signatures { signed, genuine } = self.signatures;
        let of_them = match genuine {
            _ if signed == 0 => "none".to_owned(),
            all if all == signed => format!("{}, all genuine", grouped(signed)),
            some => format!("{}, {} of them genuine", grouped(signed), grouped(some)),
        };
        writeln!(f, "issuer-signed {of_them}")
    }

    fn other_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(others) = self.findings.get(1..).filter(|others| !others.is_empty()) else {
            return Ok(());
        };
        f.write_str("other findings\n")?;
        others
            .iter()
            .try_for_each(|finding| writeln!(f, "{finding}"))?;
        let max = u64::try_from(FINDINGS_MAX).unwrap_or(u64::MAX);
        match self.findings_total.checked_sub(max) {
            Some(more) if more > 0 => writeln!(f, "and {} more", grouped(more)),
            _ => Ok(()),
        }
    }
}

/// Digits in groups of three: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
