//! Protobuf's `oneof` as a Rust enum. So an algorithm or a type of key is the same enum on the wire and in programs.
//!
//! A derived message would need an enum of its own beside each of ours, with conversions both ways. Here the table of an enum
//! ([`oneof!`]) has the field number of each variant, and the types of its parameters say how they are encoded. Numbers from 100 up
//! are extensions, of fields as of enumerations.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType, int32, skip_field, uint32};
use prost::{DecodeError, Message};

/// The first number that is not upstream's.
pub(crate) const EXTENSIONS: u32 = 100;

/// A message with one field set. A field that is missing, unknown or without a known value reads as `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneOf<T>(pub(crate) Option<T>);

impl<T> Default for OneOf<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<T> for OneOf<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

/// An enum that a [`OneOf`] holds.
pub trait Choice: Copy + Send + Sync {
    /// Writes the variant's field.
    fn encode(self, buf: &mut impl BufMut);

    /// Length of the variant's field in bytes.
    fn encoded_len(self) -> usize;

    /// Reads the field with this number: `None` (and nothing is read) if no variant has it, `Some(None)` if its value is missing or unknown.
    ///
    /// # Errors
    ///
    /// The bytes are no protobuf.
    fn decode(number: u32, wire_type: WireType, buf: &mut impl Buf, ctx: &DecodeContext) -> Read<Option<Self>>;

    /// Whether upstream's protocol can express it.
    fn upstream(self) -> bool;
}

/// A value that was read, if it is known.
pub(crate) type Read<T> = Result<Option<T>, DecodeError>;

impl<T: Choice> Message for OneOf<T> {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        if let Some(choice) = self.0 {
            choice.encode(buf);
        }
    }

    fn merge_field(
        &mut self,
        number: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match T::decode(number, wire_type, buf, &ctx)? {
            Some(choice) => self.0 = choice,
            None => skip_field(wire_type, number, buf, ctx)?,
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.0.map_or(0, Choice::encoded_len)
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

/// What a field holds.
pub(crate) trait Value: Copy + PartialEq + Send + Sync {
    /// What a missing field means. If there are other fields, this value is not written.
    fn absent() -> Option<Self>;
    fn encode(self, number: u32, buf: &mut impl BufMut);
    fn encoded_len(self, number: u32) -> usize;
    fn decode(wire_type: WireType, buf: &mut impl Buf, ctx: DecodeContext) -> Read<Self>;
    fn upstream(self) -> bool;
}

impl Value for u32 {
    fn absent() -> Option<Self> {
        Some(0)
    }

    fn encode(self, number: u32, buf: &mut impl BufMut) {
        uint32::encode(number, &self, buf);
    }

    fn encoded_len(self, number: u32) -> usize {
        uint32::encoded_len(number, &self)
    }

    fn decode(wire_type: WireType, buf: &mut impl Buf, ctx: DecodeContext) -> Read<Self> {
        let mut value = 0;
        uint32::merge(wire_type, &mut value, buf, ctx)?;
        Ok(Some(value))
    }

    fn upstream(self) -> bool {
        true
    }
}

/// An enumeration: an `int32` field.
pub(crate) trait Number: Copy + PartialEq + Send + Sync + TryFrom<i32> + Into<i32> {}

impl<T: Number> Value for T {
    fn absent() -> Option<Self> {
        0.try_into().ok()
    }

    fn encode(self, number: u32, buf: &mut impl BufMut) {
        int32::encode(number, &self.into(), buf);
    }

    fn encoded_len(self, number: u32) -> usize {
        int32::encoded_len(number, &self.into())
    }

    fn decode(wire_type: WireType, buf: &mut impl Buf, ctx: DecodeContext) -> Read<Self> {
        let mut value = 0;
        int32::merge(wire_type, &mut value, buf, ctx)?;
        Ok(value.try_into().ok())
    }

    fn upstream(self) -> bool {
        self.into() < EXTENSIONS.cast_signed()
    }
}

/// The parameters of a variant: a message whose fields are numbered from 1.
pub(crate) struct Fields<T>(T);

macro_rules! fields {
    ($($number:literal $field:ident)*) => {
        #[allow(non_snake_case, unreachable_patterns, unused_variables, clippy::unused_unit)]
        const _: () = {
            impl<$($field: Value),*> Message for Fields<($(Option<$field>,)*)> {
                fn encode_raw(&self, buf: &mut impl BufMut) {
                    let Self(($($field,)*)) = *self;
                    $(if let Some(value) = $field.filter(|_| $field != Value::absent()) { value.encode($number, buf) })*
                }

                fn merge_field(&mut self, number: u32, wire_type: WireType, buf: &mut impl Buf, ctx: DecodeContext) -> Result<(), DecodeError> {
                    let Self(($($field,)*)) = self;
                    match number {
                        $($number => *$field = Value::decode(wire_type, buf, ctx)?,)*
                        _ => skip_field(wire_type, number, buf, ctx)?,
                    }
                    Ok(())
                }

                fn encoded_len(&self) -> usize {
                    let Self(($($field,)*)) = *self;
                    0 $(+ $field.filter(|_| $field != Value::absent()).map_or(0, |value| value.encoded_len($number)))*
                }

                fn clear(&mut self) {
                    self.0 = ($($field::absent(),)*);
                }
            }

            impl<$($field: Value),*> Value for ($($field,)*) {
                fn absent() -> Option<Self> {
                    None
                }

                fn encode(self, number: u32, buf: &mut impl BufMut) {
                    let ($($field,)*) = self;
                    encoding::message::encode(number, &Fields(($(Some($field),)*)), buf);
                }

                fn encoded_len(self, number: u32) -> usize {
                    let ($($field,)*) = self;
                    encoding::message::encoded_len(number, &Fields(($(Some($field),)*)))
                }

                fn decode(wire_type: WireType, buf: &mut impl Buf, ctx: DecodeContext) -> Read<Self> {
                    let mut fields = Fields(($($field::absent(),)*));
                    encoding::message::merge(wire_type, &mut fields, buf, ctx)?;
                    let Fields(($($field,)*)) = fields;
                    Ok(match ($($field,)*) {
                        ($(Some($field),)*) => Some(($($field,)*)),
                        _ => None,
                    })
                }

                fn upstream(self) -> bool {
                    let ($($field,)*) = self;
                    true $(&& $field.upstream())*
                }
            }
        };
    };
}
fields! {}
fields! { 1 A }
fields! { 1 A 2 B }
fields! { 1 A 2 B 3 C }

/// An enum whose variants have field numbers. A variant's parameters are a message, in their order; after `=` stands a single one that
/// is the field itself.
macro_rules! oneof {
    (@value ($($parameter:ident,)*)) => {
        ($($parameter,)*)
    };
    (@value () $value:ident) => {
        $value
    };
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $number:literal $variant:ident
        $({ $($(#[$about:meta])* $field:ident: $type:ty),* $(,)? })? $(($($part:ident: $tuple:ty),*))? $(= $value:ident: $bare:ty)?,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "most variants and parameters are named as in the PSA Crypto API")]
        pub enum $name { $($(#[$note])* $variant $({ $($(#[$about])* $field: $type),* })? $(($($tuple),*))? $(($bare))?,)* }

        impl $crate::oneof::Choice for $name {
            fn encode(self, buf: &mut impl prost::bytes::BufMut) {
                use $crate::oneof::{Value, oneof};
                match self {
                    $(Self::$variant $({ $($field),* })? $(($($part),*))? $(($value))? => {
                        Value::encode(oneof!(@value ($($($field,)*)? $($($part,)*)?) $($value)?), $number, buf);
                    })*
                }
            }

            fn encoded_len(self) -> usize {
                use $crate::oneof::{Value, oneof};
                match self {
                    $(Self::$variant $({ $($field),* })? $(($($part),*))? $(($value))? => {
                        Value::encoded_len(oneof!(@value ($($($field,)*)? $($($part,)*)?) $($value)?), $number)
                    })*
                }
            }

            fn decode(
                number: u32,
                wire_type: prost::encoding::WireType,
                buf: &mut impl prost::bytes::Buf,
                ctx: &prost::encoding::DecodeContext,
            ) -> $crate::oneof::Read<Option<Self>> {
                use $crate::oneof::{Value, oneof};
                Ok(match number {
                    $($number => Some(Value::decode(wire_type, buf, ctx.clone())?.map(
                        |oneof!(@value ($($($field,)*)? $($($part,)*)?) $($value)?)| {
                            Self::$variant $({ $($field),* })? $(($($part),*))? $(($value))?
                        },
                    )),)*
                    _ => None,
                })
            }

            fn upstream(self) -> bool {
                use $crate::oneof::{Value, oneof};
                match self {
                    $(Self::$variant $({ $($field),* })? $(($($part),*))? $(($value))? => {
                        $number < $crate::oneof::EXTENSIONS
                            && Value::upstream(oneof!(@value ($($($field,)*)? $($($part,)*)?) $($value)?))
                    })*
                }
            }
        }

        $crate::oneof::message!($name);
    };
}
pub(crate) use oneof;

/// A [`Choice`] as a message of its own, in a field and by itself.
macro_rules! message {
    ($name:ident) => {
        impl $crate::oneof::Value for $name {
            fn absent() -> Option<Self> {
                None
            }

            fn encode(self, number: u32, buf: &mut impl prost::bytes::BufMut) {
                prost::encoding::message::encode(number, &$crate::oneof::OneOf::from(self), buf);
            }

            fn encoded_len(self, number: u32) -> usize {
                prost::encoding::message::encoded_len(number, &$crate::oneof::OneOf::from(self))
            }

            fn decode(
                wire_type: prost::encoding::WireType,
                buf: &mut impl prost::bytes::Buf,
                ctx: prost::encoding::DecodeContext,
            ) -> $crate::oneof::Read<Self> {
                let mut message = $crate::oneof::OneOf::default();
                prost::encoding::message::merge(wire_type, &mut message, buf, ctx)?;
                Ok(message.0)
            }

            fn upstream(self) -> bool {
                $crate::oneof::Choice::upstream(self)
            }
        }

        impl TryFrom<&$crate::oneof::OneOf<Self>> for $name {
            type Error = $crate::Status;

            /// A message without a known value is [`Status::InvalidEncoding`]($crate::Status::InvalidEncoding).
            fn try_from(message: &$crate::oneof::OneOf<Self>) -> Result<Self, $crate::Status> {
                message.0.ok_or($crate::Status::InvalidEncoding)
            }
        }
    };
}
pub(crate) use message;
