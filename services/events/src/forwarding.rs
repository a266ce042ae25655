//! Events that go on to another bus: of the same or another account, here or in another region.

use fogbank_core::{Access, Arn, Cx, Fault, Principal};

use crate::delivery::Delivery;
use crate::routing::{self, Event};
use crate::rules::json::Json;
use crate::rules::names;
use crate::store;

/// Puts an event on another bus as it is. It may be so is decided as for any caller of `PutEvents`: the role's session,
/// or else the account of the rule.
pub(crate) async fn forward(
    cx: &Cx,
    delivery: &Delivery,
    principal: Option<Principal>,
) -> Result<(), Fault> {
    let bus = names::bus_of_arn(&delivery.target_arn)
        .ok_or_else(|| Fault::internal("the target is no bus"))?;
    let json = Json::parse(delivery.event()).ok_or_else(|| Fault::internal("no event"))?;
    let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let access = Access::to("events:PutEvents", delivery.target_arn.clone())
        .with("events:source", [text("source")])
        .with("events:detail-type", [text("detail-type")])
        .with("events:eventBusInvocation", ["true".to_owned()]);
    let sender = Arn::parse(&delivery.rule_arn).map_or("", |arn| arn.account);
    let principal = principal.unwrap_or_else(|| Principal::root(sender));
    cx.located(&principal.account, &bus.1).as_principal(principal).authorise(&access)?;
    let event =
        Event { is_forwarded: true, ..Event::new(text("id"), bus, json, cx.now().millis()) };
    let target = cx.located(&event.bus.0, &event.bus.1);
    target
        .write(|tx| {
            store::bus(tx, &event.bus)?;
            routing::accept(tx, std::slice::from_ref(&event))
        })
        .await?;
    Ok(())
}
