//! The platform's own log lines and error documents, in AWS's words.

use std::time::Duration;

use bytes::Bytes;

use super::spec::Exit;

/// Largest buffered response: 6 MiB and 100 bytes, as AWS's error text states it.
pub const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024 + 100;

/// Figures of a `REPORT` line.
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) duration: Duration,
    pub(crate) billed: Duration,
    pub(crate) memory_mb: u32,
    pub(crate) max_memory_used_mb: u32,
    pub(crate) init_duration: Option<Duration>,
    /// `timeout`, or `error` with its type; absent on success.
    pub(crate) status: Option<(&'static str, Option<&'a str>)>,
}

impl Report<'_> {
    /// The line; AWS separates its fields by tabs and ends it with one.
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.request_id,
            millis(self.duration),
            self.billed.as_millis(),
            self.memory_mb,
            self.max_memory_used_mb,
        );
        if let Some(init) = self.init_duration {
            line.push_str(&format!("Init Duration: {:.2} ms\t", millis(init)));
        }
        if let Some((status, error_type)) = self.status {
            line.push_str(&format!("Status: {status}"));
            if let Some(error_type) = error_type {
                line.push_str(&format!("\tError Type: {error_type}"));
            }
        }
        line
    }
}

/// The line that AWS writes when initialisation failed.
pub(crate) fn init_report(duration: Duration, status: &str, error_type: Option<&str>) -> String {
    let mut line = format!(
        "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: {status}",
        millis(duration)
    );
    if let Some(error_type) = error_type {
        line.push_str(&format!("\tError Type: {error_type}"));
    }
    line
}

/// Milliseconds with their fraction.
fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// What is charged: the sum, rounded up to a millisecond.
pub(crate) fn billed(duration: Duration, init: Option<Duration>) -> Duration {
    let nanos = (duration + init.unwrap_or_default()).as_nanos();
    Duration::from_millis(u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// `exit status 1` or `signal: killed`, the phrases of AWS's supervisor.
pub(crate) fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit status {code}"),
        Exit::Signal(signal) => format!("signal: {}", signal_text(signal)),
    }
}

fn signal_text(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        15 => "terminated",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// The message of a crash, without the request id: a clean exit has its own words.
pub(crate) fn crash_message(exit: Exit) -> String {
    match exit {
        Exit::Code(0) => "Runtime exited without providing a reason".to_owned(),
        exit => format!("Runtime exited with error: {}", exit_text(exit)),
    }
}

/// An error document `{"errorType":…,"errorMessage":…}`.
pub(crate) fn error_document(error_type: &str, message: &str) -> Bytes {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a> {
        error_type: &'a str,
        error_message: &'a str,
    }
    let document = Document { error_type, error_message: message };
    Bytes::from(serde_json::to_vec(&document).unwrap_or_default())
}

/// An error document whose message names the request.
pub(crate) fn request_error(request_id: &str, error_type: &str, message: &str) -> Bytes {
    error_document(error_type, &format!("RequestId: {request_id} Error: {message}"))
}

/// The phrase of a timeout.
pub(crate) fn timeout_message(timeout: Duration) -> String {
    format!("Task timed out after {:.2} seconds", timeout.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_lines_read_as_aws_writes_them() {
        let mut report = Report {
            request_id: "r-1",
            duration: Duration::from_micros(1_234),
            billed: Duration::from_millis(2),
            memory_mb: 128,
            max_memory_used_mb: 30,
            init_duration: None,
            status: None,
        };
        assert_eq!(
            report.line(),
            "REPORT RequestId: r-1\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\t"
        );
        report.init_duration = Some(Duration::from_millis(13));
        report.status = Some(("error", Some("Runtime.ExitError")));
        assert!(
            report.line().ends_with(
                "\tInit Duration: 13.00 ms\tStatus: error\tError Type: Runtime.ExitError"
            )
        );
    }

    #[test]
    fn billing_rounds_up_the_sum() {
        assert_eq!(billed(Duration::from_micros(1), None), Duration::from_millis(1));
        assert_eq!(billed(Duration::from_millis(2), None), Duration::from_millis(2));
        let init = Some(Duration::from_micros(600));
        assert_eq!(billed(Duration::from_micros(1_500), init), Duration::from_millis(3));
    }

    #[test]
    fn crashes_read_as_aws_writes_them() {
        assert_eq!(crash_message(Exit::Code(1)), "Runtime exited with error: exit status 1");
        assert_eq!(crash_message(Exit::Signal(9)), "Runtime exited with error: signal: killed");
        assert_eq!(crash_message(Exit::Code(0)), "Runtime exited without providing a reason");
        assert_eq!(
            request_error("r", "Sandbox.Timedout", &timeout_message(Duration::from_secs(3))),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r Error: Task timed out after 3.00 seconds"}"#
        );
    }
}
