//! Short histories of learners' accounts, written event by event.

use ledger::event::{AchievementStatus, Counterpart, LearnerRegistered, Opening};
use ledger::words::{Achievement, LearnerProfile, Origin, RecordName, Size, Text};
use ledger::{
    Account, Body, Credits, Date, Event, EventKind, Handle, InstitutionId, KeySecret, Position,
    Timestamp,
};

pub(crate) const SECRET: KeySecret = KeySecret([5; 32]);
pub(crate) const ANNA: Handle = Handle([0xA; 16]);
pub(crate) const BOB: Handle = Handle([0xB; 16]);
pub(crate) const CARA: Handle = Handle([0xC; 16]);

const DAY_US: u64 = 86_400_000_000;

/// Events on learners' chains, one a day from 2026-01-01 on.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) events: Vec<(Position, Timestamp, Event)>,
}

impl History {
    pub(crate) fn push(&mut self, learner: Handle, body: Body) -> &mut Self {
        let n = u64::try_from(self.events.len()).unwrap();
        let at = Timestamp((20_454 + n) * DAY_US + 9 * 3_600_000_000);
        let issuer = if body.kind() < EventKind::AchievementRecorded {
            InstitutionId::operator()
        } else {
            issuer()
        };
        let event = Event {
            submitter: issuer.clone(),
            issuer,
            learner: Some(learner),
            body,
        };
        // A gap, because other learners' events lie in between.
        self.events.push((Position(n * 10), at, event));
        self
    }

    pub(crate) fn record(&mut self, learner: Handle, achievement: Achievement) -> &mut Self {
        self.push(learner, Body::AchievementRecorded(achievement.into()))
    }

    pub(crate) fn register(&mut self, learner: Handle) -> &mut Self {
        let opening = Opening::Person(LearnerProfile::default());
        let request_id = String::new();
        self.push(
            learner,
            Body::LearnerRegistered(LearnerRegistered {
                opening,
                request_id,
            }),
        )
    }

    pub(crate) fn merge(&mut self, from: Handle, into: Handle) -> &mut Self {
        self.push(from, Body::LearnerMerged(counterpart(into, "one person")));
        self.push(into, Body::LearnerAbsorbed(counterpart(from, "one person")))
    }

    pub(crate) fn separate(&mut self, from: Handle, back: Handle) -> &mut Self {
        self.push(
            from,
            Body::LearnersSeparated(counterpart(back, "two persons")),
        );
        self.push(
            back,
            Body::LearnerReopened(counterpart(from, "two persons")),
        )
    }

    pub(crate) fn status(
        &mut self,
        learner: Handle,
        record_id: &str,
        body: fn(AchievementStatus) -> Body,
    ) -> &mut Self {
        let reason = "as the board decided".to_owned();
        self.push(
            learner,
            body(AchievementStatus {
                record_id: record_id.to_owned(),
                reason,
            }),
        )
    }

    pub(crate) fn account(&self, learner: Handle) -> Account {
        Account::fold(learner, self.events.clone(), &SECRET)
    }
}

pub(crate) fn day(text: &str) -> Date {
    ledger::codec::parse_date(text).unwrap()
}

pub(crate) fn issuer() -> InstitutionId {
    "school".parse().unwrap()
}

pub(crate) fn counterpart(learner: Handle, reason: &str) -> Counterpart {
    Counterpart {
        learner,
        reason: reason.to_owned(),
    }
}

/// A course of that many credits.
pub(crate) fn course(record_id: &str, code: &str, credits: u64) -> Achievement {
    let size = Size {
        amount: Credits::from_thousandths(credits * 1_000),
        unit: "cr".to_owned(),
    };
    Achievement {
        record_id: record_id.to_owned(),
        achievement_type: "Course".to_owned(),
        code: code.to_owned(),
        titles: vec![Text {
            value: code.to_owned(),
            language: String::new(),
        }],
        size: Some(size),
        level: None,
        field: String::new(),
        source_kind: String::new(),
        delivery: String::new(),
        origin: Origin::Earned,
        source: None,
        part_of: None,
        offering: String::new(),
        attempt: 1,
        results: Vec::new(),
        study_from: None,
        study_until: None,
        awarded: day("2025-12-01"),
        expires: None,
        tier: String::new(),
        outcomes: Vec::new(),
        evidence: Vec::new(),
        replaces: None,
    }
}

pub(crate) fn named(record_id: &str) -> RecordName {
    RecordName {
        issuer: issuer(),
        record_id: record_id.to_owned(),
    }
}
