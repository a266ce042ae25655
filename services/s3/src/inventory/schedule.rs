//! When inventories are written; pure.
//!
//! AWS writes a report some time of the day, lately at one o'clock (UTC), and those of a week on Sundays. The first one
//! comes within two days even where the next ones come each week; here, at the next one o'clock.

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
const WEEK_MILLIS: i64 = 7 * DAY_MILLIS;
/// One o'clock of the first day of the epoch, which was a Thursday.
const FIRST_DAY: i64 = HOUR_MILLIS;
/// One o'clock of the first Sunday.
const FIRST_SUNDAY: i64 = 3 * DAY_MILLIS + HOUR_MILLIS;

/// The last time before now, or now, at which a report is due.
fn last(is_weekly: bool, now_millis: i64) -> i64 {
    let (first, step) =
        if is_weekly { (FIRST_SUNDAY, WEEK_MILLIS) } else { (FIRST_DAY, DAY_MILLIS) };
    first + (now_millis - first).div_euclid(step) * step
}

/// The time of the report that is to be written, if one is due: the last one of those that came since.
pub(super) fn due(
    is_weekly: bool,
    has_reported: bool,
    since_millis: i64,
    now_millis: i64,
) -> Option<i64> {
    let due = last(is_weekly && has_reported, now_millis);
    (due > since_millis).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn days_begin_at_one_and_weeks_on_sundays() {
        // A Saturday.
        let created = millis("2026-11-21T10:00:00Z");
        let sunday = millis("2026-11-22T01:00:00Z");
        let due_at = |weekly, reported, since, now: &str| due(weekly, reported, since, millis(now));
        assert_eq!(due_at(false, false, created, "2026-11-22T00:59:59Z"), None);
        assert_eq!(due_at(false, false, created, "2026-11-22T01:00:00Z"), Some(sunday));
        let later = millis("2026-11-25T01:00:00Z");
        assert_eq!(due_at(false, true, sunday, "2026-11-25T20:00:00Z"), Some(later));
        // The first one of a weekly inventory does not wait for a Sunday.
        let monday = millis("2026-11-23T05:00:00Z");
        let tuesday = millis("2026-11-24T01:00:00Z");
        assert_eq!(due_at(true, false, monday, "2026-11-24T02:00:00Z"), Some(tuesday));
        assert_eq!(due_at(true, true, tuesday, "2026-11-29T00:59:59Z"), None);
        let next = millis("2026-11-29T01:00:00Z");
        assert_eq!(due_at(true, true, tuesday, "2026-11-29T01:00:00Z"), Some(next));
    }
}
