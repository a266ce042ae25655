//! For every operation: the key's or alias's ARN and the condition keys.
//!
//! A request may name a key by an alias, or by a ciphertext alone, so the rows say which key it is: also for an
//! account's root, whose permission stands in the key policy as well.

use std::borrow::Cow;

use fogbank_core::wire::{self, Struct};
use fogbank_core::{Access, Check, Fault, ReadTx, Request, Tx};
use serde_json::Value;

use crate::error::Error;
use crate::lookup;
use crate::model::{
    CreateKeyInput, DecryptInput, EncryptionAlgorithmSpec, OriginType, ReEncryptInput,
    ReplicateKeyInput,
};
use crate::rules::blob::Head;
use crate::rules::names::{self, Named};
use crate::store::{self, ALIASES_OF, KEYS, Key, KeyKey};

/// Members whose values are condition keys of the same or another name.
const MEMBERS: &[(&str, &str)] = &[
    ("BypassPolicyLockoutSafetyCheck", "kms:BypassPolicyLockoutSafetyCheck"),
    ("EncapsulationAlgorithm", "kms:EncapsulationAlgorithm"),
    ("EncryptionAlgorithm", "kms:EncryptionAlgorithm"),
    ("ExpirationModel", "kms:ExpirationModel"),
    ("GranteePrincipal", "kms:GranteePrincipal"),
    ("KeyAgreementAlgorithm", "kms:KeyAgreementAlgorithm"),
    ("KeyPairSpec", "kms:DataKeyPairSpec"),
    ("MacAlgorithm", "kms:MacAlgorithm"),
    ("MessageType", "kms:MessageType"),
    ("Operations", "kms:GrantOperations"),
    ("PendingWindowInDays", "kms:ScheduleKeyDeletionPendingWindowInDays"),
    ("PrimaryRegion", "kms:PrimaryRegion"),
    ("ReplicaRegion", "kms:ReplicaRegion"),
    ("RetiringPrincipal", "kms:RetiringPrincipal"),
    ("RotationPeriodInDays", "kms:RotationPeriodInDays"),
    ("SigningAlgorithm", "kms:SigningAlgorithm"),
    ("ValidTo", "kms:ValidTo"),
    ("WrappingAlgorithm", "kms:WrappingAlgorithm"),
    ("WrappingKeySpec", "kms:WrappingKeySpec"),
];

/// Operations that encrypt symmetrically unless they say otherwise.
const SYMMETRIC: &[&str] = &[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
];

fn input<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    input.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}

/// The condition keys of every call: who calls, and through which service.
fn with_caller(mut access: Access, request: &Request) -> Access {
    if !request.principal.account.is_empty() {
        access = access.with("kms:CallerAccount", [request.principal.account.clone()]);
    }
    if let Some(via) = request.via.last() {
        let service = via.split('.').next().unwrap_or_default();
        let via = format!("{service}.{}.amazonaws.com", request.region);
        access = access.with("kms:ViaService", [via]);
    }
    access
}

/// The condition keys that the input's members say.
fn with_members(mut access: Access, request: &Request, given: &dyn Struct) -> Access {
    let operation = request.operation;
    let given = wire::to_json(given);
    let asks = |member: &str| operation != "ListGrants" || member != "GranteePrincipal";
    for (member, key) in MEMBERS.iter().filter(|(member, _)| asks(member)) {
        match &given[*member] {
            Value::Null => {}
            Value::String(text) => access = access.with(*key, [text.clone()]),
            Value::Array(list) => {
                let texts = list.iter().filter_map(Value::as_str).map(str::to_owned);
                access = access.with(*key, texts);
            }
            other => access = access.with(*key, [other.to_string()]),
        }
    }
    if given["EncryptionAlgorithm"].is_null() && SYMMETRIC.contains(&operation) {
        access = access.with("kms:EncryptionAlgorithm", ["SYMMETRIC_DEFAULT".to_owned()]);
    }
    access = with_context(access, &given["EncryptionContext"]);
    access = with_tags(access, &given);
    if let Value::Object(constraints) = &given["Constraints"] {
        for (member, pairs) in constraints {
            access = with_context(access.with("kms:GrantConstraintType", [member.clone()]), pairs);
        }
    }
    access
}

fn with_tags(mut access: Access, given: &Value) -> Access {
    let mut keys = Vec::new();
    for tag in given["Tags"].as_array().into_iter().flatten() {
        if let (Some(key), Some(value)) = (tag["TagKey"].as_str(), tag["TagValue"].as_str()) {
            access = access.with(format!("aws:RequestTag/{key}"), [value.to_owned()]);
            keys.push(key.to_owned());
        }
    }
    let removed = given["TagKeys"].as_array().into_iter().flatten();
    keys.extend(removed.filter_map(Value::as_str).map(str::to_owned));
    match keys.is_empty() {
        true => access,
        false => access.with("aws:TagKeys", keys),
    }
}

fn with_context(mut access: Access, context: &Value) -> Access {
    let Value::Object(pairs) = context else { return access };
    for (key, value) in pairs {
        let value = value.as_str().unwrap_or_default().to_owned();
        access = access.with(format!("kms:EncryptionContext:{key}"), [value]);
    }
    access.with("kms:EncryptionContextKeys", pairs.keys().cloned())
}

/// The ARN of what a text names, before the rows say for which key an alias stands. What names nothing is asked for as if
/// it were a key's id: the handler says what is wrong to whoever may use keys.
fn named(request: &Request, text: &str) -> String {
    let place = |account: String| (account, request.region.clone());
    match names::parse(text, &request.account, &request.region) {
        Ok(Named::Key(account, id)) => {
            let (account, region) = place(account);
            store::key_arn(&(account, region, id))
        }
        Ok(Named::Alias(account, name)) => {
            let (account, region) = place(account);
            store::alias_arn(&(account, region, name))
        }
        Err(_) if text.starts_with("arn:aws:kms:") => text.to_owned(),
        Err(_) => {
            let (account, region) = place(request.account.clone());
            store::key_arn(&(account, region, text.to_owned()))
        }
    }
}

/// Operations on the key that `KeyId` names.
pub(crate) fn key(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let text = given.text("KeyId").unwrap_or_default();
    let access = with_members(Access::on(named(request, text)), request, given);
    let access = with_alias(access, text);
    Ok(with_caller(access, request).located(of_keys))
}

/// Operations on the key that `KeyId` names, which take no alias.
pub(crate) fn key_alone(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let text = given.text("KeyId").unwrap_or_default();
    let access = with_members(Access::on(named(request, text)), request, given);
    Ok(with_caller(access, request).located(of_keys))
}

fn with_alias(access: Access, text: &str) -> Access {
    let alias = text.find("alias/").map(|at| text[at..].to_owned());
    match alias {
        Some(alias) => access.with("kms:RequestAlias", [alias]),
        None => access,
    }
}

/// The ARN of the key of a ciphertext.
fn of_ciphertext(request: &Request, blob: Option<&bytes::Bytes>) -> Result<String, Error> {
    let blob = blob.map(|blob| &**blob).unwrap_or_default();
    let (head, ..) = Head::parse(blob).ok_or(Error::InvalidCiphertextException)?;
    Ok(store::key_arn(&(head.account, request.region.clone(), head.key_id)))
}

/// `Decrypt`, whose key the ciphertext may name.
pub(crate) fn decrypt(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let decrypt = input::<DecryptInput>(given)?;
    if decrypt.key_id.is_some() {
        return key(request, given);
    }
    let arn = of_ciphertext(request, decrypt.ciphertext_blob.as_ref())?;
    Ok(with_caller(with_members(Access::on(arn), request, given), request).located(of_keys))
}

/// `ReEncrypt`: from one key, to another.
pub(crate) fn re_encrypt(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<ReEncryptInput>(given)?;
    let from = match &given.source_key_id {
        Some(text) => named(request, text),
        None => of_ciphertext(request, given.ciphertext_blob.as_ref())?,
    };
    let to = named(request, &given.destination_key_id);
    let json = wire::to_json(given);
    let same = (from == to).to_string();
    let symmetric = EncryptionAlgorithmSpec::SymmetricDefault;
    let one = |action: &'static str,
               arn: String,
               context: &Value,
               text: &str,
               algorithm: EncryptionAlgorithmSpec| {
        let access = with_context(Access::to(action, arn), context);
        with_alias(access, text)
            .with("kms:ReEncryptOnSameKey", [same.clone()])
            .with("kms:EncryptionAlgorithm", [algorithm.as_str().to_owned()])
    };
    let source = given.source_key_id.as_deref().unwrap_or_default();
    let algorithm = given.source_encryption_algorithm.unwrap_or(symmetric);
    let from = one("kms:ReEncryptFrom", from, &json["SourceEncryptionContext"], source, algorithm);
    let destination = &given.destination_key_id;
    let algorithm = given.destination_encryption_algorithm.unwrap_or(symmetric);
    let to =
        one("kms:ReEncryptTo", to, &json["DestinationEncryptionContext"], destination, algorithm);
    let mut access = from;
    access.checks.extend(to.checks);
    Ok(with_caller(access, request).located(of_keys))
}

/// The ARN of a key that has no id yet.
fn new_key(request: &Request, region: &str) -> String {
    store::key_arn(&(request.account.clone(), region.to_owned(), "*".to_owned()))
}

/// `CreateKey`, which AWS defines on no key, and `TagResource` if it comes with tags.
pub(crate) fn create_key(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let create = input::<CreateKeyInput>(given)?;
    let (spec, usage) = crate::rules::spec::wanted(create)?;
    let origin = create.origin.unwrap_or(OriginType::AwsKms);
    let is_multi_region = create.multi_region.unwrap_or_default();
    let mut access = with_members(Access::on_all(), request, given)
        .with("kms:KeySpec", [spec.as_str().to_owned()])
        .with("kms:KeyUsage", [usage.as_str().to_owned()])
        .with("kms:KeyOrigin", [origin.as_str().to_owned()])
        .with("kms:MultiRegion", [is_multi_region.to_string()]);
    if is_multi_region {
        access = access.with("kms:MultiRegionKeyType", ["PRIMARY".to_owned()]);
    }
    if create.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        let tagging = Access::to("kms:TagResource", new_key(request, &request.region));
        access.checks.extend(with_tags(tagging, &wire::to_json(given)).checks);
    }
    Ok(with_caller(access, request))
}

/// `ReplicateKey` on the primary key, `CreateKey` where the replica is to be, and `TagResource` if it comes with tags.
pub(crate) fn replicate(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let replicate = input::<ReplicateKeyInput>(given)?;
    let region = &replicate.replica_region;
    let mut access = Access::on(named(request, &replicate.key_id))
        .with("kms:ReplicaRegion", [region.clone()])
        .and("kms:CreateKey", "*");
    if replicate.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        let tagging = Access::to("kms:TagResource", new_key(request, region));
        access.checks.extend(with_tags(tagging, &wire::to_json(given)).checks);
    }
    Ok(with_caller(access, request).located(of_first_key))
}

/// Operations that AWS defines on nothing, with nothing that policies could ask about.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// Operations on custom key stores.
pub(crate) fn custom_key_stores(request: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    let account = request.principal.account.clone();
    Ok(Access::on_all().with("kms:CallerAccount", [account]))
}

/// `RetireGrant`, for which the grant decides: its handler asks where the grant does not allow it.
pub(crate) fn of_grant(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::open())
}

/// Operations on an alias, and on the key that it is to stand for.
pub(crate) fn alias(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let name = given.text("AliasName").unwrap_or_default();
    let at = (request.account.clone(), request.region.clone(), name.to_owned());
    let mut access = Access::on(store::alias_arn(&at));
    if let Some(target) = given.text("TargetKeyId") {
        access = access.and("", named(request, target));
    }
    Ok(with_caller(access, request).located(of_alias))
}

/// Finds the keys that an alias stands for and is to stand for.
fn of_alias(tx: &ReadTx<'_>, given: &dyn Struct, checks: &mut Vec<Check>) -> Result<(), Fault> {
    let name = given.text("AliasName").unwrap_or_default();
    let at = (tx.account(), tx.region(), name);
    if tx.request().operation != "CreateAlias"
        && let Some(alias) = store::ALIASES.get(tx, &at)?
        && let Some(context) = checks.first().map(|check| check.context.clone())
    {
        let key = (tx.account().to_owned(), tx.region().to_owned(), alias.key_id);
        checks.push(Check { resource: store::key_arn(&key), context, ..Check::default() });
    }
    match checks.get_mut(1..) {
        Some(keys) => keys.iter_mut().try_for_each(|check| of_key(tx, check)),
        None => Ok(()),
    }
}

#[expect(clippy::ptr_arg, reason = "the type is that of a look-up")]
fn of_keys(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut Vec<Check>) -> Result<(), Fault> {
    checks.iter_mut().try_for_each(|check| of_key(tx, check))
}

#[expect(clippy::ptr_arg, reason = "the type is that of a look-up")]
fn of_first_key(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut Vec<Check>) -> Result<(), Fault> {
    checks.first_mut().map_or(Ok(()), |check| of_key(tx, check))
}

/// Names the key for which an alias stands, and says what its row says.
fn of_key(tx: &ReadTx<'_>, check: &mut Check) -> Result<(), Fault> {
    let at = match lookup::place(tx, &check.resource) {
        Ok(at) => at,
        // The handler says what is wrong with the name to whoever may ask.
        Err(_) => return Ok(()),
    };
    check.resource = store::key_arn(&at);
    let Some(key) = KEYS.get(tx, &at)? else { return Ok(()) };
    let aliases = ALIASES_OF.list(tx, &at)?.into_iter().map(|((.., alias), ())| alias).collect();
    check.context.extend(facts(&at, &key));
    check.context.push((Cow::Borrowed("kms:ResourceAliases"), aliases));
    Ok(())
}

type Fact = (Cow<'static, str>, Vec<String>);

fn facts(at: &KeyKey, key: &Key) -> Vec<Fact> {
    let one = |name: &'static str, value: &str| (Cow::Borrowed(name), vec![value.to_owned()]);
    let mut facts = vec![
        one("kms:KeySpec", &key.spec),
        one("kms:KeyUsage", &key.usage),
        one("kms:KeyOrigin", &key.origin),
        one("kms:MultiRegion", if key.multi_region.is_some() { "true" } else { "false" }),
    ];
    if let Some(multi) = &key.multi_region {
        let kind = if multi.primary == at.1 { "PRIMARY" } else { "REPLICA" };
        facts.push(one("kms:MultiRegionKeyType", kind));
    }
    facts
}
