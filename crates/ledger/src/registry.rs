//! The registry: institutions and the published vocabulary, as the events so far have made them.
//!
//! It is small beside the learners, always whole in memory, and answers the questions that the rules
//! ask of it: who may act for whom, what is published, what a scope covers, what a window freezes.

use std::collections::BTreeMap;

use crate::event::{Body, Event};
use crate::ids::{Date, InstitutionId, Position};
use crate::rejection::Rejection;
use crate::signature::IssuerSignature;
use crate::words::{
    Achievement, CodeList, Course, CreditUnit, Framework, InstitutionKey, InstitutionProfile,
    IntakeWindow, Level, Scope, Span,
};

/// A published thing and where it was published last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published<T> {
    /// The thing.
    pub value: T,
    /// Position of the event in force.
    pub position: Position,
}

/// Where an institution stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstitutionStanding {
    /// May submit and issue.
    Active,
    /// May not, until reinstated.
    Suspended,
    /// Closed for good.
    Closed {
        /// Who acts for its records.
        successor: Option<InstitutionId>,
    },
}

impl InstitutionStanding {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed { .. } => "closed",
        }
    }
}

/// An institution as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institution {
    /// Its description.
    pub profile: InstitutionProfile,
    /// Where it stands.
    pub standing: InstitutionStanding,
    /// Who may submit for it, and when.
    pub delegations: BTreeMap<InstitutionId, Published<Span>>,
    /// Every key it ever had, by key id.
    pub keys: BTreeMap<String, RegisteredKey>,
    /// Position of the description in force.
    pub position: Position,
}

/// A key of an institution, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredKey {
    /// The key and where it was registered.
    pub key: Published<InstitutionKey>,
    /// Why it ended, and where, once it has.
    pub revoked: Option<Published<String>>,
}

/// A code list as it stands: labels by code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Codes {
    /// Title.
    pub title: String,
    /// Where the codes are defined.
    pub source: String,
    /// Labels and the position of the event in force, by code.
    pub labels: BTreeMap<String, Published<String>>,
}

/// Institutions and the published vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// Institutions by id.
    pub institutions: BTreeMap<InstitutionId, Institution>,
    /// Frameworks by code.
    pub frameworks: BTreeMap<String, Published<Framework>>,
    /// Credit units by code.
    pub units: BTreeMap<String, Published<CreditUnit>>,
    /// Code lists by code.
    pub code_lists: BTreeMap<String, Codes>,
    /// Courses by institution and code.
    pub courses: BTreeMap<(InstitutionId, String), Published<Course>>,
    /// Intake windows by id.
    pub windows: BTreeMap<String, Published<IntakeWindow>>,
}

impl Registry {
    /// Takes in a registry event; others change nothing.
    pub(crate) fn apply(&mut self, position: Position, event: &Event) {
        match &event.body {
            Body::InstitutionRegistered(profile) => {
                let institution = Institution {
                    profile: profile.clone(),
                    standing: InstitutionStanding::Active,
                    delegations: BTreeMap::new(),
                    keys: BTreeMap::new(),
                    position,
                };
                self.institutions.insert(profile.id.clone(), institution);
            }
            Body::InstitutionUpdated(profile) => {
                if let Some(institution) = self.institutions.get_mut(&profile.id) {
                    institution.profile = profile.clone();
                    institution.position = position;
                }
            }
            Body::InstitutionSuspended(status) => {
                self.set_standing(&status.institution, InstitutionStanding::Suspended);
            }
            Body::InstitutionReinstated(status) => {
                self.set_standing(&status.institution, InstitutionStanding::Active);
            }
            Body::InstitutionClosed(status) => {
                let successor = status.successor.clone();
                self.set_standing(
                    &status.institution,
                    InstitutionStanding::Closed { successor },
                );
            }
            Body::InstitutionDelegated(delegation) => {
                if let Some(institution) = self.institutions.get_mut(&event.issuer) {
                    let span = Published {
                        value: delegation.during,
                        position,
                    };
                    institution
                        .delegations
                        .insert(delegation.delegate.clone(), span);
                }
            }
            Body::InstitutionKeyAdded(_) | Body::InstitutionKeyRevoked(_) => {
                self.apply_key(position, event);
            }
            _ => self.apply_publication(position, event),
        }
    }

    fn set_standing(&mut self, id: &InstitutionId, standing: InstitutionStanding) {
        if let Some(institution) = self.institutions.get_mut(id) {
            institution.standing = standing;
        }
    }

    fn apply_key(&mut self, position: Position, event: &Event) {
        let Some(institution) = self.institutions.get_mut(&event.issuer) else {
            return;
        };
        match &event.body {
            Body::InstitutionKeyAdded(key) => {
                let value = key.clone();
                let key = Published { value, position };
                let (key_id, revoked) = (key.value.key_id.clone(), None);
                institution
                    .keys
                    .insert(key_id, RegisteredKey { key, revoked });
            }
            Body::InstitutionKeyRevoked(ended) => {
                if let Some(key) = institution.keys.get_mut(&ended.key_id) {
                    let value = ended.reason.clone();
                    key.revoked = Some(Published { value, position });
                }
            }
            _ => {}
        }
    }

    fn apply_publication(&mut self, position: Position, event: &Event) {
        match &event.body {
            Body::FrameworkPublished(framework) => {
                let published = Published {
                    value: framework.clone(),
                    position,
                };
                self.frameworks.insert(framework.code.clone(), published);
            }
            Body::CreditUnitPublished(unit) => {
                let published = Published {
                    value: unit.clone(),
                    position,
                };
                self.units.insert(unit.code.clone(), published);
            }
            Body::CodeListPublished(list) => self.apply_codes(position, list),
            Body::CoursePublished(course) => {
                let published = Published {
                    value: course.clone(),
                    position,
                };
                self.courses
                    .insert((event.issuer.clone(), course.code.clone()), published);
            }
            Body::IntakeWindowPublished(window) => {
                let published = Published {
                    value: window.clone(),
                    position,
                };
                self.windows.insert(window.id.clone(), published);
            }
            _ => {}
        }
    }

    fn apply_codes(&mut self, position: Position, list: &CodeList) {
        let codes = self.code_lists.entry(list.code.clone()).or_default();
        codes.title.clone_from(&list.title);
        codes.source.clone_from(&list.source);
        for (code, label) in &list.entries {
            let published = Published {
                value: label.clone(),
                position,
            };
            codes.labels.insert(code.clone(), published);
        }
    }

    /// Whether the code is in the list.
    #[must_use]
    pub fn has_code(&self, list: &str, code: &str) -> bool {
        self.code_lists
            .get(list)
            .is_some_and(|codes| codes.labels.contains_key(code))
    }

    /// The rank of a level in its framework, from 0; `None` when it is not published.
    #[must_use]
    pub fn rank(&self, level: &Level) -> Option<usize> {
        let framework = self.frameworks.get(&level.framework)?;
        framework
            .value
            .levels
            .iter()
            .position(|code| *code == level.code)
    }

    /// The institution, if it may act on its own account now.
    pub fn active(&self, id: &InstitutionId) -> Result<&Institution, Rejection> {
        let institution = self
            .institutions
            .get(id)
            .ok_or_else(|| Rejection::UnknownInstitution { id: id.clone() })?;
        match &institution.standing {
            InstitutionStanding::Active => Ok(institution),
            InstitutionStanding::Suspended => {
                Err(Rejection::InstitutionSuspended { id: id.clone() })
            }
            InstitutionStanding::Closed { successor } => {
                let successor = successor.clone();
                Err(Rejection::InstitutionClosed {
                    id: id.clone(),
                    successor,
                })
            }
        }
    }

    /// The issuer, if the submitter may act for it on that day: itself, by delegation, or as the
    /// successor of a closed one.
    pub fn acting_for(
        &self,
        issuer: &InstitutionId,
        submitter: &InstitutionId,
        today: Date,
    ) -> Result<&Institution, Rejection> {
        self.active(submitter)?;
        if issuer == submitter {
            return self.active(issuer);
        }
        let institution = self
            .institutions
            .get(issuer)
            .ok_or_else(|| Rejection::UnknownInstitution { id: issuer.clone() })?;
        if let InstitutionStanding::Closed {
            successor: Some(successor),
        } = &institution.standing
            && successor == submitter
        {
            return Ok(institution);
        }
        self.active(issuer)?;
        let delegated = institution
            .delegations
            .get(submitter)
            .is_some_and(|span| span.value.contains(today));
        if !delegated {
            let (issuer, submitter) = (issuer.clone(), submitter.clone());
            return Err(Rejection::NotDelegated { issuer, submitter });
        }
        Ok(institution)
    }

    /// The issuer's key of that id, revoked or not.
    #[must_use]
    pub fn key(&self, issuer: &InstitutionId, key_id: &str) -> Option<&RegisteredKey> {
        self.institutions.get(issuer)?.keys.get(key_id)
    }

    /// Checks a signature with the key that its issuer has registered under its key id: costly, once, and
    /// what makes it fit to be judged by the rules. Without such a key it stays unchecked.
    pub fn check(&self, issuer: &InstitutionId, signature: &IssuerSignature) {
        if let Some(key) = self.key(issuer, &signature.key_id) {
            signature.check(&key.key.value.public_key);
        }
    }

    /// Whether a scope of the issuer covers the achievement; else what lies outside in the scope that
    /// fits best.
    pub fn in_scope(
        &self,
        issuer: &Institution,
        achievement: &Achievement,
    ) -> Result<(), Rejection> {
        // The scope that gets furthest through the checks is the one that was meant.
        let mut best = (0, "having no scope");
        for scope in &issuer.profile.scopes {
            let checks = self.scope_checks(scope, achievement);
            match checks.iter().position(|(_, fits)| !fits) {
                None => return Ok(()),
                Some(failed) if failed >= best.0 => best = (failed, checks[failed].0),
                Some(_) => {}
            }
        }
        Err(Rejection::OutOfScope {
            issuer: issuer.profile.id.clone(),
            what: best.1,
        })
    }

    fn scope_checks(&self, scope: &Scope, of: &Achievement) -> [(&'static str, bool); 6] {
        let listed = |list: &[String], value: &String| list.is_empty() || list.contains(value);
        let prefixed = |list: &[String], value: &str| {
            list.is_empty() || list.iter().any(|prefix| value.starts_with(prefix.as_str()))
        };
        let level_fits = match (&scope.level_max, &of.level) {
            (None, _) | (_, None) => true,
            (Some(max), Some(level)) => {
                max.framework == level.framework && self.rank(level) <= self.rank(max)
            }
        };
        [
            ("type", listed(&scope.types, &of.achievement_type)),
            ("source_kind", listed(&scope.source_kinds, &of.source_kind)),
            ("code", prefixed(&scope.code_prefixes, &of.code)),
            ("field", prefixed(&scope.fields, &of.field)),
            ("level", level_fits),
            ("awarded", scope.awarded.contains(of.awarded)),
        ]
    }

    /// Refuses when windows govern that issuer's results of that date and none of them is open.
    pub fn in_window(
        &self,
        issuer: &InstitutionId,
        awarded: Date,
        today: Date,
    ) -> Result<(), Rejection> {
        let governs = |window: &&IntakeWindow| {
            window.awarded.contains(awarded)
                && (window.institutions.is_empty() || window.institutions.contains(issuer))
        };
        let mut frozen: Option<&IntakeWindow> = None;
        for window in self
            .windows
            .values()
            .map(|published| &published.value)
            .filter(governs)
        {
            if window.intake.contains(today) {
                return Ok(());
            }
            frozen = Some(window);
        }
        frozen.map_or(Ok(()), |window| {
            Err(Rejection::WindowFrozen {
                window_id: window.id.clone(),
                awarded,
                from: window.intake.from,
                until: window.intake.until,
            })
        })
    }
}
