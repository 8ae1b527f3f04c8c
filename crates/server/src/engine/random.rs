//! Random bytes: salts and handles by the thousand, keys one by one.
//!
//! Salts are drawn from the system in large pieces, because one system call per record would cost as
//! much as hashing it. A piece is used once and never shared.

use std::sync::{Mutex, PoisonError};

use super::fault::EngineFault;

/// Salts drawn ahead.
pub(crate) struct Random {
    salts: Mutex<Vec<[u8; 32]>>,
}

/// Salts drawn at once.
const SALTS: usize = 256;

impl Random {
    pub(crate) fn new() -> Self {
        Random {
            salts: Mutex::new(Vec::new()),
        }
    }

    /// A salt, never zero.
    pub(crate) fn salt(&self) -> [u8; 32] {
        // A system without randomness cannot keep the promise that a commitment hides its body.
        self.drawn().expect("the system gives random bytes")
    }

    /// An id, never zero.
    pub(crate) fn id(&self) -> Result<[u8; 16], EngineFault> {
        loop {
            if let Some(id) = self.drawn()?.first_chunk().filter(|id| **id != [0; 16]) {
                return Ok(*id);
            }
        }
    }

    fn drawn(&self) -> Result<[u8; 32], EngineFault> {
        let mut salts = self.salts.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(salt) = salts.pop() {
                if salt != [0; 32] {
                    return Ok(salt);
                }
                continue;
            }
            let mut drawn = [0_u8; 32 * SALTS];
            getrandom::fill(&mut drawn).map_err(EngineFault::Random)?;
            salts.extend(drawn.as_chunks::<32>().0);
        }
    }
}

/// Random bytes, not all zero.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], EngineFault> {
    loop {
        let mut drawn = [0; N];
        getrandom::fill(&mut drawn).map_err(EngineFault::Random)?;
        if drawn != [0; N] {
            return Ok(drawn);
        }
    }
}
