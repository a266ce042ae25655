//! Maintenance on the virtual clock: snapshots that expire, and files that no snapshot names.

use fogbank_iceberg::{Commit, DataFile, Removal, Table};

use super::*;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// A table of one field, with the files of its warehouse.
struct Orders {
    world: World,
    bucket: String,
    commits: i64,
}

impl Orders {
    async fn new() -> Orders {
        let world = with_namespace().await;
        let fields = json!([{"name": "id", "type": "long", "required": true}]);
        let input =
            json!({"format": "ICEBERG", "metadata": {"iceberg": {"schema": {"fields": fields}}}});
        call(&world, "CreateTable", with(named("orders"), input)).await.expect("a table");
        let table = call(&world, "GetTable", named("orders")).await.expect("the table");
        Orders { bucket: warehouse(&table), world, commits: 0 }
    }

    async fn write(&self, location: &str, body: Bytes) {
        let key = location.strip_prefix(&format!("s3://{}/", self.bucket)).expect("a key");
        let input = json!({"Bucket": self.bucket, "Key": key});
        let root = Principal::root(ACCOUNT);
        self.world.send(root, "s3:PutObject", input, Body::from(body)).await.expect("written");
    }

    async fn read(&self, location: &str) -> Bytes {
        let key = location.strip_prefix(&format!("s3://{}/", self.bucket)).expect("a key");
        get(&self.world, &self.bucket, key).await.expect("read")
    }

    async fn table(&self) -> (Table, Value) {
        let told = call(&self.world, "GetTableMetadataLocation", named("orders")).await;
        let told = told.expect("the place");
        let location = told["metadataLocation"].as_str().expect("a place");
        let table = Table::from_json(&self.read(location).await, Some(location));
        (table.expect("a table"), told["versionToken"].clone())
    }

    /// Commits a file in the place of the others, or beside them.
    async fn commit(&mut self, name: &str, replaces: bool) {
        self.commits += 1;
        let (table, token) = self.table().await;
        let path = format!("s3://{}/data/{name}.parquet", self.bucket);
        self.write(&path, Bytes::from_static(b"rows")).await;
        let commit = Commit {
            snapshot_id: self.commits,
            uuid: format!("commit-{}", self.commits),
            now_millis: self.world.clock().now().millis(),
        };
        let file = DataFile {
            path,
            format: "PARQUET".to_owned(),
            records: 1,
            bytes: 4,
            ..DataFile::default()
        };
        let mut transaction = match replaces {
            true => table.overwrite(commit, Removal::Everything, vec![file]),
            false => table.append(commit, vec![file]),
        };
        while let Some(location) = transaction.wants().map(str::to_owned) {
            transaction.give(&self.read(&location).await).expect("given");
        }
        let change = transaction.finish().expect("a change");
        for (location, bytes) in change.objects {
            self.write(&location, bytes).await;
        }
        let place = json!({
            "versionToken": token, "metadataLocation": change.table.metadata_location(),
        });
        let update = with(named("orders"), place);
        call(&self.world, "UpdateTableMetadataLocation", update).await.expect("committed");
    }

    async fn pass(&self, millis: i64) {
        self.world.clock().advance(millis);
        self.world.round(&crate::SERVICE, crate::maintenance::TASK).await;
    }

    async fn status(&self) -> Value {
        let told = call(&self.world, "GetTableMaintenanceJobStatus", named("orders")).await;
        told.expect("the status")["status"].clone()
    }

    /// The data files that are there, and the ids of the table's snapshots.
    async fn shown(&self) -> (Vec<String>, Vec<i64>) {
        let data = files(&self.world, &self.bucket).await;
        let data = data.into_iter().filter_map(|key| {
            Some(key.strip_prefix("data/")?.strip_suffix(".parquet")?.to_owned())
        });
        let (table, _) = self.table().await;
        (data.collect(), table.snapshots.iter().map(|each| each.snapshot_id).collect())
    }
}

fn shown(data: &[&str], snapshots: &[i64]) -> (Vec<String>, Vec<i64>) {
    (data.iter().map(|name| (*name).to_owned()).collect(), snapshots.to_vec())
}

#[tokio::test]
async fn snapshots_expire_and_their_files_go_later() {
    let mut orders = Orders::new().await;
    let settings = json!({"type": "icebergSnapshotManagement", "value": {"status": "enabled",
        "settings": {"icebergSnapshotManagement": {"minSnapshotsToKeep": 2, "maxSnapshotAgeHours": 48}}}});
    call(&orders.world, "PutTableMaintenanceConfiguration", with(named("orders"), settings))
        .await
        .expect("set");
    orders.commit("a", false).await;
    orders.commit("b", true).await;
    orders.commit("c", false).await;
    orders.pass(24 * HOUR_MILLIS).await;
    assert_eq!(orders.shown().await, shown(&["a", "b", "c"], &[1, 2, 3]));
    assert_eq!(orders.status().await["icebergSnapshotManagement"]["status"], "Successful");
    assert_eq!(orders.status().await["icebergCompaction"]["status"], "Not_Yet_Run");
    orders.pass(25 * HOUR_MILLIS).await;
    // The oldest one is too old, and the other two are as many as stay.
    assert_eq!(orders.shown().await, shown(&["a", "b", "c"], &[2, 3]));
    // Its file counts as not current once it is three days old, and goes ten days later.
    orders.pass(DAY_MILLIS).await;
    orders.pass(9 * DAY_MILLIS).await;
    assert_eq!(orders.shown().await, shown(&["a", "b", "c"], &[2, 3]));
    orders.pass(DAY_MILLIS).await;
    assert_eq!(orders.shown().await, shown(&["b", "c"], &[2, 3]));
    let status = orders.status().await;
    assert_eq!(status["icebergUnreferencedFileRemoval"]["status"], "Successful");
    // All that the table names is still there.
    orders.commit("d", true).await;
    orders.pass(30 * DAY_MILLIS).await;
    orders.pass(11 * DAY_MILLIS).await;
    assert_eq!(orders.shown().await, shown(&["b", "c", "d"], &[3, 4]));
    assert!(orders.world.rows(&crate::SERVICE).keys().all(|key| !key.contains("noncurrent")));
}

#[tokio::test]
async fn files_that_come_back_and_young_ones_stay() {
    let mut orders = Orders::new().await;
    orders.commit("a", false).await;
    let path = |name: &str| format!("s3://{}/data/{name}.parquet", orders.bucket);
    for name in ["lost", "late"] {
        orders.write(&path(name), Bytes::from_static(b"rows")).await;
    }
    orders.pass(3 * DAY_MILLIS).await;
    let marks = |orders: &Orders| {
        let rows = orders.world.rows(&crate::SERVICE);
        rows.keys().filter(|key| key.contains("noncurrent")).count()
    };
    assert_eq!(marks(&orders), 2);
    // What a commit names after all is current again.
    orders.commit("late", false).await;
    orders.write(&format!("s3://{}/data/young.parquet", orders.bucket), Bytes::new()).await;
    orders.pass(HOUR_MILLIS).await;
    assert_eq!(marks(&orders), 1);
    orders.pass(10 * DAY_MILLIS).await;
    let (data, _) = orders.shown().await;
    assert_eq!(data, ["a", "late", "young"]);
    // With the bucket's configuration nothing goes.
    let off = json!({"tableBucketARN": LAKE, "type": "icebergUnreferencedFileRemoval",
        "value": {"status": "disabled"}});
    call(&orders.world, "PutTableBucketMaintenanceConfiguration", off).await.expect("set");
    orders.pass(30 * DAY_MILLIS).await;
    let (data, _) = orders.shown().await;
    assert_eq!(data, ["a", "late", "young"]);
    // With the table go its marks: of the file that was young, and the list of the snapshot that expired.
    assert_eq!(marks(&orders), 2);
    call(&orders.world, "DeleteTable", named("orders")).await.expect("deleted");
    orders.world.round(&fogbank_s3::SERVICE, fogbank_tablebuckets::REMOVAL).await;
    assert_eq!(marks(&orders), 0);
}

#[tokio::test]
async fn a_table_that_keeps_by_itself_is_let_alone_and_damage_is_told() {
    let mut orders = Orders::new().await;
    orders.commit("a", false).await;
    orders.commit("b", true).await;
    let updates = json!([{"action": "set-properties", "updates": {
        "history.expire.min-snapshots-to-keep": "7",
    }}]);
    let commit = with(named("orders"), json!({"requirements": [], "updates": updates}));
    call(&orders.world, "IcebergCommitTable", commit).await.expect("committed");
    orders.pass(10 * DAY_MILLIS).await;
    assert_eq!(orders.shown().await, shown(&["a", "b"], &[1, 2]));
    assert_eq!(orders.status().await["icebergSnapshotManagement"]["status"], "Disabled");
    // Nothing goes while it is not known what is named.
    let place = call(&orders.world, "GetTable", named("orders")).await.expect("the table");
    let location = place["metadataLocation"].as_str().expect("a place").to_owned();
    orders.write(&location, Bytes::from_static(b"no JSON")).await;
    let before = files(&orders.world, &orders.bucket).await;
    orders.pass(30 * DAY_MILLIS).await;
    orders.pass(30 * DAY_MILLIS).await;
    assert_eq!(files(&orders.world, &orders.bucket).await, before);
    let status = orders.status().await;
    for job in ["icebergSnapshotManagement", "icebergUnreferencedFileRemoval"] {
        assert_eq!(status[job]["status"], "Failed", "{job}");
        assert!(status[job]["failureMessage"].is_string(), "{job}");
    }
}
