//! [`service!`]: a service's trait, operation table and gated form.

use crate::{Error, Model, Shape};
use futures::{Stream, StreamExt as _};
use kernel::Caller;
use serde_json::Value;
use std::pin::Pin;

/// What an asynchronous method of a service returns.
pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// Events of one call, one after the other; an error ends them. What makes them ends when it is dropped, and rests while
/// nobody asks for the next.
pub type EventStream<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;

/// An output, in either wire form.
pub trait Output: Send {
    /// As a value.
    fn value(&self) -> Value;
    /// Appended as JSON.
    fn json(&self, out: &mut Vec<u8>);
}

impl<T: crate::Field + Send> Output for T {
    fn value(&self) -> Value {
        self.write()
    }

    fn json(&self, out: &mut Vec<u8>) {
        crate::Field::json(self, out);
    }
}

impl Output for Value {
    fn value(&self) -> Value {
        self.clone()
    }

    fn json(&self, out: &mut Vec<u8>) {
        crate::fields::append(out, self);
    }
}

/// What a call answers, in wire form.
pub enum Answer {
    /// One output.
    Output(Box<dyn Output>),
    /// Events: each an object whose only member is named as the event.
    Events(EventStream<Value>),
}

impl Answer {
    /// The events of a service in wire form.
    #[doc(hidden)]
    pub fn events<T: crate::Field + 'static>(events: EventStream<T>) -> Self {
        Self::Events(Box::pin(events.map(|event| event.map(|event| event.write()))))
    }
}

/// One operation that has types.
pub struct Operation {
    /// Its name, e.g. `StartBuild`.
    pub name: &'static str,
    /// Its input structure.
    pub input: &'static Shape,
    /// Its output structure, or that of its events.
    pub output: &'static Shape,
    /// Whether the model knows an output; without one the reply has no body.
    pub has_output: bool,
    /// The element around the output in the query protocol.
    pub result_wrapper: &'static str,
}

/// A service behind its gate, called by operation name: what the listener speaks to.
pub trait Dispatch: Send + Sync {
    /// The service's model.
    fn model(&self) -> &'static Model;
    /// An operation that has types.
    fn operation(&self, name: &str) -> Option<&'static Operation>;
    /// The operations that are built: those with an authorization row.
    fn built(&self) -> Vec<&'static str>;
    /// Validates, authorizes, audits and calls; values in wire form.
    fn dispatch<'a>(
        &'a self,
        operation: &'a str,
        caller: &'a Caller,
        input: Value,
    ) -> Future<'a, Result<Answer, Error>>;
}

/// The answer of an operation that is not built.
pub fn not_implemented(model: &Model, operation: &str) -> Error {
    let message = format!("{}:{operation} is not built in this version of Landfall.", model.id);
    Error::modelled("NotImplementedException", 501, message)
}

/// Declares a service from its generated operation table.
///
/// Expands to the trait (each method answers "not implemented" by default), to
/// `OPERATIONS`, and to `Gated`, which implements the trait and [`Dispatch`].
#[macro_export]
macro_rules! service {
    (pub trait $Service:ident = $MODEL:ident { $($method:ident = $operation:literal ($Input:ident) -> $Output:ident, $body:ident $wrapper:literal;)* }) => {
        pub trait $Service: Send + Sync {
            $(
                fn $method<'life0, 'life1, 'async_trait>(
                    &'life0 self,
                    caller: &'life1 $crate::macros::Caller,
                    input: $Input,
                ) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = ::core::result::Result<$crate::service!(@output $body $Output), $crate::Error>> + ::core::marker::Send + 'async_trait>>
                where
                    'life0: 'async_trait,
                    'life1: 'async_trait,
                    Self: 'async_trait,
                {
                    let _ = (caller, input);
                    ::std::boxed::Box::pin(::core::future::ready(::core::result::Result::Err($crate::not_implemented(&$MODEL, $operation))))
                }
            )*
        }

        /// The operations that have types.
        pub static OPERATIONS: &[$crate::Operation] = &[
            $($crate::Operation {
                name: $operation,
                input: <$Input as $crate::Structure>::SHAPE,
                output: <$Output as $crate::Structure>::SHAPE,
                has_output: $crate::service!(@has $body),
                result_wrapper: $wrapper,
            },)*
        ];

        /// The service behind its gate: validate, authorize, audit, call.
        pub struct Gated {
            service: ::std::sync::Arc<dyn $Service>,
            gate: $crate::Gate,
        }

        impl Gated {
            pub fn new(service: ::std::sync::Arc<dyn $Service>, gate: $crate::Gate) -> Self {
                Self { service, gate }
            }
        }

        impl $Service for Gated {
            $(
                fn $method<'life0, 'life1, 'async_trait>(
                    &'life0 self,
                    caller: &'life1 $crate::macros::Caller,
                    input: $Input,
                ) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = ::core::result::Result<$crate::service!(@output $body $Output), $crate::Error>> + ::core::marker::Send + 'async_trait>>
                where
                    'life0: 'async_trait,
                    'life1: 'async_trait,
                    Self: 'async_trait,
                {
                    ::std::boxed::Box::pin(async move {
                        let members = $crate::Field::write(&input);
                        self.gate.admit($operation, caller, <$Input as $crate::Structure>::SHAPE, &members).await?;
                        ::core::mem::drop(members);
                        self.service.$method(caller, input).await
                    })
                }
            )*
        }

        impl $crate::Dispatch for Gated {
            fn model(&self) -> &'static $crate::Model {
                &$MODEL
            }

            fn operation(&self, name: &str) -> ::core::option::Option<&'static $crate::Operation> {
                OPERATIONS.iter().find(|operation| operation.name == name)
            }

            fn built(&self) -> ::std::vec::Vec<&'static str> {
                self.gate.built()
            }

            fn dispatch<'a>(
                &'a self,
                operation: &'a str,
                caller: &'a $crate::macros::Caller,
                input: $crate::macros::Value,
            ) -> $crate::Future<'a, ::core::result::Result<$crate::Answer, $crate::Error>> {
                match operation {
                    $($operation => ::std::boxed::Box::pin(async move {
                        self.gate.admit($operation, caller, <$Input as $crate::Structure>::SHAPE, &input).await?;
                        let input = <$Input as $crate::Field>::read(input)
                            .map_err(|mismatch| $crate::Error::new("SerializationException", ::std::string::ToString::to_string(&mismatch)))?;
                        ::core::result::Result::Ok($crate::service!(@answer $body self.service.$method(caller, input).await?))
                    }),)*
                    _ => ::std::boxed::Box::pin(::core::future::ready(::core::result::Result::Err($crate::not_implemented(&$MODEL, operation)))),
                }
            }
        }
    };
    (@has empty) => { false };
    (@has $reply:ident) => { true };
    (@output events $Output:ident) => { $crate::EventStream<$Output> };
    (@output $reply:ident $Output:ident) => { $Output };
    (@answer events $call:expr) => { $crate::Answer::events($call) };
    (@answer $reply:ident $call:expr) => { $crate::Answer::Output(::std::boxed::Box::new($call)) };
}
