//! Which time a request asks for, and which periods of data it may see.

/// A span of time in periods, in seconds since 1970. The first period begins at `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) period: i64,
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// How long data lies at each resolution: the length of its periods, and its greatest age. All in seconds.
pub(crate) const RETENTION: [(i64, i64); 4] =
    [(1, 3 * HOUR), (60, 15 * DAY), (300, 63 * DAY), (HOUR, 455 * DAY)];

/// Whether a period is one that AWS knows.
pub(crate) fn is_period(secs: i64) -> bool {
    matches!(secs, 1 | 5 | 10 | 20 | 30) || (secs >= 60 && secs % 60 == 0)
}

impl Window {
    /// The span that a request means: its start is rounded down as AWS says, by how long ago it is.
    pub(crate) fn new(start: i64, end: i64, period: i64, now: i64) -> Window {
        let grain = match now - start {
            _ if period < 60 => period,
            ago if ago < 15 * DAY => 60,
            ago if ago < 63 * DAY => 300,
            _ => HOUR,
        };
        Window { start: start - start.rem_euclid(grain), end, period }
    }

    /// How many periods it has.
    pub(crate) fn periods(&self) -> i64 {
        let (span, period) = ((self.end - self.start).max(0), self.period.max(1));
        span / period + i64::from(span % period != 0)
    }

    /// When the period began in which a time lies.
    pub(crate) fn period_of(&self, secs: i64) -> i64 {
        secs - (secs - self.start).rem_euclid(self.period)
    }

    /// Whether data of a time that lies at a resolution can be told in periods of this length. What is old is known only
    /// in long periods, however long it happens to lie.
    pub(crate) fn sees(&self, secs: i64, resolution: i64, now: i64) -> bool {
        let age = now - secs;
        if resolution < 60 {
            return self.period < 60 && age <= RETENTION[0].1;
        }
        let known = RETENTION[1..].iter().find(|(_, longest)| age <= *longest);
        known.is_some_and(|(known, _)| self.period % (*known).max(resolution) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600;

    #[test]
    fn starts_are_rounded_by_their_age() {
        let start = |ago: i64, period| Window::new(NOW - ago, NOW, period, NOW).start - NOW;
        assert_eq!(start(90, 60), -120);
        assert_eq!(start(97, 10), -100);
        assert_eq!(start(97, 1), -97);
        assert_eq!(start(15 * DAY + 1, 300), -15 * DAY - 300);
        assert_eq!(start(63 * DAY + 1, HOUR), -63 * DAY - HOUR);
    }

    #[test]
    fn old_data_is_seen_in_long_periods_only() {
        let sees = |period, ago: i64, resolution| {
            Window { start: 0, end: NOW, period }.sees(NOW - ago, resolution, NOW)
        };
        assert!(sees(1, 3 * HOUR, 1) && !sees(1, 3 * HOUR + 1, 1) && !sees(1, 0, 60));
        assert!(!sees(60, 0, 1) && sees(60, 15 * DAY, 60) && !sees(60, 16 * DAY, 60));
        assert!(sees(300, 16 * DAY, 60) && sees(300, 63 * DAY, 300) && !sees(300, 64 * DAY, 60));
        assert!(sees(HOUR, 455 * DAY, 300) && !sees(HOUR, 456 * DAY, HOUR));
        assert!(
            !sees(60, 0, 300),
            "what was rolled up is not told in minutes, also when time went back"
        );
    }

    #[test]
    fn periods_begin_at_the_start() {
        let window = Window { start: 59, end: 200, period: 60 };
        assert_eq!(window.periods(), 3);
        assert_eq!([59, 118, 119].map(|secs| window.period_of(secs)), [59, 59, 119]);
    }
}
