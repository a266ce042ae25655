//! `cargo xtask traits`: keeps what npm's packages know and botocore drops in `models/overlays`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::archive::{Wheel, tarball_text};
use crate::botocore::Model;
use crate::javascript::{Literal, constants};
use crate::lock::Lock;
use crate::spec::{Overlay, QueryElement, QueryError, QueryMember, Spec};

/// Kinds of shapes in npm's schemas.
const LIST: i64 = 1;
const MAP: i64 = 2;
const STRUCTURE: i64 = 3;
const ERROR: i64 = -3;
const UNION: i64 = 4;

/// Writes the overlays of these services, or of all.
pub(crate) fn write(root: &Path, specs: &[Spec]) -> Result<()> {
    let lock = Lock::read(root)?;
    for spec in specs {
        let overlay = overlay(root, &lock, spec).with_context(|| spec.name.clone())?;
        let mut json = serde_json::to_string_pretty(&overlay)?;
        json.push('\n');
        fs::write(root.join(format!("models/overlays/{}.json", spec.name)), json)?;
    }
    Ok(())
}

fn overlay(root: &Path, lock: &Lock, spec: &Spec) -> Result<Overlay> {
    let package = lock.package(&spec.npm)?;
    let archive = package.obtain(root)?;
    let schemas = constants(&tarball_text(&archive, "package/dist-es/schemas/schemas_0.js")?)?;
    let settings = tarball_text(&archive, "package/dist-es/runtimeConfig.shared.js")?;
    let mut overlay = Overlay {
        sources: vec![format!("{} {}", package.name, package.version)],
        namespace: setting(&settings, "defaultNamespace").context("no namespace")?,
        service_shape: setting(&settings, "serviceTarget").context("no service shape")?,
        xml_namespace: setting(&settings, "xmlNamespace").unwrap_or_default(),
        ..Overlay::default()
    };
    let query = spec.legacy_query.is_some();
    for literal in schemas.values() {
        read_shape(&mut overlay, literal.items(), query);
    }
    if let Some(version) = &spec.legacy_query {
        read_legacy(&mut overlay, root, lock, spec, version)?;
    }
    Ok(overlay)
}

/// A setting of the client, such as `serviceTarget: "AmazonSQS"`.
fn setting(source: &str, name: &str) -> Option<String> {
    let (_, rest) = source.split_once(&format!("{name}: \""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

fn read_shape(overlay: &mut Overlay, items: &[Literal], query: bool) {
    let [kind, _, name, traits, ..] = items else { return };
    let (Some(kind), Some(name)) = (kind.number(), name.text()) else { return };
    match kind {
        UNION if traits.get("streaming").is_none() => overlay.unions.push(name.to_owned()),
        STRUCTURE => {
            if let Some(root) = text(traits, "xmlName") {
                overlay.roots.insert(name.to_owned(), root);
            }
        }
        ERROR => {
            if let Some([code, status]) = traits.get("awsQueryError").map(Literal::items)
                && let (Some(code), Some(status)) = (code.text(), status.number())
                && let Ok(status) = u16::try_from(status)
            {
                let error = QueryError { code: code.to_owned(), status };
                overlay.query_errors.insert(name.to_owned(), error);
            }
        }
        _ => {}
    }
    if query {
        read_query_names(overlay, kind, name, items);
    }
}

/// What the query protocol calls members and elements.
fn read_query_names(overlay: &mut Overlay, kind: i64, name: &str, items: &[Literal]) {
    let element = |index: usize| items.get(index).and_then(|item| member_text(item, "xmlName"));
    let element = match kind {
        LIST => QueryElement { member: element(4), ..QueryElement::default() },
        MAP => QueryElement { key: element(4), value: element(5), member: None },
        STRUCTURE => {
            let members = structure_names(items);
            if !members.is_empty() {
                overlay.query_members.insert(name.to_owned(), members);
            }
            return;
        }
        _ => return,
    };
    if element != QueryElement::default() {
        overlay.query_elements.insert(name.to_owned(), element);
    }
}

fn structure_names(items: &[Literal]) -> BTreeMap<String, QueryMember> {
    let (Some(names), Some(targets)) = (items.get(4), items.get(5)) else {
        return BTreeMap::new();
    };
    names
        .items()
        .iter()
        .zip(targets.items())
        .filter_map(|(name, target)| {
            let traits = target.items().get(1)?;
            let query = text(traits, "xmlName")?;
            let flattened = traits.get("xmlFlattened").is_some();
            Some((name.text()?.to_owned(), QueryMember { name: query, flattened }))
        })
        .collect()
}

fn member_text(member: &Literal, key: &str) -> Option<String> {
    text(member.items().get(1)?, key)
}

fn text(traits: &Literal, key: &str) -> Option<String> {
    traits.get(key)?.text().map(str::to_owned)
}

/// What only the last query model of the service knows: its namespace and result wrappers.
fn read_legacy(
    overlay: &mut Overlay,
    root: &Path,
    lock: &Lock,
    spec: &Spec,
    version: &str,
) -> Result<()> {
    let package = lock.package_version("botocore", version)?;
    let mut wheel = Wheel::open(&package.obtain(root)?)?;
    let model = Model::read(&wheel.service_model(&spec.botocore)?, |_| Ok(()))?;
    overlay.sources.push(format!("{} {}", package.name, package.version));
    overlay.xml_namespace = model.metadata.xml_namespace.context("it has no XML namespace")?;
    for (name, operation) in model.operations {
        if let Some(wrapper) = operation.output.and_then(|output| output.result_wrapper) {
            overlay.result_wrappers.insert(name, wrapper);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits_are_found_in_schemas() {
        let source = "const _S = \"Set\";\nconst _A = \"Attributes\";\nconst _M = \"AttrMap\";\n\
            const _E = \"Gone\";\nconst _U = \"Value\";\nconst _xN = \"xmlName\";\n\
            const _xF = \"xmlFlattened\";\nconst _aQE = \"awsQueryError\";\n\
            const _At = \"Attribute\";\nconst _N = \"Name\";\n\
            export var Set$ = [3, n0, _S,\n { [_xN]: _N },\n [_A],\n \
            [[() => AttrMap, { [_xF]: 1, [_xN]: _At }]], 1\n];\n\
            var AttrMap = [2, n0, _M,\n 0, [0, { [_xN]: _N }], 0\n];\n\
            export var Gone$ = [-3, n0, _E,\n { [_aQE]: [`AWS.Gone`, 404] },\n [], []\n];\n\
            export var Value$ = [4, n0, _U,\n 0,\n [_S], [0]\n];\n";
        let mut overlay = Overlay::default();
        for literal in constants(source).unwrap().values() {
            read_shape(&mut overlay, literal.items(), true);
        }
        assert_eq!(overlay.roots["Set"], "Name");
        let member = QueryMember { name: "Attribute".to_owned(), flattened: true };
        assert_eq!(overlay.query_members["Set"]["Attributes"], member);
        assert_eq!(overlay.query_elements["AttrMap"].key.as_deref(), Some("Name"));
        assert_eq!(overlay.query_elements["AttrMap"].value, None);
        let error = QueryError { code: "AWS.Gone".to_owned(), status: 404 };
        assert_eq!(overlay.query_errors["Gone"], error);
        assert_eq!(overlay.unions, ["Value"]);
    }
}
