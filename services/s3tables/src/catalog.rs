//! The Iceberg REST catalog: the same namespaces and tables, as clients of Iceberg know them.
//!
//! The ARN of a table bucket is the warehouse that a client names, and stands in front of all paths. What is refused is
//! refused in the catalog's own form.

pub(crate) mod namespaces;
pub(crate) mod tables;

use std::collections::BTreeMap;

use fogbank_core::{Fault, ReadTx, Tx};

use crate::error::Error;
use crate::model::*;
use crate::store;

/// What the catalog offers, in the words of its specification.
const ENDPOINTS: [&str; 12] = [
    "GET /v1/{prefix}/namespaces",
    "POST /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "DELETE /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "POST /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/tables/rename",
];

/// What a client is to know of the catalog, as far as AWS's is known to say it. Files are read and written at the address at
/// which the client reached the catalog, unless it says otherwise.
pub(crate) fn config(
    tx: &ReadTx<'_>,
    input: IcebergGetConfigInput,
) -> Result<IcebergGetConfigOutput, Error> {
    let (key, _) = store::bucket(tx, &input.table_bucket_arn)
        .map_err(|error| refusal(error, Of::Namespace))?;
    let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut defaults: BTreeMap<String, String> = [
        ("io-impl", "org.apache.iceberg.aws.s3.S3FileIO"),
        ("rest-metrics-reporting-enabled", "false"),
        // Warehouses take no deletions.
        ("s3.delete-enabled", "false"),
        ("write.object-storage.enabled", "true"),
        ("write.object-storage.partitioned-paths", "false"),
    ]
    .into_iter()
    .map(text)
    .collect();
    defaults.insert("s3.endpoint".to_owned(), tx.request().endpoint.url());
    let prefix = store::bucket_arn(&key).replace(':', "%3A").replace('/', "%2F");
    Ok(IcebergGetConfigOutput {
        defaults: Some(defaults),
        overrides: Some(BTreeMap::from([("prefix".to_owned(), prefix)])),
        endpoints: Some(ENDPOINTS.iter().map(|endpoint| (*endpoint).to_owned()).collect()),
    })
}

/// What a call was about, of which the catalog's refusals tell.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Namespace,
    Table,
}

/// What the service refuses, in the catalog's form.
pub(crate) fn refusal(error: Error, of: Of) -> Error {
    let (name, code) = match (&error, of) {
        (Error::Fault(_) | Error::ForbiddenException(_), _) => return error,
        (Error::BadRequestException(_), _) => ("BadRequestException", 400),
        (Error::NotFoundException(text), Of::Table) if !text.contains("table does") => {
            ("NoSuchNamespaceException", 404)
        }
        (Error::NotFoundException(_), Of::Table) => ("NoSuchTableException", 404),
        (Error::NotFoundException(_), Of::Namespace) => ("NoSuchNamespaceException", 404),
        (Error::ConflictException(text), Of::Namespace) if text.contains("empty") => {
            ("NamespaceNotEmptyException", 409)
        }
        (Error::ConflictException(_), _) => ("AlreadyExistsException", 409),
    };
    refused(name, code, error.to_string())
}

/// A refusal in the catalog's form.
pub(crate) fn refused(name: &'static str, code: i32, message: String) -> Error {
    let error = Some(IcebergErrorModel {
        message: Some(message.clone()),
        r#type: Some(name.to_owned()),
        code: Some(code),
    });
    let fault = |name| Fault::new(name, message.clone());
    Error::Fault(match name {
        "NoSuchTableException" => fault(name).with_members(NoSuchTableException { error }),
        "NoSuchNamespaceException" => fault(name).with_members(NoSuchNamespaceException { error }),
        "NamespaceNotEmptyException" => {
            fault(name).with_members(NamespaceNotEmptyException { error })
        }
        "AlreadyExistsException" => fault(name).with_members(AlreadyExistsException { error }),
        "CommitFailedException" => fault(name).with_members(CommitFailedException { error }),
        _ => fault("IcebergBadRequestException").with_members(IcebergBadRequestException { error }),
    })
}

/// How many entries a page has at most.
fn size(asked: Option<i32>) -> Option<i32> {
    asked.filter(|size| *size > 0)
}

/// A client that begins to page sends an empty token.
fn continued(token: Option<String>) -> Option<String> {
    token.filter(|token| !token.is_empty())
}

/// The only namespace that a path names, which has one level.
fn one(names: Vec<String>) -> Result<String, Error> {
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(_) => Err(Error::bad("Namespaces of more than one level are not supported.")),
    }
}
