//! All that a service sees of the cloud: its operation table, the context of a call, transactions,
//! errors, time, identifiers and effects.
//!
//! A service crate depends on this crate and, through its re-exports, on nothing else of ours.

mod access;
pub mod arn;
pub mod at_rest;
mod call;
pub mod clock;
mod cloud;
mod cx;
mod fault;
mod ids;
pub mod measures;
mod op;
pub mod outbox;
pub mod page;
mod parsed_policies;
mod principal;
mod request;
pub mod reset;
pub mod root_key;
mod service;
mod spawn;
mod tx;
mod wakes;

pub use access::{Access, Check, Demand, Explain, Locate, Refine, ResourcePolicy, Way};
pub use arn::Arn;
pub use call::{Call, FrontDoor, HttpRequest, HttpResponse, Reply};
pub use clock::Clock;
pub use cloud::{Cloud, Settings};
pub use cx::Cx;
pub use fault::Fault;
pub use ids::Ids;
pub use op::{Answer, BoxFuture, Op, Run};
pub use outbox::{Effect, Retry};
pub use parsed_policies::ParsedPolicies;
pub use principal::{Principal, PrincipalKind, Session};
pub use request::{Endpoint, Request, RequestSignature};
pub use root_key::RootKey;
pub use service::{
    Answered, CrossOrigin, CrossOriginLookUp, DataPlane, Job, Observer, PolicyLookUp, ReachLookUp,
    Reset, Service, TagLookUp, Task, TimeWentBack, WhenSent,
};
pub use tx::{ReadTx, Tx, WriteTx};
pub use wakes::{Waiter, Wakes};

pub use bytes;
pub use fogbank_policy as policy;
pub use fogbank_seal as seal;
pub use fogbank_store as store;
pub use fogbank_wire as wire;
pub use fogbank_wire::{Body, Timestamp};
pub use tracing;

/// The tables of the core: the outbox and the clock.
pub static TABLES: &[store::TableLabel] = &[
    outbox::lanes::BEFORE_LANES.label(),
    outbox::lanes::EFFECTS.label(),
    outbox::lanes::LANES.label(),
    outbox::lanes::TURNS.label(),
    clock::CLOCK.label(),
    root_key::SEALED.label(),
];
