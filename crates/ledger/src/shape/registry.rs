//! What is well-formed in institutions and in the published vocabulary.
//!
//! Apart from achievements and learners because only the registry's few writers meet these.

use super::check::Check;
use super::{
    LEVELS_MAX, LIST_ENTRIES_MAX, NAMES_MAX, SCOPE_ENTRIES_MAX, SCOPES_MAX, STRING_BYTES_MAX,
    check_size,
};
use crate::rejection::Violation;
use crate::signature::public_key_problem;
use crate::words::{
    CodeList, Course, CreditUnit, Delegation, Framework, InstitutionKey, InstitutionProfile,
    IntakeWindow, Scope,
};

/// An institution.
#[must_use]
pub fn institution(profile: &InstitutionProfile) -> Vec<Violation> {
    let mut check = Check::default();
    check.institution_id(format_args!("institution_id"), &profile.id);
    check.texts(format_args!("names"), &profile.names, 1, NAMES_MAX);
    check.code(format_args!("kind"), &profile.kind);
    check.code(format_args!("region"), &profile.region);
    if let Some(parent) = &profile.parent {
        check.institution_id(format_args!("parent_id"), parent);
    }
    check.count(format_args!("scopes"), profile.scopes.len(), 0, SCOPES_MAX);
    for (idx, scope) in profile.scopes.iter().enumerate() {
        check_scope(&mut check, &format!("scopes[{idx}]"), scope);
    }
    check.found
}

/// A delegation.
#[must_use]
pub fn delegation(delegation: &Delegation) -> Vec<Violation> {
    let mut check = Check::default();
    check.institution_id(format_args!("delegate_id"), &delegation.delegate);
    check.span(format_args!("during"), &delegation.during);
    check.found
}

/// A key, in the message field `key`.
#[must_use]
pub fn institution_key(key: &InstitutionKey) -> Vec<Violation> {
    let mut check = Check::default();
    check.key_id(format_args!("key.key_id"), &key.key_id);
    if let Some(problem) = public_key_problem(&key.public_key) {
        check.say(format_args!("key.public_key"), problem);
    }
    check.span(format_args!("key.during"), &key.during);
    check.found
}

/// The end of a key.
#[must_use]
pub fn key_revocation(key_id: &str, reason: &str) -> Vec<Violation> {
    let mut check = Check::default();
    check.key_id(format_args!("key_id"), key_id);
    check.required(format_args!("reason"), reason, STRING_BYTES_MAX);
    check.found
}

/// A framework.
#[must_use]
pub fn framework(framework: &Framework) -> Vec<Violation> {
    let mut check = Check::default();
    check_published(&mut check, &framework.code, &framework.title);
    check.count(
        format_args!("levels"),
        framework.levels.len(),
        1,
        LEVELS_MAX,
    );
    for (idx, level) in framework.levels.iter().enumerate() {
        check.required_code(format_args!("levels[{idx}]"), level);
    }
    check.distinct(framework.levels.iter().map(String::as_str), |idx| {
        format!("levels[{idx}]")
    });
    check.text(format_args!("source"), &framework.source, STRING_BYTES_MAX);
    check.found
}

/// A credit unit.
#[must_use]
pub fn credit_unit(unit: &CreditUnit) -> Vec<Violation> {
    let mut check = Check::default();
    check_published(&mut check, &unit.code, &unit.title);
    check.text(format_args!("source"), &unit.source, STRING_BYTES_MAX);
    check.found
}

/// A code list.
#[must_use]
pub fn code_list(list: &CodeList) -> Vec<Violation> {
    let mut check = Check::default();
    check_published(&mut check, &list.code, &list.title);
    check.count(
        format_args!("entries"),
        list.entries.len(),
        1,
        LIST_ENTRIES_MAX,
    );
    for (idx, (code, label)) in list.entries.iter().enumerate() {
        check.required_code(format_args!("entries[{idx}].code"), code);
        check.required(
            format_args!("entries[{idx}].label"),
            label,
            STRING_BYTES_MAX,
        );
    }
    let codes = list.entries.iter().map(|(code, _)| code.as_str());
    check.distinct(codes, |idx| format!("entries[{idx}].code"));
    check.text(format_args!("source"), &list.source, STRING_BYTES_MAX);
    check.found
}

/// A course.
#[must_use]
pub fn course(course: &Course) -> Vec<Violation> {
    let mut check = Check::default();
    check.required_code(format_args!("code"), &course.code);
    check.titles(&course.titles);
    check_size(&mut check, course.size.as_ref());
    check.level(format_args!("level"), course.level.as_ref());
    check.code(format_args!("field"), &course.field);
    check.found
}

/// An intake window.
#[must_use]
pub fn intake_window(window: &IntakeWindow) -> Vec<Violation> {
    let mut check = Check::default();
    check.required_code(format_args!("window_id"), &window.id);
    check.count(
        format_args!("institution_ids"),
        window.institutions.len(),
        0,
        LIST_ENTRIES_MAX,
    );
    for (idx, institution) in window.institutions.iter().enumerate() {
        check.institution_id(format_args!("institution_ids[{idx}]"), institution);
    }
    let ids = window.institutions.iter().map(|id| id.as_str());
    check.distinct(ids, |idx| format!("institution_ids[{idx}]"));
    check.span(format_args!("awarded"), &window.awarded);
    check.span(format_args!("intake"), &window.intake);
    check.found
}

fn check_published(check: &mut Check, code: &str, title: &str) {
    check.required_code(format_args!("code"), code);
    check.required(format_args!("title"), title, STRING_BYTES_MAX);
}

fn check_scope(check: &mut Check, field: &str, scope: &Scope) {
    check.count(
        format_args!("{field}.types"),
        scope.types.len(),
        0,
        SCOPE_ENTRIES_MAX,
    );
    for (idx, word) in scope.types.iter().enumerate() {
        check.achievement_type(format_args!("{field}.types[{idx}]"), word);
    }
    for (list, codes) in [
        ("code_prefixes", &scope.code_prefixes),
        ("fields", &scope.fields),
        ("source_kinds", &scope.source_kinds),
    ] {
        check.count(
            format_args!("{field}.{list}"),
            codes.len(),
            0,
            SCOPE_ENTRIES_MAX,
        );
        for (idx, code) in codes.iter().enumerate() {
            check.required_code(format_args!("{field}.{list}[{idx}]"), code);
        }
    }
    check.level(format_args!("{field}.level_max"), scope.level_max.as_ref());
    check.span(format_args!("{field}.awarded"), &scope.awarded);
}
