//! Prints how many bytes a second one thread hashes: one stream at a time, and many together.

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::time::{Duration, Instant};

use md5::Digest;

const BODY_BYTES: usize = 1 << 20;

fn main() {
    let body: bytes::Bytes = vec![7; BODY_BYTES].into();
    report("scalar", 1, || {
        std::hint::black_box(md5::Md5::digest(&body));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for streams in [1, 2, 4, 8, 16, 32] {
        report("stage", streams, || {
            runtime.block_on(async {
                let mut open: Vec<_> = (0..streams).map(|_| fogbank_md5::Stream::new()).collect();
                for piece in body.chunks(64 << 10) {
                    for stream in &mut open {
                        stream.update(body.slice_ref(piece)).await;
                    }
                }
                let digests: Vec<_> = open.into_iter().map(fogbank_md5::Stream::finish).collect();
                for digest in digests {
                    digest.await;
                }
            });
        });
    }
}

fn report(what: &str, streams: usize, mut hash: impl FnMut()) {
    let (begun, mut rounds) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(500) {
        hash();
        rounds += 1;
    }
    let bytes = (rounds * streams * BODY_BYTES) as f64;
    println!(
        "{what:>6} {streams:>3} streams: {:.2} GB/s",
        bytes / begun.elapsed().as_secs_f64() / 1e9
    );
}
