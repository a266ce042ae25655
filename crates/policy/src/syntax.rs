//! The two grammars of policy documents, and the order in which AWS reports faults.

use serde_json::{Map, Value};

use crate::condition::{Operator, texts};
use crate::document::{Effect, Kind};
use crate::malformed::Malformed;
use crate::scalar::parse_date;

/// A document whose elements have been found and checked.
pub(crate) struct RawDocument<'v> {
    /// Whether the version of the language knows policy variables.
    pub(crate) variables: bool,
    pub(crate) statements: Vec<RawStatement<'v>>,
}

/// A statement whose elements have been found; lists carry whether the element is a `Not…` one.
pub(crate) struct RawStatement<'v> {
    pub(crate) sid: Option<&'v str>,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<(&'v Value, bool)>,
    pub(crate) actions: (Vec<&'v str>, bool),
    pub(crate) resources: Option<(Vec<&'v str>, bool)>,
    pub(crate) conditions: Option<&'v Map<String, Value>>,
}

const VERSION_2012: &str = "2012-10-17";
const VERSION_2008: &str = "2008-10-17";
const TOP_ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

type Object = Map<String, Value>;
type Texts<'v> = Option<(Vec<&'v str>, bool)>;

/// Checks a policy of an identity. All statements pass one check before the next check looks at any, which is the
/// order in which IAM has been observed to report several faults; where principals and letters of Sids stand in
/// that order is a guess.
pub(crate) fn check_identity_policy(
    value: &Value,
    kind: Kind,
) -> Result<RawDocument<'_>, Malformed> {
    let document = value.as_object().ok_or(Malformed::Syntax)?;
    if !document.keys().all(|key| TOP_ELEMENTS.contains(&&**key)) {
        return Err(Malformed::Syntax);
    }
    let version = match document.get("Version") {
        None => None,
        Some(Value::String(version)) if is_version(version) => Some(version.as_str()),
        Some(_) => return Err(Malformed::Syntax),
    };
    if document.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(Malformed::Syntax);
    }
    let objects = statement_objects(document).ok_or(Malformed::Syntax)?;
    let loose = objects
        .iter()
        .map(|o| Loose::read(o))
        .collect::<Option<Vec<_>>>()
        .ok_or(Malformed::Syntax)?;
    if version != Some(VERSION_2012) {
        return Err(Malformed::OldVersion);
    }
    if kind != Kind::ResourceControl && loose.iter().any(|s| s.principals.is_some()) {
        return Err(Malformed::PrincipalNotAllowed);
    }
    let resource_fault = check_legacy(&loose)?;
    check_sids(&loose)?;
    for statement in &loose {
        require(&statement.actions, Malformed::NoActions)?;
    }
    for statement in &loose {
        require(&statement.resources, Malformed::NoResources)?;
    }
    if let Some(fault) = resource_fault {
        return Err(fault);
    }
    for statement in &loose {
        for action in statement.actions.iter().flat_map(|(list, _)| list) {
            check_action(action)?;
        }
    }
    let statements = loose.into_iter().map(Loose::finish).collect();
    Ok(RawDocument { variables: true, statements })
}

/// A statement of an identity policy whose elements have the right types and may still be missing.
struct Loose<'v> {
    sid: Option<&'v str>,
    effect: &'v str,
    principals: Option<(&'v Value, bool)>,
    actions: Texts<'v>,
    resources: Texts<'v>,
    conditions: Option<&'v Object>,
}

impl<'v> Loose<'v> {
    fn read(object: &'v Object) -> Option<Loose<'v>> {
        if !object.keys().all(|key| STATEMENT_ELEMENTS.contains(&&**key)) {
            return None;
        }
        let sid = match object.get("Sid") {
            Some(sid) => Some(sid.as_str()?),
            None => None,
        };
        let effect = object.get("Effect")?.as_str()?;
        if !effect.eq_ignore_ascii_case("Allow") && !effect.eq_ignore_ascii_case("Deny") {
            return None;
        }
        Some(Loose {
            sid,
            effect,
            principals: principals(object).ok()?,
            actions: either(object, "Action", "NotAction").ok()?,
            resources: either(object, "Resource", "NotResource").ok()?,
            conditions: conditions(object).ok()?,
        })
    }

    fn finish(self) -> RawStatement<'v> {
        RawStatement {
            sid: self.sid,
            effect: if self.effect == "Deny" { Effect::Deny } else { Effect::Allow },
            principals: self.principals,
            actions: self.actions.unwrap_or_default(),
            resources: self.resources,
            conditions: self.conditions,
        }
    }
}

/// What IAM's older parser refuses. A fault of a resource that the newer parser finds is reported later, but ends
/// the older parser's look at that statement's resources.
fn check_legacy(statements: &[Loose<'_>]) -> Result<Option<Malformed>, Malformed> {
    for statement in statements {
        if !matches!(statement.effect, "Allow" | "Deny") {
            return Err(Malformed::LegacyParsing);
        }
        for (name, keys) in statement.conditions.into_iter().flatten() {
            if !Operator::parse(name).is_some_and(Operator::takes_dates) {
                continue;
            }
            let values = keys.as_object().into_iter().flatten().filter_map(|(_, v)| texts(v));
            if values.flatten().any(|text| parse_date(&text).is_none()) {
                return Err(Malformed::LegacyParsing);
            }
        }
    }
    let mut first = None;
    for statement in statements {
        for resource in statement.resources.iter().flat_map(|(list, _)| list) {
            match check_resource(resource) {
                Ok(()) => {}
                Err(Malformed::LegacyParsing) => return Err(Malformed::LegacyParsing),
                Err(fault) => {
                    first.get_or_insert(fault);
                    break;
                }
            }
        }
    }
    Ok(first)
}

fn check_sids(statements: &[Loose<'_>]) -> Result<(), Malformed> {
    let mut seen = Vec::with_capacity(statements.len());
    for sid in statements.iter().filter_map(|statement| statement.sid) {
        if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Malformed::SidNotAlphanumeric);
        }
        seen.push(sid);
    }
    if has_repeats(seen) { Err(Malformed::DuplicateSid) } else { Ok(()) }
}

/// An empty Sid is none, and may be repeated.
fn has_repeats(mut sids: Vec<&str>) -> bool {
    sids.retain(|sid| !sid.is_empty());
    sids.sort_unstable();
    sids.windows(2).any(|pair| pair[0] == pair[1])
}

fn require(list: &Texts<'_>, fault: Malformed) -> Result<(), Malformed> {
    match list {
        Some((texts, _)) if !texts.is_empty() => Ok(()),
        _ => Err(fault),
    }
}

fn check_action(action: &str) -> Result<(), Malformed> {
    if action == "*" {
        return Ok(());
    }
    let Some((vendor, name)) = action.split_once(':') else { return Err(Malformed::NoVendor) };
    if name.contains(':') {
        return Err(Malformed::TooManyColons);
    }
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if vendor != "*" && (vendor.is_empty() || !vendor.bytes().all(valid)) {
        return Err(Malformed::InvalidVendor(vendor.to_owned()));
    }
    Ok(())
}

const PARTITIONS: [&str; 10] = [
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-eusc",
    "aws-global",
    "*",
];

const IAM_PATHS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// Checks a resource of an identity policy; the texts and their order are IAM's, as observed.
fn check_resource(resource: &str) -> Result<(), Malformed> {
    if resource == "*" {
        return Ok(());
    }
    let Some((first, rest)) = resource.split_once(':') else {
        return Err(Malformed::ResourceNotArn(resource.to_owned()));
    };
    let is_arn = first == "arn";
    if is_arn && resource.contains("::") && resource.matches(':').count() < 5 {
        return Err(Malformed::LegacyParsing);
    }
    let (partition, rest) = match rest.split_once(':') {
        Some((partition, rest)) => (partition, Some(rest)),
        None => (rest, None),
    };
    if !PARTITIONS.contains(&partition) {
        return Err(invalid_partition(partition, rest));
    }
    let Some(rest) = rest else { return Err(Malformed::ResourceVendor) };
    let fields: Vec<&str> = rest.splitn(4, ':').collect();
    if fields[0].is_empty() || !is_arn {
        return Err(Malformed::LegacyParsing);
    }
    let [service, region, _, path] = fields[..] else { return Ok(()) };
    // A wildcard may stand for the missing Region.
    let has_region = !region.is_empty() && region != "*";
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    match service {
        "iam" if has_region => Err(Malformed::IamRegion(resource.to_owned())),
        "iam" if path != "root" && !path.starts_with('*') && !starts(&IAM_PATHS) => {
            Err(Malformed::IamResourcePath)
        }
        "s3" if has_region
            && !starts(&["accesspoint/", "job/", "storage-lens", "async-request/", "*"]) =>
        {
            Err(Malformed::S3Region(resource.to_owned()))
        }
        _ => Ok(()),
    }
}

fn invalid_partition(partition: &str, rest: Option<&str>) -> Malformed {
    let mut fields: Vec<&str> = rest.map(|rest| rest.splitn(4, ':').collect()).unwrap_or_default();
    if fields == [""] {
        fields.clear();
    }
    fields.resize(4, "*");
    let arn = format!("arn:{partition}:{}", fields.join(":"));
    Malformed::InvalidPartition { partition: partition.to_owned(), arn }
}

/// Checks a trust or resource policy. AWS goes statement by statement here. The texts are those that IAM gives for
/// trust policies and S3 for bucket policies, which share a parser.
pub(crate) fn check_resource_policy(
    value: &Value,
    kind: Kind,
) -> Result<RawDocument<'_>, Malformed> {
    let document = value.as_object().ok_or(Malformed::SyntaxError)?;
    check_elements(document, &TOP_ELEMENTS, kind)?;
    let version = match document.get("Version") {
        None => VERSION_2008,
        Some(Value::String(version)) if is_version(version) => version,
        Some(_) => return Err(Malformed::InvalidVersion),
    };
    if document.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(Malformed::SyntaxError);
    }
    let objects = match document.get("Statement") {
        None | Some(Value::Null) => return Err(Malformed::EmptyStatement),
        Some(Value::Array(list)) if list.is_empty() => return Err(Malformed::EmptyStatement),
        Some(_) => statement_objects(document).ok_or(Malformed::SyntaxError)?,
    };
    let statements = objects
        .into_iter()
        .map(|object| check_resource_statement(object, kind))
        .collect::<Result<Vec<_>, _>>()?;
    if has_repeats(statements.iter().filter_map(|statement| statement.sid).collect()) {
        return Err(Malformed::SidsNotUnique);
    }
    Ok(RawDocument { variables: version == VERSION_2012, statements })
}

fn check_elements(object: &Object, known: &[&str], kind: Kind) -> Result<(), Malformed> {
    match object.keys().find(|key| !known.contains(&&***key)) {
        None => Ok(()),
        Some(key) if kind == Kind::Trust => Err(Malformed::ProhibitedField(key.clone())),
        Some(key) => Err(Malformed::UnknownField(key.clone())),
    }
}

fn check_resource_statement(object: &Object, kind: Kind) -> Result<RawStatement<'_>, Malformed> {
    check_elements(object, &STATEMENT_ELEMENTS, kind)?;
    let sid = match object.get("Sid") {
        None => None,
        Some(sid) => Some(sid.as_str().ok_or(Malformed::SyntaxError)?),
    };
    let effect = match object.get("Effect") {
        Some(Value::String(effect)) if effect == "Allow" => Effect::Allow,
        Some(Value::String(effect)) if effect == "Deny" => Effect::Deny,
        Some(Value::String(effect)) => return Err(Malformed::InvalidEffect(effect.clone())),
        Some(_) => return Err(Malformed::SyntaxError),
        None => return Err(Malformed::MissingField("Effect")),
    };
    let principals = principals(object)?;
    match principals {
        None => return Err(Malformed::MissingField("Principal")),
        Some((_, true)) if effect == Effect::Allow => return Err(Malformed::AllowNotPrincipal),
        Some((_, true)) if kind == Kind::Trust => return Err(Malformed::TrustNotPrincipal),
        Some(_) => {}
    }
    let actions = either(object, "Action", "NotAction")?
        .filter(|(list, _)| !list.is_empty())
        .ok_or(Malformed::MissingField("Action"))?;
    let resources = either(object, "Resource", "NotResource")?;
    match kind {
        Kind::Trust => check_trust(&actions.0, &resources)?,
        _ if actions.0.iter().any(|action| *action != "*" && !action.contains(':')) => {
            return Err(Malformed::InvalidAction);
        }
        _ => require_if_present(&resources)?,
    }
    let conditions = conditions(object)?;
    Ok(RawStatement { sid, effect, principals, actions, resources, conditions })
}

fn check_trust(actions: &[&str], resources: &Texts<'_>) -> Result<(), Malformed> {
    let is_sts =
        |action: &&str| action.get(..4).is_some_and(|vendor| vendor.eq_ignore_ascii_case("sts:"));
    if !actions.iter().all(is_sts) {
        return Err(Malformed::TrustAction);
    }
    match resources {
        None => Ok(()),
        Some((_, false)) => Err(Malformed::ProhibitedField("Resource".to_owned())),
        Some((_, true)) => Err(Malformed::TrustNotResource),
    }
}

fn require_if_present(resources: &Texts<'_>) -> Result<(), Malformed> {
    match resources {
        Some((list, _)) if list.is_empty() => Err(Malformed::MissingField("Resource")),
        _ => Ok(()),
    }
}

fn is_version(text: &str) -> bool {
    text == VERSION_2012 || text == VERSION_2008
}

fn statement_objects(document: &Object) -> Option<Vec<&Object>> {
    match document.get("Statement")? {
        Value::Object(statement) => Some(vec![statement]),
        Value::Array(list) if !list.is_empty() => list.iter().map(Value::as_object).collect(),
        _ => None,
    }
}

/// One of two elements that exclude each other.
fn pair<'v>(
    object: &'v Object,
    plain: &str,
    negated: &str,
) -> Result<Option<(&'v Value, bool)>, Malformed> {
    match (object.get(plain), object.get(negated)) {
        (Some(_), Some(_)) => Err(Malformed::SyntaxError),
        (Some(value), None) => Ok(Some((value, false))),
        (None, Some(value)) => Ok(Some((value, true))),
        (None, None) => Ok(None),
    }
}

fn principals(object: &Object) -> Result<Option<(&Value, bool)>, Malformed> {
    pair(object, "Principal", "NotPrincipal")
}

fn either<'v>(object: &'v Object, plain: &str, negated: &str) -> Result<Texts<'v>, Malformed> {
    let Some((value, negated)) = pair(object, plain, negated)? else { return Ok(None) };
    let list: Option<Vec<&str>> = match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    };
    Ok(Some((list.ok_or(Malformed::SyntaxError)?, negated)))
}

/// The condition block, once its shape is known to be right. An operator without any key may have any name.
fn conditions(object: &Object) -> Result<Option<&Object>, Malformed> {
    let Some(block) = object.get("Condition") else { return Ok(None) };
    let block = block.as_object().ok_or(Malformed::SyntaxError)?;
    for (name, keys) in block {
        let keys = keys.as_object().ok_or(Malformed::SyntaxError)?;
        if !keys.is_empty() && Operator::parse(name).is_none() {
            return Err(Malformed::SyntaxError);
        }
        if keys.values().any(|values| texts(values).is_none()) {
            return Err(Malformed::SyntaxError);
        }
    }
    Ok(Some(block))
}
