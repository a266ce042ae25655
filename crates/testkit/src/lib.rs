//! A whole cloud in a test's own process: state in memory, a clock that stands still, identifiers
//! that repeat.
//!
//! Tests are data: an operation, its input, the expected answer.
//!
//! ```ignore
//! let world = World::new(SERVICES);
//! world.check("sqs:CreateQueue", json!({"QueueName": "jobs"}), expect![[r#"…"#]]).await;
//! ```

pub mod plausible;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

pub use expect_test::{Expect, expect};
use fogbank_core::bytes::Bytes;
use fogbank_core::store::{self, Db, Read};
use fogbank_core::{
    Body, Call, Clock, Cloud, Cx, Fault, HttpRequest, HttpResponse, Ids, Principal, Reply, Service,
    Settings, Timestamp,
};
use fogbank_gateway::{Banner, Gateway, Options, Peer};
use fogbank_identity::{Directory, Mode};
use fogbank_tasks::Background;
pub use serde_json::{Value, json};

/// The account in which a world's calls run.
pub const ACCOUNT: &str = "000000000000";
/// The region in which a world's calls run.
pub const REGION: &str = "us-east-1";

/// A cloud in memory with some services.
pub struct World {
    gateway: Gateway,
    cloud: Cloud,
    services: &'static [&'static Service],
    _directory: tempfile::TempDir,
}

impl World {
    /// A world at 2026-01-01T00:00:00Z, whose clock moves only by [`Clock::advance`].
    pub fn new(services: &'static [&'static Service]) -> World {
        let clock = Clock::frozen(Timestamp::from_secs(1_767_225_600));
        World::with(services, Db::memory(), clock, Ids::seeded(1))
    }

    /// A world upon a database, with a clock and a source of identifiers.
    pub fn with(services: &'static [&'static Service], db: Db, clock: Clock, ids: Ids) -> World {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let settings = Settings {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            data_dir: directory.path().to_owned(),
            local_authority: "127.0.0.1:4566".to_owned(),
            has_legacy_buckets: false,
            allows_customer_keys: false,
            s3_cache_bytes: 4 << 20,
        };
        let cloud = Cloud::new(db, clock, ids, settings);
        let mode = Mode::Dev { accept_any_credentials: false };
        let identities = Arc::new(Directory::new(mode, ACCOUNT));
        identities.connect(&cloud);
        let banner =
            Banner { version: "test", state: "ephemeral".into(), identity: "enforced".into() };
        let options = Options { allow_remote: false, open_metrics: true, banner };
        let gateway = Gateway::new(cloud.clone(), services, identities, Vec::new(), options);
        World { gateway, cloud, services, _directory: directory }
    }

    /// The cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        self.cloud.clock()
    }

    /// Starts the background work: reconcilers and the outbox's pump, until it is dropped.
    pub fn background(&self) -> Background {
        fogbank_tasks::start(&self.cloud, self.services)
    }

    /// Lets a service do one round of its background work of this name.
    pub async fn round(&self, service: &Service, task: &str) {
        let task = service.tasks.iter().find(|known| known.name == task).expect("the task");
        let cx = Cx::background(self.cloud.clone(), service.model.name, task.name);
        (task.run)(cx).await.expect("a round");
    }

    /// Removes all that a service keeps of an account; of every account for `None`.
    pub async fn reset(&self, service: &Service, account: Option<&str>) {
        let reset = service.reset.expect("a reset");
        let cx = Cx::background(self.cloud.clone(), service.model.name, "reset");
        reset(cx, account.map(str::to_owned)).await.expect("it is reset");
    }

    /// All rows of a service: the table and the key as labels show them, and the value's bytes.
    pub fn rows(&self, service: &Service) -> BTreeMap<String, Bytes> {
        let mut rows = BTreeMap::new();
        for label in service.tables {
            for (key, value) in self.rows_under(label.prefix) {
                let shown = label.show(&key).expect("a key of the table");
                rows.insert(format!("{} {shown}", label.name), value);
            }
        }
        rows
    }

    /// All rows of a table, by their keys with the prefix.
    pub fn rows_under(&self, prefix: u32) -> Vec<(Bytes, Bytes)> {
        let mut rows = Vec::new();
        let (start, end) = (prefix.to_be_bytes(), (prefix + 1).to_be_bytes());
        self.cloud
            .db()
            .read(|tx| {
                tx.scan(&start, &end, false, &mut |key, value| {
                    rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
                    ControlFlow::Continue(())
                })
            })
            .expect("rows");
        rows
    }

    /// Calls an operation as the account's root.
    pub async fn call(&self, action: &str, input: Value) -> Result<Value, Fault> {
        self.call_as(Principal::root(ACCOUNT), action, input).await
    }

    /// Calls an operation as somebody.
    pub async fn call_as(
        &self,
        principal: Principal,
        action: &str,
        input: Value,
    ) -> Result<Value, Fault> {
        self.send(principal, action, input, Body::empty()).await.map(|reply| reply.output)
    }

    /// Calls an operation that takes or returns a body.
    pub async fn send(
        &self,
        principal: Principal,
        action: &str,
        input: Value,
        body: Body,
    ) -> Result<Reply, Fault> {
        let call = Call {
            action: action.to_owned(),
            account: principal.account.clone(),
            principal,
            region: REGION.to_owned(),
            input,
            body,
            source: None,
            via: None,
            called_via: Vec::new(),
        };
        self.cloud.call(call).await
    }

    /// Calls an operation as root and compares the answer, or the error's name and message.
    pub async fn check(&self, action: &str, input: Value, expected: Expect) {
        let text = match self.call(action, input).await {
            Ok(output) => serde_json::to_string_pretty(&output).expect("JSON"),
            Err(fault) => fault.to_string(),
        };
        expected.assert_eq(&text);
    }

    /// Sends an HTTP request as a client on this machine would.
    pub async fn http(&self, request: HttpRequest) -> HttpResponse {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 50_000));
        self.gateway.handle(request, Peer { address: Some(address), tls: None }).await
    }
}

/// Compares the bytes of a row with those that already lie on disks, and reads them back.
pub fn check_row<V: store::Value>(row: &V, expected: Expect) {
    let mut bytes = Vec::new();
    row.encode(&mut bytes).expect("a row");
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<_> = digits.as_bytes().chunks(96).map(String::from_utf8_lossy).collect();
    expected.assert_eq(&lines.join("\n"));
    let mut again = Vec::new();
    V::decode_slice(&bytes).expect("readable").encode(&mut again).expect("a row");
    assert_eq!(bytes, again);
}
