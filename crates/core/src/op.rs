//! The operation table: which handler serves which operation of the model.

use std::future::Future;
use std::pin::Pin;

use fogbank_wire::{Operation, Struct};

use crate::{Access, Cx, Fault, ReadTx, Request, WriteTx};

/// A future that can be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a handler answers, before the protocol's form.
pub type Answer = Result<Box<dyn Struct>, Fault>;

/// An implemented operation.
pub struct Op {
    /// The operation in the model.
    pub model: &'static Operation,
    /// Makes an empty input.
    pub input: fn() -> Box<dyn Struct>,
    /// The handler.
    pub run: Run,
    /// What the call must be allowed to do.
    pub access: fn(&Request, &dyn Struct) -> Result<Access, Fault>,
}

/// What a handler may do.
pub enum Run {
    /// It reads in one snapshot.
    Read(fn(&ReadTx<'_>, Box<dyn Struct>) -> Answer),
    /// It writes in one transaction, which is durable before the caller hears of it.
    Write(fn(&mut WriteTx<'_>, Box<dyn Struct>) -> Answer),
    /// It waits, streams or calls others, with as many transactions as it needs.
    Task(fn(Cx, Box<dyn Struct>) -> BoxFuture<'static, Answer>),
}

/// Declares a service's operations.
///
/// ```ignore
/// pub static OPERATIONS: &[Op] = operations! {
///     write CreateQueue    => queues::create,    access::queue_name;
///     read  GetQueueUrl    => queues::get_url,   access::queue_name;
///     task  ReceiveMessage => messages::receive, access::queue_url;
/// };
/// ```
///
/// Each line names the kind of handler, the operation, the handler and a
/// `fn(&Request, &dyn Struct) -> Result<Access, Fault>` that says what must be allowed.
/// The compiler checks the handler's types against the model.
#[macro_export]
#[expect(clippy::crate_in_macro_def, reason = "the model is the calling crate's")]
macro_rules! operations {
    ($( $kind:ident $operation:ident => $handler:path, $access:expr; )*) => {
        &[$( $crate::Op {
            model: <crate::model::$operation as $crate::wire::OperationShape>::MODEL,
            input: || ::std::boxed::Box::<
                <crate::model::$operation as $crate::wire::OperationShape>::Input,
            >::default(),
            run: $crate::operations!(@$kind $operation $handler),
            access: $access,
        }, )*]
    };
    (@read $operation:ident $handler:path) => {
        $crate::Run::Read(|tx, input| {
            let output = $handler(tx, $crate::operations!(@input $operation input))?;
            Ok($crate::operations!(@output $operation output))
        })
    };
    (@write $operation:ident $handler:path) => {
        $crate::Run::Write(|tx, input| {
            let output = $handler(tx, $crate::operations!(@input $operation input))?;
            Ok($crate::operations!(@output $operation output))
        })
    };
    (@task $operation:ident $handler:path) => {
        $crate::Run::Task(|cx, input| ::std::boxed::Box::pin(async move {
            let output = $handler(&cx, $crate::operations!(@input $operation input)).await?;
            Ok($crate::operations!(@output $operation output))
        }))
    };
    (@input $operation:ident $input:ident) => {
        *$input
            .downcast::<<crate::model::$operation as $crate::wire::OperationShape>::Input>()
            .ok_or_else(|| $crate::Fault::internal("the input is of another operation"))?
    };
    (@output $operation:ident $output:ident) => {{
        let output: <crate::model::$operation as $crate::wire::OperationShape>::Output = $output;
        let output: ::std::boxed::Box<dyn $crate::wire::Struct> = ::std::boxed::Box::new(output);
        output
    }};
}
