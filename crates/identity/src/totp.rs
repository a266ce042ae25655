//! The codes of virtual MFA devices: time-based one-time passwords (RFC 6238) of 6 digits, by SHA-1, in steps of 30
//! seconds, as AWS's virtual devices make them.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::rows::EnabledDevice;

/// How long a code is shown, in seconds.
const STEP_SECS: i64 = 30;
/// How many steps a device may be off when it is enabled or synchronised again. AWS does not say how many it takes.
const SYNCHRONISED_STEPS: i64 = 20;
/// How many steps a device may have drifted since.
const TOLERATED_STEPS: i64 = 1;

/// The time step of a time in seconds since 1970.
pub fn step(secs: i64) -> i64 {
    secs.div_euclid(STEP_SECS)
}

/// The code of 6 digits that a device with this seed shows in a time step.
pub fn code(seed: &[u8], step: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(seed).expect("HMAC takes keys of any length");
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] & 15);
    let number = hash[offset..offset + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// How many steps a device is ahead that shows `first` and then `second`, and the step of the second; `None` if it shows
/// no such codes around this time.
pub fn synchronise(seed: &[u8], first: &str, second: &str, now_secs: i64) -> Option<(i64, i64)> {
    let now = step(now_secs);
    // Nearest first: a client that makes both codes at once sends the present one and its neighbour.
    let near = (0..=SYNCHRONISED_STEPS).flat_map(|off| [off, -off]);
    near.map(|off| now + off)
        .find(|at| is_code(seed, at - 1, first) && is_code(seed, *at, second))
        .map(|at| ((at - now).signum() * ((at - now).abs() - 1).max(0), at))
}

/// The time step of a code, if an enabled device shows it about now and it was not used before.
pub fn verify(seed: &[u8], device: &EnabledDevice, given: &str, now_secs: i64) -> Option<i64> {
    let expected = step(now_secs) + device.drift_steps;
    (expected - TOLERATED_STEPS..=expected + TOLERATED_STEPS)
        .find(|at| *at > device.last_step && is_code(seed, *at, given))
}

fn is_code(seed: &[u8], step: i64, given: &str) -> bool {
    crate::keys::is_same(&code(seed, step), given)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1: the last 6 of its 8 digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let seed = b"12345678901234567890";
        for (secs, digits) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(seed, step(secs)), digits, "{secs}");
        }
    }

    #[test]
    fn two_codes_in_a_row_synchronise() {
        let seed = b"12345678901234567890";
        let now = 1_767_225_600;
        let at = |off: i64| code(seed, step(now) + off);
        assert_eq!(synchronise(seed, &at(-1), &at(0), now), Some((0, step(now))));
        assert_eq!(synchronise(seed, &at(0), &at(1), now), Some((0, step(now) + 1)));
        assert_eq!(synchronise(seed, &at(7), &at(8), now), Some((7, step(now) + 8)));
        assert_eq!(synchronise(seed, &at(-9), &at(-8), now), Some((-7, step(now) - 8)));
        assert_eq!(synchronise(seed, &at(0), &at(0), now), None);
        assert_eq!(synchronise(seed, &at(1), &at(0), now), None);
        assert_eq!(synchronise(seed, &at(-30), &at(-29), now), None);
    }

    #[test]
    fn no_code_is_taken_twice() {
        let seed = b"12345678901234567890";
        let now = 1_767_225_600;
        let mut device =
            EnabledDevice { user_id: String::new(), enabled_secs: 0, drift_steps: 0, last_step: 0 };
        let good = code(seed, step(now));
        let taken = verify(seed, &device, &good, now);
        assert_eq!(taken, Some(step(now)));
        device.last_step = step(now);
        assert_eq!(verify(seed, &device, &good, now), None);
        assert!(verify(seed, &device, &code(seed, step(now) + 1), now + 30).is_some());
        assert!(verify(seed, &device, &code(seed, step(now) + 3), now).is_none());
    }
}
