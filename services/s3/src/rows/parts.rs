//! Where the bytes of an object lie that was uploaded in parts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The parts of an object: where their rows are, and how the object's bytes lie in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// The number of the upload.
    pub(crate) number: u64,
    runs: Vec<Run>,
}

/// Parts with successive numbers and one size: an upload has seldom more than two such runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    first: u16,
    count: u16,
    size: u64,
}

impl Parts {
    /// The parts of an upload by their numbers and sizes.
    pub(crate) fn new(number: u64, parts: impl Iterator<Item = (u16, u64)>) -> Parts {
        let mut runs: Vec<Run> = Vec::new();
        for (part, size) in parts {
            match runs.last_mut() {
                Some(run) if run.size == size && run.first + run.count == part => run.count += 1,
                _ => runs.push(Run { first: part, count: 1, size }),
            }
        }
        Parts { number, runs }
    }

    /// How many parts there are.
    pub(crate) fn count(&self) -> u16 {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// Adds a part behind the last one, and returns its number.
    pub(crate) fn push(&mut self, size: u64) -> u16 {
        let part = self.runs.last().map_or(1, |run| run.first + run.count);
        match self.runs.last_mut() {
            Some(run) if run.size == size => run.count += 1,
            _ => self.runs.push(Run { first: part, count: 1, size }),
        }
        part
    }

    /// The bytes of the object that lie in a part.
    pub(crate) fn bytes(&self, part: u16) -> Option<Range<u64>> {
        let mut start = 0;
        for run in &self.runs {
            match part.checked_sub(run.first) {
                Some(index) if index < run.count => {
                    start += u64::from(index) * run.size;
                    return Some(start..start + run.size);
                }
                _ => start += u64::from(run.count) * run.size,
            }
        }
        None
    }

    /// The first and last part with bytes of a range, and where the first begins; none for an empty range.
    pub(crate) fn covering(&self, range: &Range<u64>) -> Option<(u16, u16, u64)> {
        let (mut first, mut last) = (None, None);
        let mut start = 0;
        for run in self.runs.iter().filter(|run| run.size > 0) {
            let end = start + u64::from(run.count) * run.size;
            let within = range.start.max(start)..range.end.min(end);
            if within.start < within.end {
                let index =
                    |byte: u64| u16::try_from((byte - start) / run.size).unwrap_or(u16::MAX);
                let begin = index(within.start);
                first.get_or_insert((run.first + begin, start + u64::from(begin) * run.size));
                last = Some(run.first + index(within.end - 1));
            }
            start = end;
        }
        first.zip(last).map(|((first, offset), last)| (first, last, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn parts_are_found_by_number_and_by_byte() {
        let parts = Parts::new(1, [(1, 10), (2, 10), (4, 10), (5, 3), (6, 0)].into_iter());
        assert_eq!(parts.runs.len(), 4);
        assert_eq!(parts.bytes(2), Some(10..20));
        assert_eq!(parts.bytes(3), None);
        assert_eq!(parts.bytes(5), Some(30..33));
        assert_eq!(parts.bytes(6), Some(33..33));
        assert_eq!(parts.covering(&(0..33)), Some((1, 5, 0)));
        assert_eq!(parts.covering(&(10..11)), Some((2, 2, 10)));
        assert_eq!(parts.covering(&(19..31)), Some((2, 5, 10)));
        assert_eq!(parts.covering(&(32..33)), Some((5, 5, 30)));
        assert_eq!(parts.covering(&(5..5)), None);
    }
}
