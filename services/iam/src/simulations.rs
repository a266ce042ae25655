//! The policy simulator: what policies would decide, by the same evaluation that decides calls.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use fogbank_core::policy::{
    Attached, Call, Caller, Context, ContextMap, Document, Kind, Policies, Reason, ResourceSide,
    Values, evaluate,
};
use fogbank_core::{ReadTx, Tx};
use fogbank_identity::rows;

use crate::error::Error;
use crate::holders::{self, Held, Holder};
use crate::model::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, GetContextKeysForCustomPolicyInput,
    GetContextKeysForCustomPolicyOutput, GetContextKeysForPrincipalPolicyInput,
    GetContextKeysForPrincipalPolicyOutput, OrganizationsDecisionDetail,
    PermissionsBoundaryDecisionDetail, Position, ResourceSpecificResult, SimulateCustomPolicyInput,
    SimulateCustomPolicyOutput, SimulatePrincipalPolicyInput, SimulatePrincipalPolicyOutput,
    Statement,
};
use crate::rules::{Page, statements};

/// The most evaluations of one call, so that no call keeps others waiting for long.
const EVALUATIONS: usize = 10_000;

/// Simulates policies that are given.
pub(crate) fn custom(
    _: &ReadTx<'_>,
    input: SimulateCustomPolicyInput,
) -> Result<SimulateCustomPolicyOutput, Error> {
    let caller = caller(input.caller_arn.as_deref())?;
    let scenario = Scenario {
        identity: given(&input.policy_input_list, "PolicyInputList")?,
        boundary: boundary(input.permissions_boundary_policy_input_list)?,
        controls: controls(input.ordered_organization_policy_input_list)?,
        resource: resource_policy(input.resource_policy.as_deref(), &caller)?,
        owner: input.resource_owner.as_deref().map(account_of).transpose()?,
        context: context(input.context_entries)?,
        caller,
    };
    let results = scenario.run(&input.action_names, input.resource_arns)?;
    page(results, input.marker, input.max_items)
}

/// Simulates the policies of a user, group or role, and more that are given.
pub(crate) fn principal(
    tx: &ReadTx<'_>,
    input: SimulatePrincipalPolicyInput,
) -> Result<SimulatePrincipalPolicyOutput, Error> {
    if input.policy_exclusion_list.is_some() {
        let what = "SimulatePrincipalPolicy with PolicyExclusionList";
        return Err(fogbank_core::Fault::not_implemented("iam", what).into());
    }
    let arn = &input.policy_source_arn;
    let holder = holders::find(tx, arn)?;
    let caller = match (&input.caller_arn, holder.kind) {
        (Some(caller_arn), _) => caller(Some(caller_arn))?,
        (None, rows::Kind::User) => Caller::user(tx.account(), arn, &holder.id),
        (None, rows::Kind::Role) => Caller::assumed_role(tx.account(), arn, arn, &holder.id),
        // Without a caller, a group's policies are looked at as those of nobody in particular.
        (None, rows::Kind::Group) => caller(None)?,
    };
    let mut identity = held(&holder)?;
    identity.extend(given(&input.policy_input_list.unwrap_or_default(), "PolicyInputList")?);
    let boundary = match (input.permissions_boundary_policy_input_list, &holder.boundary) {
        (Some(list), _) => boundary(Some(list))?,
        (None, Some((arn, document))) => vec![Policy::parse(arn.clone(), document.clone())?],
        (None, None) => Vec::new(),
    };
    let mut context = context(input.context_entries)?;
    for (key, value) in &holder.tags {
        context.set(&format!("aws:PrincipalTag/{key}"), value.clone());
    }
    let scenario = Scenario {
        identity,
        boundary,
        controls: Vec::new(),
        resource: resource_policy(input.resource_policy.as_deref(), &caller)?,
        owner: input.resource_owner.as_deref().map(account_of).transpose()?,
        context,
        caller,
    };
    let results = scenario.run(&input.action_names, input.resource_arns)?;
    page(results, input.marker, input.max_items)
}

/// The condition keys that given policies name.
pub(crate) fn custom_keys(
    _: &ReadTx<'_>,
    input: GetContextKeysForCustomPolicyInput,
) -> Result<GetContextKeysForCustomPolicyOutput, Error> {
    let mut keys = BTreeSet::new();
    for policy in given(&input.policy_input_list, "PolicyInputList")? {
        statements::keys(&policy.text, &mut keys);
    }
    Ok(GetContextKeysForCustomPolicyOutput { context_key_names: Some(keys.into_iter().collect()) })
}

/// The condition keys that the policies of a user, group or role name.
pub(crate) fn principal_keys(
    tx: &ReadTx<'_>,
    input: GetContextKeysForPrincipalPolicyInput,
) -> Result<GetContextKeysForPrincipalPolicyOutput, Error> {
    let holder = holders::find(tx, &input.policy_source_arn)?;
    let mut keys = BTreeSet::new();
    holder.policies.iter().for_each(|policy| statements::keys(&policy.document, &mut keys));
    for policy in given(&input.policy_input_list.unwrap_or_default(), "PolicyInputList")? {
        statements::keys(&policy.text, &mut keys);
    }
    let context_key_names = Some(keys.into_iter().collect());
    Ok(GetContextKeysForPrincipalPolicyOutput { context_key_names })
}

/// A policy with its statements taken apart.
struct Policy {
    source: String,
    text: String,
    document: Document,
    parts: Vec<(Statement, Document)>,
}

impl Policy {
    fn parse(source: String, text: String) -> Result<Policy, Error> {
        Policy::of(source, text, Kind::Identity)
    }

    fn of(source: String, text: String, kind: Kind) -> Result<Policy, Error> {
        let invalid = |error: fogbank_core::policy::Malformed| {
            Error::InvalidInputException(format!("Failed to parse policy {source}: {error}"))
        };
        let document = Document::parse(&text, kind).map_err(invalid)?;
        let mut parts = Vec::new();
        for part in statements::parts(&text) {
            let shown = Statement {
                source_policy_id: Some(source.clone()),
                source_policy_type: Some(match kind {
                    Kind::Resource => "Resource Policy".to_owned(),
                    _ => "IAM Policy".to_owned(),
                }),
                start_position: Some(position(part.begin)),
                end_position: Some(position(part.end)),
            };
            parts.push((shown, Document::parse(&part.document, kind).map_err(invalid)?));
        }
        Ok(Policy { source, text, document, parts })
    }

    fn attached(&self) -> Attached<'_> {
        Attached { source: &self.source, document: &self.document }
    }
}

fn position((line, column): statements::Place) -> Position {
    Position { line: Some(line), column: Some(column) }
}

fn given(texts: &[String], list: &str) -> Result<Vec<Policy>, Error> {
    let numbered = texts.iter().enumerate();
    numbered.map(|(i, text)| Policy::parse(format!("{list}.{}", i + 1), text.clone())).collect()
}

/// The policies of a user, group or role, named as the simulator names them.
fn held(holder: &Holder) -> Result<Vec<Policy>, Error> {
    let source = |held: &Held| match held.arn {
        Some(_) => held.name.clone(),
        None => {
            let kind = match held.kind {
                rows::Kind::User => "user",
                rows::Kind::Group => "group",
                rows::Kind::Role => "role",
            };
            format!("{kind}_{}_{}", held.owner, held.name)
        }
    };
    holder.policies.iter().map(|held| Policy::parse(source(held), held.document.clone())).collect()
}

fn boundary(list: Option<Vec<String>>) -> Result<Vec<Policy>, Error> {
    let list = list.unwrap_or_default();
    if list.len() > 1 {
        let message = "Only one permissions boundary can be simulated.";
        return Err(Error::InvalidInputException(message.to_owned()));
    }
    given(&list, "PermissionsBoundaryPolicyInputList")
}

fn controls(
    levels: Option<Vec<crate::model::OrderedOrganizationPolicyType>>,
) -> Result<Vec<Vec<Policy>>, Error> {
    let levels = levels.unwrap_or_default().into_iter();
    let texts = levels.map(|level| level.service_control_policy_input_list.unwrap_or_default());
    let numbered = texts.enumerate();
    numbered
        .map(|(i, texts)| given(&texts, &format!("OrderedOrganizationPolicyInputList.{}", i + 1)))
        .collect()
}

fn resource_policy(text: Option<&str>, caller: &Caller) -> Result<Option<Policy>, Error> {
    let Some(text) = text else { return Ok(None) };
    if caller.account.is_empty() {
        let message = "CallerArn is required when a resource policy is simulated.";
        return Err(Error::InvalidInputException(message.to_owned()));
    }
    Policy::of("ResourcePolicy".to_owned(), text.to_owned(), Kind::Resource).map(Some)
}

/// The caller that an ARN names; without one, a user of no account, to whom only identity policies can allow anything.
fn caller(arn: Option<&str>) -> Result<Caller, Error> {
    let Some(arn) = arn else { return Ok(Caller::user("", "", "")) };
    let account = account_of(arn)?;
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split_once('/') {
        Some(("user", _)) => Ok(Caller::user(&account, arn, "")),
        Some(("role", _)) => Ok(Caller::assumed_role(&account, arn, arn, "")),
        _ => Err(Error::InvalidInputException(format!("Invalid Caller Arn: {arn}"))),
    }
}

fn account_of(arn: &str) -> Result<String, Error> {
    let account = arn.split(':').nth(4).filter(|account| account.len() == 12);
    account
        .map(str::to_owned)
        .ok_or_else(|| Error::InvalidInputException(format!("Invalid Entity Arn: {arn}")))
}

fn context(entries: Option<Vec<ContextEntry>>) -> Result<ContextMap, Error> {
    let mut context = ContextMap::new();
    for entry in entries.unwrap_or_default() {
        let (Some(name), Some(values)) = (entry.context_key_name, entry.context_key_values) else {
            let message = "A context entry needs a name and values.";
            return Err(Error::InvalidInputException(message.to_owned()));
        };
        use ContextKeyTypeEnum as Type;
        let is_list = matches!(
            entry.context_key_type,
            Some(
                Type::StringList
                    | Type::NumericList
                    | Type::BooleanList
                    | Type::IpList
                    | Type::BinaryList
                    | Type::DateList
            )
        );
        match values.as_slice() {
            [one] if !is_list => context.set(&name, one.clone()),
            _ => context.set_many(&name, values),
        };
    }
    Ok(context)
}

/// A context that notes which keys were asked for and are not there.
struct Noted<'a> {
    context: &'a ContextMap,
    missing: RefCell<BTreeSet<String>>,
}

impl Context for Noted<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        let found = self.context.get(key);
        if found.is_none() {
            self.missing.borrow_mut().insert(key.to_owned());
        }
        found
    }
}

/// All that a simulation goes by.
struct Scenario {
    identity: Vec<Policy>,
    boundary: Vec<Policy>,
    controls: Vec<Vec<Policy>>,
    resource: Option<Policy>,
    owner: Option<String>,
    context: ContextMap,
    caller: Caller,
}

/// What was decided over one action on one resource.
struct Decided {
    decision: &'static str,
    matched: Vec<Statement>,
    missing: Vec<String>,
    boundary: Option<bool>,
    organizations: Option<bool>,
    details: BTreeMap<String, String>,
}

impl Scenario {
    fn run(
        &self,
        actions: &[String],
        resources: Option<Vec<String>>,
    ) -> Result<Vec<EvaluationResult>, Error> {
        let resources = resources.filter(|resources| !resources.is_empty());
        let resources = resources.unwrap_or_else(|| vec!["*".to_owned()]);
        if actions.len() * resources.len() > EVALUATIONS {
            let message = format!("At most {EVALUATIONS} evaluations can be made at once.");
            return Err(Error::InvalidInputException(message));
        }
        let mut results = Vec::new();
        for action in actions {
            let is_action = action.split_once(':').is_some_and(|(s, name)| {
                !s.is_empty() && !name.is_empty() && !name.contains(['*', '?', ':'])
            });
            if !is_action {
                let message = format!("Invalid Action Name: {action}");
                return Err(Error::InvalidInputException(message));
            }
            for resource in &resources {
                results.push(shown(action, resource, self.decide(action, resource)));
            }
        }
        Ok(results)
    }

    fn decide(&self, action: &str, resource: &str) -> Decided {
        let noted = Noted { context: &self.context, missing: RefCell::default() };
        let call = Call { action, resource, principal: &self.caller, context: &noted };
        let identity: Vec<_> = self.identity.iter().map(Policy::attached).collect();
        let levels: Vec<Vec<_>> = self
            .controls
            .iter()
            .map(|level| level.iter().map(Policy::attached).collect())
            .collect();
        let levels: Vec<&[_]> = levels.iter().map(Vec::as_slice).collect();
        let owner = self.owner.as_deref().unwrap_or(&self.caller.account);
        let side = self.resource.as_ref().map(|policy| ResourceSide {
            owner,
            policy: Some(policy.attached()),
            grants: &[],
        });
        let policies = Policies {
            identity: &identity,
            boundary: self.boundary.first().map(Policy::attached),
            resource: side,
            scps: &levels,
            ..Policies::default()
        };
        let decision = evaluate(&call, &policies);
        let reason = decision.explanation.reason;
        let is_denied = reason == Reason::ExplicitDeny;
        let mut matched = Vec::new();
        for policy in
            self.identity.iter().chain(&self.boundary).chain(self.controls.iter().flatten())
        {
            matched.extend(self.matching(&call, policy, is_denied));
        }
        if let Some(policy) = &self.resource {
            matched.extend(self.matching_resource(&call, policy, is_denied));
        }
        let boundary = (!self.boundary.is_empty()).then(|| self.allow(&call, &self.boundary));
        let organizations = (!self.controls.is_empty())
            .then(|| self.controls.iter().all(|level| self.allow(&call, level)));
        let mut details = BTreeMap::new();
        if let (Some(policy), false) = (&self.resource, owner == self.caller.account) {
            // Across accounts both sides must allow, and the answer says what each does.
            let word = |allowed| if allowed { "allowed" } else { "implicitDeny" }.to_owned();
            details.insert("IAM Policy".to_owned(), word(self.allow(&call, &self.identity)));
            let of_resource = !self.matching_resource(&call, policy, false).is_empty();
            details.insert("Resource Policy".to_owned(), word(of_resource));
        }
        Decided {
            decision: match reason {
                Reason::Allowed => "allowed",
                Reason::ExplicitDeny => "explicitDeny",
                Reason::ImplicitDeny => "implicitDeny",
            },
            matched,
            missing: self.spelled(noted.missing.into_inner()),
            boundary,
            organizations,
            details,
        }
    }

    /// The statements of a policy of identities that allow, or that deny.
    fn matching<'p>(
        &self,
        call: &Call<'_>,
        policy: &'p Policy,
        is_denied: bool,
    ) -> impl Iterator<Item = Statement> + use<'p> {
        let wanted = if is_denied { Reason::ExplicitDeny } else { Reason::Allowed };
        let found: Vec<Statement> = policy
            .parts
            .iter()
            .filter(|(_, document)| {
                let alone = [Attached { source: &policy.source, document }];
                let policies = Policies { identity: &alone, ..Policies::default() };
                let own = Call { context: &self.context, ..*call };
                // Without a resource policy, an owner of another account could not allow anything.
                let policies = Policies {
                    resource: Some(ResourceSide {
                        owner: &self.caller.account,
                        policy: None,
                        grants: &[],
                    }),
                    ..policies
                };
                evaluate(&own, &policies).explanation.reason == wanted
            })
            .map(|(shown, _)| shown.clone())
            .collect();
        found.into_iter()
    }

    fn matching_resource(
        &self,
        call: &Call<'_>,
        policy: &Policy,
        is_denied: bool,
    ) -> Vec<Statement> {
        let wanted = if is_denied { Reason::ExplicitDeny } else { Reason::Allowed };
        let parts = policy.parts.iter().filter(|(_, document)| {
            let side = Attached { source: &policy.source, document };
            let owner = &self.caller.account;
            let resource = Some(ResourceSide { owner, policy: Some(side), grants: &[] });
            let own = Call { context: &self.context, ..*call };
            let policies = Policies { resource, ..Policies::default() };
            evaluate(&own, &policies).explanation.reason == wanted
        });
        parts.map(|(shown, _)| shown.clone()).collect()
    }

    /// Whether some policies alone would allow.
    fn allow(&self, call: &Call<'_>, list: &[Policy]) -> bool {
        let identity: Vec<_> = list.iter().map(Policy::attached).collect();
        let own = Call { context: &self.context, ..*call };
        let resource =
            Some(ResourceSide { owner: &self.caller.account, policy: None, grants: &[] });
        evaluate(&own, &Policies { identity: &identity, resource, ..Policies::default() })
            .is_allowed()
    }

    /// Missing keys as the policies spell them, without those that follow from the caller.
    fn spelled(&self, missing: BTreeSet<String>) -> Vec<String> {
        const DERIVED: [&str; 4] =
            ["aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:userid"];
        let mut spelled = BTreeSet::new();
        let all = self.identity.iter().chain(&self.boundary).chain(&self.resource);
        all.for_each(|policy| statements::keys(&policy.text, &mut spelled));
        let is_missing = |key: &String| {
            let key = key.to_lowercase();
            let is_derived = !self.caller.account.is_empty() && DERIVED.contains(&&*key);
            missing.contains(&key) && !is_derived
        };
        spelled.into_iter().filter(is_missing).collect()
    }
}

fn shown(action: &str, resource: &str, decided: Decided) -> EvaluationResult {
    let boundary = decided.boundary.map(|allowed| PermissionsBoundaryDecisionDetail {
        allowed_by_permissions_boundary: Some(allowed),
    });
    let organizations = decided
        .organizations
        .map(|allowed| OrganizationsDecisionDetail { allowed_by_organizations: Some(allowed) });
    let details = (!decided.details.is_empty()).then_some(decided.details);
    // AWS tells of each resource in a list of its own, beside the result for the action.
    let specific = ResourceSpecificResult {
        eval_resource_name: Some(resource.to_owned()),
        eval_resource_decision: Some(decided.decision.to_owned()),
        matched_statements: Some(decided.matched.clone()),
        missing_context_values: Some(decided.missing.clone()),
        eval_decision_details: details.clone(),
        permissions_boundary_decision_detail: boundary.clone(),
    };
    EvaluationResult {
        eval_action_name: Some(action.to_owned()),
        eval_resource_name: Some(resource.to_owned()),
        eval_decision: Some(decided.decision.to_owned()),
        matched_statements: Some(decided.matched),
        missing_context_values: Some(decided.missing),
        organizations_decision_detail: organizations,
        permissions_boundary_decision_detail: boundary,
        eval_decision_details: details,
        resource_specific_results: (resource != "*").then(|| vec![specific]),
    }
}

fn page(
    results: Vec<EvaluationResult>,
    marker: Option<String>,
    max_items: Option<i32>,
) -> Result<SimulateCustomPolicyOutput, Error> {
    let numbered = results.into_iter().enumerate().collect::<Vec<_>>();
    let key = |(number, _): &(usize, EvaluationResult)| number.to_string();
    let page = Page::of(numbered, key, marker.as_deref(), max_items)?;
    let is_truncated = page.is_truncated();
    let evaluation_results = page.items.into_iter().map(|(_, result)| result).collect();
    Ok(SimulateCustomPolicyOutput {
        evaluation_results: Some(evaluation_results),
        is_truncated,
        marker: page.marker,
    })
}
