//! Prints how many bytes a second streams of a megabyte are hashed at, for some numbers of streams at once.
//!
//! `cargo run --release -p fogbank-md5 --example md5_speed`

#![expect(clippy::print_stdout, reason = "prints what it measures")]

use std::time::Instant;

use bytes::Bytes;
use tokio::task::JoinSet;

const BODY_BYTES: usize = 1 << 20;
const TOTAL_BYTES: usize = 4 << 30;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    for streams in [1, 2, 4, 8, 16, 32] {
        let began = Instant::now();
        runtime.block_on(hash(streams));
        let seconds = began.elapsed().as_secs_f64();
        println!("{streams:2} streams: {:.0} MB/s", TOTAL_BYTES as f64 / 1e6 / seconds);
    }
    Ok(())
}

async fn hash(streams: usize) {
    let mut tasks = JoinSet::new();
    for stream in 0..streams {
        tasks.spawn(async move {
            let body = Bytes::from(vec![stream as u8; BODY_BYTES]);
            for _ in 0..TOTAL_BYTES / BODY_BYTES / streams {
                let mut stream = fogbank_md5::Stream::new();
                for piece in body.chunks(64 << 10) {
                    stream.update(body.slice_ref(piece)).await;
                }
                stream.finish().await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}
