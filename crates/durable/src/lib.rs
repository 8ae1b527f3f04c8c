//! Files with a durability contract, and a simulator of what a crash leaves.
