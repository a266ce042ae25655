//! Many values in little space: what statistics need to know of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many different values are kept as they are.
const MAX_VALUES: usize = 128;
/// How many bins there are at most.
const MAX_BINS: usize = 256;
/// Bins of 2^(1/64) to begin with: each value is known to within 0.6 %.
const FIRST_SCALE: i8 = 6;

/// How many values there were, and what statistics need to know of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
    spread: Spread,
}

/// How the values are spread, which percentiles need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Spread {
    /// Every value, in order, and how often there was one.
    Values(Vec<(f64, f64)>),
    /// Bins whose borders are powers of 2^(1/2^scale), and how many values lie in each: the many-valued case.
    Bins {
        /// The larger, the finer.
        scale: i8,
        /// How many values are zero.
        zeros: f64,
        /// Values above zero, by the number of their bin.
        positive: BTreeMap<i32, f64>,
        /// Values below zero, by the number of the bin of their magnitude.
        negative: BTreeMap<i32, f64>,
    },
    /// It is not known: somebody gave sums of many values and not the values.
    Unknown,
}

impl Default for Spread {
    fn default() -> Spread {
        Spread::Values(Vec::new())
    }
}

impl Summary {
    /// A number of equal values.
    pub fn of(value: f64, count: f64) -> Summary {
        let mut summary = Summary::default();
        summary.add(value, count);
        summary
    }

    /// Many values of which only this is known. Where all must be equal, their spread is known, too.
    pub fn totals(count: f64, sum: f64, minimum: f64, maximum: f64) -> Summary {
        let is_one_value = minimum == maximum || count == 1.0;
        let spread =
            if is_one_value { Spread::Values(vec![(minimum, count)]) } else { Spread::Unknown };
        Summary { count, sum, minimum, maximum, spread }
    }

    /// How many values there were.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The smallest.
    pub fn minimum(&self) -> f64 {
        self.minimum
    }

    /// The largest.
    pub fn maximum(&self) -> f64 {
        self.maximum
    }

    /// The one value that there was, however often.
    pub fn only_value(&self) -> Option<f64> {
        match &self.spread {
            Spread::Values(values) if values.len() == 1 => {
                let (value, count) = values[0];
                (count == self.count && value * count == self.sum).then_some(value)
            }
            _ => None,
        }
    }

    /// Adds a number of equal values.
    pub fn add(&mut self, value: f64, count: f64) {
        // A count of zero says nothing.
        if count > 0.0 {
            self.count_in(count, value * count, value, value);
            self.spread.add(value, count);
        }
    }

    /// Adds what another summary knows.
    pub fn merge(&mut self, other: &Summary) {
        if other.count > 0.0 {
            self.count_in(other.count, other.sum, other.minimum, other.maximum);
            self.spread.merge(&other.spread);
        }
    }

    fn count_in(&mut self, count: f64, sum: f64, minimum: f64, maximum: f64) {
        let is_first = self.count == 0.0;
        self.count += count;
        self.sum += sum;
        self.minimum = if is_first { minimum } else { self.minimum.min(minimum) };
        self.maximum = if is_first { maximum } else { self.maximum.max(maximum) };
    }

    /// The values in order, and how often there was each, as far as that is known: many different values are known to
    /// within about a hundredth.
    pub fn values(&self) -> Option<Vec<(f64, f64)>> {
        let within = |value: f64| value.clamp(self.minimum, self.maximum);
        match &self.spread {
            Spread::Values(values) => Some(values.clone()),
            Spread::Bins { scale, zeros, positive, negative } => {
                let middle = |bin: i32| ((f64::from(bin) + 0.5) / width(*scale)).exp2();
                let below = negative.iter().rev().map(|(bin, n)| (within(-middle(*bin)), *n));
                let zero = (*zeros > 0.0).then_some((0.0, *zeros));
                let above = positive.iter().map(|(bin, count)| (within(middle(*bin)), *count));
                Some(below.chain(zero).chain(above).collect())
            }
            Spread::Unknown => None,
        }
    }
}

/// How many bins there are between a number and its double.
fn width(scale: i8) -> f64 {
    f64::from(scale).exp2()
}

impl Spread {
    fn add(&mut self, value: f64, count: f64) {
        match self {
            Spread::Values(values) => {
                match values.binary_search_by(|(known, _)| known.total_cmp(&value)) {
                    Ok(at) => values[at].1 += count,
                    Err(at) => values.insert(at, (value, count)),
                }
                if values.len() > MAX_VALUES {
                    self.bin();
                }
            }
            Spread::Bins { scale, zeros, positive, negative } => {
                let bin = |value: f64| (value.log2() * width(*scale)).floor() as i32;
                match value {
                    0.0 => *zeros += count,
                    value if value > 0.0 => *positive.entry(bin(value)).or_default() += count,
                    value => *negative.entry(bin(-value)).or_default() += count,
                }
                self.narrow();
            }
            Spread::Unknown => {}
        }
    }

    /// Puts the values into bins.
    fn bin(&mut self) {
        let Spread::Values(values) = self else { return };
        let values = std::mem::take(values);
        let (positive, negative) = (BTreeMap::new(), BTreeMap::new());
        *self = Spread::Bins { scale: FIRST_SCALE, zeros: 0.0, positive, negative };
        for (value, count) in values {
            self.add(value, count);
        }
    }

    /// Makes bins twice as wide until there are not too many.
    fn narrow(&mut self) {
        let Spread::Bins { scale, positive, negative, .. } = self else { return };
        while positive.len() + negative.len() > MAX_BINS {
            *scale -= 1;
            for bins in [&mut *positive, &mut *negative] {
                for (bin, count) in std::mem::take(bins) {
                    *bins.entry(bin >> 1).or_default() += count;
                }
            }
        }
    }

    fn merge(&mut self, other: &Spread) {
        match (&mut *self, other) {
            (Spread::Unknown, _) => {}
            (_, Spread::Unknown) => *self = Spread::Unknown,
            (_, Spread::Values(values)) => {
                for (value, count) in values {
                    self.add(*value, *count);
                }
            }
            (Spread::Values(_), Spread::Bins { .. }) => {
                let values = std::mem::replace(self, other.clone());
                self.merge(&values);
            }
            (Spread::Bins { .. }, Spread::Bins { .. }) => self.merge_bins(other),
        }
    }

    /// Adds other bins; the coarser of both scales stays.
    fn merge_bins(&mut self, other: &Spread) {
        let mut other = other.clone();
        let scales = [&*self, &other].map(|spread| match spread {
            Spread::Bins { scale, .. } => *scale,
            _ => i8::MAX,
        });
        let coarser = scales[0].min(scales[1]);
        for spread in [&mut *self, &mut other] {
            let Spread::Bins { scale, positive, negative, .. } = spread else { return };
            let shift = *scale - coarser;
            *scale = coarser;
            for bins in [positive, negative] {
                if shift > 0 {
                    for (bin, count) in std::mem::take(bins) {
                        *bins.entry(bin >> shift).or_default() += count;
                    }
                }
            }
        }
        if let (
            Spread::Bins { zeros, positive, negative, .. },
            Spread::Bins {
                zeros: zeros_too, positive: positive_too, negative: negative_too, ..
            },
        ) = (&mut *self, other)
        {
            *zeros += zeros_too;
            for (bins, more) in [(positive, positive_too), (negative, negative_too)] {
                for (bin, count) in more {
                    *bins.entry(bin).or_default() += count;
                }
            }
        }
        self.narrow();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(summary: &Summary) -> f64 {
        summary.values().expect("known").iter().map(|(_, count)| count).sum()
    }

    #[test]
    fn few_values_are_kept_exactly_and_in_order() {
        let mut summary = Summary::default();
        for value in [3.0, -1.0, 0.0, 3.0] {
            summary.add(value, 2.0);
        }
        assert_eq!(summary.values(), Some(vec![(-1.0, 2.0), (0.0, 2.0), (3.0, 4.0)]));
        assert_eq!((summary.count(), summary.sum()), (8.0, 10.0));
        assert_eq!((summary.minimum(), summary.maximum()), (-1.0, 3.0));
    }

    #[test]
    fn many_values_are_known_closely_and_take_little_space() {
        let mut summary = Summary::default();
        for value in -100_000..100_000 {
            summary.add(f64::from(value), 1.0);
        }
        let values = summary.values().expect("known");
        assert!(values.len() <= MAX_BINS + 1, "{}", values.len());
        assert_eq!(total(&summary), 200_000.0);
        let mut below = 0.0;
        let median = values.iter().find(|(_, count)| {
            below += count;
            below >= 150_000.0
        });
        let (median, _) = median.expect("a median");
        assert!((median - 50_000.0).abs() < 2_500.0, "{median}");
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let (mut wide, mut narrow, mut few) =
            (Summary::default(), Summary::default(), Summary::of(7.5, 3.0));
        for step in 0..2_000 {
            wide.add((f64::from(step) / 20.0).exp2().floor(), 1.0);
            narrow.add(1.0 + f64::from(step % 200) / 1000.0, 1.0);
        }
        let mut one = wide.clone();
        one.merge(&narrow);
        one.merge(&few);
        few.merge(&narrow);
        few.merge(&wide);
        assert_eq!(one.spread, few.spread);
        assert_eq!(one.count(), few.count());
        assert_eq!(total(&one), 4_003.0);
    }

    #[test]
    fn sums_without_values_tell_no_spread_unless_all_are_equal() {
        let mut summary = Summary::totals(3.0, 6.0, 2.0, 2.0);
        assert_eq!(summary.values(), Some(vec![(2.0, 3.0)]));
        assert_eq!(summary.only_value(), Some(2.0));
        summary.merge(&Summary::totals(3.0, 7.0, 2.0, 3.0));
        assert_eq!(summary.values(), None);
        assert_eq!((summary.count(), summary.sum(), summary.maximum()), (6.0, 13.0, 3.0));
    }

    #[test]
    fn the_largest_and_smallest_numbers_have_bins() {
        let mut summary = Summary::default();
        for step in 0..400 {
            summary.add((f64::from(step) - 200.0).exp2(), 1.0);
            summary.add(-f64::MAX / f64::from(step + 1), 1.0);
            summary.add(f64::MIN_POSITIVE * f64::from(step), 1.0);
        }
        assert_eq!(total(&summary), 1_200.0);
    }
}
