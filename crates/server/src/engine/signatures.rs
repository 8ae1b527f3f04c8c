//! Signatures of a batch, checked on all cores before the writer sees it.
//!
//! Apart from loading because it computes and does not wait: one check costs more than deciding a hundred
//! records. What the registry has no key for stays unchecked, and the rules refuse it as of an unknown key.

use std::sync::Arc;

use ledger::Command;
use ledger::registry::Registry;

/// Signatures that one task checks: enough that handing them over costs nothing beside them.
const TASK_SIGNATURES: usize = 16;

/// Checks whatever signatures the commands bring.
pub(super) async fn check(commands: &Arc<Vec<Command>>, registry: &Arc<Registry>) {
    let signed: Vec<usize> = (0..commands.len())
        .filter(|idx| commands[*idx].action.signature().is_some())
        .collect();
    let tasks: Vec<_> = signed
        .chunks(TASK_SIGNATURES)
        .map(|part| {
            let (part, commands, registry) =
                (part.to_vec(), Arc::clone(commands), Arc::clone(registry));
            tokio::task::spawn_blocking(move || {
                for idx in part {
                    if let Some((issuer, signature)) = commands[idx].action.signature() {
                        registry.check(issuer, signature);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        // One that a shutdown cancelled leaves its signatures unchecked, and nothing takes them.
        let _ = task.await;
    }
}
