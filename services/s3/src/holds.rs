//! Event holds of Object Lock: a version stays until an event that nobody can date, and for a duration after it.
//!
//! While a hold is on, the version must stay until its duration from now, whenever now is; its release fixes that date. A date
//! that was given beside it counts where it is later. AWS's guide says which requests are refused with 400; the words are ours.

use crate::error::Error;
use crate::model::{EventHoldDuration, ObjectLockEventHold};
use crate::store::Period;

/// The longest durations.
pub(crate) const MAX_DAYS: i32 = 36_500;
pub(crate) const MAX_YEARS: i32 = 100;

/// What a request says of an event hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is to be on, with this duration.
    On(Period),
    /// It is to be released, or not to be.
    Off,
}

/// What the members of a request hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given {
    pub(crate) hold: Option<ObjectLockEventHold>,
    pub(crate) days: Option<i32>,
    pub(crate) years: Option<i32>,
    pub(crate) has_mode: bool,
}

impl Given {
    /// The members of a document.
    pub(crate) fn document(
        hold: Option<ObjectLockEventHold>,
        duration: Option<&EventHoldDuration>,
        has_mode: bool,
    ) -> Given {
        let (days, years) = duration.map_or((None, None), |given| (given.days, given.years));
        Given { hold, days, years, has_mode }
    }

    /// What they ask for, if anything.
    pub(crate) fn asked(self) -> Result<Option<Asked>, Error> {
        let period = match (self.days, self.years) {
            (None, None) => None,
            given => Some(period(given)?),
        };
        let refuse = |message: &str| {
            let value = self.hold.map_or("null", ObjectLockEventHold::as_str);
            Err(Error::argument("EventHold", value, message))
        };
        match (self.hold, period) {
            (None, None) => Ok(None),
            (None, Some(_)) => refuse("An event hold duration requires an event hold"),
            _ if !self.has_mode => refuse("An event hold requires a retention mode"),
            (Some(ObjectLockEventHold::On), Some(period)) => Ok(Some(Asked::On(period))),
            (Some(ObjectLockEventHold::On), None) => {
                refuse("An event hold that is ON requires an event hold duration")
            }
            (Some(ObjectLockEventHold::Off), None) => Ok(Some(Asked::Off)),
            (Some(ObjectLockEventHold::Off), Some(_)) => {
                refuse("An event hold that is OFF takes no event hold duration")
            }
        }
    }
}

/// A duration in days or in years.
pub(crate) fn period(given: (Option<i32>, Option<i32>)) -> Result<Period, Error> {
    let (count, is_years, limit) = match given {
        (Some(days), None) => (days, false, MAX_DAYS),
        (None, Some(years)) => (years, true, MAX_YEARS),
        _ => {
            let message = "An event hold duration is specified in either days or years";
            return Err(Error::argument("EventHoldDuration", "", message));
        }
    };
    let name = if is_years { "Years" } else { "Days" };
    if !(1..=limit).contains(&count) {
        let unit = name.to_ascii_lowercase();
        let message =
            format!("An event hold duration must be a positive integer of at most {limit} {unit}.");
        return Err(Error::argument(name, count, message));
    }
    Ok(Period { is_years, count: count.unsigned_abs() })
}

/// A duration as documents show it.
pub(crate) fn shown(period: Period) -> EventHoldDuration {
    let count = i32::try_from(period.count).ok();
    EventHoldDuration {
        days: count.filter(|_| !period.is_years),
        years: count.filter(|_| period.is_years),
    }
}

/// What the headers of GetObject and HeadObject tell of a hold: whether it is on, and its days or years while it is.
pub(crate) fn told(
    retention: Option<crate::store::Retention>,
) -> (Option<ObjectLockEventHold>, EventHoldDuration) {
    match retention.and_then(|retention| retention.hold()) {
        None => (None, EventHoldDuration::default()),
        Some((true, period)) => (Some(ObjectLockEventHold::On), shown(period)),
        Some((false, _)) => (Some(ObjectLockEventHold::Off), EventHoldDuration::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_needs_a_mode_and_exactly_one_duration() {
        let (on, off) = (ObjectLockEventHold::On, ObjectLockEventHold::Off);
        let given = |hold, days, years, has_mode| Given { hold, days, years, has_mode }.asked();
        assert_eq!(given(None, None, None, true).expect("nothing"), None);
        let year = Period { is_years: true, count: 1 };
        let asked = given(Some(on), None, Some(1), true).expect("a hold");
        assert_eq!(asked, Some(Asked::On(year)));
        assert_eq!(given(Some(off), None, None, true).expect("a release"), Some(Asked::Off));
        for wrong in [
            given(Some(on), None, None, true),
            given(Some(on), Some(1), Some(1), true),
            given(Some(on), Some(1), None, false),
            given(Some(on), Some(0), None, true),
            given(Some(on), Some(36_501), None, true),
            given(Some(on), None, Some(101), true),
            given(Some(on), None, Some(-1), true),
            given(Some(off), Some(1), None, true),
            given(Some(off), None, None, false),
            given(None, Some(1), None, true),
        ] {
            assert!(matches!(wrong, Err(Error::InvalidArgument { .. })));
        }
    }
}
