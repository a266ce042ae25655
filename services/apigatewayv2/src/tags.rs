//! Tags of APIs and stages.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Check, Fault, ReadTx, WriteTx};

use crate::error::Error;
use crate::model::{
    GetTagsInput, GetTagsOutput, TagResourceInput, TagResourceOutput, UntagResourceInput,
    UntagResourceOutput,
};
use crate::store::{self, APIS, STAGES};

/// Adds tags.
pub(crate) fn tag(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    change(tx, &input.resource_arn, |tags| tags.extend(input.tags.unwrap_or_default()))?;
    Ok(TagResourceOutput {})
}

/// Removes tags.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    change(tx, &input.resource_arn, |tags| tags.retain(|key, _| !input.tag_keys.contains(key)))?;
    Ok(UntagResourceOutput {})
}

/// Lists tags.
pub(crate) fn list(tx: &ReadTx<'_>, input: GetTagsInput) -> Result<GetTagsOutput, Error> {
    let (api, stage) = tagged(&input.resource_arn)?;
    let tags = match stage {
        None => store::api(tx, api)?.tags,
        Some(name) => {
            store::api(tx, api)?;
            let found = STAGES.get(tx, &(api.to_owned(), name.to_owned()))?;
            found.ok_or_else(|| store::not_found(tx, "Stage", name))?.tags
        }
    };
    Ok(GetTagsOutput { tags: Some(tags) })
}

/// The tags of the API that a permission is asked for, or that has the resource; a stage has its own besides.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let path = check.resource.split_once("/apis/").map(|(_, path)| path).unwrap_or_default();
    let mut segments = path.split('/');
    let (api, kind, name) = (segments.next(), segments.next(), segments.next());
    let api_id = api.unwrap_or_default();
    let mut tags = APIS.get(tx, api_id)?.map(|api| api.tags).unwrap_or_default();
    if let (Some("stages"), Some(name)) = (kind, name)
        && let Some(stage) = STAGES.get(tx, &(api_id, name))?
    {
        tags.extend(stage.tags);
    }
    Ok(tags.into_iter().collect())
}

/// The API and stage in `arn:aws:apigateway:REGION::/apis/API/stages/STAGE`.
fn tagged(arn: &str) -> Result<(&str, Option<&str>), Error> {
    let bad = || Error::bad("Invalid ARN specified in the request");
    let parsed = Arn::parse(arn).ok_or_else(bad)?;
    let path = parsed.resource.strip_prefix("/apis/").ok_or_else(bad)?;
    Ok(match path.split_once("/stages/") {
        Some((api, stage)) => (api, Some(stage)),
        None => (path, None),
    })
}

fn change(
    tx: &mut WriteTx<'_>,
    arn: &str,
    edit: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Error> {
    let (api_id, stage) = tagged(arn)?;
    let mut api = store::api(tx, api_id)?;
    let Some(name) = stage else {
        edit(&mut api.tags);
        return Ok(APIS.put(tx, &api_id.to_owned(), &api)?);
    };
    let key = (api_id.to_owned(), name.to_owned());
    let found = STAGES.get(tx, &key)?;
    let mut stage = found.ok_or_else(|| store::not_found(tx, "Stage", name))?;
    edit(&mut stage.tags);
    Ok(STAGES.put(tx, &key, &stage)?)
}
