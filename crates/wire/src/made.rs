//! What was made of schemas, once for each.

use std::sync::OnceLock;

/// What was made of things that live for ever, by their addresses. To look something up writes to no memory, as even a
/// lock for readers would, which all threads then fetch from each other.
pub(crate) struct Made<T: ?Sized + 'static, const PLACES: usize>(
    [OnceLock<(usize, &'static T)>; PLACES],
);

impl<T: ?Sized, const PLACES: usize> Made<T, PLACES> {
    pub(crate) const fn new() -> Self {
        Made([const { OnceLock::new() }; PLACES])
    }

    /// What was made of `of`, or what `make` makes of it, which then stays. There must be fewer things than places:
    /// what finds none is made, and stays, each time.
    pub(crate) fn of<S: ?Sized>(
        &'static self,
        of: &'static S,
        make: impl Fn() -> Box<T>,
    ) -> &'static T {
        let address = std::ptr::from_ref(of).cast::<u8>() as usize;
        // Addresses of schemas are multiples of 8.
        let start = (address / 8).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as usize) >> 20;
        for step in 0..PLACES {
            let place = &self.0[(start + step) % PLACES];
            let (known, made) = place.get_or_init(|| (address, Box::leak(make())));
            if *known == address {
                return made;
            }
        }
        Box::leak(make())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_is_made_once() {
        static MADE: Made<[usize], 64> = Made::new();
        static OF: [u64; 48] = [0; 48];
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (index, of) in OF.iter().enumerate() {
                        let made = MADE.of(of, || {
                            COUNT.fetch_add(1, Ordering::Relaxed);
                            Box::new([index])
                        });
                        assert_eq!(made, [index]);
                    }
                });
            }
        });
        assert_eq!(COUNT.load(Ordering::Relaxed), OF.len());
    }
}
