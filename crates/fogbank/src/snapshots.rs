//! `fogbank snapshot` and `fogbank reset`, and the calls behind them: the state as a whole.

use std::collections::BTreeMap;
use std::process::ExitCode;

use fogbank_core::store::{self, Difference, SnapshotInfo, TableLabel};
use fogbank_core::{BoxFuture, Cx, Fault, Timestamp, tracing};
use fogbank_gateway::{AdminRoute, AdminRun};
use serde_json::{Value, json};

use crate::admin_client::{self, AdminClient};
use crate::cli::{ResetOptions, SnapshotCommand, SnapshotOptions};
use crate::clock;
use crate::services::SERVICES;

const SNAPSHOTS: &str = "/_fogbank/snapshots";
const LOAD: &str = "/_fogbank/snapshots/load";
const DELETE: &str = "/_fogbank/snapshots/delete";
const DIFF: &str = "/_fogbank/snapshots/diff";
const RESET: &str = "/_fogbank/reset";
/// Keys that a difference names of each table, unless more are asked for.
const KEYS_SHOWN: usize = 20;

/// The calls.
pub(crate) const ROUTES: &[AdminRoute] = &[
    route("GET", SNAPSHOTS, "ListSnapshots", |cx, input| Box::pin(list(cx, input))),
    route("POST", SNAPSHOTS, "SaveSnapshot", |cx, input| Box::pin(save(cx, input))),
    route("POST", LOAD, "LoadSnapshot", |cx, input| Box::pin(load(cx, input))),
    route("POST", DELETE, "DeleteSnapshot", |cx, input| Box::pin(delete(cx, input))),
    route("GET", DIFF, "DiffSnapshots", |cx, input| Box::pin(diff(cx, input))),
    route("POST", RESET, "Reset", |cx, input| Box::pin(reset_call(cx, input))),
];

type Work = fn(Cx, Value) -> BoxFuture<'static, Result<Value, Fault>>;

const fn route(
    method: &'static str,
    path: &'static str,
    action: &'static str,
    work: Work,
) -> AdminRoute {
    AdminRoute { method, path, action, run: AdminRun::Json(work) }
}

async fn list(cx: Cx, _: Value) -> Result<Value, Fault> {
    let snapshots = cx.db().snapshots();
    let all: Vec<Value> = snapshots.list().iter().map(show).collect();
    Ok(json!({ "base": snapshots.base().map_err(fault)?, "snapshots": all }))
}

async fn save(cx: Cx, input: Value) -> Result<Value, Fault> {
    let name = required(&input, "name")?;
    // When it was saved is told in the machine's time: the cloud's may be anything.
    let now = cx.clock().machine_now().millis();
    let info = block(move || cx.db().snapshots().save(&name, now)).await?;
    Ok(show(&info))
}

async fn load(cx: Cx, input: Value) -> Result<Value, Fault> {
    let name = required(&input, "name")?;
    let info = replace(cx, move |cx| {
        let prepare = |tx: &mut store::WriteTx| {
            if !cx.cloud().opens(tx)? {
                return Err(store::Error::OtherRootKey(name.clone()));
            }
            prepare(cx, tx)
        };
        cx.db().snapshots().load(&name, prepare, || replaced(cx))
    });
    Ok(show(&info.await?))
}

async fn delete(cx: Cx, input: Value) -> Result<Value, Fault> {
    let name = required(&input, "name")?;
    block(move || cx.db().snapshots().delete(&name)).await?;
    Ok(json!({}))
}

async fn reset_call(cx: Cx, input: Value) -> Result<Value, Fault> {
    let service = input["service"].as_str().map(str::to_owned);
    let account = input["account"].as_str().map(str::to_owned);
    if service.is_none() && account.is_none() {
        replace(cx, |cx| cx.db().snapshots().reset(|tx| prepare(cx, tx), || replaced(cx))).await?;
        return Ok(json!({}));
    }
    let named = |name: &str| SERVICES.iter().any(|service| service.model.name == name);
    if let Some(unknown) = service.as_deref().filter(|name| !named(name)) {
        let names: Vec<_> = SERVICES.iter().map(|service| service.model.name).collect();
        let known = names.join(", ");
        return Err(invalid(format!("There is no service {unknown}. The services are {known}.")));
    }
    for found in SERVICES {
        let name = found.model.name;
        if service.as_deref().is_none_or(|service| service == name)
            && let Some(reset) = found.reset
        {
            let cx = Cx::background(cx.cloud().clone(), name, "Reset");
            reset(cx, account.clone()).await?;
        }
    }
    Ok(json!({}))
}

/// Changes the rows that are about to take the place of the present ones, where the present decides.
fn prepare(cx: &Cx, tx: &mut store::WriteTx) -> Result<(), store::Error> {
    let present = cx.db().snapshot();
    fogbank_identity::carry(cx.cloud(), &present, tx, &cx.settings().account)
}

/// Other rows are in place, with the clock that belongs to them.
fn replaced(cx: &Cx) {
    if let Err(error) = cx.cloud().recall_clock() {
        tracing::error!(%error, "the clock does not run as the loaded state says");
    }
    for service in SERVICES {
        if let Some(forget) = service.replaced {
            forget(cx.cloud());
        }
    }
}

/// Exchanges the rows, and has everybody look at the new ones.
async fn replace<T: Send + 'static>(
    cx: Cx,
    work: impl FnOnce(&Cx) -> Result<T, store::Error> + Send + 'static,
) -> Result<T, Fault> {
    let cloud = cx.cloud().clone();
    let done = block(move || work(&cx)).await;
    cloud.wakes().wake_all();
    done
}

/// Runs what blocks where it may.
pub(crate) async fn block<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, store::Error> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(Fault::internal)?.map_err(fault)
}

async fn diff(cx: Cx, input: Value) -> Result<Value, Fault> {
    let name = |member: &str| input[member].as_str().filter(|name| !name.is_empty());
    let snapshots = cx.db().snapshots().clone();
    let from = match name("from") {
        Some(from) => from.to_owned(),
        None => snapshots.base().map_err(fault)?.ok_or_else(|| {
            invalid("The present state comes from no snapshot: name one to compare with.")
        })?,
    };
    let to = name("to").map(str::to_owned);
    let limit = match name("limit") {
        Some(text) => text.parse().map_err(|_| invalid("The limit must be a number."))?,
        None => KEYS_SHOWN,
    };
    let (earlier, later) = (from.clone(), to.clone());
    let tables = block(move || {
        let mut tables = BTreeMap::new();
        let labels = labels();
        snapshots.diff(Some(&earlier), later.as_deref(), &mut |difference, key| {
            note(&mut tables, &labels, limit, difference, key);
        })?;
        Ok(tables)
    });
    let tables: Vec<_> = tables.await?.into_values().map(|table| table.show()).collect();
    Ok(json!({ "from": from, "to": to, "tables": tables }))
}

/// The differences within a table.
struct Table {
    name: String,
    counts: [u64; 3],
    keys: Vec<Value>,
}

impl Table {
    fn show(self) -> Value {
        let [added, removed, changed] = self.counts;
        json!({
            "table": self.name,
            "added": added,
            "removed": removed,
            "changed": changed,
            "keys": self.keys,
        })
    }
}

fn labels() -> BTreeMap<u32, &'static TableLabel> {
    let services = SERVICES.iter().flat_map(|service| service.tables);
    let tables = services.chain(fogbank_core::TABLES);
    tables.map(|label| (label.prefix, label)).collect()
}

fn note(
    tables: &mut BTreeMap<u32, Table>,
    labels: &BTreeMap<u32, &'static TableLabel>,
    limit: usize,
    difference: Difference,
    key: &[u8],
) {
    let prefix = key.first_chunk::<4>().map_or(0, |prefix| u32::from_be_bytes(*prefix));
    // The store's own: which blobs live.
    if prefix < 0x10 {
        return;
    }
    let label = labels.get(&prefix);
    let table = tables.entry(prefix).or_insert_with(|| Table {
        name: label.map_or_else(|| format!("{prefix:#06x}"), |label| label.name.to_owned()),
        counts: [0; 3],
        keys: Vec::new(),
    });
    let (index, name) = match difference {
        Difference::Added => (0, "added"),
        Difference::Removed => (1, "removed"),
        Difference::Changed => (2, "changed"),
    };
    table.counts[index] += 1;
    if table.keys.len() < limit {
        let text = label.and_then(|label| label.show(key));
        let text = text.unwrap_or_else(|| key[4..].escape_ascii().to_string());
        table.keys.push(json!({ "difference": name, "key": text }));
    }
}

fn show(info: &SnapshotInfo) -> Value {
    json!({
        "name": info.name,
        "created_millis": info.created_millis,
        "parent": info.parent,
        "rows": info.rows,
        "row_bytes": info.row_bytes,
        "blobs": info.blobs,
        "blob_bytes": info.blob_bytes,
    })
}

pub(crate) fn fault(error: store::Error) -> Fault {
    let (name, status) = match &error {
        store::Error::NoSuchSnapshot(_) => ("NoSuchSnapshot", 404),
        store::Error::SnapshotExists(_) => ("SnapshotExists", 409),
        store::Error::SnapshotName(_) => ("InvalidName", 400),
        store::Error::OtherRootKey(_) => ("OtherRootKey", 409),
        // The administrator may know what a user may not.
        store::Error::Corrupt { .. } => ("Corrupt", 500),
        _ => return Fault::from(error),
    };
    Fault::new(name, error.to_string()).with_status(status)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidInput", message).with_status(400)
}

fn required(input: &Value, member: &str) -> Result<String, Fault> {
    let value = input[member].as_str().filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| invalid(format!("{member} is required.")))
}

/// Runs `fogbank snapshot …`.
pub(crate) fn snapshot(options: &SnapshotOptions) -> anyhow::Result<ExitCode> {
    let client = AdminClient::new(&options.admin)?;
    let (answer, text): (Value, fn(&Value) -> String) = match &options.command {
        SnapshotCommand::Save { name } => {
            (client.post(SNAPSHOTS, &json!({ "name": name }))?, |saved| {
                format!("Saved {}.", sizes(saved))
            })
        }
        SnapshotCommand::Load { name } => {
            (client.post(LOAD, &json!({ "name": name }))?, |loaded| {
                format!("Loaded {}.", sizes(loaded))
            })
        }
        SnapshotCommand::List => (client.get(SNAPSHOTS, &[])?, listing),
        SnapshotCommand::Delete { name } => {
            (client.post(DELETE, &json!({ "name": name }))?, |_| "Deleted.".to_owned())
        }
        SnapshotCommand::Diff { from, to, limit } => {
            let limit = limit.map(|limit| limit.to_string());
            let members =
                [("from", from.as_deref()), ("to", to.as_deref()), ("limit", limit.as_deref())];
            let query: Vec<_> =
                members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            (client.get(DIFF, &query)?, differences)
        }
    };
    admin_client::print(&options.admin, &answer, text)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `fogbank reset`.
pub(crate) fn reset(options: &ResetOptions) -> anyhow::Result<ExitCode> {
    let everything = options.service.is_none() && options.account.is_none();
    if everything && !options.yes && !admin_client::confirm("Remove all state of the cloud?")? {
        return Ok(ExitCode::FAILURE);
    }
    let input = json!({ "service": options.service, "account": options.account });
    let answer = AdminClient::new(&options.admin)?.post(RESET, &input)?;
    admin_client::print(&options.admin, &answer, |_| "Reset.".to_owned())?;
    Ok(ExitCode::SUCCESS)
}

fn sizes(info: &Value) -> String {
    let [name, rows, row_bytes, blobs, blob_bytes] =
        ["name", "rows", "row_bytes", "blobs", "blob_bytes"].map(|member| &info[member]);
    let name = name.as_str().unwrap_or_default();
    format!("{name}: {rows} rows of {row_bytes} bytes, {blobs} blobs of {blob_bytes} bytes")
}

fn listing(answer: &Value) -> String {
    let base = answer["base"].as_str();
    let snapshots = answer["snapshots"].as_array().into_iter().flatten();
    let lines = snapshots.map(|info| {
        let mark = if info["name"].as_str() == base { "*" } else { " " };
        let parent = info["parent"].as_str().map(|parent| format!(", after {parent}"));
        let created = Timestamp::from_millis(info["created_millis"].as_i64().unwrap_or_default());
        let created = clock::iso(created);
        format!("{mark} {}, {created}{}", sizes(info), parent.unwrap_or_default())
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { "There are no snapshots.".to_owned() } else { lines.join("\n") }
}

fn differences(answer: &Value) -> String {
    let tables = answer["tables"].as_array().into_iter().flatten();
    let mut lines = Vec::new();
    for table in tables {
        let [added, removed, changed] =
            ["added", "removed", "changed"].map(|member| table[member].as_u64().unwrap_or(0));
        let name = table["table"].as_str().unwrap_or_default();
        lines.push(format!("{name}: {added} added, {removed} removed, {changed} changed"));
        let keys = table["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        for key in keys {
            let sign = match key["difference"].as_str() {
                Some("added") => '+',
                Some("removed") => '-',
                _ => '~',
            };
            lines.push(format!("  {sign} {}", key["key"].as_str().unwrap_or_default()));
        }
        let more = (added + removed + changed).saturating_sub(keys.len() as u64);
        if more > 0 {
            lines.push(format!("  and {more} more; see --limit"));
        }
    }
    if lines.is_empty() { "There are no differences.".to_owned() } else { lines.join("\n") }
}
