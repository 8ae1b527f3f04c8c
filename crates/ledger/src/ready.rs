//! What can be made of a command before it is decided: the body that it will record, encoded and hashed.
//!
//! Apart from deciding because it needs no state and no order: a server that decides one command after
//! the other makes many ready at the same time. Of a submission this is most of the work.

use std::sync::Arc;

use crate::codec;
use crate::command::{Action, Command};
use crate::event::{AchievementRecorded, Body};
use crate::ids::Key;
use crate::keys::KeySecret;

/// The body of the record that a command makes if it is carried out, and the keys that hang on it alone.
#[derive(Debug)]
pub struct Ready {
    pub(crate) body: Body,
    pub(crate) encoded: Vec<u8>,
    pub(crate) record: Key,
    pub(crate) content: Option<Key>,
}

impl Ready {
    /// Of a command whose body hangs on nothing but itself: a submission; `None` of any other.
    #[must_use]
    pub fn of(secret: &KeySecret, command: &Command) -> Option<Ready> {
        let Action::Submit {
            issuer,
            achievement,
            signature,
            ..
        } = &command.action
        else {
            return None;
        };
        let body = Body::AchievementRecorded(AchievementRecorded {
            achievement: Arc::clone(achievement),
            signature: signature.clone(),
        });
        let encoded = codec::encode(&body);
        let content = codec::achievement_in(&encoded).map(|content| secret.content(content));
        Some(Ready {
            record: secret.record(issuer, &achievement.record_id),
            content,
            body,
            encoded,
        })
    }

    /// The body, encoded: the same bytes as those of the event that is decided.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}
