//! Access points of directory buckets: their names stand for the bucket's, and their scopes say what may be done through them.

use fogbank_accesspoints::{self as points, AccessPoint, Key, Scope};
use fogbank_core::wire::Struct;
use fogbank_core::{Fault, ReadTx, Tx};

use crate::error::Error;

/// The operations that AWS offers through access points of directory buckets, and the permissions of a scope that leave them.
const PERMISSIONS: [(&str, &str); 16] = [
    ("AbortMultipartUpload", "AbortMultipartUpload"),
    ("CompleteMultipartUpload", "PutObject"),
    ("CopyObject", "PutObject"),
    ("CreateMultipartUpload", "PutObject"),
    ("DeleteObject", "DeleteObject"),
    ("DeleteObjects", "DeleteObject"),
    ("GetObject", "GetObject"),
    ("GetObjectAttributes", "GetObjectAttributes"),
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListObjectsV2", "ListBucket"),
    ("ListParts", "ListMultipartUploadParts"),
    ("PutObject", "PutObject"),
    ("UploadPart", "PutObject"),
    ("UploadPartCopy", "PutObject"),
];

/// An access point, found by its name.
pub(super) struct Point {
    key: Key,
    row: AccessPoint,
}

impl Point {
    /// The access point with this name, if an operation is offered through it.
    pub(super) fn find(tx: &ReadTx<'_>, name: &str, operation: &str) -> Result<Point, Error> {
        let is_offered = PERMISSIONS.iter().any(|(known, _)| *known == operation);
        if !is_offered && operation != "CreateSession" {
            let (method, kind) = (operation.to_owned(), "ACCESS_POINT".to_owned());
            return Err(Error::MethodNotAllowed { method, kind });
        }
        let Some((key, row)) = points::find(tx, name, tx.region())? else {
            return Err(Error::NoSuchAccessPoint { point: name.to_owned() });
        };
        // Nobody here comes from a network of one's own.
        if row.vpc.is_some() {
            return Err(Error::AccessDenied);
        }
        Ok(Point { key, row })
    }

    /// The bucket to which it leads.
    pub(super) fn bucket(&self) -> &str {
        &self.row.bucket
    }

    pub(super) fn arn(&self) -> String {
        points::arn((&self.key.0, &self.key.1, &self.key.2))
    }

    /// What policies hear of it.
    pub(super) fn context(&self) -> Vec<(&'static str, String)> {
        let mut context = vec![
            ("s3express:DataAccessPointArn", self.arn()),
            ("s3express:DataAccessPointAccount", self.key.0.clone()),
            ("s3express:AccessPointNetworkOrigin", "Internet".to_owned()),
        ];
        let scope = self.row.scope.iter().flat_map(|scope| &scope.permissions);
        context.extend(scope.map(|permission| ("s3express:Permissions", permission.clone())));
        context
    }

    /// Refuses what its scope does not leave of an operation. What names several keys is looked at key by key elsewhere.
    pub(super) fn check_scope(&self, operation: &str, input: &dyn Struct) -> Result<(), Error> {
        let Some(scope) = &self.row.scope else { return Ok(()) };
        if operation == "CreateSession" {
            return Ok(());
        }
        let place = match operation {
            "ListObjectsV2" | "ListMultipartUploads" => {
                Some(input.text("Prefix").unwrap_or_default())
            }
            _ => input.text("Key"),
        };
        check(scope, operation, place)
    }

    /// Refuses to read a key that its scope does not leave, as the source of a copy.
    pub(super) fn check_source(&self, key: &str) -> Result<(), Error> {
        self.row.scope.as_ref().map_or(Ok(()), |scope| check(scope, "GetObject", Some(key)))
    }
}

fn check(scope: &Scope, operation: &str, place: Option<&str>) -> Result<(), Error> {
    let permission = PERMISSIONS.iter().find(|(known, _)| *known == operation);
    let is_left = permission.is_some_and(|(_, permission)| scope.permits(permission))
        && place.is_none_or(|place| scope.has(place));
    if is_left { Ok(()) } else { Err(Error::AccessDenied) }
}

/// The scope of the access point by which a call reaches a directory bucket, if it has one.
pub(crate) fn scope(tx: &ReadTx<'_>) -> Result<Option<Scope>, Fault> {
    for way in &tx.request().ways {
        if points::is_directory(&way.arn)
            && let Some((_, row)) = points::find(tx, &way.arn, tx.region())?
        {
            return Ok(row.scope);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_directory_buckets_have_is_offered() {
        for (operation, _) in PERMISSIONS {
            let standing = super::super::operations::standing(operation);
            assert_ne!(standing, super::super::operations::Standing::Missing, "{operation}");
        }
    }
}
