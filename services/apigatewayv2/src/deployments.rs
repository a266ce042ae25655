//! Deployments: routes and integrations, frozen.

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    self, CreateDeploymentInput, CreateDeploymentOutput, DeleteDeploymentInput,
    DeleteDeploymentOutput, GetDeploymentInput, GetDeploymentOutput, GetDeploymentsInput,
    GetDeploymentsOutput,
};
use crate::store::{self, DEPLOYMENTS, Deployment, STAGES};

/// Freezes the API as it is, and publishes it at a stage if one is named.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateDeploymentInput,
) -> Result<CreateDeploymentOutput, Error> {
    store::api(tx, &input.api_id)?;
    let id = deploy(tx, &input.api_id, input.description, false)?;
    if let Some(name) = input.stage_name {
        let key = (input.api_id.clone(), name);
        let found = STAGES.get(tx, &key)?;
        let mut stage = found.ok_or_else(|| store::not_found(tx, "Stage", &key.1))?;
        stage.deployment_id = Some(id.clone());
        stage.updated_millis = tx.now().millis();
        STAGES.put(tx, &key, &stage)?;
    }
    store::recast(&shown_by_id(tx, &input.api_id, &id)?)
}

/// Freezes the API as it is and returns the deployment's id.
pub(crate) fn deploy(
    tx: &mut WriteTx<'_>,
    api: &str,
    description: Option<String>,
    auto_deployed: bool,
) -> Result<String, Error> {
    let deployment = Deployment {
        description,
        created_millis: tx.now().millis(),
        auto_deployed,
        routes: store::live_routes(tx, api)?,
        integrations: store::live_integrations(tx, api)?,
    };
    let id = tx.ids().lower(6);
    DEPLOYMENTS.put(tx, &(api.to_owned(), id.clone()), &deployment)?;
    Ok(id)
}

/// Shows a deployment.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetDeploymentInput,
) -> Result<GetDeploymentOutput, Error> {
    store::api(tx, &input.api_id)?;
    store::recast(&shown_by_id(tx, &input.api_id, &input.deployment_id)?)
}

/// Lists an API's deployments.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: GetDeploymentsInput,
) -> Result<GetDeploymentsOutput, Error> {
    store::api(tx, &input.api_id)?;
    let all = DEPLOYMENTS.list(tx, &(input.api_id,))?;
    let all = all.into_iter().map(|((_, id), deployment)| (id, deployment)).collect();
    let (page, next_token) = store::paged(
        all,
        |(id, _): &(String, Deployment)| id,
        input.max_results.as_deref(),
        input.next_token.as_deref(),
    )?;
    let items = page.into_iter().map(|(id, deployment)| shown(&id, deployment)).collect();
    Ok(GetDeploymentsOutput { items: Some(items), next_token })
}

/// Deletes a deployment that no stage serves.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteDeploymentInput,
) -> Result<DeleteDeploymentOutput, Error> {
    store::api(tx, &input.api_id)?;
    let key = (input.api_id, input.deployment_id);
    if !DEPLOYMENTS.contains(tx, &key)? {
        return Err(store::not_found(tx, "Deployment", &key.1));
    }
    let stages = STAGES.list(tx, &(key.0.clone(),))?;
    if stages.iter().any(|(_, stage)| stage.deployment_id.as_ref() == Some(&key.1)) {
        let message = "Active stages pointing to this deployment must be moved or deleted";
        return Err(Error::bad(message));
    }
    DEPLOYMENTS.delete(tx, &key)?;
    Ok(DeleteDeploymentOutput {})
}

fn shown_by_id(tx: &impl Tx, api: &str, id: &str) -> Result<model::Deployment, Error> {
    let found = DEPLOYMENTS.get(tx, &(api.to_owned(), id.to_owned()))?;
    let deployment = found.ok_or_else(|| store::not_found(tx, "Deployment", id))?;
    Ok(shown(id, deployment))
}

fn shown(id: &str, deployment: Deployment) -> model::Deployment {
    model::Deployment {
        auto_deployed: Some(deployment.auto_deployed),
        created_date: Some(Timestamp::from_millis(deployment.created_millis)),
        deployment_id: Some(id.to_owned()),
        deployment_status: Some("DEPLOYED".to_owned()),
        deployment_status_message: None,
        description: deployment.description,
    }
}
