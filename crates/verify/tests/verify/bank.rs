//! A small ledger made the way a server makes one: decided, applied, encoded and put into blocks.
//!
//! Everything random is drawn from counters, so that every run makes the same bytes. What a server would
//! refuse can be forced, with all hashes made right: that is what a dishonest operator would do.

use std::collections::BTreeMap;

use chain::{Block, BlockBuilder, Head, Institution, LearnerTip, Salt};
use ledger::event::LedgerOpened;
use ledger::words::{
    Achievement, CodeList, CreditUnit, Document, DocumentIdentity, Framework, InstitutionProfile,
    LearnerProfile, LearnerReference, Origin, RecordName, Scope, Size, StudentNumber, Text,
    UnitKind,
};
use ledger::{
    Action, Actor, Body, Command, Credits, Date, Decision, Event, Handle, InstitutionId, Key,
    Revision, State, Timestamp, carry_out, codec,
};

/// 2026-11-21T00:00:00Z.
pub(crate) const START_US: u64 = 1_795_219_200_000_000;

/// A ledger in the making: one block for each group of commands.
#[derive(Clone)]
pub(crate) struct Bank {
    pub(crate) state: State,
    pub(crate) blocks: Vec<Block>,
    pub(crate) at: u64,
    tips: BTreeMap<Handle, LearnerTip>,
    salts: u64,
}

pub(crate) fn handle(n: u8) -> Handle {
    Handle([n; 16])
}

pub(crate) fn id(text: &str) -> InstitutionId {
    text.parse().unwrap()
}

pub(crate) fn by(text: &str) -> Actor {
    if text.is_empty() {
        Actor::Operator
    } else {
        Actor::Institution(id(text))
    }
}

pub(crate) fn text(value: &str) -> Text {
    Text {
        value: value.to_owned(),
        language: "en".to_owned(),
    }
}

impl Bank {
    pub(crate) fn empty() -> Bank {
        Bank {
            state: State::new(),
            blocks: Vec::new(),
            at: START_US,
            tips: BTreeMap::new(),
            salts: 0,
        }
    }

    /// Opened, with two institutions and a small vocabulary: positions 0 to 6.
    pub(crate) fn opened() -> Bank {
        let mut bank = Bank::empty();
        bank.act("", Action::OpenLedger(opening()));
        bank.group(&[
            ("", Action::PublishFramework(framework())),
            ("", Action::PublishCreditUnit(unit())),
            (
                "",
                Action::PublishCodeList(codes("isced-f-2013", "0613", "Software")),
            ),
            (
                "",
                Action::PublishCodeList(codes("source-kind", "course", "Accredited course")),
            ),
            ("", Action::RegisterInstitution(institution("uni"))),
            ("", Action::RegisterInstitution(institution("college"))),
        ]);
        bank
    }

    /// The ledger that most tests damage: 22 records in 8 blocks, of every family, with a merge, a
    /// provisional account and a reassignment.
    pub(crate) fn sample() -> Bank {
        let mut bank = Bank::opened();
        bank.group(&[
            ("uni", register(1, &[("uni", "S1")])),
            ("uni", register(2, &[("uni", "S2")])),
        ]);
        bank.group(&[
            ("uni", submit("uni", "r1", "CS-1", student("uni", "S1"), 90)),
            ("uni", submit("uni", "r2", "CS-2", student("uni", "S1"), 90)),
            ("uni", submit("uni", "r3", "CS-3", student("uni", "S2"), 90)),
        ]);
        let (name, reason) = (record("uni", "r2"), "appeal".to_owned());
        bank.group(&[
            ("uni", supersede("r1", "CS-1", "B")),
            ("uni", Action::Suspend { name, reason }),
        ]);
        // A student number that nobody has yet opens a provisional account; linking it merges.
        bank.act(
            "college",
            submit("college", "c1", "ART-1", student("college", "X9"), 3),
        );
        bank.act(
            "college",
            Action::LinkIdentity {
                learner: by_document(1),
                student: number("college", "X9"),
            },
        );
        bank.act(
            "uni",
            reassign("r3", achievement("r3", "CS-3"), 1, "wrong learner"),
        );
        bank
    }

    pub(crate) fn head(&self) -> Head {
        self.blocks.last().map_or(Head::EMPTY, Block::head)
    }

    /// One command, in a block of its own.
    pub(crate) fn act(&mut self, actor: &str, action: Action) -> Decision {
        let mut decisions = self.group(&[(actor, action)]);
        decisions.remove(0)
    }

    /// Commands in one block.
    pub(crate) fn group(&mut self, commands: &[(&str, Action)]) -> Vec<Decision> {
        let (mut events, mut decisions) = (Vec::new(), Vec::new());
        let mut state = self.state.clone();
        for (actor, action) in commands {
            let command = Command {
                actor: by(actor),
                action: action.clone(),
            };
            // What a server does before it decides.
            if let Some((issuer, signature)) = action.signature() {
                state.registry().check(issuer, signature);
            }
            let decision = carry_out(&mut state, &command, Timestamp(self.at)).unwrap();
            events.extend(decision.events.iter().map(|keyed| keyed.event().clone()));
            decisions.push(decision);
        }
        self.force(&events);
        decisions
    }

    /// Events in one block, whatever the rules say.
    pub(crate) fn force(&mut self, events: &[Event]) {
        self.force_bytes(events, |event| codec::encode(&event.body));
    }

    /// The same with other bodies.
    pub(crate) fn force_bytes(&mut self, events: &[Event], body: impl Fn(&Event) -> Vec<u8>) {
        let mut block = BlockBuilder::new(self.head(), chain::Timestamp(self.at));
        for event in events {
            let tip = event
                .learner
                .and_then(|learner| self.tips.get(&learner).copied());
            let learner = event.learner.map(|learner| (chain::Handle(learner.0), tip));
            let institution = |id: &InstitutionId| Institution::try_from(id.as_str()).unwrap();
            let (issuer, submitter) = (institution(&event.issuer), institution(&event.submitter));
            let kind = codec::number_of(event.body.kind());
            let salt = self.salt();
            let pushed = block
                .push(kind, issuer, submitter, learner, salt, body(event))
                .unwrap();
            if let (Some(learner), Some(tip)) = (event.learner, pushed.tip) {
                self.tips.insert(learner, tip);
            }
            self.state.apply(event);
        }
        self.blocks.push(block.finish());
        self.at += 1_000_000;
    }

    /// The next record of this learner pretends to follow that one.
    pub(crate) fn set_tip(&mut self, learner: Handle, change: impl Fn(&mut LearnerTip)) {
        change(self.tips.get_mut(&learner).unwrap());
    }

    pub(crate) fn tip_revision(&self, learner: Handle) -> Revision {
        self.state.learner(learner).unwrap().unwrap().revision
    }

    /// Erases a learner: the event, then the bodies.
    pub(crate) fn erase_learner(&mut self, learner: Handle, records: &[RecordName]) {
        let secret = self.state.secret().unwrap();
        let mut suppressed: Vec<Key> = records
            .iter()
            .map(|name| secret.record_name(name))
            .collect();
        suppressed.sort();
        let expected = self.tip_revision(learner);
        self.act(
            "",
            Action::EraseLearner {
                learner,
                suppressed,
                expected,
            },
        );
    }

    /// Overwrites salt and body of a record, as a completed erasure does.
    pub(crate) fn zero(&mut self, position: u64) {
        let position = chain::Position(position);
        let erased = self.blocks.iter_mut().any(|block| block.erase(position));
        assert!(erased, "no record at {position}");
    }

    fn salt(&mut self) -> Salt {
        self.salts += 1;
        Salt(*blake3_like(self.salts))
    }
}

/// Not random, but never zero and never twice the same.
fn blake3_like(n: u64) -> Box<[u8; 32]> {
    let mut salt = Box::new([0x5a; 32]);
    salt[..8].copy_from_slice(&n.to_be_bytes());
    salt
}

pub(crate) fn opening() -> LedgerOpened {
    LedgerOpened {
        ledger_id: [7; 16],
        format_version: 1,
        rules_version: 1,
        suppression_key: [9; 32],
    }
}

pub(crate) fn event(institution: &str, learner: Option<Handle>, body: Body) -> Event {
    Event {
        issuer: id(institution),
        submitter: id(institution),
        learner,
        body,
    }
}

fn framework() -> Framework {
    Framework {
        code: "eqf".to_owned(),
        title: "European Qualifications Framework".to_owned(),
        levels: ["4", "5", "6", "7"].map(str::to_owned).to_vec(),
        source: String::new(),
    }
}

fn unit() -> CreditUnit {
    CreditUnit {
        code: "credit".to_owned(),
        title: "Credit".to_owned(),
        kind: UnitKind::Credits,
        source: String::new(),
    }
}

fn codes(list: &str, code: &str, label: &str) -> CodeList {
    CodeList {
        code: list.to_owned(),
        title: list.to_owned(),
        entries: vec![(code.to_owned(), label.to_owned())],
        source: String::new(),
    }
}

pub(crate) fn institution(name: &str) -> InstitutionProfile {
    InstitutionProfile {
        id: id(name),
        names: vec![text(name)],
        kind: "university".to_owned(),
        region: String::new(),
        parent: None,
        scopes: vec![Scope::default()],
        signatures_required: false,
    }
}

pub(crate) fn number(institution: &str, number: &str) -> StudentNumber {
    StudentNumber {
        institution: id(institution),
        number: number.to_owned(),
    }
}

pub(crate) fn student(institution: &str, text: &str) -> LearnerReference {
    LearnerReference::Student(number(institution, text))
}

pub(crate) fn by_handle(n: u8) -> LearnerReference {
    LearnerReference::Handle(handle(n))
}

/// By the document that [`profile`] gives.
pub(crate) fn by_document(n: u8) -> LearnerReference {
    let LearnerProfile {
        names,
        documents,
        birth_date,
        ..
    } = profile(n);
    LearnerReference::Document(DocumentIdentity {
        document: documents[0].clone(),
        name: names[0].value.clone(),
        birth_date: birth_date.unwrap(),
    })
}

pub(crate) fn record(institution: &str, record_id: &str) -> RecordName {
    RecordName {
        issuer: id(institution),
        record_id: record_id.to_owned(),
    }
}

pub(crate) fn profile(n: u8) -> LearnerProfile {
    let document = Document {
        kind: "passport".to_owned(),
        number: format!("P{n}"),
    };
    LearnerProfile {
        names: vec![text(&format!("Person {n}"))],
        documents: vec![document],
        birth_date: Date::from_ymd_opt(1990, 1, 1),
        region: String::new(),
    }
}

pub(crate) fn register(n: u8, students: &[(&str, &str)]) -> Action {
    Action::RegisterLearner {
        fresh: handle(n),
        profile: profile(n),
        students: students
            .iter()
            .map(|(institution, text)| number(institution, text))
            .collect(),
        request_id: format!("request {n}"),
    }
}

pub(crate) fn achievement(record_id: &str, code: &str) -> Achievement {
    Achievement {
        record_id: record_id.to_owned(),
        achievement_type: "Course".to_owned(),
        code: code.to_owned(),
        titles: vec![text("A course")],
        size: Some(Size {
            amount: Credits::from_thousandths(3_000),
            unit: "credit".to_owned(),
        }),
        level: None,
        field: "0613".to_owned(),
        source_kind: "course".to_owned(),
        delivery: String::new(),
        origin: Origin::Earned,
        source: None,
        part_of: None,
        offering: String::new(),
        attempt: 1,
        results: Vec::new(),
        study_from: None,
        study_until: None,
        awarded: Date::from_ymd_opt(2026, 7, 1).unwrap(),
        expires: None,
        tier: String::new(),
        outcomes: Vec::new(),
        evidence: Vec::new(),
        replaces: None,
    }
}

/// `fresh` is the handle of the provisional account, if one must be opened.
pub(crate) fn submit(
    issuer: &str,
    record_id: &str,
    code: &str,
    learner: LearnerReference,
    fresh: u8,
) -> Action {
    let achievement = achievement(record_id, code);
    Action::Submit {
        issuer: id(issuer),
        learner,
        achievement: achievement.into(),
        signature: None,
        fresh: handle(fresh),
        register: None,
    }
}

pub(crate) fn supersede(record_id: &str, code: &str, tier: &str) -> Action {
    Action::Supersede {
        issuer: id("uni"),
        learner: None,
        achievement: Achievement {
            tier: tier.to_owned(),
            ..achievement(record_id, code)
        }
        .into(),
        signature: None,
        reason: "regraded".to_owned(),
        expected: None,
    }
}

pub(crate) fn reassign(record_id: &str, content: Achievement, to: u8, reason: &str) -> Action {
    Action::Reassign {
        name: record("uni", record_id),
        achievement: content.into(),
        signature: None,
        to: by_handle(to),
        reason: reason.to_owned(),
        expected: None,
    }
}

pub(crate) fn merge(from: u8, into: u8) -> Action {
    Action::MergeLearners {
        from: handle(from),
        into: handle(into),
        reason: "the same person".to_owned(),
        expected: None,
    }
}
