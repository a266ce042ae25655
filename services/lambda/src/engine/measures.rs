//! What CloudWatch tells of functions: the metrics of `AWS/Lambda`.

use fogbank_compute::lambda::Outcome;
use fogbank_core::Cx;
use fogbank_core::measures::{Measure, Source};

use crate::error::Error;
use crate::rules::target::Target;

/// Under which dimensions an invocation counts: of the function, of what was called where an alias or version was named,
/// and of all functions.
pub(super) fn sources(target: &Target) -> Vec<Source> {
    let name = || ("FunctionName", target.name.clone());
    let resource = |qualifier| ("Resource", format!("{}:{qualifier}", target.name));
    let qualified = target.qualifier.as_ref().map(|qualifier| vec![name(), resource(qualifier)]);
    let all = [vec![name()], Vec::new()].into_iter().chain(qualified);
    let source = |dimensions| Source {
        account: target.account.clone(),
        region: target.region.clone(),
        namespace: "AWS/Lambda",
        dimensions,
    };
    all.map(source).collect()
}

/// Counts an invocation. One that was refused for its concurrency is no invocation but a throttle.
pub(super) fn record(cx: &Cx, sources: Vec<Source>, outcome: &Result<Outcome, Error>) {
    let count = |is_so: bool| if is_so { 1.0 } else { 0.0 };
    let values: Vec<Measure> = match outcome {
        Ok(outcome) => vec![
            ("Invocations", "Count", 1.0),
            ("Errors", "Count", count(outcome.function_error().is_some())),
            ("Throttles", "Count", 0.0),
            ("Duration", "Milliseconds", outcome.duration.as_secs_f64() * 1000.0),
        ],
        Err(Error::Fault(fault)) if fault.name() == "TooManyRequestsException" => {
            vec![("Throttles", "Count", 1.0)]
        }
        Err(_) => return,
    };
    let now = cx.now();
    for source in sources {
        cx.measures().record(&source, now, values.iter().copied());
    }
}
