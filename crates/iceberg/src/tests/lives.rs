//! Whole lives of tables.

use proptest::prelude::*;

use super::*;

/// A step in the life of a table.
#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    /// Removes some of the files, and adds others.
    Replace(Vec<prop::sample::Index>, usize),
    Clear,
    Expire {
        age: i64,
        keep: usize,
    },
    Tag,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0usize..4).prop_map(Step::Append),
        4 => (prop::collection::vec(any::<prop::sample::Index>(), 1..4), 0usize..3)
            .prop_map(|(gone, added)| Step::Replace(gone, added)),
        1 => Just(Step::Clear),
        2 => (0i64..800, 0usize..4).prop_map(|(age, keep)| Step::Expire { age, keep }),
        1 => Just(Step::Tag),
    ];
    prop::collection::vec(step, 1..30)
}

/// Lives the steps; after each the table has the files that it should, as has each snapshot, and the bucket nothing else.
fn live(steps: Vec<Step>) {
    let mut bucket = Bucket::default();
    let properties = [
        ("commit.manifest.min-count-to-merge", "3"),
        ("write.metadata.previous-versions-max", "4"),
    ];
    let mut table = bucket.take(table(&properties).write(&uuid(1)));
    let mut files = BTreeSet::new();
    let mut history: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for (number, step) in (2..).zip(steps) {
        let fresh = |count: usize| -> Vec<DataFile> {
            (0..count).map(|each| file(&format!("{number}-{each}"))).collect()
        };
        let (removal, added) = match step {
            Step::Append(count) => (Removal::Nothing, fresh(count)),
            Step::Clear => (Removal::Everything, Vec::new()),
            Step::Replace(..) if files.is_empty() => continue,
            Step::Replace(gone, added) => {
                let all: Vec<String> = files.iter().cloned().collect();
                let gone = gone.iter().map(|index| index.get(&all).clone()).collect();
                (Removal::Files(gone), fresh(added))
            }
            Step::Expire { age, keep } => {
                table = bucket.expire(&table, 100 * number - age, keep).0;
                assert_eq!(
                    bucket.0.keys().cloned().collect::<BTreeSet<_>>(),
                    bucket.reachable(&table)
                );
                continue;
            }
            Step::Tag => {
                if let Some(id) = table.current_snapshot_id {
                    let tag = Reference { kind: "tag".to_owned(), ..Reference::branch(id) };
                    table.refs.insert(format!("tag-{number}"), tag);
                }
                continue;
            }
        };
        match &removal {
            Removal::Nothing => {}
            Removal::Everything => files.clear(),
            Removal::Files(gone) => files.retain(|file| !gone.contains(file)),
        }
        for file in &added {
            files.insert(file.path.clone());
            bucket.0.insert(file.path.clone(), Bytes::new());
        }
        table = bucket.commit(table.overwrite(commit(number), removal, added)).expect("a table");
        assert_eq!(bucket.live(&table), files);
        let summary = &table.current_snapshot().expect("a snapshot").summary;
        assert_eq!(summary["total-data-files"], files.len().to_string());
        history.insert(1000 + number, files.clone());
        for snapshot in &table.snapshots {
            let entries = bucket.entries(&table, snapshot.snapshot_id).into_iter();
            let live = entries.filter(|entry| entry.status != Status::Deleted);
            let live: BTreeSet<_> = live.map(|entry| entry.file.path).collect();
            assert_eq!(live, history[&snapshot.snapshot_id]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tables_life_keeps_what_it_promises(steps in steps()) {
        live(steps);
    }
}
