//! What the rows say of a caller and of the owner of what it calls, shared with whoever else asks.

use std::sync::Arc;

use fogbank_core::policy::{Attached, Call, Document, Policies, ResourceSide};
use fogbank_core::store::Read;
use fogbank_core::{Fault, PrincipalKind, ResourcePolicy};

use super::{Facts, Question};
use crate::identities::{Compiled, Holder, Identities, attached, holder_id, is_of_root};
use crate::managed;
use crate::places::{self, Place};
use crate::rows::Tags;

/// What the rows say of a caller and of the owner of the resource.
#[derive(Clone, Default)]
pub(crate) struct Standing {
    /// The user or role.
    holder: Option<Arc<Option<Holder>>>,
    /// What the root behind a session may do, which is everything.
    root: Option<Compiled>,
    /// The policies that limit the session.
    session: Vec<Compiled>,
    /// Where the caller's account stands in its organization.
    own_place: Option<Arc<Option<Place>>>,
    /// The same of the owner's account, if it is another one or its control policies concern the action.
    owner_place: Option<Arc<Option<Place>>>,
}

static NO_TAGS: Tags = Tags::new();

impl Standing {
    pub(super) fn read(
        identities: &Identities,
        rows: &dyn Read,
        question: &Question<'_>,
    ) -> Result<Standing, Fault> {
        let principal = &question.request.principal;
        let place = |account: &str| match account {
            "" => Ok(None),
            account => identities.place(rows, account).map(Some),
        };
        Ok(Standing {
            holder: match principal.kind {
                PrincipalKind::User { .. }
                | PrincipalKind::Role { .. }
                | PrincipalKind::Federated { .. } => {
                    Some(identities.holder(rows, holder_id(principal))?)
                }
                _ => None,
            },
            root: match is_of_root(principal) {
                true => Some(("root".into(), identities.documents.policy(managed::ALLOW_ALL)?)),
                false => None,
            },
            session: identities.session(rows, principal.session.as_deref())?,
            own_place: place(&principal.account)?,
            owner_place: match places::is_limited(question.action)
                || question.owner() != principal.account
            {
                true => place(question.owner())?,
                false => None,
            },
        })
    }

    /// Whether the caller's account or the resource's was closed.
    pub(super) fn is_closed(&self) -> bool {
        let is_closed = |place: &Option<Arc<Option<Place>>>| matches!(place.as_deref(), Some(Some(place)) if place.is_closed);
        is_closed(&self.own_place) || is_closed(&self.owner_place)
    }

    fn holder(&self) -> Option<&Holder> {
        self.holder.as_deref()?.as_ref()
    }

    /// The tags of the user or role.
    pub(super) fn tags(&self) -> &Tags {
        self.holder().map_or(&NO_TAGS, |holder| &holder.tags)
    }

    /// Puts together the call and the policies that apply to it.
    pub(super) fn with_policies<R>(
        &self,
        question: &Question<'_>,
        facts: &Facts<'_>,
        run: impl FnOnce(&Call<'_>, &Policies<'_>) -> R,
    ) -> R {
        let holder = self.holder();
        let identity = holder.map(|holder| holder.policies.as_slice()).unwrap_or_default();
        let identity: Vec<Attached<'_>> = identity.iter().chain(&self.root).map(attached).collect();
        let session: Vec<Attached<'_>> = self.session.iter().map(attached).collect();
        let grants = question.policy.map(|policy| policy.grants.as_slice()).unwrap_or_default();
        let grants: Vec<Attached<'_>> = grants.iter().map(granted).collect();
        let principal = &question.request.principal;
        let scps = limits(&self.own_place, |place| place.limits_on_caller(principal));
        let rcps = match question.policy.is_some_and(|policy| policy.is_managed_by_aws) {
            true => Vec::new(),
            false => limits(&self.owner_place, |place| {
                place.limits_on_resource(principal, question.action)
            }),
        };
        let scps: Vec<&[Attached<'_>]> = scps.iter().map(Vec::as_slice).collect();
        let rcps: Vec<&[Attached<'_>]> = rcps.iter().map(Vec::as_slice).collect();
        let caller = principal.caller();
        let Question { action, resource, .. } = *question;
        let call = Call { action, resource, principal: &caller, context: facts };
        let policies = Policies {
            identity: &identity,
            boundary: holder.and_then(|holder| holder.boundary.as_ref()).map(attached),
            session: &session,
            resource: question.policy.map(|policy| side(policy, resource, &grants)),
            mode: question.policy.map(|policy| policy.mode).unwrap_or_default(),
            scps: &scps,
            rcps: &rcps,
        };
        run(&call, &policies)
    }
}

fn limits<'a>(
    place: &'a Option<Arc<Option<Place>>>,
    of: impl Fn(&'a Place) -> Vec<Vec<Attached<'a>>>,
) -> Vec<Vec<Attached<'a>>> {
    place.as_deref().and_then(Option::as_ref).map(of).unwrap_or_default()
}

fn granted((name, document): &(String, Arc<Document>)) -> Attached<'_> {
    Attached { source: name, document }
}

fn side<'a>(
    policy: &'a ResourcePolicy,
    resource: &'a str,
    grants: &'a [Attached<'a>],
) -> ResourceSide<'a> {
    let attached = |document| Attached { source: resource, document };
    ResourceSide { owner: &policy.owner, policy: policy.document.as_deref().map(attached), grants }
}
