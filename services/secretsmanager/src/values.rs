//! Values of secrets: reading them, and writing new versions.

use fogbank_core::store::{Raw, Read};
use fogbank_core::{Access, Cx, Fault, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    APIErrorType, BatchGetSecretValueInput, BatchGetSecretValueOutput, GetSecretValueInput,
    GetSecretValueOutput, PutSecretValueInput, PutSecretValueOutput, SecretValueEntry,
};
use crate::rules::identifier::Identifier;
use crate::rules::schedule;
use crate::rules::stages::{self, CURRENT};
use crate::sealing::{self, Place, Value};
use crate::store::{
    self, Replica, SECRETS, Secret, SecretKey, VALUES, VERSIONS, Version, version_key,
};
use crate::{access, cross_account, listing, replication, versions};

/// How many secrets a batch returns when it is not told.
const BATCH: i32 = 20;

/// A version that was found, with its sealed value.
pub(crate) struct Found {
    pub(crate) key: SecretKey,
    pub(crate) secret: Secret,
    pub(crate) version_id: String,
    pub(crate) version: Version,
    pub(crate) sealed: Raw,
}

impl Found {
    /// Reads what is asked for by version, by label, or by neither, which means `AWSCURRENT`.
    fn new(
        rows: &(impl Read + ?Sized),
        id: &Identifier,
        version_id: Option<&str>,
        stage: Option<&str>,
    ) -> Result<Found, Error> {
        let (key, secret) = store::usable(rows, id)?;
        let labelled =
            |stage: &str| secret.stages.get(stage).cloned().ok_or_else(|| Error::no_stage(stage));
        let wanted = match (version_id, stage) {
            (None, stage) => labelled(stage.unwrap_or(CURRENT))?,
            (Some(id), _) => id.to_owned(),
        };
        let missing = || match (version_id, stage) {
            (None, stage) => Error::no_stage(stage.unwrap_or(CURRENT)),
            (Some(id), _) => Error::no_version(id),
        };
        let (version, sealed) = read_version(rows, &key, &wanted)?.ok_or_else(missing)?;
        if let (Some(_), Some(stage)) = (version_id, stage)
            && secret.stages.get(stage) != Some(&wanted)
        {
            return Err(Error::InvalidRequestException(
                "You provided a VersionStage that is not associated to the provided VersionId."
                    .to_owned(),
            ));
        }
        Ok(Found { key, secret, version_id: wanted, version, sealed })
    }

    /// Opens the value as the caller.
    pub(crate) async fn open(&self, cx: &Cx) -> Result<Value, Error> {
        open(cx, &self.key, &self.secret, &self.version_id, &self.version, &self.sealed).await
    }

    /// Notes the day on which the value was read; it is written once a day.
    async fn note_access(&self, cx: &Cx) -> Result<(), Error> {
        let today = Some(schedule::midnight(cx.request().now.millis()));
        if self.secret.accessed_millis == today && self.version.accessed_millis == today {
            return Ok(());
        }
        cx.write(|tx| {
            let Some(mut secret) = SECRETS.get(tx, &self.key)? else { return Ok(()) };
            if secret.suffix != self.secret.suffix {
                return Ok(());
            }
            secret.accessed_millis = today;
            store::put(tx, &self.key, &secret)?;
            let key = version_key(&self.key, &self.version_id);
            if let Some(version) = VERSIONS.get(tx, &key)? {
                VERSIONS.put(tx, &key, &Version { accessed_millis: today, ..version })?;
            }
            Ok(())
        })
        .await
    }
}

fn read_version(
    rows: &(impl Read + ?Sized),
    key: &SecretKey,
    version_id: &str,
) -> Result<Option<(Version, Raw)>, Error> {
    let key = version_key(key, version_id);
    Ok(VERSIONS.get(rows, &key)?.zip(VALUES.get(rows, &key)?))
}

/// Opens a value as the caller.
pub(crate) async fn open(
    cx: &Cx,
    key: &SecretKey,
    secret: &Secret,
    version_id: &str,
    version: &Version,
    sealed: &Raw,
) -> Result<Value, Error> {
    let place = place(key, secret, version_id, &key.1, version.kms_key_id.as_deref());
    sealing::open(cx, &place, sealed).await
}

/// A value that is sealed for each region in which it will lie.
#[derive(Default)]
pub(crate) struct SealedValue {
    /// Regions with what only their key opens; the secret's own first.
    regions: Vec<(String, Raw)>,
    /// Replicas whose key did not seal it, and why.
    pub(crate) failed: Vec<(String, String)>,
}

impl SealedValue {
    /// Seals a value for a secret's own region and those of its replicas.
    pub(crate) async fn new(
        cx: &Cx,
        key: &SecretKey,
        secret: &Secret,
        version_id: &str,
        value: &Value,
    ) -> Result<SealedValue, Error> {
        let own = seal_own(cx, key, secret, version_id, value).await?;
        let mut sealed = SealedValue::for_replicas(cx, key, secret, version_id, value).await?;
        sealed.regions.insert(0, (key.1.clone(), own));
        Ok(sealed)
    }

    /// Seals a value for the regions of a secret's replicas.
    pub(crate) async fn for_replicas(
        cx: &Cx,
        key: &SecretKey,
        secret: &Secret,
        version_id: &str,
        value: &Value,
    ) -> Result<SealedValue, Error> {
        let mut sealed = SealedValue::default();
        for replica in secret.replicas.iter().filter(|replica| replica.is_in_sync) {
            let Replica { region, kms_key_id, .. } = replica;
            let place = place(key, secret, version_id, region, kms_key_id.as_deref());
            match sealing::seal(cx, &place, value).await.map_err(Fault::from) {
                Ok(bytes) => sealed.regions.push((region.clone(), bytes)),
                Err(fault) if fault.name() == "InternalFailure" => return Err(fault.into()),
                Err(fault) => sealed.failed.push((region.clone(), fault.message().to_owned())),
            }
        }
        Ok(sealed)
    }

    /// Writes it as a version, in every region.
    pub(crate) fn write(
        &self,
        tx: &mut WriteTx<'_>,
        key: &SecretKey,
        secret: &Secret,
        version_id: &str,
        created_millis: i64,
    ) -> Result<(), Error> {
        for (region, sealed) in &self.regions {
            let replica = secret.replicas.iter().find(|replica| replica.region == *region);
            let kms_key_id = match replica {
                Some(replica) => replica.kms_key_id.clone(),
                None => secret.kms_key_id.clone(),
            };
            let key = version_key(&store::in_region(key, region), version_id);
            let version = Version { created_millis, accessed_millis: None, kms_key_id };
            VERSIONS.put(tx, &key, &version)?;
            VALUES.put(tx, &key, sealed)?;
        }
        Ok(())
    }
}

/// Seals a value for a secret's own region.
pub(crate) async fn seal_own(
    cx: &Cx,
    key: &SecretKey,
    secret: &Secret,
    version_id: &str,
    value: &Value,
) -> Result<Raw, Error> {
    let place = place(key, secret, version_id, &key.1, secret.kms_key_id.as_deref());
    sealing::seal(cx, &place, value).await
}

fn place<'a>(
    key: &SecretKey,
    secret: &Secret,
    version_id: &'a str,
    region: &'a str,
    kms_key_id: Option<&'a str>,
) -> Place<'a> {
    let arn = secret.arn(&store::in_region(key, region));
    Place { arn, version_id, region, kms_key_id }
}

/// Whether a value that was sealed for a secret `then` fits what it is `now`.
pub(crate) fn seals_alike(then: &Secret, now: &Secret) -> bool {
    then.suffix == now.suffix && then.kms_key_id == now.kms_key_id && then.replicas == now.replicas
}

/// Reads the value of a version.
pub(crate) async fn get(
    cx: &Cx,
    input: GetSecretValueInput,
) -> Result<GetSecretValueOutput, Error> {
    let id = access::identifier(cx.request(), &input.secret_id)?;
    let (version_id, stage) = (input.version_id.as_deref(), input.version_stage.as_deref());
    let found = cx.read(|tx| Found::new(tx, &id, version_id, stage))?;
    let value = found.open(cx).await?;
    found.note_access(cx).await?;
    let (secret_string, secret_binary) = members(value);
    Ok(GetSecretValueOutput {
        arn: Some(found.secret.arn(&found.key)),
        version_stages: stages_shown(&found.secret, &found.version_id),
        version_id: Some(found.version_id),
        secret_string,
        secret_binary,
        created_date: Some(Timestamp::from_millis(found.version.created_millis)),
        name: Some(found.key.2),
    })
}

fn members(value: Value) -> (Option<String>, Option<bytes::Bytes>) {
    match value {
        Value::Text(text) => (Some(text), None),
        Value::Binary(bytes) => (None, Some(bytes)),
    }
}

fn stages_shown(secret: &Secret, version_id: &str) -> Option<Vec<String>> {
    Some(secret.stages_of(version_id)).filter(|stages| !stages.is_empty())
}

/// Reads the current values of several secrets; what cannot be read of one is told beside the others.
pub(crate) async fn batch_get(
    cx: &Cx,
    input: BatchGetSecretValueInput,
) -> Result<BatchGetSecretValueOutput, Error> {
    let (ids, next_token) = match (input.secret_id_list, input.filters) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
            ));
        }
        (None, None) => {
            return Err(Error::invalid("Either 'SecretIdList' or 'Filters' must be provided."));
        }
        (Some(_), None) if input.max_results.is_some() => {
            return Err(Error::invalid("'Filters' must be specified with 'MaxResults'."));
        }
        (Some(ids), None) => (ids, None),
        (None, Some(filters)) => {
            cx.authorise(&Access::to("secretsmanager:ListSecrets", "*"))?;
            let limit = input.max_results.unwrap_or(BATCH);
            let token = input.next_token.as_deref();
            let page = cx.read(|tx| listing::named(tx, &filters, token, limit))?;
            (page.names, page.next_token)
        }
    };
    let mut output = BatchGetSecretValueOutput { next_token, ..Default::default() };
    let mut values = Vec::with_capacity(ids.len());
    let mut errors = Vec::new();
    for secret_id in ids {
        match get_one(cx, &secret_id).await {
            Ok(entry) => values.push(entry),
            Err(fault) if fault.name() == "InternalFailure" => return Err(fault.into()),
            Err(fault) => errors.push(APIErrorType {
                secret_id: Some(secret_id),
                error_code: Some(match fault.name() {
                    "AccessDenied" => "AccessDeniedException".to_owned(),
                    name => name.to_owned(),
                }),
                message: Some(fault.message().to_owned()),
            }),
        }
    }
    output.secret_values = Some(values);
    output.errors = Some(errors);
    Ok(output)
}

/// Reads one secret of a batch, as `GetSecretValue` would.
async fn get_one(cx: &Cx, secret_id: &str) -> Result<SecretValueEntry, Fault> {
    let allowed = cx.read(|tx| access::reading(tx, secret_id))?;
    cx.authorise(&allowed)?;
    let input = GetSecretValueInput { secret_id: secret_id.to_owned(), ..Default::default() };
    let got = get(cx, input).await?;
    Ok(SecretValueEntry {
        arn: got.arn,
        name: got.name,
        version_id: got.version_id,
        secret_binary: got.secret_binary,
        secret_string: got.secret_string,
        version_stages: got.version_stages,
        created_date: got.created_date,
    })
}

/// Writes a new version.
pub(crate) async fn put(
    cx: &Cx,
    input: PutSecretValueInput,
) -> Result<PutSecretValueOutput, Error> {
    let id = access::identifier(cx.request(), &input.secret_id)?;
    let value = Value::given(input.secret_string, input.secret_binary)?.ok_or_else(|| {
        Error::InvalidRequestException(
            "You must provide either SecretString or SecretBinary.".to_owned(),
        )
    })?;
    let version_id = input.client_request_token.unwrap_or_else(|| cx.ids().uuid());
    let wanted = input.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    let written = write_version(cx, &id, &version_id, &value, |secret| {
        versions::require_rotation_token(secret, input.rotation_token.as_deref())?;
        let mut wanted = wanted.clone();
        if secret.version_count == 0 && !wanted.iter().any(|stage| stage == CURRENT) {
            // AWS attaches it to the first version whatever is asked for.
            wanted.push(CURRENT.to_owned());
        }
        stages::attach_all(&mut secret.stages, &wanted, &version_id)
    })
    .await?;
    Ok(PutSecretValueOutput {
        arn: Some(written.secret.arn(&written.key)),
        version_stages: stages_shown(&written.secret, &version_id),
        name: Some(written.key.2),
        version_id: Some(version_id),
    })
}

/// A secret after a version was written.
pub(crate) struct Written {
    pub(crate) key: SecretKey,
    pub(crate) secret: Secret,
}

/// Writes a value as a version of a secret that `change` changes in the same transaction.
///
/// If the version is there with the same value, nothing is done.
pub(crate) async fn write_version(
    cx: &Cx,
    id: &Identifier,
    version_id: &str,
    value: &Value,
    change: impl Fn(&mut Secret) -> Result<(), Error> + Send + Sync,
) -> Result<Written, Error> {
    loop {
        let (key, secret) = cx.read(|tx| store::primary(tx, id))?;
        cx.read(|tx| cross_account::refuse_replica(tx, &key))?;
        let before = cx.read(|tx| read_version(tx, &key, version_id))?;
        if let Some((version, sealed)) = before {
            if open(cx, &key, &secret, version_id, &version, &sealed).await? == *value {
                return Ok(Written { key, secret });
            }
            return Err(Error::token_in_use(version_id, &secret.arn(&key)));
        }
        let sealed = SealedValue::new(cx, &key, &secret, version_id, value).await?;
        let written = cx
            .write(|tx| {
                let (key, mut now) = store::primary(tx, id)?;
                if !seals_alike(&secret, &now)
                    || VERSIONS.contains(tx, &version_key(&key, version_id))?
                {
                    return Ok(None);
                }
                change(&mut now)?;
                add_version(tx, &key, &mut now, version_id, &sealed)?;
                Ok::<_, Error>(Some(Written { key, secret: now }))
            })
            .await?;
        // Somebody else changed the secret meanwhile: look again.
        if let Some(written) = written {
            return Ok(written);
        }
    }
}

/// Adds a sealed version to a secret whose labels are set, and writes both.
pub(crate) fn add_version(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &mut Secret,
    version_id: &str,
    sealed: &SealedValue,
) -> Result<(), Error> {
    let now = tx.now().millis();
    sealed.write(tx, key, secret, version_id, now)?;
    replication::mark_failed(secret, &sealed.failed);
    secret.version_count += 1;
    secret.changed_millis = now;
    if secret.stages.get(CURRENT).is_some_and(|current| current == version_id) {
        // A new value counts as a rotation where the next one is planned.
        versions::plan_rotation(secret, now)?;
    }
    versions::prune(tx, key, secret)?;
    Ok(replication::write(tx, key, secret)?)
}
