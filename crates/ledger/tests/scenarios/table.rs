//! Tables: commands and answers in one text, and the one function that checks them all.
//!
//! `== title` begins a scenario with a bank of its own, on which [`PREAMBLE`] has run; `#` begins a remark;
//! every other line is a command (see [`crate::language`]), and the lines `    -> ...` are the answers.

use std::collections::BTreeSet;

use expect_test::expect_file;

use crate::bank::Bank;
use crate::language;

/// What every scenario starts from: positions 0 to 7.
pub(crate) const PREAMBLE: [&str; 8] = [
    "operator: open",
    "operator: unit ects credits",
    "operator: unit hours hours",
    "operator: framework eqf 1 2 3 4 5 6 7 8",
    "operator: codes isced-f-2013 02=Arts 06=ICT 061=Computing 0613=Software",
    "operator: codes source-kind course=Course exam=Self-study_exam",
    "operator: institution uni scope=any",
    "operator: institution col scope=any",
];

macro_rules! tables {
    ($($name:ident)*) => {
        /// The tables, one file each.
        pub(crate) const ALL: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { check(stringify!($name)); })*
    };
}

tables! {
    submitting repeating superseding standing duplicates windows scopes acting dates pending joining
    separating reassigning erasing revisions requests newcomers registry signing precedence
}

/// Runs a table and compares its answers.
fn check(name: &str) {
    let expected = expect_file![format!("tables/{name}.txt")];
    let answers = run(&expected.data());
    expected.assert_eq(&answers.text);
}

/// What a table answers.
#[derive(Default)]
pub(crate) struct Answers {
    /// The table, with the answers that the ledger gives.
    pub(crate) text: String,
    /// The reasons of its rejections.
    pub(crate) reasons: BTreeSet<&'static str>,
    /// How many commands it has, and how many could be decided on what was guessed that they need.
    pub(crate) n_commands: usize,
    pub(crate) n_guessed: usize,
}

impl Answers {
    fn finish(&mut self, bank: &Bank) {
        bank.finish();
        self.n_commands += bank.n_commands;
        self.n_guessed += bank.n_guessed;
    }
}

/// Runs the commands of a table.
pub(crate) fn run(text: &str) -> Answers {
    let mut bank = opened();
    let mut answers = Answers::default();
    for line in text.lines().filter(|line| !line.starts_with("    ->")) {
        answers.text.push_str(line);
        answers.text.push('\n');
        if line.starts_with("==") {
            answers.finish(&bank);
            bank = opened();
        } else if !line.is_empty() && !line.starts_with('#') {
            let answer = language::run(&mut bank, line);
            answers.reasons.extend(answer.reason);
            answers.text.push_str(&format!("    -> {}\n", answer.text));
        }
    }
    answers.finish(&bank);
    answers
}

/// A bank on which the preamble has run.
pub(crate) fn opened() -> Bank {
    let mut bank = Bank::default();
    for line in PREAMBLE {
        let answer = language::run(&mut bank, line);
        assert!(
            answer.text.starts_with("recorded"),
            "{line}: {}",
            answer.text
        );
    }
    bank
}
