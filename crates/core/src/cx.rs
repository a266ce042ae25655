//! The context of one call: the cloud, and what is known of the caller.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;

use crate::{
    Access, Body, Call, Cloud, Endpoint, Fault, Principal, ReadTx, Reply, Request, Timestamp,
    WriteTx,
};

/// What a `task` handler, a background task or a job works with. Cheap to clone.
///
/// It derefs to [`Cloud`], so that `cx.blobs()` or `cx.clock()` read naturally.
#[derive(Clone)]
pub struct Cx {
    cloud: Cloud,
    request: Arc<Request>,
}

impl Deref for Cx {
    type Target = Cloud;

    fn deref(&self) -> &Cloud {
        &self.cloud
    }
}

impl Cx {
    /// The context of a call.
    pub fn new(cloud: Cloud, request: Request) -> Cx {
        Cx { cloud, request: Arc::new(request) }
    }

    /// The context of work that `service` does by itself.
    pub fn background(cloud: Cloud, service: &'static str, operation: &'static str) -> Cx {
        let settings = cloud.settings().clone();
        let request = Request {
            id: cloud.ids().uuid(),
            service,
            operation,
            principal: Principal::service(&format!("{service}.amazonaws.com")).into(),
            account: settings.account,
            region: settings.region,
            now: cloud.clock().now(),
            endpoint: Endpoint { tls: false, authority: settings.local_authority.into() },
            source_ip: None,
            user_agent: String::new(),
            referer: String::new(),
            signature: None,
            tls_version: None,
            source: None,
            ways: Vec::new(),
            via: Vec::new(),
        };
        Cx::new(cloud, request)
    }

    /// The same context of a call that reaches what it is about in these ways.
    pub fn by(&self, ways: Vec<crate::Way>) -> Cx {
        let request = crate::Request { ways, ..(*self.request).clone() };
        Cx { cloud: self.cloud.clone(), request: Arc::new(request) }
    }

    /// The same context in another account and region.
    pub fn located(&self, account: &str, region: &str) -> Cx {
        let mut request = (*self.request).clone();
        account.clone_into(&mut request.account);
        region.clone_into(&mut request.region);
        Cx { cloud: self.cloud.clone(), request: Arc::new(request) }
    }

    /// The same context as somebody else who called directly, such as the one on whose behalf work was put off.
    pub fn as_principal(&self, principal: Principal) -> Cx {
        let principal = Arc::new(principal);
        let request =
            Request { principal, source: None, via: Vec::new(), ..(*self.request).clone() };
        Cx { cloud: self.cloud.clone(), request: Arc::new(request) }
    }

    /// The same context for what the service does by itself and not as its caller: as `principal`, by which policies know
    /// the service, on behalf of its resource with this ARN.
    pub fn as_service(&self, principal: &str, resource_arn: &str) -> Cx {
        let source = Some((resource_arn.to_owned(), self.request.account.clone()));
        let principal = Arc::new(Principal::service(principal));
        let request = Request { principal, source, via: Vec::new(), ..(*self.request).clone() };
        Cx { cloud: self.cloud.clone(), request: Arc::new(request) }
    }

    /// The cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The facts of the call.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The facts of the call, to be kept.
    pub fn shared_request(&self) -> &Arc<Request> {
        &self.request
    }

    /// The account whose resources are meant.
    pub fn account(&self) -> &str {
        &self.request.account
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.request.region
    }

    /// The time now (a task may run for long; a transaction's `now` is the call's).
    pub fn now(&self) -> Timestamp {
        self.cloud.clock().now()
    }

    /// The ARN of a resource of the call's service, region and account.
    pub fn arn(&self, resource: impl std::fmt::Display) -> String {
        crate::arn::arn(self.request.service, self.region(), self.account(), resource)
    }

    /// Reads in one consistent snapshot.
    pub fn read<T, E: From<fogbank_store::Error>>(
        &self,
        f: impl FnOnce(&ReadTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.cloud.db().read(|rows| f(&ReadTx::new(rows, self)))
    }

    /// Writes in one transaction and returns when it is durable. The closure may be retried.
    pub async fn write<T, E: From<fogbank_store::Error>>(
        &self,
        mut f: impl FnMut(&mut WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.cloud.db().write(|rows| f(&mut WriteTx::new(rows, self))).await
    }

    /// Refuses with AWS's message unless the caller is granted every check of `access`: for what is
    /// known only while the operation runs, such as each key of `s3:DeleteObjects`.
    pub fn authorise(&self, access: &Access) -> Result<(), Fault> {
        self.cloud.front_door()?.authorise(self, access)
    }

    /// Calls another service as `principal`: a role's session, a service, or the caller itself.
    pub async fn call(
        &self,
        principal: impl Into<Principal>,
        action: &str,
        input: Value,
    ) -> Result<Reply, Fault> {
        let call = self.prepare(principal, action, input);
        self.cloud.call(call).await
    }

    /// A call of `principal` in this context's account and region, to be refined and sent.
    pub fn prepare(&self, principal: impl Into<Principal>, action: &str, input: Value) -> Call {
        Call {
            action: action.to_owned(),
            principal: principal.into(),
            region: self.region().to_owned(),
            account: self.account().to_owned(),
            input,
            body: Body::empty(),
            source: None,
            via: None,
            called_via: self.request.via.clone(),
        }
    }
}
