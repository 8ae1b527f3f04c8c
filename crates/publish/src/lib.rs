//! Publishing the ledger's tree: its hashes on disk, and signed checkpoints over it.
//!
//! Apart from the server because the order in which hashes become durable and a checkpoint is signed is
//! what nobody may get wrong, and every crash point of it is tried in tests. Apart from the store because
//! the tree is made from the log and off the path of acknowledgement.

mod fault;
mod hashes;
pub mod key;
mod publisher;

pub use fault::PublishFault;
pub use hashes::{Growing, HashFiles};
pub use publisher::{CHECKPOINT_FILE, Published, Publisher, Reader};
