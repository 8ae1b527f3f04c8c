//! Accounts after random histories, against a model that looks at everything anew each time.
//!
//! The model states the rules of counting as plainly as possible, in time that grows with the square of
//! the history; the account must agree with it after every event, for every learner and several days.

use std::collections::{BTreeMap, BTreeSet};

use ledger::account::{Account, Balance, HoldingState, LineKey};
use ledger::event::{
    AchievementReassigned, AchievementReceived, AchievementRecorded, AchievementStatus,
    AchievementSuperseded, LearnerErased, LearnerRegistered, Opening,
};
use ledger::words::{
    Achievement, LearnerProfile, Level, Origin, ProvisionalReference, RecordName, Size,
    StudentNumber,
};
use ledger::{Body, Credits, Date, Event, EventKind, Handle, InstitutionId, Position, Timestamp};
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert_eq, proptest};

use crate::account_history::{SECRET, counterpart, course, day, issuer, named};
use crate::sample_events::Draw;

const LEARNERS: [Handle; 4] = [
    Handle([1; 16]),
    Handle([2; 16]),
    Handle([3; 16]),
    Handle([4; 16]),
];
const N_RECORDS: u64 = 12;

/// A record as the model has it.
#[derive(Debug, Clone)]
struct Record {
    name: RecordName,
    chain: Handle,
    arrived: Position,
    versions: Vec<Achievement>,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    InForce,
    Suspended,
    Revoked,
    Away,
}

/// The truth about all learners.
#[derive(Debug, Clone, Default)]
struct Model {
    closed: BTreeSet<Handle>,
    parents: BTreeMap<Handle, Handle>,
    provisional: BTreeSet<Handle>,
    records: Vec<Record>,
    at: Timestamp,
    events: Vec<(Position, Timestamp, Event)>,
}

impl Model {
    fn resolve(&self, mut learner: Handle) -> Handle {
        while let Some(parent) = self.parents.get(&learner) {
            learner = *parent;
        }
        learner
    }

    fn push(&mut self, learner: Handle, body: Body) {
        let position = Position(u64::try_from(self.events.len()).unwrap() + 7);
        let issuer = match body.kind() >= EventKind::AchievementRecorded {
            true => issuer(),
            false => InstitutionId::operator(),
        };
        self.follow(position, learner, &body);
        let event = Event {
            submitter: issuer.clone(),
            issuer,
            learner: Some(learner),
            body,
        };
        self.events.push((position, self.at, event));
    }

    fn follow(&mut self, position: Position, learner: Handle, body: &Body) {
        match body {
            Body::LearnerRegistered(registered) => {
                if matches!(registered.opening, Opening::Provisional(_)) {
                    self.provisional.insert(learner);
                }
            }
            Body::LearnerUpdated(_) => {
                self.provisional.remove(&learner);
            }
            Body::LearnerMerged(_) => {
                self.closed.insert(learner);
            }
            Body::LearnerAbsorbed(other) => {
                self.parents.insert(other.learner, learner);
            }
            Body::LearnersSeparated(other) => {
                self.parents.remove(&other.learner);
            }
            Body::LearnerReopened(_) => {
                self.closed.remove(&learner);
            }
            Body::AchievementRecorded(AchievementRecorded {
                achievement: content,
                ..
            }) => self.records.push(Record {
                name: named(&content.record_id),
                chain: learner,
                arrived: position,
                versions: vec![Achievement::clone(content)],
                standing: Standing::InForce,
            }),
            Body::AchievementSuperseded(new) => {
                let record = self.record(&new.achievement.record_id);
                record.versions.push(Achievement::clone(&new.achievement));
            }
            Body::AchievementSuspended(status) => {
                self.record(&status.record_id).standing = Standing::Suspended;
            }
            Body::AchievementReinstated(status) => {
                self.record(&status.record_id).standing = Standing::InForce;
            }
            Body::AchievementRevoked(status) => {
                self.record(&status.record_id).standing = Standing::Revoked;
            }
            Body::AchievementReassigned(moved) => {
                self.record(&moved.record_id).standing = Standing::Away;
            }
            Body::AchievementReceived(moved) => {
                let record = self.record(&moved.achievement.record_id);
                record.chain = learner;
                record.arrived = position;
                record.versions = vec![Achievement::clone(&moved.achievement)];
                record.standing = match moved.suspended {
                    true => Standing::Suspended,
                    false => Standing::InForce,
                };
            }
            _ => {}
        }
    }

    fn record(&mut self, record_id: &str) -> &mut Record {
        self.records
            .iter_mut()
            .find(|record| record.name.record_id == record_id)
            .unwrap()
    }

    /// Some event that the rules of admission allow here, if the draw gives one.
    fn step(&mut self, draw: &mut Draw) {
        self.at = Timestamp(self.at.0 + draw.below(12) * 86_400_000_000);
        let learner = self.resolve(LEARNERS[index(draw, 4)]);
        let other = self.resolve(LEARNERS[index(draw, 4)]);
        match draw.below(16) {
            0..6 => self.record_new(draw, learner),
            6 if learner != other => {
                self.push(learner, Body::LearnerMerged(counterpart(other, "")));
                self.push(other, Body::LearnerAbsorbed(counterpart(learner, "")));
            }
            7 => {
                let child = LEARNERS[index(draw, 4)];
                if let Some(parent) = self.parents.get(&child).copied()
                    && !self.closed.contains(&parent)
                {
                    self.push(parent, Body::LearnersSeparated(counterpart(child, "")));
                    self.push(child, Body::LearnerReopened(counterpart(parent, "")));
                }
            }
            8 => self.push(learner, Body::LearnerUpdated(LearnerProfile::default())),
            _ => self.change_record(draw, other),
        }
    }

    fn record_new(&mut self, draw: &mut Draw, learner: Handle) {
        let n = self.records.len();
        if u64::try_from(n).unwrap() < N_RECORDS {
            let content = content(draw, &format!("r{n}"), self.at.date());
            self.push(learner, Body::AchievementRecorded(content.into()));
        }
    }

    fn change_record(&mut self, draw: &mut Draw, other: Handle) {
        if self.records.is_empty() {
            return;
        }
        let n = u64::try_from(self.records.len()).unwrap();
        let record = self.records[index(draw, n)].clone();
        let record_id = record.name.record_id.clone();
        let learner = self.resolve(record.chain);
        let status = AchievementStatus {
            record_id: record_id.clone(),
            reason: String::new(),
        };
        match (draw.below(6), record.standing) {
            (_, Standing::Revoked) => {}
            (0 | 1, _) => {
                let achievement = content(draw, &record_id, self.at.date());
                let reason = "reason".to_owned();
                let new = AchievementSuperseded {
                    achievement: achievement.into(),
                    reason,
                    signature: None,
                };
                self.push(learner, Body::AchievementSuperseded(new));
            }
            (2 | 3, Standing::InForce) => self.push(learner, Body::AchievementSuspended(status)),
            (2 | 3, _) => self.push(learner, Body::AchievementReinstated(status)),
            (4, _) => self.push(learner, Body::AchievementRevoked(status)),
            _ if learner != other => {
                let suspended = record.standing == Standing::Suspended;
                let achievement = record.versions.last().unwrap().clone();
                let moved = AchievementReassigned {
                    record_id,
                    to: other,
                    reason: String::new(),
                };
                self.push(learner, Body::AchievementReassigned(moved));
                let moved = AchievementReceived {
                    achievement: achievement.into(),
                    from: learner,
                    suspended,
                    signature: None,
                };
                self.push(other, Body::AchievementReceived(moved));
            }
            _ => {}
        }
    }

    fn held_by(&self, learner: Handle) -> Vec<&Record> {
        let reaches = |mut chain: Handle| loop {
            if chain == learner {
                return true;
            }
            match self.parents.get(&chain) {
                Some(parent) => chain = *parent,
                None => return false,
            }
        };
        let with = |record: &&Record| record.standing != Standing::Away && reaches(record.chain);
        let open = !self.closed.contains(&learner);
        self.records.iter().filter(with).filter(|_| open).collect()
    }

    fn balance(&self, learner: Handle, on: Date) -> Balance {
        let held = self.held_by(learner);
        let mut balance = Balance::default();
        for record in &held {
            let (current, earlier) = record.versions.split_last().unwrap();
            let state = self.state(learner, &held, record, on);
            for version in earlier {
                add(&mut balance, version, HoldingState::Superseded);
            }
            add(&mut balance, current, state);
            if let (HoldingState::Recorded, Some(size)) = (state, &current.size) {
                let total = balance.totals.entry(size.unit.clone()).or_default();
                total.count += 1;
                total.amount = total.amount.checked_add(size.amount).unwrap();
            }
        }
        balance
    }

    fn state(&self, learner: Handle, held: &[&Record], record: &Record, on: Date) -> HoldingState {
        let content = record.versions.last().unwrap();
        if self.provisional.contains(&learner) {
            HoldingState::Pending
        } else if record.standing == Standing::Revoked {
            HoldingState::Revoked
        } else if record.standing == Standing::Suspended {
            HoldingState::Suspended
        } else if content.expires.is_some_and(|last| last < on) {
            HoldingState::Expired
        } else if !content.origin.is_deposit() || is_stood_for(held, record) {
            HoldingState::NoDeposit
        } else if held.iter().any(|other| same_result(other, record)) {
            HoldingState::Duplicate
        } else {
            HoldingState::Recorded
        }
    }
}

fn is_stood_for(held: &[&Record], record: &Record) -> bool {
    let mut current = record;
    for _ in held {
        let Some(whole) = &current.versions.last().unwrap().part_of else {
            return false;
        };
        let Some(found) = held.iter().find(|other| other.name == *whole) else {
            return false;
        };
        current = found;
        let size = &current.versions.last().unwrap().size;
        let sized = size
            .as_ref()
            .is_some_and(|size| size.amount > Credits::ZERO);
        if sized && current.standing == Standing::InForce {
            return true;
        }
    }
    false
}

fn same_result(earlier: &Record, record: &Record) -> bool {
    let (a, b) = (
        earlier.versions.last().unwrap(),
        record.versions.last().unwrap(),
    );
    earlier.arrived < record.arrived
        && earlier.standing != Standing::Revoked
        && !b.code.is_empty()
        && (&a.achievement_type, &a.code, &a.offering, a.attempt)
            == (&b.achievement_type, &b.code, &b.offering, b.attempt)
}

fn add(balance: &mut Balance, content: &Achievement, state: HoldingState) {
    let key = LineKey {
        unit: content
            .size
            .as_ref()
            .map_or_else(String::new, |size| size.unit.clone()),
        level: content.level.clone(),
        field: content.field.clone(),
        state,
    };
    let line = balance.lines.entry(key).or_default();
    line.count += 1;
    let amount = content
        .size
        .as_ref()
        .map_or(Credits::ZERO, |size| size.amount);
    line.amount = line.amount.checked_add(amount).unwrap();
}

fn index(draw: &mut Draw, n: u64) -> usize {
    usize::try_from(draw.below(n)).unwrap()
}

fn content(draw: &mut Draw, record_id: &str, today: Date) -> Achievement {
    let code = ["A", "A", "B", ""][index(draw, 4)];
    let unit = ["cr", "h"][index(draw, 2)].to_owned();
    let thousandths = [3_000, 500, 0, 40_000][index(draw, 4)];
    let size = Size {
        amount: Credits::from_thousandths(thousandths),
        unit,
    };
    let days = chrono::Days::new(draw.below(40));
    let level = Level {
        framework: "eqf".to_owned(),
        code: draw.below(2).to_string(),
    };
    let whole = format!("r{}", draw.below(N_RECORDS));
    Achievement {
        size: (draw.below(5) > 0).then_some(size),
        level: (draw.below(2) > 0).then_some(level),
        field: ["", "0613"][index(draw, 2)].to_owned(),
        origin: if draw.below(6) == 5 {
            Origin::Exempted
        } else {
            Origin::Earned
        },
        part_of: (draw.below(3) == 2 && whole != record_id).then(|| named(&whole)),
        expires: (draw.below(3) == 2).then(|| today.checked_add_days(days).unwrap()),
        attempt: u32::try_from(draw.below(2)).unwrap() + 1,
        ..course(record_id, code, 0)
    }
}

fn histories() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..1_800)
}

/// All accounts are opened, some of them provisionally.
fn opened(draw: &mut Draw) -> Model {
    let mut model = Model {
        at: Timestamp(20_454 * 86_400_000_000),
        ..Model::default()
    };
    for learner in LEARNERS {
        let student = StudentNumber {
            institution: issuer(),
            number: String::new(),
        };
        let opening = match draw.below(5) {
            4 => Opening::Provisional(ProvisionalReference::Student(student)),
            _ => Opening::Person(LearnerProfile::default()),
        };
        let request_id = String::new();
        model.push(
            learner,
            Body::LearnerRegistered(LearnerRegistered {
                opening,
                request_id,
            }),
        );
    }
    model
}

/// Invariant: the last balance of each unit in the statement is the unit's total.
fn statement_ends_with_the_balance(account: &Account, today: Date) {
    let statement = account.statement(today);
    assert!(
        statement.is_sorted_by_key(|entry| entry.at),
        "{statement:?}"
    );
    let mut last = BTreeMap::new();
    for entry in &statement {
        let (before, now) = (last.get(&entry.unit).copied(), entry.balance);
        let (less, more) = (
            entry.amount_out.unwrap_or_default(),
            entry.amount_in.unwrap_or_default(),
        );
        let expected = before.unwrap_or(Credits::ZERO).checked_sub(less).unwrap();
        assert_eq!(
            now.unwrap_or_default(),
            expected.checked_add(more).unwrap(),
            "{entry:?}"
        );
        last.insert(entry.unit.clone(), now.unwrap_or_default());
    }
    let amounts = |unit: &String, last: &BTreeMap<String, Credits>| {
        last.get(unit).copied().unwrap_or_default()
    };
    let totals: BTreeMap<String, Credits> = account
        .balance(today)
        .totals
        .into_iter()
        .map(|(unit, sum)| (unit, sum.amount))
        .collect();
    for unit in totals.keys().chain(last.keys()) {
        assert_eq!(
            amounts(unit, &last),
            amounts(unit, &totals),
            "{unit}: {statement:#?}"
        );
    }
}

/// Invariant: every version of every holding is in exactly one line.
fn amounts_are_conserved(account: &Account, today: Date) {
    let mut held: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for version in account.holdings().flat_map(|held| held.versions()) {
        let size = version
            .achievement
            .as_ref()
            .and_then(|content| content.size.as_ref());
        let unit = size.map_or("", |size| &size.unit).to_owned();
        let (count, amount) = held.entry(unit).or_default();
        *count += 1;
        *amount += size.map_or(0, |size| size.amount.thousandths());
    }
    let mut lines: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (key, sum) in account.balance(today).lines {
        let (count, amount) = lines.entry(key.unit).or_default();
        *count += sum.count;
        *amount += sum.amount.thousandths();
    }
    assert_eq!(lines, held);
}

/// Fewer cases than usual, because each checks every account after every event.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases / 4,
        ..usual
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_account_agrees_with_the_model_after_every_event(bytes in histories()) {
        let mut draw = Draw::new(bytes);
        let mut model = opened(&mut draw);
        let mut accounts = LEARNERS.map(|learner| Account::new(learner, &SECRET));
        let mut n_applied = 0;
        for _ in 0..40 {
            // One step can be two events; in between, the model has gone on already.
            for (position, at, event) in &model.events[n_applied..] {
                accounts.iter_mut().for_each(|account| account.apply(*position, *at, event));
            }
            n_applied = model.events.len();
            for account in &accounts {
                let today = model.at.date();
                for today in [today, today + chrono::Days::new(9), day("2027-12-31")] {
                    let balance = account.balance(today);
                    prop_assert_eq!(&balance, &model.balance(account.learner(), today));
                    statement_ends_with_the_balance(account, today);
                    amounts_are_conserved(account, today);
                }
            }
            model.step(&mut draw);
        }
    }

    /// Also in between two events of a pair, and for a day before the last event.
    #[test]
    fn every_beginning_of_a_history_gives_a_statement_that_adds_up(
        bytes in histories(),
        erased in 0_usize..4,
    ) {
        let mut draw = Draw::new(bytes);
        let mut model = opened(&mut draw);
        (0..40).for_each(|_| model.step(&mut draw));
        let learner = model.resolve(LEARNERS[erased]);
        let erasure = Body::LearnerErased(LearnerErased { suppressed: Vec::new() });
        let covered = Account::fold(learner, model.events.clone(), &SECRET)
            .covered_by(EventKind::LearnerErased);
        model.push(learner, erasure);
        let mut accounts = LEARNERS.map(|learner| Account::new(learner, &SECRET));
        for (position, at, event) in &model.events {
            for account in &mut accounts {
                account.apply(*position, *at, event);
                for today in [day("2026-02-01"), at.date(), day("2027-12-31")] {
                    statement_ends_with_the_balance(account, today);
                }
            }
        }
        for (position, kind) in covered {
            let found = model.events.iter_mut().find(|(at, _, _)| *at == position);
            found.unwrap().2.body = Body::Erased(kind);
        }
        for learner_of in LEARNERS {
            let account = Account::fold(learner_of, model.events.clone(), &SECRET);
            statement_ends_with_the_balance(&account, day("2027-12-31"));
            if learner_of == learner {
                prop_assert_eq!(account.record_names().count(), 0);
                prop_assert_eq!(account.balance(day("2027-12-31")).totals.len(), 0);
                prop_assert_eq!(account.covered_by(EventKind::LearnerErased), vec![]);
            }
        }
    }
}

/// Slow only if something looks at everything on each event.
#[test]
fn ten_thousand_records_with_a_merge() {
    let [anna, bob, ..] = LEARNERS;
    let mut model = Model::default();
    let push = |model: &mut Model, learner, body| {
        let position = Position(u64::try_from(model.events.len()).unwrap());
        let event = Event {
            issuer: issuer(),
            submitter: issuer(),
            learner: Some(learner),
            body,
        };
        model
            .events
            .push((position, Timestamp(20_454 * 86_400_000_000), event));
    };
    for n in 0..5_000 {
        // Each result is held by both; every second of Anna's is part of the one before, in chains.
        for (learner, who) in [(anna, "a"), (bob, "b")] {
            let part_of = (n % 100 > 0 && who == "a").then(|| named(&format!("a{}", n - 1)));
            let achievement = course(&format!("{who}{n}"), &format!("C{n}"), 3);
            let achievement = Achievement {
                part_of,
                ..achievement
            };
            push(
                &mut model,
                learner,
                Body::AchievementRecorded(achievement.into()),
            );
        }
    }
    push(&mut model, bob, Body::LearnerMerged(counterpart(anna, "")));
    push(
        &mut model,
        anna,
        Body::LearnerAbsorbed(counterpart(bob, "")),
    );
    let account = Account::fold(anna, model.events.clone(), &SECRET);
    let today = day("2026-06-30");
    let total = account.balance(today).totals["cr"];
    // Of each result the first counts, which is Anna's; of each chain only its whole.
    assert_eq!(
        (total.count, total.amount),
        (50, Credits::from_thousandths(150_000))
    );
    statement_ends_with_the_balance(&account, today);
    for (unit, line) in account.balance(today).lines {
        let expected = match unit.state {
            HoldingState::Recorded => 50,
            HoldingState::NoDeposit => 4_950,
            HoldingState::Duplicate => 5_000,
            state => panic!("nothing is {state:?}"),
        };
        assert_eq!(line.count, expected);
    }
}
