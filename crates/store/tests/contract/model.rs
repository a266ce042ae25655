//! Random transactions against a model: reads and scans inside and outside of them agree with a map.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_store::{Durability, Error, Read, Write};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::Store;

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    Scan(u8, u8, bool),
    Commit,
    Abort,
    Reopen,
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u8..40, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        3 => (0u8..40).prop_map(Step::Delete),
        3 => (0u8..42, 0u8..42, any::<bool>()).prop_map(|(a, b, back)| Step::Scan(a, b, back)),
        2 => Just(Step::Commit),
        1 => Just(Step::Abort),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

fn key(number: u8) -> Vec<u8> {
    vec![0x77, 0, 0, number / 3, number]
}

fn check_scan(tx: &impl Read, model: &Model, start: u8, end: u8, reverse: bool) {
    let (start, end) = (key(start), key(end));
    let mut seen = Vec::new();
    tx.scan(&start, &end, reverse, &mut |key, value| {
        seen.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    let mut expected: Vec<_> = if start < end {
        model.range(start..end).map(|(key, value)| (key.clone(), value.clone())).collect()
    } else {
        Vec::new()
    };
    if reverse {
        expected.reverse();
    }
    assert_eq!(seen, expected);
}

/// Runs the steps of one transaction and says whether it committed.
fn run_one(store: &Store, steps: &[Step], model: &mut Model, aborts: bool) {
    let mut inside = model.clone();
    let done = store.db.write_blocking(|tx| {
        for step in steps {
            match step {
                Step::Put(number, value) => {
                    tx.put(&key(*number), &[*value]);
                    inside.insert(key(*number), vec![*value]);
                }
                Step::Delete(number) => {
                    tx.delete(&key(*number));
                    inside.remove(&key(*number));
                }
                Step::Scan(start, end, reverse) => {
                    check_scan(tx, &inside, *start, *end, *reverse);
                }
                Step::Commit | Step::Abort | Step::Reopen => {}
            }
        }
        for number in 0..40 {
            let value = tx.get(&key(number))?;
            assert_eq!(value.as_deref(), inside.get(&key(number)).map(Vec::as_slice));
        }
        if aborts { Err(Error::corrupt("test", "on purpose")) } else { Ok(()) }
    });
    assert_eq!(done.is_err(), aborts);
    if !aborts {
        *model = inside;
    }
}

fn run(durability: Durability, steps: &[Step]) {
    let mut store = Store::new(durability);
    let mut model = Model::new();
    let is_end = |step: &Step| matches!(step, Step::Commit | Step::Abort | Step::Reopen);
    for part in steps.split_inclusive(is_end) {
        run_one(&store, part, &mut model, matches!(part.last(), Some(Step::Abort)));
        if matches!(part.last(), Some(Step::Reopen)) {
            store.reopen();
        }
        let tx = store.db.snapshot();
        for reverse in [false, true] {
            check_scan(&tx, &model, 0, 42, reverse);
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn in_memory(steps in steps()) {
        run(Durability::Memory, &steps);
    }
}

proptest! {
    #![proptest_config(Config { cases: 12, failure_persistence: None, ..Config::default() })]

    #[test]
    fn on_disk(steps in steps()) {
        run(Durability::Buffered, &steps);
    }
}
