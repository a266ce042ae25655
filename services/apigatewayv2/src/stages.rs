//! Stages: published APIs.

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};

use crate::deployments;
use crate::error::Error;
use crate::model::{
    self, CreateStageInput, CreateStageOutput, DeleteStageInput, DeleteStageOutput, GetStageInput,
    GetStageOutput, GetStagesInput, GetStagesOutput, RouteSettings, UpdateStageInput,
    UpdateStageOutput,
};
use crate::store::{self, DEPLOYMENTS, STAGES, Stage};

/// Creates a stage.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateStageInput,
) -> Result<CreateStageOutput, Error> {
    store::api(tx, &input.api_id)?;
    check_name(&input.stage_name)?;
    let key = (input.api_id, input.stage_name);
    if STAGES.contains(tx, &key)? {
        return Err(Error::ConflictException("Stage already exists".to_owned()));
    }
    check_deployment(tx, &key.0, input.deployment_id.as_deref())?;
    let now = tx.now().millis();
    let mut stage = Stage {
        description: input.description,
        auto_deploy: input.auto_deploy.unwrap_or_default(),
        deployment_id: input.deployment_id,
        variables: input.stage_variables.unwrap_or_default(),
        created_millis: now,
        updated_millis: now,
        tags: input.tags.unwrap_or_default(),
        managed: false,
    };
    if stage.auto_deploy {
        stage.deployment_id = Some(deployments::deploy(tx, &key.0, None, true)?);
    }
    STAGES.put(tx, &key, &stage)?;
    store::recast(&shown(&key.1, stage))
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name == "$default" || (!name.is_empty() && name.len() <= 128 && name.bytes().all(is_plain)) {
        return Ok(());
    }
    Err(Error::bad("Stage name only allows a-zA-Z0-9_- or $default"))
}

fn check_deployment(tx: &WriteTx<'_>, api: &str, id: Option<&str>) -> Result<(), Error> {
    let Some(id) = id else { return Ok(()) };
    if DEPLOYMENTS.contains(tx, &(api.to_owned(), id.to_owned()))? {
        return Ok(());
    }
    Err(store::not_found(tx, "Deployment", id))
}

/// Shows a stage.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetStageInput) -> Result<GetStageOutput, Error> {
    store::api(tx, &input.api_id)?;
    let found = STAGES.get(tx, &(input.api_id, input.stage_name.clone()))?;
    let stage = found.ok_or_else(|| store::not_found(tx, "Stage", &input.stage_name))?;
    store::recast(&shown(&input.stage_name, stage))
}

/// Lists an API's stages.
pub(crate) fn list(tx: &ReadTx<'_>, input: GetStagesInput) -> Result<GetStagesOutput, Error> {
    store::api(tx, &input.api_id)?;
    let all = STAGES.list(tx, &(input.api_id,))?;
    let all = all.into_iter().map(|((_, name), stage)| (name, stage)).collect();
    let (page, next_token) = store::paged(
        all,
        |(name, _): &(String, Stage)| name,
        input.max_results.as_deref(),
        input.next_token.as_deref(),
    )?;
    let items = page.into_iter().map(|(name, stage)| shown(&name, stage)).collect();
    Ok(GetStagesOutput { items: Some(items), next_token })
}

/// Changes what the input names.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateStageInput,
) -> Result<UpdateStageOutput, Error> {
    store::api(tx, &input.api_id)?;
    let key = (input.api_id, input.stage_name);
    let found = STAGES.get(tx, &key)?;
    let mut stage = found.ok_or_else(|| store::not_found(tx, "Stage", &key.1))?;
    if let Some(auto_deploy) = input.auto_deploy {
        stage.auto_deploy = auto_deploy;
    }
    if input.deployment_id.is_some() {
        if stage.auto_deploy {
            let message = "Deployment ID cannot be set because AutoDeploy is enabled";
            return Err(Error::bad(message));
        }
        check_deployment(tx, &key.0, input.deployment_id.as_deref())?;
        stage.deployment_id = input.deployment_id;
    }
    if let Some(variables) = input.stage_variables {
        stage.variables = variables;
    }
    stage.description = input.description.or(stage.description);
    stage.updated_millis = tx.now().millis();
    STAGES.put(tx, &key, &stage)?;
    store::recast(&shown(&key.1, stage))
}

/// Deletes a stage.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteStageInput,
) -> Result<DeleteStageOutput, Error> {
    store::api(tx, &input.api_id)?;
    let key = (input.api_id, input.stage_name);
    if !STAGES.contains(tx, &key)? {
        return Err(store::not_found(tx, "Stage", &key.1));
    }
    STAGES.delete(tx, &key)?;
    Ok(DeleteStageOutput {})
}

fn shown(name: &str, stage: Stage) -> model::Stage {
    model::Stage {
        api_gateway_managed: stage.managed.then_some(true),
        auto_deploy: Some(stage.auto_deploy),
        created_date: Some(Timestamp::from_millis(stage.created_millis)),
        default_route_settings: Some(RouteSettings {
            detailed_metrics_enabled: Some(false),
            ..RouteSettings::default()
        }),
        deployment_id: stage.deployment_id,
        description: stage.description,
        last_updated_date: Some(Timestamp::from_millis(stage.updated_millis)),
        route_settings: Some(std::collections::BTreeMap::new()),
        stage_name: Some(name.to_owned()),
        stage_variables: Some(stage.variables),
        tags: Some(stage.tags),
        ..model::Stage::default()
    }
}
