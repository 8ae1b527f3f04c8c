//! The wire's messages as JSON and TOML: the same field names, one Rust struct a message.
//!
//! Apart from the generated types because those neither read JSON nor notice a mistyped key. A field
//! that is not given is left out of both; enumerations are words in lower case; bytes are hexadecimal.

mod answers;
mod registry;
mod submitted;

pub(crate) use answers::{
    AccountChange, Balance, Candidate, Entry, Head, Hex, Learner, OutcomeError, Pending, Receipt,
    Record, Statement, Version, word,
};
pub(crate) use registry::{Delegation, Institution, InstitutionKey, RegistryFile, Scope, Span};
pub(crate) use submitted::{
    Achievement, DocumentIdentity, LearnerReference, Level, Profile, RegisterLearner, Text,
    bytes_of_hex,
};

/// Becomes the wire's type `P`.
pub(crate) trait ToWire<P> {
    /// Converts.
    fn to_wire(self) -> P;
}

/// Is made from the wire's type `P`.
pub(crate) trait FromWire<P> {
    /// Converts.
    fn from_wire(wire: P) -> Self;
}

/// Types that are the same on both sides.
macro_rules! same {
    ($($ty:ty),*) => { $(
        impl ToWire<$ty> for $ty {
            fn to_wire(self) -> $ty {
                self
            }
        }
        impl FromWire<$ty> for $ty {
            fn from_wire(wire: $ty) -> Self {
                wire
            }
        }
    )* };
}
same!(String, u32, u64, bool);

impl<P, T: ToWire<P>> ToWire<Vec<P>> for Vec<T> {
    fn to_wire(self) -> Vec<P> {
        self.into_iter().map(T::to_wire).collect()
    }
}

impl<P, T: FromWire<P>> FromWire<Vec<P>> for Vec<T> {
    fn from_wire(wire: Vec<P>) -> Self {
        wire.into_iter().map(T::from_wire).collect()
    }
}

impl<P, T: ToWire<P>> ToWire<Option<P>> for Option<T> {
    fn to_wire(self) -> Option<P> {
        self.map(T::to_wire)
    }
}

impl<P, T: FromWire<P>> FromWire<Option<P>> for Option<T> {
    fn from_wire(wire: Option<P>) -> Self {
        wire.map(T::from_wire)
    }
}

/// Whether a field has the value of one that was not given, and is left out.
pub(crate) fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A message that is read and shown: keys exactly as in the proto file, others refused by name.
macro_rules! mirror {
    ($(#[$meta:meta])* $name:ident = $wire:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $(
                #[serde(default, skip_serializing_if = "crate::wire::absent")]
                pub(crate) $field: $ty,
            )*
        }

        impl $crate::wire::ToWire<api::v1::$wire> for $name {
            #[allow(clippy::needless_update, reason = "some messages have fields that no file sets")]
            fn to_wire(self) -> api::v1::$wire {
                api::v1::$wire {
                    $($field: $crate::wire::ToWire::to_wire(self.$field),)*
                    ..Default::default()
                }
            }
        }

        impl $crate::wire::FromWire<api::v1::$wire> for $name {
            fn from_wire(wire: api::v1::$wire) -> Self {
                Self { $($field: $crate::wire::FromWire::from_wire(wire.$field),)* }
            }
        }
    };
}

/// A message that is only shown: every key is there, whatever its value.
macro_rules! answer {
    ($(#[$meta:meta])* $name:ident = $wire:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize)]
        pub(crate) struct $name {
            $(pub(crate) $field: $ty,)*
        }

        impl $crate::wire::FromWire<api::v1::$wire> for $name {
            fn from_wire(wire: api::v1::$wire) -> Self {
                Self { $($field: $crate::wire::FromWire::from_wire(wire.$field),)* }
            }
        }
    };
}

use answer;
use mirror;
