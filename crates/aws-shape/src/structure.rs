//! [`structure!`]: a plain struct with its member table and conversions.

/// Declares a structure of a service's model.
///
/// ```text
/// structure!(Rust = CONSTANT "Model" {
///     field: Type, "wireName", SHAPE, required;
/// });
/// ```
#[macro_export]
macro_rules! structure {
    ($Rust:ident = $CONSTANT:ident $model:literal { $($field:ident: $Type:ty, $wire:literal, $SHAPE:ident $(, $required:ident)?;)* }) => {
        #[derive(Clone, Default, PartialEq)]
        pub struct $Rust {
            $(pub $field: ::core::option::Option<$Type>,)*
        }

        pub static $CONSTANT: $crate::Shape = $crate::Shape::new(
            $model,
            $crate::Kind::Structure(&[$($crate::Member::new($wire, &$SHAPE, $crate::structure!(@required $($required)?)),)*]),
        );

        impl $crate::Structure for $Rust {
            const SHAPE: &'static $crate::Shape = &$CONSTANT;
        }

        impl $crate::Field for $Rust {
            fn read(value: $crate::macros::Value) -> ::core::result::Result<Self, $crate::Mismatch> {
                let mut members = $crate::fields::object(value)?;
                // A structure may have no members.
                let _ = &mut members;
                ::core::result::Result::Ok(Self { $($field: $crate::fields::take(&mut members, $wire)?,)* })
            }

            fn write(&self) -> $crate::macros::Value {
                let mut members = $crate::Members::new();
                let _ = &mut members;
                $($crate::fields::put(&mut members, $wire, self.$field.as_ref());)*
                $crate::macros::Value::Object(members)
            }

            fn json(&self, out: &mut ::std::vec::Vec<u8>) {
                out.push(b'{');
                $($crate::fields::append_member(out, $wire, self.$field.as_ref());)*
                out.push(b'}');
            }
        }

        impl ::core::fmt::Debug for $Rust {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let value = $crate::redacted(&$CONSTANT, &$crate::Field::write(self));
                ::core::write!(formatter, "{} {value}", ::core::stringify!($Rust))
            }
        }

        impl $crate::macros::serde::Serialize for $Rust {
            fn serialize<S: $crate::macros::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::macros::serde::Serialize::serialize(&$crate::Field::write(self), serializer)
            }
        }

        impl<'de> $crate::macros::serde::Deserialize<'de> for $Rust {
            fn deserialize<D: $crate::macros::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                let value = <$crate::macros::Value as $crate::macros::serde::Deserialize>::deserialize(deserializer)?;
                <Self as $crate::Field>::read(value).map_err($crate::macros::serde::de::Error::custom)
            }
        }
    };
    (@required required) => { true };
    (@required) => { false };
}
