//! Logs for the tests: events encoded, chained and appended to a store in memory, and views on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chain::{BlockBuilder, Head, Institution, LearnerTip, Position, Record, Salt};
use ledger::event::{
    AchievementReassigned, AchievementReceived, AchievementStatus, AchievementSuperseded,
    Counterpart, LearnerErased, LearnerRegistered, Opening,
};
use ledger::words::{
    Achievement, LearnerProfile, Level, Origin, ProvisionalReference, Size, StudentNumber, Text,
};
use ledger::{Body, Credits, Date, Event, Handle, KeySecret, codec};
use store::contract::block_on;
use store::{EventStore, Key, Keys, MemoryStore};
use views::{Opened, Options, Search, Views, ViewsFault};

/// Occurs in every text about a person; no view may hold it.
pub(crate) const MARKER: &str = "Qwertzuiop";

pub(crate) const SECRET: KeySecret = KeySecret([7; 32]);

pub(crate) const LEDGER: [u8; 16] = [1; 16];

/// The ledger's keys, without a record that holds the secret.
struct SecretKeys;

impl Keys for SecretKeys {
    fn keys_of(&self, record: &Record) -> Vec<Key> {
        let keys = ledger::keys_of(&SECRET, &event(record));
        keys.into_iter().map(|key| Key(key.0)).collect()
    }
}

/// The event of a record.
pub(crate) fn event(record: &Record) -> Event {
    let leaf = &record.leaf;
    let (issuer, submitter) = (leaf.issuer.as_str(), leaf.submitter.as_str());
    let of = leaf.learner.map(|link| Handle(link.handle.0));
    let event = match record.is_erased() {
        true => codec::erased(leaf.kind, issuer, submitter, of),
        false => codec::decode(leaf.kind, issuer, submitter, of, &record.body),
    };
    event.unwrap()
}

/// A log that grows.
pub(crate) struct Log {
    pub(crate) store: Arc<MemoryStore>,
    head: Head,
    tips: BTreeMap<Handle, LearnerTip>,
    /// Positions and kinds by learner, as the test knows them.
    pub(crate) chains: BTreeMap<Handle, Vec<Position>>,
}

impl Log {
    pub(crate) fn new() -> Log {
        Log {
            store: Arc::new(MemoryStore::new(Arc::new(SecretKeys))),
            head: Head::default(),
            tips: BTreeMap::new(),
            chains: BTreeMap::new(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.head.size
    }

    /// Appends events as one block; gives their positions.
    pub(crate) fn append(&mut self, events: Vec<(&str, Handle, Body)>) -> Vec<Position> {
        let at = chain::Timestamp(1_000_000 * (1 + self.head.size));
        let mut block = BlockBuilder::new(self.head, at);
        let mut positions = Vec::new();
        for (issuer, handle, body) in events {
            let issuer: Institution = issuer.parse().unwrap();
            let kind = codec::number_of(body.kind());
            let learner = Some((chain::Handle(handle.0), self.tips.get(&handle).copied()));
            let salt = Salt([9; 32]);
            let pushed = block
                .push(kind, issuer, issuer, learner, salt, codec::encode(&body))
                .unwrap();
            self.tips.insert(handle, pushed.tip.unwrap());
            self.chains.entry(handle).or_default().push(pushed.position);
            positions.push(pushed.position);
        }
        self.head = block_on(self.store.append(self.head, block.finish())).unwrap();
        positions
    }

    pub(crate) fn one(&mut self, issuer: &str, handle: Handle, body: Body) -> Position {
        self.append(vec![(issuer, handle, body)])[0]
    }

    pub(crate) fn register(&mut self, handle: Handle) -> Position {
        self.one("", handle, person())
    }

    pub(crate) fn provisional(&mut self, handle: Handle) -> Position {
        self.one("", handle, provisional())
    }

    pub(crate) fn record(&mut self, issuer: &str, handle: Handle, id: &str) -> Position {
        self.one(
            issuer,
            handle,
            Body::AchievementRecorded(achievement(id).into()),
        )
    }

    pub(crate) fn revoke(&mut self, issuer: &str, handle: Handle, id: &str) -> Position {
        self.one(issuer, handle, Body::AchievementRevoked(status(id)))
    }

    pub(crate) fn merge(&mut self, account: Handle, into: Handle) {
        self.append(vec![
            ("", account, Body::LearnerMerged(counterpart(into))),
            ("", into, Body::LearnerAbsorbed(counterpart(account))),
        ]);
    }

    pub(crate) fn separate(&mut self, account: Handle, from: Handle) {
        self.append(vec![
            ("", from, Body::LearnersSeparated(counterpart(account))),
            ("", account, Body::LearnerReopened(counterpart(from))),
        ]);
    }

    pub(crate) fn reassign(&mut self, issuer: &str, id: &str, from: Handle, to: Handle) {
        let record_id = record_id(id);
        let reason = MARKER.to_owned();
        let achievement = achievement(id);
        let suspended = false;
        let left = AchievementReassigned {
            record_id,
            to,
            reason,
        };
        let came = AchievementReceived {
            signature: None,
            achievement: achievement.into(),
            from,
            suspended,
        };
        self.append(vec![
            (issuer, from, Body::AchievementReassigned(left)),
            (issuer, to, Body::AchievementReceived(came)),
        ]);
    }

    /// Appends an erasure and wipes what it covers on these chains.
    pub(crate) fn erase(&mut self, handle: Handle, chains: &[Handle], body: Body) {
        let erasure = body.kind();
        let through = self.one("", handle, body);
        let of_chains = chains.iter().filter_map(|chain| self.chains.get(chain));
        let positions: Vec<Position> = of_chains.flatten().copied().collect();
        let records = block_on(self.store.get(&positions)).unwrap();
        let covered = records.iter().filter(|record| {
            let kind = codec::kind_of(record.leaf.kind).unwrap();
            record.leaf.position < through && ledger::event::erasure_covers(erasure, kind)
        });
        let covered: Vec<Position> = covered.map(|record| record.leaf.position).collect();
        block_on(self.store.erase(&covered, through)).unwrap();
    }

    pub(crate) fn records(&self, from: u64) -> Vec<Record> {
        block_on(self.store.read(Position(from), u64::MAX)).unwrap()
    }

    pub(crate) fn apply(&self, views: &Views, records: &[Record]) -> Result<(), ViewsFault> {
        block_on(views.apply(&*self.store, records))
    }

    /// Brings views up to date.
    pub(crate) fn apply_to(&self, views: &Views) {
        self.apply(views, &self.records(views.applied())).unwrap();
        assert_eq!(views.applied(), self.size());
    }
}

pub(crate) fn handle(number: u8) -> Handle {
    Handle([number; 16])
}

pub(crate) fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub(crate) fn text(value: &str) -> Text {
    Text {
        value: format!("{MARKER} {value}"),
        language: "en".to_owned(),
    }
}

pub(crate) fn record_id(id: &str) -> String {
    format!("{MARKER}-{id}")
}

pub(crate) fn achievement(id: &str) -> Achievement {
    Achievement {
        record_id: record_id(id),
        achievement_type: "Course".to_owned(),
        code: format!("{MARKER}-{id}"),
        titles: vec![text("title")],
        size: Some(Size {
            amount: Credits::from_thousandths(2_500),
            unit: "credit".to_owned(),
        }),
        level: Some(Level {
            framework: "eqf".to_owned(),
            code: "5".to_owned(),
        }),
        field: "0613".to_owned(),
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
        awarded: day("2024-06-01"),
        expires: None,
        tier: String::new(),
        outcomes: Vec::new(),
        evidence: Vec::new(),
        replaces: None,
    }
}

pub(crate) fn status(id: &str) -> AchievementStatus {
    AchievementStatus {
        record_id: record_id(id),
        reason: MARKER.to_owned(),
    }
}

pub(crate) fn superseded(achievement: Achievement) -> Body {
    let reason = MARKER.to_owned();
    Body::AchievementSuperseded(AchievementSuperseded {
        signature: None,
        achievement: achievement.into(),
        reason,
    })
}

fn counterpart(learner: Handle) -> Counterpart {
    Counterpart {
        learner,
        reason: MARKER.to_owned(),
    }
}

pub(crate) fn profile() -> LearnerProfile {
    LearnerProfile {
        names: vec![text("name")],
        ..LearnerProfile::default()
    }
}

pub(crate) fn person() -> Body {
    let opening = Opening::Person(profile());
    Body::LearnerRegistered(LearnerRegistered {
        opening,
        request_id: String::new(),
    })
}

pub(crate) fn provisional() -> Body {
    let institution = "uni-a".parse().unwrap();
    let number = MARKER.to_owned();
    let reference = ProvisionalReference::Student(StudentNumber {
        institution,
        number,
    });
    let opening = Opening::Provisional(reference);
    Body::LearnerRegistered(LearnerRegistered {
        opening,
        request_id: String::new(),
    })
}

pub(crate) fn erased() -> Body {
    Body::LearnerErased(LearnerErased {
        suppressed: Vec::new(),
    })
}

/// Options that write into sled often and never ask the machine.
pub(crate) fn options() -> Options {
    Options {
        buffer_entries: 40,
        boot_id: Some("boot 1".to_owned()),
        ..Options::default()
    }
}

pub(crate) fn open(dir: &Path) -> (Views, Opened) {
    Views::open(dir, LEDGER, SECRET, options()).unwrap()
}

/// With another bound on what waits in memory.
pub(crate) fn open_with(dir: &Path, buffer_entries: usize) -> Views {
    let options = Options {
        buffer_entries,
        ..options()
    };
    Views::open(dir, LEDGER, SECRET, options).unwrap().0
}

/// New views in a directory of their own, which goes with the second value.
pub(crate) fn scratch() -> (Views, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (open(dir.path()).0, dir)
}

/// Positions of an account's history as of now.
pub(crate) fn history(log: &Log, views: &Views, handle: Handle) -> Vec<u64> {
    let history = block_on(views.history(&*log.store, handle, log.size())).unwrap();
    let positions = history.records.iter();
    positions
        .map(|(record, _)| record.leaf.position.0)
        .collect()
}

/// All that an issuer recorded.
pub(crate) fn all_of(issuer: &str) -> Search<'_> {
    Search {
        issuer,
        code: None,
        awarded_from: None,
        awarded_until: None,
        suspended_or_revoked: false,
    }
}

/// Everything that a search finds among the first `size` records, asked for `limit` at a time.
pub(crate) fn found(views: &Views, search: &Search<'_>, size: u64, limit: usize) -> Vec<Position> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = views.search(search, after, size, limit).unwrap();
        assert!(page.positions.len() <= limit);
        found.extend(page.positions);
        assert!(page.until.is_none() || page.until > after, "it gets on");
        after = page.until;
        if after.is_none() {
            return found;
        }
    }
}

pub(crate) fn issued(views: &Views, issuer: &str) -> Vec<u64> {
    let found = found(views, &all_of(issuer), u64::MAX, 1_000);
    found.into_iter().map(|position| position.0).collect()
}

pub(crate) fn pending_at(views: &Views, size: u64, limit: usize) -> Vec<Handle> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, until) = views.pending(after, limit, size).unwrap();
        found.extend(page.into_iter().map(|(_, handle)| handle));
        after = until;
        if after.is_none() {
            return found;
        }
    }
}

pub(crate) fn pending(views: &Views) -> Vec<Handle> {
    pending_at(views, u64::MAX, 1_000)
}
