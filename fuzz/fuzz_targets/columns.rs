//! S3 Select on Parquet: an expression and an object. What is damaged is refused, whatever the crate below makes of it, and
//! takes no more memory than what is sound.
#![no_main]

use bytes::Bytes;
use fogbank_select::{Compression, CsvOutput, Engine, Error, Input, Output, Request, Scan, Step};
use libfuzzer_sys::fuzz_target;

fn run(request: Request<'_>, object: &Bytes) -> Result<Vec<u8>, Error> {
    let mut engine = Engine::new(request)?;
    let mut answer = Vec::new();
    // Few bytes may stand for very many rows.
    for _ in 0..200 {
        match engine.step()? {
            Step::Wanted(range) => {
                assert!(range.start < range.end && range.end <= object.len() as u64, "{range:?}");
                engine.feed(object.slice(range.start as usize..range.end as usize));
            }
            Step::Going => answer.extend_from_slice(&engine.take()),
            Step::Done => break,
            step => panic!("{step:?}"),
        }
    }
    Ok(answer)
}

fuzz_target!(
    // Panics of the crate below are caught by the engine, and end nothing.
    init: std::panic::set_hook(Box::new(|panic| {
        let is_ours = |file: &str| file.contains("crates/") || file.contains("fuzz_targets/");
        if panic.location().is_none_or(|place| is_ours(place.file())) {
            eprintln!("{panic}");
            std::process::abort();
        }
    })),
    |bytes: &[u8]| {
        let split = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let Ok(expression) = std::str::from_utf8(&bytes[..split]) else { return };
        let object = Bytes::copy_from_slice(bytes.get(split + 1..).unwrap_or_default());
        let size = object.len() as u64;
        let request = |scan, output| Request {
            expression,
            input: Input::Parquet { size },
            compression: Compression::None,
            output,
            scan,
            now_millis: 0,
        };
        let _ = run(request(None, Output::Csv(CsvOutput::default())), &object);
        let half = Scan { start: size / 2, end: size };
        let json = Output::Json { record_delimiter: "\n".to_owned() };
        let _ = run(request(Some(half), json), &object);
    }
);
