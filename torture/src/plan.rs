//! What happens in a cycle, as the seed decides.

use std::str::FromStr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::faults::{Action, kinds};
use crate::power::Loss;

/// What is done to the cloud or its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Killed at a random moment.
    Kill,
    /// Killed at an operation of the disk: before it, after it, or with half of a write done.
    Point,
    /// The same as one of the first two; then what was not synced is lost.
    Power,
    /// No space is left, for a while.
    Full,
    /// Operations fail, once or from then on; then what was not synced is lost.
    Error,
    /// The file system turns read-only.
    ReadOnly,
    /// Half of a write is done.
    Short,
    /// The file system says that it has little space left, for a while.
    Low,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 8] = [
        Fault::Kill,
        Fault::Point,
        Fault::Power,
        Fault::Full,
        Fault::Error,
        Fault::ReadOnly,
        Fault::Short,
        Fault::Low,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill => "kill",
            Fault::Point => "point",
            Fault::Power => "power",
            Fault::Full => "full",
            Fault::Error => "error",
            Fault::ReadOnly => "readonly",
            Fault::Short => "short",
            Fault::Low => "low",
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let names = || Fault::ALL.map(Fault::name).join(", ");
        let found = Fault::ALL.into_iter().find(|fault| fault.name() == text);
        found.ok_or_else(|| format!("`{text}` is not one of {}", names()))
    }
}

/// A fault of the disk to be armed.
#[derive(Clone, Copy, Debug)]
pub struct Arming {
    /// What happens.
    pub action: Action,
    /// At which kinds of operations.
    pub kinds: u64,
    /// How many of them pass before.
    pub skip: u64,
    /// What the operation fails with.
    pub errno: u64,
}

/// A cycle.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is done.
    pub fault: Fault,
    /// A kill while the cloud starts, before the load.
    pub at_start: Option<Arming>,
    /// What is armed under load.
    pub under_load: Option<Arming>,
    /// How long the load goes on before anything is done.
    pub before: Duration,
    /// How long it goes on at most after that.
    pub after: Duration,
    /// What is lost after the kill.
    pub loss: Option<Loss>,
    /// For what else is decided at random.
    pub random: StdRng,
}

const ENOSPC: u64 = 28;
const EIO: u64 = 5;
const EROFS: u64 = 30;

impl Plan {
    /// The plan of a cycle; `sweep` counts through the operations of a start.
    pub fn new(seed: u64, cycle: u64, faults: &[Fault], sweep: u64) -> Plan {
        let mut random = StdRng::seed_from_u64(seed ^ cycle.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let fault = faults[random.random_range(0..faults.len())];
        let millis = |random: &mut StdRng, from: u64, to: u64| {
            Duration::from_millis(random.random_range(from..to))
        };
        let kills =
            matches!(fault, Fault::Point) || (fault == Fault::Power && random.random_bool(0.5));
        let actions = [Action::KillBefore, Action::KillAfter, Action::KillHalf];
        let at_start = (kills && random.random_bool(0.3)).then(|| Arming {
            action: actions[sweep as usize % 3],
            kinds: kinds::CHANGES,
            skip: sweep / 3,
            errno: 0,
        });
        let skip = {
            // Small and large numbers alike.
            let most = 1u64 << random.random_range(0..13);
            random.random_range(0..most)
        };
        let arm =
            |action: Action, kinds: u64, errno: u64| Some(Arming { action, kinds, skip, errno });
        let some_kinds = [
            kinds::SYNC,
            kinds::WRITE,
            kinds::CHANGES,
            kinds::CHANGES & !kinds::WRITE & !kinds::SYNC,
        ];
        let under_load = match fault {
            Fault::Kill | Fault::Low => None,
            Fault::Point | Fault::Power if kills => {
                let action = actions[random.random_range(0..3)];
                arm(action, some_kinds[random.random_range(0..4)], 0)
            }
            Fault::Point | Fault::Power => None,
            Fault::Full => arm(Action::FailOn, kinds::SPACE, ENOSPC),
            Fault::Error => {
                let action =
                    if random.random_bool(0.5) { Action::FailOnce } else { Action::FailOn };
                let what = [kinds::SYNC, kinds::WRITE, kinds::CHANGES][random.random_range(0..3)];
                arm(action, what, EIO)
            }
            Fault::ReadOnly => arm(Action::FailOn, kinds::CHANGES & !kinds::SYNC, EROFS),
            Fault::Short => {
                let action =
                    if random.random_bool(0.5) { Action::ShortOnce } else { Action::ShortOn };
                arm(action, kinds::WRITE, ENOSPC)
            }
        };
        let loss = match fault {
            Fault::Power => {
                Some(if random.random_bool(0.4) { Loss::Everything } else { Loss::Some })
            }
            Fault::Error => Some(Loss::Everything),
            _ => None,
        };
        let before = millis(&mut random, 20, 350);
        let after = match fault {
            Fault::Kill => Duration::ZERO,
            Fault::Point | Fault::Power if kills => Duration::from_millis(400),
            Fault::Point | Fault::Power => Duration::ZERO,
            _ => Duration::from_millis(300),
        };
        Plan { fault, at_start, under_load, before, after, loss, random }
    }

    /// Whether the disk must keep an undo log.
    pub fn needs_log(&self) -> bool {
        self.loss.is_some()
    }

    /// Whether anything stands between the cloud and its disk.
    pub fn needs_preload(&self) -> bool {
        self.fault != Fault::Kill
    }
}
