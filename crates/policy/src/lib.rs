//! Evaluates IAM policies: pure functions without a clock, I/O or async, with an explanation of every decision.
//!
//! A policy is parsed once into a compiled [`Document`]; [`evaluate`] then decides a [`Call`] under the
//! [`Policies`] that apply to it, in the order that AWS documents, without allocating on the usual path.
//! Evaluation never fails: whatever cannot be matched does not match.
//!
//! What is missing: VPC endpoint policies and access control lists are not layers here.

mod condition;
mod context;
mod document;
mod evaluate;
mod explain;
mod malformed;
mod matching;
mod principal;
mod scalar;
mod syntax;
mod trace;

#[cfg(test)]
mod tests;

pub use context::{Context, ContextMap, Values};
pub use document::{Document, Effect, Kind, PrincipalType};
pub use evaluate::{
    Attached, Call, Decision, Outcome, Policies, ResourcePolicyMode, ResourceSide, evaluate,
};
pub use explain::{Explanation, Layer, MessageStyle, MissingPermission, Reason, StatementRef};
pub use malformed::Malformed;
pub use principal::{Caller, CallerKind};
pub use trace::{Examined, Finding, Miss, Need, Verdict, needs, trace, values};
