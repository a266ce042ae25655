//! Calls from inside the cloud: the front door behind the network layer.

use std::sync::{Arc, Weak};

use fogbank_core::wire;
use fogbank_core::{
    Access, BoxFuture, Call, Cloud, Cx, Endpoint, Fault, FrontDoor, HttpRequest, HttpResponse,
    Reply, Request,
};

use crate::{Inner, authorise, failures, pipeline};

/// The gateway as the cloud sees it. The gateway holds the cloud, so that this must not hold the gateway.
pub(crate) struct Door(pub(crate) Weak<Inner>);

impl Door {
    fn gateway(&self) -> Result<Arc<Inner>, Fault> {
        self.0.upgrade().ok_or_else(|| Fault::internal("the gateway is gone"))
    }
}

impl FrontDoor for Door {
    fn call(&self, cloud: Cloud, call: Call) -> BoxFuture<'static, Result<Reply, Fault>> {
        let gateway = self.gateway();
        Box::pin(async move { run(&*gateway?, cloud, call).await })
    }

    fn authorise(&self, cx: &Cx, access: &Access) -> Result<(), Fault> {
        let request = cx.request();
        let own = format!("{}:{}", request.service, request.operation);
        let gateway = self.gateway()?;
        cx.read(|tx| authorise::granted(&gateway, &own, tx, access))
    }

    fn fetch(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, Fault>> {
        let gateway = self.gateway();
        Box::pin(async move { gateway?.fetch.fetch(request).await })
    }
}

async fn run(gateway: &Inner, cloud: Cloud, call: Call) -> Result<Reply, Fault> {
    let begun = std::time::Instant::now();
    let (service, operation) = call.action.split_once(':').unwrap_or_default();
    let entry = gateway
        .catalogue
        .by_name(service)
        .ok_or_else(|| Fault::internal(format!("there is no service {service:?}")))?;
    let known =
        entry.operation(operation).ok_or_else(|| Fault::not_implemented(service, operation))?;
    let mut input = (known.op.input)();
    wire::from_json(&call.input, &mut *input)
        .map_err(|rejection| pipeline::rejected(&rejection, entry.first_protocol(), entry))?;
    if !call.body.is_empty() && !wire::put_body(&mut *input, call.body) {
        return Err(Fault::internal(format!("{} takes no streaming body", call.action)));
    }
    let settings = cloud.settings();
    let id = cloud.ids().uuid();
    let request = Request {
        id: id.clone(),
        service: entry.service.model.name,
        operation: known.op.model.name,
        account: if call.account.is_empty() { settings.account.clone() } else { call.account },
        principal: call.principal.into(),
        region: call.region,
        now: cloud.clock().now(),
        endpoint: Endpoint { tls: false, authority: settings.local_authority.as_str().into() },
        source_ip: None,
        user_agent: String::new(),
        referer: String::new(),
        signature: None,
        tls_version: None,
        ways: Vec::new(),
        source: call.source,
        via: match call.via {
            Some(via) => call.called_via.into_iter().chain([via]).collect(),
            None => Vec::new(),
        },
    };
    let cx = Cx::new(cloud, request);
    let outcome = pipeline::perform(gateway, known, cx, input).await;
    let model = entry.service.model;
    let status = outcome.as_ref().map_or_else(|fault| failures::status(fault, model), |_| 200);
    let took = begun.elapsed();
    known.counters.count(status, took);
    let (service, operation, micros) = (model.name, known.op.model.name, took.as_micros());
    tracing::debug!(service, operation, status, micros, id, "answered a call from inside");
    if let Err(Some(cause)) =
        outcome.as_ref().map_err(|fault| fault.cause().filter(|_| status >= 500))
    {
        tracing::error!(service, operation, id, cause, "a call from inside failed");
    }
    let mut output = outcome?;
    let body = wire::take_body(&mut *output).unwrap_or_default();
    Ok(Reply { output: wire::to_json(&*output), body })
}
