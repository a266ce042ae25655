//! One life of the cloud: from its start upon the disk to its end, which is a crash more often than not.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, Fault, Principal};
use fogbank_testkit::{ACCOUNT, Value, World};

use crate::chance::Chance;
use crate::trace::Trace;

/// The most that is read of a body.
const MAX_BODY_BYTES: usize = 64 << 20;
/// Errors after which the client cannot know whether the operation has happened.
const SERVER_FAULTS: &[&str] = &[
    "InternalFailure",
    "InternalError",
    "InternalErrorException",
    "InternalServerError",
    "ServiceFailure",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "ServiceUnavailableError",
    "SlowDown",
    "InsufficientStorage",
    "InsufficientStorageException",
];

/// A promise that was broken, in words.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

/// Fails with a formatted [`Broken`] unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::life::Broken(format!($($text)+)));
        }
    };
}
pub(crate) use hold;

/// What a client knows after a call.
pub(crate) enum Answer {
    /// It has happened.
    Done(Value),
    /// It has not happened, for a reason that the client gave: the error's name.
    Refused(String),
    /// It may have happened: the answer was lost, or the server failed.
    Unknown,
}

impl Answer {
    /// The output of a call that nothing but a fault can keep from working.
    pub(crate) fn done(self, what: &str) -> Result<Option<Value>, Broken> {
        match self {
            Answer::Done(output) => Ok(Some(output)),
            Answer::Unknown => Ok(None),
            Answer::Refused(name) => Err(Broken(format!("{what} was refused: {name}"))),
        }
    }
}

/// A running cloud as its clients see it.
pub(crate) struct Life {
    pub(crate) world: World,
    pub(crate) trace: Rc<Trace>,
    /// Whether answers get lost and clients hang up.
    pub(crate) is_rough: Cell<bool>,
    pub(crate) chance: RefCell<Chance>,
}

impl Life {
    pub(crate) fn millis(&self) -> i64 {
        self.world.clock().now().millis()
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        self.world.clock().sleep(Duration::from_millis(millis)).await;
    }

    fn percent(&self, percent: u32) -> bool {
        self.is_rough.get() && self.chance.borrow_mut().percent(percent)
    }

    /// Adds what an actor found to the trace.
    pub(crate) fn note(&self, who: &str, what: &str) {
        self.trace.event(self.millis(), who, what);
    }

    /// Calls an operation.
    pub(crate) async fn call(&self, who: &str, action: &str, input: Value) -> Answer {
        self.send(who, action, input, Bytes::new()).await.0
    }

    /// Calls an operation with a body and reads the one that comes back.
    pub(crate) async fn send(
        &self,
        who: &str,
        action: &str,
        input: Value,
        body: Bytes,
    ) -> (Answer, Bytes) {
        let shown = format!("{action} {input} +{}", body.len());
        self.note(who, &shown);
        let hang_up = self.percent(3).then(|| self.chance.borrow_mut().skewed(200));
        let called = self.exchange(action, input, body);
        let outcome = match hang_up {
            Some(millis) => tokio::time::timeout(Duration::from_millis(millis), called).await,
            None => Ok(called.await),
        };
        let (answer, text, bytes) = match outcome {
            Err(_) => (Answer::Unknown, "the client hung up".to_owned(), Bytes::new()),
            Ok(_) if self.percent(3) => {
                (Answer::Unknown, "the answer was lost".to_owned(), Bytes::new())
            }
            Ok(Ok((output, bytes))) => {
                let text = format!("{output} +{}", bytes.len());
                (Answer::Done(output), text, bytes)
            }
            Ok(Err(fault)) => {
                let text = format!("{fault} {}", fault.cause().unwrap_or_default());
                let is_ours = SERVER_FAULTS.contains(&fault.name());
                let name = fault.name().to_owned();
                let answer = if is_ours { Answer::Unknown } else { Answer::Refused(name) };
                (answer, text, Bytes::new())
            }
        };
        self.note(who, &format!("-> {text}"));
        (answer, bytes)
    }

    async fn exchange(
        &self,
        action: &str,
        input: Value,
        body: Bytes,
    ) -> Result<(Value, Bytes), Fault> {
        let body = if body.is_empty() { Body::empty() } else { Body::from(body) };
        let reply = self.world.send(Principal::root(ACCOUNT), action, input, body).await?;
        let output = reply.output.clone();
        Ok((output, reply.bytes(MAX_BODY_BYTES).await?))
    }
}
