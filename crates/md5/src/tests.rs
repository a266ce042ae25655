//! The stage against a digest that takes one stream at a time.

use bytes::Bytes;
use md5::Digest as _;
use proptest::prelude::*;
use tokio::task::JoinSet;

use crate::Stream;

fn expected(bytes: &[u8]) -> [u8; 16] {
    md5::Md5::digest(bytes).into()
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(work);
}

fn body(seed: u64, len: usize) -> Bytes {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .collect()
}

#[test]
fn every_length_around_a_block_comes_out() {
    run(async {
        for len in (0..300).chain([4095, 4096, 65_535, 65_536, 700_000]) {
            let bytes = body(len as u64, len);
            let mut stream = Stream::new();
            stream.update(bytes.clone()).await;
            assert_eq!(stream.finish().await, expected(&bytes), "{len} bytes");
        }
    });
}

#[test]
fn a_digest_needs_nobody_to_wait_for_it() {
    run(async {
        let mut digests = Vec::new();
        for n in 0..40 {
            let bytes = body(n, 10_000 + n as usize);
            let mut stream = Stream::new();
            stream.update(bytes.clone()).await;
            digests.push((stream.finish(), expected(&bytes)));
        }
        for (digest, expected) in digests.into_iter().rev() {
            assert_eq!(digest.await, expected);
        }
    });
}

#[test]
fn streams_that_stand_still_hold_nobody_up() {
    run(async {
        let mut still = Vec::new();
        for n in 0..200 {
            let mut stream = Stream::new();
            stream.update(body(n, 100)).await;
            still.push(stream);
        }
        let bytes = body(7, 3 << 20);
        let mut stream = Stream::new();
        for piece in bytes.chunks(50_000) {
            stream.update(bytes.slice_ref(piece)).await;
        }
        assert_eq!(stream.finish().await, expected(&bytes));
        for (n, stream) in still.into_iter().enumerate() {
            assert_eq!(stream.finish().await, expected(&body(n as u64, 100)));
        }
    });
}

/// A stream's pieces, after how many it is given up, and how often it lets others run between them.
type Plan = (u64, Vec<usize>, Option<usize>, usize);

async fn follow((seed, pieces, cancelled_after, yields): Plan) {
    let all = body(seed, pieces.iter().sum());
    let mut rest = all.clone();
    let mut stream = Stream::new();
    for (index, len) in pieces.into_iter().enumerate() {
        if cancelled_after == Some(index) {
            // Half of the abandoned streams have ended already.
            if index % 2 == 0 {
                drop(stream.finish());
            }
            return;
        }
        stream.update(rest.split_to(len)).await;
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(stream.finish().await, expected(&all));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn streams_of_any_shape_come_out(
        plans in prop::collection::vec(
            (
                any::<u64>(),
                prop::collection::vec(prop_oneof![0..200usize, 0..20_000usize, 60_000..200_000usize], 0..8),
                prop::option::weighted(0.2, 0..8usize),
                0..3usize,
            ),
            1..60,
        )
    ) {
        run(async {
            let mut tasks = JoinSet::new();
            for plan in plans {
                tasks.spawn(follow(plan));
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
        });
    }
}
