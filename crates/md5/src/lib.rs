//! MD5 of many streams at once.
//!
//! S3's ETags are MD5, which no processor computes quickly: each step waits for the one before. But a vector register
//! holds the same step of many streams. So streams hand their bytes to a stage of its own ([`Stream`]), which collects
//! what comes in at the same time and hashes up to sixteen streams together, for little more than the price of one.
//!
//! ```
//! # async fn example() {
//! let mut stream = fogbank_md5::Stream::new();
//! stream.update("hello ".into()).await;
//! stream.update("world".into()).await;
//! let digest: [u8; 16] = stream.finish().await;
//! assert_eq!(digest[..4], [0x5e, 0xb6, 0x3b, 0xbb]);
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example());
//! ```

mod batch;
mod lanes;
mod stage;
#[cfg(test)]
mod tests;
mod vectors;

pub use stage::{Digest, Stream};
