//! Learners to register with their first record.
//!
//! Apart from `learner` because they come beside achievements, and take effect only with one of them.

use std::collections::BTreeMap;

use api::v1;
use ledger::words::{LearnerProfile, LearnerReference};
use ledger::{Action, InstitutionId, Rejection, shape};

use super::learner::{profile, student_number};
use super::{At, Problems, malformed};

/// The new learners of a call, by their student numbers.
#[derive(Debug, Default)]
pub struct NewLearners(BTreeMap<(InstitutionId, String), Result<LearnerProfile, Rejection>>);

impl NewLearners {
    /// Reads them. Attributes that cannot be read are the problem of the records that refer to them.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] when a student number cannot be read, or is there twice.
    pub fn read(wire: Vec<v1::NewLearner>, acting: &InstitutionId) -> Result<Self, Rejection> {
        let mut all = BTreeMap::new();
        let mut problems = Problems::default();
        for (idx, learner) in wire.into_iter().enumerate() {
            let at = At::field("new_learners").entry(idx);
            let at = at.sub("student");
            let student = learner.student.unwrap_or_default();
            if student.number.is_empty() {
                problems.say(at.sub("number"), "is required");
            }
            let student = student_number(&mut problems, at, student, acting);
            let mut of_profile = Problems::default();
            let read = profile(&mut of_profile, learner.profile.unwrap_or_default());
            let read = of_profile.finish(read, |read| shape::learner_profile(read, "profile"));
            let key = (student.institution, student.number);
            if all.insert(key, read).is_some() {
                problems.say(at, "is there twice: send a learner once");
            }
        }
        problems.finish(Self(all), super::shapeless)
    }

    /// The submission, with the attributes of its learner if they are to be registered with it.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] when those attributes could not be read.
    pub fn join(&self, mut action: Action) -> Result<Action, Rejection> {
        if self.0.is_empty() {
            return Ok(action);
        }
        if let Action::Submit {
            learner: LearnerReference::Student(student),
            register,
            ..
        } = &mut action
        {
            let key = (student.institution.clone(), student.number.clone());
            *register = self.0.get(&key).cloned().transpose()?;
        }
        Ok(action)
    }

    /// Refuses more learners than there are records that could refer to them.
    ///
    /// # Errors
    /// [`Rejection::Malformed`].
    pub fn check_count(learners: usize, achievements: usize) -> Result<(), Rejection> {
        if learners <= achievements {
            return Ok(());
        }
        let problem = format!("has {learners} learners for {achievements} achievements");
        Err(malformed("new_learners", problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newcomer(institution_id: &str, number: &str, birth_date: &str) -> v1::NewLearner {
        v1::NewLearner {
            student: Some(v1::StudentNumber {
                institution_id: institution_id.to_owned(),
                number: number.to_owned(),
            }),
            profile: Some(v1::LearnerProfile {
                birth_date: birth_date.to_owned(),
                ..v1::LearnerProfile::default()
            }),
        }
    }

    fn read(wire: Vec<v1::NewLearner>) -> Result<NewLearners, Rejection> {
        NewLearners::read(wire, &"uni".parse().expect("an institution id"))
    }

    #[test]
    fn a_number_is_there_once_and_readable() {
        let twice = vec![newcomer("", "1", ""), newcomer("uni", "1", "")];
        let unread = vec![newcomer("?", "1", ""), newcomer("", "", "")];
        for (wire, field) in [
            (twice, "new_learners[1].student"),
            (unread, "new_learners[0].student.institution_id"),
        ] {
            let Err(Rejection::Malformed(found)) = read(wire) else {
                panic!("{field} is malformed");
            };
            assert_eq!(found.first().map(|v| v.field.as_str()), Some(field));
        }
        assert!(NewLearners::check_count(2, 1).is_err() && NewLearners::check_count(1, 1).is_ok());
    }

    #[test]
    fn attributes_that_do_not_read_are_their_records_problem() {
        let all = read(vec![
            newcomer("", "1", "yesterday"),
            newcomer("", "2", "2000-02-29"),
        ]);
        let all = all.expect("the numbers are readable");
        let joined = |number: &str| {
            let achievement = v1::Achievement {
                record_id: "r".to_owned(),
                learner: Some(v1::LearnerReference {
                    reference: Some(v1::learner_reference::Reference::Student(
                        v1::StudentNumber {
                            number: number.to_owned(),
                            ..v1::StudentNumber::default()
                        },
                    )),
                }),
                awarded: "2026-07-01".to_owned(),
                ..v1::Achievement::default()
            };
            let acting = "uni".parse().expect("an institution id");
            let action = super::super::submission(achievement, &acting, ledger::Handle([7; 16]));
            all.join(action.expect("it is readable"))
        };
        let registers = |number: &str| match joined(number) {
            Ok(Action::Submit { register, .. }) => Ok(register.is_some()),
            Ok(other) => panic!("a submission is a submission: {other:?}"),
            Err(rejection) => Err(rejection.to_string()),
        };
        assert_eq!(registers("2"), Ok(true));
        assert_eq!(registers("3"), Ok(false));
        let said = registers("1").expect_err("yesterday is no date");
        assert!(said.starts_with("profile.birth_date"), "{said}");
    }
}
