//! S3 Select: an expression and an object, of which ranges that share no byte must answer as the whole does.
#![no_main]

use bytes::Bytes;
use fogbank_select::{
    Compression, CsvInput, CsvOutput, Engine, Error, Header, Input, Output, Request, Scan, Step,
};
use libfuzzer_sys::fuzz_target;

/// Works a request off with pieces of this size.
fn run(request: Request<'_>, object: &[u8], size: usize) -> Result<Vec<u8>, Error> {
    let mut engine = Engine::new(request)?;
    let mut at = engine.start().unwrap_or(0) as usize;
    let mut answer = Vec::new();
    loop {
        match engine.step()? {
            Step::Starved if at < object.len() => {
                let end = (at + size).min(object.len());
                engine.feed(Bytes::copy_from_slice(&object[at..end]));
                at = end;
            }
            Step::Starved => engine.end(),
            Step::Elsewhere(from) => at = from as usize,
            Step::Wanted(range) => panic!("only Parquet is asked for by ranges: {range:?}"),
            Step::Going => answer.extend_from_slice(&engine.take()),
            Step::Done => return Ok(answer),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let split = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let (expression, object) = (&rest[..split], rest.get(split + 1..).unwrap_or_default());
    let Ok(expression) = std::str::from_utf8(expression) else { return };
    let size = usize::from(kind >> 3) + 1;
    let header = [Header::None, Header::Ignore, Header::Use][usize::from(kind % 3)];
    let input = match kind % 8 {
        6 => Input::Json { is_lines: false },
        7 => Input::Json { is_lines: true },
        _ => Input::Csv(CsvInput { header, ..CsvInput::default() }),
    };
    let compression = match kind % 8 {
        4 => Compression::Gzip,
        5 => Compression::Bzip2,
        _ => Compression::None,
    };
    let request = |expression, scan| Request {
        expression,
        input: input.clone(),
        compression,
        output: Output::Csv(CsvOutput::default()),
        scan,
        now_millis: 0,
    };
    let _ = run(request(expression, None), object, size);
    let is_lines = !matches!(input, Input::Json { .. });
    if !is_lines || compression != Compression::None {
        return;
    }
    let Ok(whole) = run(request("SELECT * FROM S3Object", None), object, size) else { return };
    // Quotes that are not closed on their line make records of ranges that the whole does not have.
    if object.contains(&b'"') {
        return;
    }
    let mut parts = Vec::new();
    for start in (0..object.len()).step_by(size) {
        let scan = Scan { start: start as u64, end: (start + size - 1) as u64 };
        let part = run(request("SELECT * FROM S3Object", Some(scan)), object, 7);
        parts.extend_from_slice(&part.expect("what the whole has"));
    }
    assert_eq!(parts, whole);
});
