//! Tables: what is written is read, scanned, paged, and there after a restart.

use std::ops::{Bound, ControlFlow};

use fogbank_store::{Db, Error, MAX_KEY_BYTES, MAX_VALUE_BYTES, Raw, Read, Starting, Table, Write};

use crate::{Store, on_every_engine};

static NAMES: Table<(String, String), String> = Table::new("test.names", 0x1000);
static OTHERS: Table<(String, String), String> = Table::new("test.others", 0x1001);
static OBJECTS: Table<(String, String, u64), Raw> = Table::new("test.objects", 0x1002);

on_every_engine! {
    rows_are_read_back_and_survive
    a_table_ends_where_the_next_begins
    scans_go_both_ways_from_anywhere
    a_listing_jumps_over_folders
    pages_continue_where_the_last_ended
    deletions_hide_rows
    an_error_aborts
    what_is_too_large_is_refused
    versions_rise_for_ever
    a_closed_database_says_so
}

async fn fill(db: &Db, account: &str, names: &[&str]) {
    db.write(|tx| {
        names.iter().try_for_each(|name| NAMES.put(tx, &(account, name), &(*name).to_owned()))
    })
    .await
    .unwrap();
}

fn all(db: &Db, account: &str) -> Vec<String> {
    let rows = db.read(|tx| NAMES.list(tx, account)).unwrap();
    rows.into_iter().map(|(_, name)| name).collect()
}

async fn rows_are_read_back_and_survive(mut store: Store) {
    fill(&store.db, "1", &["a", "b"]).await;
    for _ in 0..2 {
        let key = ("1".to_owned(), "b".to_owned());
        let row = store.db.read(|tx| NAMES.get(tx, &key)).unwrap();
        assert_eq!(row.as_deref(), Some("b"));
        assert_eq!(store.db.read(|tx| NAMES.get(tx, &("1", "c"))).unwrap(), None);
        assert!(store.db.read(|tx| NAMES.contains(tx, &("1", "a"))).unwrap());
        store.reopen();
    }
}

async fn a_table_ends_where_the_next_begins(store: Store) {
    fill(&store.db, "1", &["a"]).await;
    fill(&store.db, "11", &["x"]).await;
    store.db.write(|tx| OTHERS.put(tx, &("1", "z"), &"other".to_owned())).await.unwrap();
    assert_eq!(all(&store.db, "1"), ["a"]);
    let (first, last) =
        store.db.read(|tx| Ok::<_, Error>((NAMES.first(tx, &())?, NAMES.last(tx, &())?))).unwrap();
    assert_eq!(first.unwrap().1, "a");
    assert_eq!(last.unwrap().1, "x");
    assert_eq!(store.db.read(|tx| NAMES.range(&()).count(tx)).unwrap(), 2);
    let clash: Table<u64, u64> = Table::new("test.clash", 0x1000);
    let refused = store.db.write(|tx| clash.put(tx, &1, &1)).await;
    assert!(matches!(refused, Err(Error::TableClash { .. })));
}

type See<'s> = dyn FnMut(String) -> ControlFlow<()> + 's;

async fn scans_go_both_ways_from_anywhere(store: Store) {
    let names = ["a", "b", "c", "d", "e"];
    fill(&store.db, "1", &names).await;
    fill(&store.db, "2", &["z"]).await;
    let tx = store.db.snapshot();
    let collect = |scan: &dyn Fn(&mut See<'_>)| {
        let mut seen = String::new();
        scan(&mut |name| {
            seen.push_str(&name);
            ControlFlow::Continue(())
        });
        seen
    };
    let seen = collect(&|see| NAMES.scan(&tx, "1", |_, name| see(name)).unwrap());
    assert_eq!(seen, "abcde");
    let seen = collect(&|see| NAMES.scan_rev(&tx, "1", |_, name| see(name)).unwrap());
    assert_eq!(seen, "edcba");
    let seen = collect(&|see| NAMES.scan_after(&tx, "1", &("1", "bb"), |_, n| see(n)).unwrap());
    assert_eq!(seen, "cde");
    let seen = collect(&|see| NAMES.scan_after(&tx, "1", &("1", "c"), |_, n| see(n)).unwrap());
    assert_eq!(seen, "de");
    let seen = collect(&|see| NAMES.scan_rev_before(&tx, "1", &("1", "c"), |_, n| see(n)).unwrap());
    assert_eq!(seen, "ba");
    let from = |bound: Bound<(&str, &str)>| {
        collect(&|see| NAMES.scan_from(&tx, bound, "1", |_, name| see(name)).unwrap())
    };
    assert_eq!(from(Bound::Included(("1", "c"))), "cde");
    assert_eq!(from(Bound::Excluded(("1", "c"))), "de");
    assert_eq!(from(Bound::Included(("0", "x"))), "abcde");
    assert_eq!(from(Bound::Included(("2", "z"))), "");
    assert_eq!(from(Bound::Unbounded), "abcde");
    let part = NAMES.range("1").from(&("1", "b")).up_to(&("1", "d")).reverse().limit(2);
    assert_eq!(part.keys(&tx).unwrap().into_iter().map(|key| key.1).collect::<String>(), "dc");
    assert!(NAMES.range("1").from(&("1", "d")).before(&("1", "b")).list(&tx).unwrap().is_empty());
}

async fn a_listing_jumps_over_folders(store: Store) {
    let names = ["a", "photos/1", "photos/2024/x", "photos/2024/y", "photos/z", "q"];
    store
        .db
        .write(|tx| {
            let raw = |name: &str| Raw(name.to_owned().into());
            names.iter().try_for_each(|name| OBJECTS.put(tx, &("bucket", name, 7), &raw(name)))
        })
        .await
        .unwrap();
    let tx = store.db.snapshot();
    let within = Starting(("bucket",), "photos/");
    let names =
        |keys: Vec<(String, String, u64)>| keys.into_iter().map(|key| key.1).collect::<Vec<_>>();
    let listed = names(OBJECTS.range(&within).keys(&tx).unwrap());
    assert_eq!(listed, ["photos/1", "photos/2024/x", "photos/2024/y", "photos/z"]);
    let folder = Starting(("bucket",), "photos/2024/");
    assert_eq!(names(OBJECTS.range(&within).past(&folder).keys(&tx).unwrap()), ["photos/z"]);
    assert_eq!(OBJECTS.get_bytes(&tx, &("bucket", "q", 7)).unwrap().unwrap(), "q");
}

async fn pages_continue_where_the_last_ended(store: Store) {
    fill(&store.db, "1", &["a", "b", "c", "d", "e"]).await;
    let mut after = None;
    let mut pages = Vec::new();
    loop {
        let (rows, more) = store.db.read(|tx| NAMES.page(tx, "1", after.as_ref(), 2)).unwrap();
        pages.push(rows.iter().map(|row| &row.1[..]).collect::<String>());
        after = rows.last().map(|row| row.0.clone());
        if !more {
            break;
        }
    }
    assert_eq!(pages, ["ab", "cd", "e"]);
}

async fn deletions_hide_rows(mut store: Store) {
    fill(&store.db, "1", &["a", "b", "c"]).await;
    let left = store
        .db
        .write(|tx| {
            NAMES.delete(tx, &("1", "b"))?;
            NAMES.delete(tx, &("1", "never"))?;
            NAMES.list(tx, "1")
        })
        .await
        .unwrap();
    assert_eq!(left.len(), 2);
    store.reopen();
    assert_eq!(all(&store.db, "1"), ["a", "c"]);
    assert_eq!(store.db.write(|tx| NAMES.delete_all(tx, "1")).await.unwrap(), 2);
    store.reopen();
    assert!(all(&store.db, "1").is_empty());
}

async fn an_error_aborts(store: Store) {
    fill(&store.db, "1", &["a"]).await;
    let failed: Result<(), Error> = store
        .db
        .write(|tx| {
            NAMES.put(tx, &("1", "b"), &"b".to_owned())?;
            NAMES.delete(tx, &("1", "a"))?;
            tx.on_commit(Box::new(|| panic!("the hook of an aborted transaction ran")));
            Err(Error::corrupt("test", "on purpose"))
        })
        .await;
    assert!(matches!(failed, Err(Error::Corrupt { .. })));
    assert_eq!(all(&store.db, "1"), ["a"]);
    assert_eq!(store.db.write(|tx| NAMES.list(tx, "1")).await.unwrap().len(), 1);
}

async fn what_is_too_large_is_refused(store: Store) {
    let long = "k".repeat(MAX_KEY_BYTES);
    let refused = store.db.write(|tx| NAMES.put(tx, &("1", &long), &String::new())).await;
    assert!(matches!(refused, Err(Error::TooLarge { what: "key", .. })), "{refused:?}");
    let large = vec![0; MAX_VALUE_BYTES + 1];
    let refused = store
        .db
        .write(|tx| {
            tx.put(b"key", &large);
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(refused, Err(Error::TooLarge { what: "value", .. })), "{refused:?}");
    assert_eq!(store.db.read(|tx| tx.get(b"key")).unwrap(), None);
}

async fn versions_rise_for_ever(mut store: Store) {
    let mut last = 0;
    for _ in 0..3 {
        for name in ["a", "b"] {
            let version = store
                .db
                .write(|tx| {
                    NAMES.put(tx, &("1", name), &String::new())?;
                    Ok::<_, Error>(tx.version())
                })
                .await
                .unwrap();
            assert!(version > last);
            last = version;
        }
        store.reopen();
    }
}

async fn a_closed_database_says_so(store: Store) {
    fill(&store.db, "1", &["a"]).await;
    let before = store.db.snapshot();
    store.db.close().unwrap();
    store.db.close().unwrap();
    assert!(matches!(store.db.write(|_| Ok::<_, Error>(())).await, Err(Error::Closed)));
    assert!(matches!(store.db.read(|tx| NAMES.list(tx, "1")), Err(Error::Closed)));
    assert!(matches!(store.db.health(), Err(Error::Closed)));
    assert_eq!(NAMES.list(&before, "1").unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_inside_a_write_is_refused() {
    let db = Db::memory();
    let inner = db.clone();
    let refused = db
        .write(|tx| {
            NAMES.put(tx, &("1", "a"), &String::new())?;
            inner.write_blocking(|tx| NAMES.put(tx, &("1", "b"), &String::new()))
        })
        .await;
    assert!(matches!(refused, Err(Error::Nested)));
    db.write(|tx| NAMES.put(tx, &("1", "a"), &String::new())).await.unwrap();
}
