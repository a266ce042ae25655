//! The one list of services.

use fogbank_core::{BoxFuture, Cx, HttpRequest, HttpResponse, Service};
use fogbank_gateway::{AdminRoute, AdminRun};

use crate::config::Mode;
use crate::{backups, clock, iam, scrubs, snapshots};

/// All services, in the order of their names.
pub(crate) static SERVICES: &[&Service] = &[
    &fogbank_apigatewayv2::SERVICE,
    &fogbank_cloudwatch::SERVICE,
    &fogbank_dynamodb::SERVICE,
    &fogbank_events::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_kms::SERVICE,
    &fogbank_lambda::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_organizations::SERVICE,
    &fogbank_rekognition::SERVICE,
    &fogbank_s3::SERVICE,
    &fogbank_s3control::SERVICE,
    &fogbank_s3tables::SERVICE,
    &fogbank_secretsmanager::SERVICE,
    &fogbank_sns::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_ssm::SERVICE,
    &fogbank_sts::SERVICE,
];

/// The calls under `/_fogbank/`.
pub(crate) fn admin_routes(mode: Mode) -> Vec<AdminRoute> {
    let mut routes = Vec::new();
    routes.extend_from_slice(clock::ROUTES);
    routes.extend_from_slice(iam::ROUTES);
    routes.extend_from_slice(snapshots::ROUTES);
    routes.extend_from_slice(backups::ROUTES);
    routes.extend_from_slice(scrubs::ROUTES);
    // They show tests what left the cloud, and ask nobody who he is, so a server has none.
    if mode == Mode::Dev {
        routes.push(open("/_fogbank/outbox/email", fogbank_sns::email_outbox));
        routes.push(open("/_fogbank/outbox/sms", fogbank_sns::sms_outbox));
    }
    routes
}

fn open(
    path: &'static str,
    serve: fn(Cx, HttpRequest) -> BoxFuture<'static, HttpResponse>,
) -> AdminRoute {
    AdminRoute { method: "GET", path, action: "ReadOutbox", run: AdminRun::Open(serve) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use fogbank_core::store::TableLabel;

    use super::*;

    #[test]
    fn the_ledger_lists_exactly_what_has_a_handler() {
        for service in SERVICES {
            let name = service.model.name;
            let path =
                format!("{}/../../models/operations/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).expect("a list of operations");
            let list: toml::Table = toml::from_str(&text).expect("TOML");
            let listed = list["operations"].as_array().expect("operations");
            let listed: BTreeSet<&str> = listed.iter().filter_map(|name| name.as_str()).collect();
            let handled: BTreeSet<&str> =
                service.operations.iter().map(|op| op.model.name).collect();
            assert_eq!(listed, handled, "{name}");
        }
    }

    /// The names and prefixes of the tables that a folder's sources declare, but for those of tests.
    fn declared(folder: &Path) -> BTreeSet<(String, u32)> {
        let mut tables = BTreeSet::new();
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    tables.extend(declared(&path));
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                for table in text.split("Table::new(").skip(1) {
                    let (name, rest) = table.trim_start().split_once(',').expect("a name");
                    let (prefix, _) = rest.trim().split_once(')').expect("an end");
                    let prefix = prefix.trim().trim_end_matches(',').replace('_', "");
                    let digits = prefix.strip_prefix("0x").expect("hexadecimal digits");
                    let prefix = u32::from_str_radix(digits, 16).expect("a prefix");
                    tables.insert((name.trim_matches('"').to_owned(), prefix));
                }
            }
        }
        tables
    }

    fn labelled(labels: &[TableLabel]) -> BTreeSet<(String, u32)> {
        let named: BTreeSet<_> =
            labels.iter().map(|label| (label.name.to_owned(), label.prefix)).collect();
        assert_eq!(named.len(), labels.len(), "a table is labelled twice: {labels:?}");
        named
    }

    #[test]
    fn every_table_is_labelled_and_every_service_with_tables_can_be_reset() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        // Tables of S3 lie where S3 Control reads them as well.
        let (shared, points): (BTreeSet<_>, BTreeSet<_>) =
            declared(&root.join("crates/accesspoints/src"))
                .into_iter()
                .partition(|(name, _)| name.starts_with("s3."));
        let mut prefixes = BTreeSet::new();
        for service in SERVICES {
            let name = service.model.name;
            let labels = labelled(service.tables);
            // The rows of IAM and STS lie where the gateway reads them, those of access points and tables where S3 does.
            if !matches!(name, "iam" | "sts" | "organizations" | "s3control" | "s3tables") {
                let mut declared = declared(&root.join("services").join(name).join("src"));
                if name == "s3" {
                    declared.extend(shared.iter().cloned());
                }
                assert_eq!(labels, declared, "{name}");
            }
            assert_eq!(service.reset.is_some(), !labels.is_empty(), "the reset of {name}");
            prefixes.extend(labels);
        }
        let identity = declared(&root.join("crates/identity/src"));
        let of_identity = prefixes
            .iter()
            .filter(|(_, prefix)| prefix >> 8 == 1)
            .cloned()
            .collect::<BTreeSet<_>>();
        assert_eq!(of_identity, identity);
        let mut control = points;
        control.extend(declared(&root.join("services/s3control/src")));
        assert_eq!(labelled(fogbank_s3control::SERVICE.tables), control);
        let of_tables = declared(&root.join("crates/tablebuckets/src"));
        assert_eq!(labelled(fogbank_s3tables::SERVICE.tables), of_tables);
        let core = labelled(fogbank_core::TABLES);
        assert_eq!(core, declared(&root.join("crates/core/src")));
        prefixes.extend(core);
        let distinct: BTreeSet<u32> = prefixes.iter().map(|(_, prefix)| *prefix).collect();
        assert_eq!(distinct.len(), prefixes.len(), "two tables share a prefix: {prefixes:?}");
    }
}
