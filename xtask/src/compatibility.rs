//! Writes `docs/COMPATIBILITY.md`: which operations of AWS's models have a handler.

use std::fmt::Write;

use crate::spec::Spec;

/// The document. Every service comes with all operations of its model, in alphabetic order.
pub(crate) fn document(services: &[(Spec, Vec<String>)]) -> String {
    let mut text = String::from(
        "# Compatibility\n\n\
         Written by `cargo xtask compatibility` from `models/operations` and the pinned AWS models; do not edit.\n\
         An operation that is not implemented answers a named error and changes nothing.\n\n\
         | Service | Implemented | Of |\n|---|---:|---:|\n",
    );
    let (mut sum, mut total) = (0, 0);
    for (spec, operations) in services {
        let implemented = spec.sorted_operations().len();
        sum += implemented;
        total += operations.len();
        row(&mut text, &format!("[{}](#{})", spec.title, spec.name), implemented, operations.len());
    }
    row(&mut text, "All", sum, total);
    for (spec, operations) in services {
        section(&mut text, spec, operations);
    }
    text
}

fn row(text: &mut String, name: &str, implemented: usize, total: usize) {
    let _ = writeln!(text, "| {name} | {implemented} | {total} |");
}

fn section(text: &mut String, spec: &Spec, operations: &[String]) {
    let implemented = spec.sorted_operations();
    let missing: Vec<&str> = operations
        .iter()
        .map(String::as_str)
        .filter(|name| implemented.binary_search(name).is_err())
        .collect();
    let _ = write!(text, "\n<a id=\"{}\"></a>\n\n## {}\n\n", spec.name, spec.title);
    let _ = writeln!(text, "Implemented: {}.", listed(&implemented));
    if !missing.is_empty() {
        let _ = writeln!(text, "\nNot implemented: {}.", listed(&missing));
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_and_listed() {
        let mut spec: Spec = toml::from_str(
            "title = 'Amazon X'\nbotocore = 'x'\nnpm = 'x'\niam_prefix = 'x'\n\
             operations = ['B', 'A']",
        )
        .unwrap();
        spec.name = "x".to_owned();
        let all = ["A", "B", "C"].map(str::to_owned).to_vec();
        let text = document(&[(spec, all)]);
        assert!(text.contains("| [Amazon X](#x) | 2 | 3 |"), "{text}");
        assert!(text.contains("Implemented: A, B.\n\nNot implemented: C.\n"), "{text}");
    }
}
