//! What is the same for every table: limits, endpoints, and backups that nobody has enabled.

use fogbank_core::{ReadTx, Tx};

use crate::error::Result;
use crate::model::{
    ContinuousBackupsDescription, DescribeContinuousBackupsInput, DescribeContinuousBackupsOutput,
    DescribeEndpointsInput, DescribeEndpointsOutput, DescribeLimitsInput, DescribeLimitsOutput,
    Endpoint, PointInTimeRecoveryDescription,
};
use crate::tables;

/// The quotas of a new account.
pub(crate) fn describe(_: &ReadTx<'_>, _: DescribeLimitsInput) -> Result<DescribeLimitsOutput> {
    Ok(DescribeLimitsOutput {
        account_max_read_capacity_units: Some(80_000),
        account_max_write_capacity_units: Some(80_000),
        table_max_read_capacity_units: Some(40_000),
        table_max_write_capacity_units: Some(40_000),
    })
}

/// The address to use: the one that the client has used.
pub(crate) fn endpoints(
    tx: &ReadTx<'_>,
    _: DescribeEndpointsInput,
) -> Result<DescribeEndpointsOutput> {
    let endpoint = Endpoint {
        address: Some(tx.request().endpoint.authority.to_string()),
        cache_period_in_minutes: Some(1440),
    };
    Ok(DescribeEndpointsOutput { endpoints: Some(vec![endpoint]) })
}

/// Says that no table can be restored to a point in time yet.
pub(crate) fn continuous_backups(
    tx: &ReadTx<'_>,
    input: DescribeContinuousBackupsInput,
) -> Result<DescribeContinuousBackupsOutput> {
    tables::find(tx, input.table_name.as_deref()).map_err(|error| match error {
        crate::error::Error::Fault(fault) if fault.name() == "ResourceNotFoundException" => {
            let name = input.table_name.as_deref().unwrap_or_default();
            let message = format!("Table not found: {name}");
            crate::error::Error::Fault(fogbank_core::Fault::new("TableNotFoundException", message))
        }
        other => other,
    })?;
    let recovery = PointInTimeRecoveryDescription {
        point_in_time_recovery_status: Some("DISABLED".to_owned()),
        ..PointInTimeRecoveryDescription::default()
    };
    Ok(DescribeContinuousBackupsOutput {
        continuous_backups_description: Some(ContinuousBackupsDescription {
            // AWS says so of every table; what can be enabled is the recovery to a point in time.
            continuous_backups_status: Some("ENABLED".to_owned()),
            point_in_time_recovery_description: Some(recovery),
        }),
    })
}
