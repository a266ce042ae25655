//! Which crate may depend on which, and why.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// The workspace's packages with the ordinary dependencies of each (none for tests only).
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        dependencies
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    packages
        .iter()
        .map(|package| (package["name"].as_str().unwrap_or_default().to_owned(), names(package)))
        .collect()
}

/// The packages under `services/`.
fn services() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../services");
    let entries = std::fs::read_dir(folder).expect("services/");
    let names = entries.map(|entry| entry.expect("a folder").file_name());
    names.map(|name| format!("fogbank-{}", name.to_string_lossy())).collect()
}

/// What each shared crate may use of ours.
const ALLOWED: &[(&str, &[&str])] = &[
    ("fogbank-wire", &[]),
    ("fogbank-sigv4", &[]),
    ("fogbank-policy", &[]),
    ("fogbank-seal", &[]),
    ("fogbank-store", &[]),
    ("fogbank-compute", &[]),
    ("fogbank-md5", &[]),
    ("fogbank-checksums", &[]),
    ("fogbank-select", &["fogbank-columns"]),
    ("fogbank-columns", &[]),
    ("fogbank-iceberg", &["fogbank-columns"]),
    ("fogbank-federation", &[]),
    ("fogbank-core", &["fogbank-wire", "fogbank-seal", "fogbank-store", "fogbank-policy"]),
    ("fogbank-identity", &["fogbank-core"]),
    ("fogbank-accesspoints", &["fogbank-core"]),
    ("fogbank-tablebuckets", &["fogbank-core"]),
    ("fogbank-tasks", &["fogbank-core"]),
    (
        "fogbank-gateway",
        &["fogbank-core", "fogbank-checksums", "fogbank-identity", "fogbank-sigv4"],
    ),
];

/// What a service may use of ours besides core.
const SERVICE_EXTRAS: &[(&str, &str, &str)] = &[
    ("fogbank-iam", "fogbank-identity", "IAM writes the rows that the gateway reads"),
    ("fogbank-sts", "fogbank-identity", "STS writes the sessions that the gateway reads"),
    ("fogbank-iam", "fogbank-federation", "IAM takes certificates and metadata in"),
    ("fogbank-sts", "fogbank-federation", "STS proves what identity providers say"),
    (
        "fogbank-organizations",
        "fogbank-identity",
        "its policies decide what the gateway lets through",
    ),
    ("fogbank-s3", "fogbank-identity", "CreateSession makes credentials that the gateway reads"),
    ("fogbank-s3", "fogbank-accesspoints", "S3 is reached through the access points"),
    ("fogbank-s3control", "fogbank-accesspoints", "S3 Control writes the rows that S3 reads"),
    ("fogbank-s3", "fogbank-tablebuckets", "S3 serves the files of the tables"),
    ("fogbank-s3tables", "fogbank-tablebuckets", "S3 Tables writes the rows that S3 reads"),
    ("fogbank-s3", "fogbank-md5", "S3 alone makes ETags of bodies that stream"),
    ("fogbank-s3", "fogbank-checksums", "S3 makes the checksums of objects"),
    ("fogbank-s3control", "fogbank-checksums", "batch jobs make the checksums that S3 makes"),
    ("fogbank-s3", "fogbank-select", "S3 alone queries objects"),
    ("fogbank-s3", "fogbank-columns", "S3 writes inventories and the rows of its metadata tables"),
    ("fogbank-s3", "fogbank-iceberg", "S3 writes the tables of its metadata"),
    ("fogbank-s3tables", "fogbank-iceberg", "S3 Tables keeps what its tables' clients commit"),
    ("fogbank-lambda", "fogbank-compute", "Lambda alone drives execution environments"),
];

#[test]
fn crates_depend_only_in_the_allowed_direction() {
    let services = services();
    let mut forbidden = Vec::new();
    for (package, uses) in dependencies() {
        let ours = uses.iter().filter(|name| name.starts_with("fogbank-"));
        if services.contains(&package) {
            for name in ours.filter(|name| *name != "fogbank-core") {
                let excused = SERVICE_EXTRAS
                    .iter()
                    .any(|(service, extra, _)| *service == package && *extra == name);
                if !excused {
                    forbidden.push(format!(
                        "{package} → {name}: a service sees core alone; services reach each other \
                         through cx.call"
                    ));
                }
            }
        } else if let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package) {
            for name in ours.filter(|name| !allowed.contains(&name.as_str())) {
                forbidden.push(format!("{package} → {name}: may use only {allowed:?}"));
            }
        }
    }
    assert!(forbidden.is_empty(), "forbidden dependencies:\n{}", forbidden.join("\n"));
}

#[test]
fn hyper_and_tls_are_known_to_the_gateway_alone() {
    // Compute speaks Lambda's Runtime API to its sandboxes; the bench driver and the torture are clients.
    let may = ["fogbank-gateway", "fogbank-compute", "fogbank-benches", "fogbank-torture"];
    for (package, uses) in dependencies() {
        let http: Vec<_> = uses
            .iter()
            .filter(|name| {
                matches!(name.as_str(), "hyper" | "hyper-util" | "rustls" | "tokio-rustls")
            })
            .collect();
        assert!(
            http.is_empty() || may.contains(&package.as_str()),
            "{package} uses {http:?}: only the gateway knows HTTP"
        );
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for folder in ["crates", "services"] {
        let path = format!("{}/../../{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).expect("a folder") {
            let manifest = entry.expect("an entry").path().join("Cargo.toml");
            let text = std::fs::read_to_string(&manifest).expect("a manifest");
            // Compute sets its own, because it alone may say `unsafe`.
            let own = manifest.ends_with("compute/Cargo.toml") && text.contains("[lints.rust]");
            assert!(
                own || text.contains("[lints]\nworkspace = true"),
                "{} does not take the workspace's lints",
                manifest.display()
            );
        }
    }
}
