//! What lifecycle rules say of an object, a version or an upload; pure.

use crate::model::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter,
    TransitionStorageClass,
};
use crate::store::Object;

/// A day, in milliseconds.
pub(super) const DAY_MILLIS: i64 = 86_400_000;
/// Smaller objects stay where they are, unless a rule names sizes itself.
const MINIMUM_BYTES: u64 = 128 * 1024;

/// The midnight at which something of an age in days is due: its time and the days, rounded up to the next midnight.
/// What was made at a midnight exactly is due at one exactly, of which AWS says nothing.
fn due(since_millis: i64, days: i64) -> i64 {
    let exact = since_millis.saturating_add(days.saturating_mul(DAY_MILLIS));
    midnight(exact.saturating_add(DAY_MILLIS - 1))
}

/// The midnight before a time, or the time itself.
pub(super) fn midnight(millis: i64) -> i64 {
    millis.div_euclid(DAY_MILLIS) * DAY_MILLIS
}

/// When a rule acts upon current objects.
#[derive(Clone, Copy, Debug)]
enum When {
    Days(i64),
    Date(i64),
}

impl When {
    fn new(days: Option<i32>, date: Option<fogbank_core::Timestamp>) -> Option<When> {
        match (days, date) {
            (Some(days), _) => Some(When::Days(days.into())),
            (None, Some(date)) => Some(When::Date(date.millis())),
            (None, None) => None,
        }
    }

    fn due(self, created_millis: i64) -> i64 {
        match self {
            When::Days(days) => due(created_millis, days),
            When::Date(millis) => millis,
        }
    }
}

/// When a rule acts upon versions that are not current.
#[derive(Clone, Copy, Debug)]
struct Age {
    days: i64,
    /// How many newer ones of them there must be.
    newer: u64,
}

impl Age {
    fn new(days: Option<i32>, newer: Option<i32>) -> Age {
        let newer = newer.and_then(|newer| u64::try_from(newer).ok()).unwrap_or_default();
        Age { days: days.unwrap_or_default().into(), newer }
    }

    fn is_reached(self, noncurrent: Noncurrent, now_millis: i64) -> bool {
        noncurrent.newer >= self.newer && due(noncurrent.since_millis, self.days) <= now_millis
    }
}

/// Since when a version is not current, and how many newer ones of its key are not either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noncurrent {
    pub(super) since_millis: i64,
    pub(super) newer: u64,
}

/// An object as rules look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) key: &'a str,
    pub(super) size: u64,
    /// None where only a look at the whole row would tell.
    pub(super) tags: Option<&'a [(String, String)]>,
    pub(super) created_millis: i64,
    pub(super) class: &'a str,
}

impl<'a> Subject<'a> {
    /// An object under a key.
    pub(super) fn of(key: &'a str, object: &'a Object) -> Subject<'a> {
        let listed = &object.listed;
        Subject { tags: Some(&object.tags), ..Subject::listed(key, listed) }
    }

    /// An object of which the tags are not known.
    pub(super) fn listed(key: &'a str, listed: &'a crate::store::Listed) -> Subject<'a> {
        Subject {
            key,
            size: listed.size,
            tags: None,
            created_millis: listed.modified_millis,
            class: listed.class(),
        }
    }

    /// A delete marker under a key.
    pub(super) fn marker(key: &'a str, created_millis: i64) -> Subject<'a> {
        Subject { key, size: 0, tags: Some(&[]), created_millis, class: "STANDARD" }
    }
}

/// Which objects a rule means.
#[derive(Debug, Default)]
struct Filter {
    prefix: String,
    tags: Vec<(String, String)>,
    greater: Option<u64>,
    less: Option<u64>,
}

impl Filter {
    fn new(prefix: Option<String>, given: Option<LifecycleRuleFilter>) -> Filter {
        let given = given.unwrap_or_default();
        let and = given.and.unwrap_or_default();
        let size = |size: Option<i64>| size.and_then(|size| u64::try_from(size).ok());
        let tags = given.tag.into_iter().chain(and.tags.unwrap_or_default());
        Filter {
            prefix: prefix.or(given.prefix).or(and.prefix).unwrap_or_default(),
            tags: tags.map(|tag| (tag.key, tag.value)).collect(),
            greater: size(given.object_size_greater_than.or(and.object_size_greater_than)),
            less: size(given.object_size_less_than.or(and.object_size_less_than)),
        }
    }

    fn fits(&self, subject: &Subject<'_>) -> bool {
        let has = |tag| subject.tags.is_none_or(|tags| tags.contains(tag));
        subject.key.starts_with(&self.prefix)
            && self.greater.is_none_or(|size| subject.size > size)
            && self.less.is_none_or(|size| subject.size < size)
            && self.tags.iter().all(has)
    }

    fn names_sizes(&self) -> bool {
        self.greater.is_some() || self.less.is_some()
    }
}

/// A rule that is enabled.
#[derive(Debug)]
struct Rule {
    id: String,
    filter: Filter,
    expiration: Option<When>,
    /// Whether delete markers with nothing behind them go.
    removes_markers: bool,
    transitions: Vec<(When, &'static str)>,
    noncurrent_transitions: Vec<(Age, &'static str)>,
    noncurrent_expiration: Option<Age>,
    abort_days: Option<i64>,
}

impl Rule {
    fn new(given: LifecycleRule) -> Rule {
        let expiration = given.expiration.unwrap_or_default();
        let class = |class: Option<TransitionStorageClass>| {
            class.map_or("STANDARD", |class| class.as_str())
        };
        let transitions = given.transitions.into_iter().flatten().filter_map(|given| {
            Some((When::new(given.days, given.date)?, class(given.storage_class)))
        });
        let noncurrent = given.noncurrent_version_transitions.into_iter().flatten().map(|given| {
            let age = Age::new(given.noncurrent_days, given.newer_noncurrent_versions);
            (age, class(given.storage_class))
        });
        let noncurrent_expiration = given
            .noncurrent_version_expiration
            .map(|given| Age::new(given.noncurrent_days, given.newer_noncurrent_versions));
        let abort = given.abort_incomplete_multipart_upload.unwrap_or_default();
        Rule {
            id: given.id.unwrap_or_default(),
            filter: Filter::new(given.prefix, given.filter),
            expiration: When::new(expiration.days, expiration.date),
            removes_markers: expiration.expired_object_delete_marker == Some(true),
            transitions: transitions.collect(),
            noncurrent_transitions: noncurrent.collect(),
            noncurrent_expiration,
            abort_days: abort.days_after_initiation.map(i64::from),
        }
    }

    /// Whether an object of this size is moved to a class by this rule.
    fn moves(&self, size: u64, class: &str, varies_by_class: bool) -> bool {
        size >= MINIMUM_BYTES
            || self.filter.names_sizes()
            || (varies_by_class && matches!(class, "GLACIER" | "DEEP_ARCHIVE"))
    }
}

/// How far down a class is: objects only ever move down.
fn depth(class: &str) -> u8 {
    match class {
        "STANDARD_IA" => 1,
        "INTELLIGENT_TIERING" => 2,
        "ONEZONE_IA" => 3,
        "GLACIER_IR" => 4,
        "GLACIER" => 5,
        "DEEP_ARCHIVE" => 6,
        _ => 0,
    }
}

/// Whether S3 moves objects from one class to the other.
fn leads(from: &str, to: &str) -> bool {
    depth(to) > depth(from) && !(from == "ONEZONE_IA" && to == "GLACIER_IR")
}

/// The enabled rules of a bucket.
#[derive(Debug)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    /// The rules of a configuration that are enabled.
    pub(super) fn new(given: BucketLifecycleConfiguration) -> Rules {
        let enabled = |rule: &LifecycleRule| rule.status == ExpirationStatus::Enabled;
        Rules(given.rules.into_iter().filter(enabled).map(Rule::new).collect())
    }

    /// Prefixes that together are those of all rules, and of which none begins with another.
    pub(super) fn prefixes(&self) -> Vec<&str> {
        let mut prefixes: Vec<&str> = self.0.iter().map(|rule| &*rule.filter.prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup_by(|later, earlier| later.starts_with(&**earlier));
        prefixes
    }

    /// Whether a rule looks at tags.
    pub(super) fn look_at_tags(&self) -> bool {
        self.0.iter().any(|rule| !rule.filter.tags.is_empty())
    }

    /// Whether a rule gives up uploads.
    pub(super) fn abort_uploads(&self) -> bool {
        self.0.iter().any(|rule| rule.abort_days.is_some())
    }

    fn fitting<'r>(&'r self, subject: &Subject<'r>) -> impl Iterator<Item = &'r Rule> {
        let subject = *subject;
        self.0.iter().filter(move |rule| rule.filter.fits(&subject))
    }

    /// When a current object expires, and by which rule: the earliest, and of those the first.
    pub(super) fn expiry<'r>(&'r self, subject: &Subject<'r>) -> Option<(i64, &'r str)> {
        self.fitting(subject)
            .filter_map(|rule| Some((rule.expiration?.due(subject.created_millis), &*rule.id)))
            .min_by_key(|(millis, _)| *millis)
    }

    /// The class to which a current object is to move: the deepest, if several rules would move it.
    pub(super) fn transition(
        &self,
        subject: &Subject<'_>,
        varies_by_class: bool,
        now_millis: i64,
    ) -> Option<&'static str> {
        self.fitting(subject)
            .flat_map(|rule| rule.transitions.iter().map(move |to| (rule, to)))
            .filter(|(rule, (when, class))| {
                when.due(subject.created_millis) <= now_millis
                    && leads(subject.class, class)
                    && rule.moves(subject.size, class, varies_by_class)
            })
            .map(|(_, (_, class))| *class)
            .max_by_key(|class| depth(class))
    }

    /// Whether a delete marker goes that nothing is behind.
    pub(super) fn removes_marker(&self, subject: &Subject<'_>, now_millis: i64) -> bool {
        self.fitting(subject).any(|rule| {
            let is_due = |when: When| when.due(subject.created_millis) <= now_millis;
            rule.removes_markers || rule.expiration.is_some_and(is_due)
        })
    }

    /// Whether a version goes that is not current.
    pub(super) fn removes_noncurrent(
        &self,
        subject: &Subject<'_>,
        noncurrent: Noncurrent,
        now_millis: i64,
    ) -> bool {
        self.fitting(subject).any(|rule| {
            rule.noncurrent_expiration.is_some_and(|age| age.is_reached(noncurrent, now_millis))
        })
    }

    /// The class to which a version is to move that is not current.
    pub(super) fn noncurrent_transition(
        &self,
        subject: &Subject<'_>,
        noncurrent: Noncurrent,
        varies_by_class: bool,
        now_millis: i64,
    ) -> Option<&'static str> {
        self.fitting(subject)
            .flat_map(|rule| rule.noncurrent_transitions.iter().map(move |to| (rule, to)))
            .filter(|(rule, (age, class))| {
                age.is_reached(noncurrent, now_millis)
                    && leads(subject.class, class)
                    && rule.moves(subject.size, class, varies_by_class)
            })
            .map(|(_, (_, class))| *class)
            .max_by_key(|class| depth(class))
    }

    /// When an upload is given up, and by which rule.
    pub(super) fn abortion(&self, key: &str, initiated_millis: i64) -> Option<(i64, &str)> {
        self.0
            .iter()
            .filter(|rule| key.starts_with(&rule.filter.prefix))
            .filter_map(|rule| Some((due(initiated_millis, rule.abort_days?), &*rule.id)))
            .min_by_key(|(millis, _)| *millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2014-01-15T10:30:00Z, of AWS's example.
    const CREATED: i64 = 1_389_781_800_000;

    #[test]
    fn days_end_at_the_midnight_that_follows() {
        // 2014-01-19T00:00:00Z
        assert_eq!(due(CREATED, 3), 1_390_089_600_000);
        assert_eq!(due(midnight(CREATED), 3), midnight(CREATED) + 3 * DAY_MILLIS);
        assert_eq!(due(CREATED, 0), midnight(CREATED) + DAY_MILLIS);
        assert_eq!(due(i64::MAX, i64::MAX), midnight(i64::MAX));
    }

    #[test]
    fn objects_move_down_only() {
        assert!(leads("STANDARD", "DEEP_ARCHIVE") && leads("STANDARD_IA", "GLACIER_IR"));
        assert!(!leads("GLACIER", "GLACIER_IR") && !leads("GLACIER", "GLACIER"));
        assert!(!leads("ONEZONE_IA", "GLACIER_IR") && leads("ONEZONE_IA", "GLACIER"));
    }

    fn rule(prefix: &str) -> Rule {
        Rule {
            id: prefix.to_owned(),
            filter: Filter { prefix: prefix.to_owned(), ..Filter::default() },
            expiration: Some(When::Days(1)),
            removes_markers: false,
            transitions: vec![(When::Days(0), "GLACIER_IR"), (When::Days(1), "GLACIER")],
            noncurrent_transitions: Vec::new(),
            noncurrent_expiration: Some(Age { days: 1, newer: 2 }),
            abort_days: Some(1),
        }
    }

    fn subject(size: u64) -> Subject<'static> {
        Subject { key: "a/b", size, tags: None, created_millis: CREATED, class: "STANDARD" }
    }

    #[test]
    fn prefixes_cover_one_another() {
        let rules = Rules(["b", "a/", "a/b", "b", "a"].map(rule).into());
        assert_eq!(rules.prefixes(), ["a", "b"]);
        assert_eq!(Rules(vec![rule(""), rule("a")]).prefixes(), [""]);
    }

    #[test]
    fn small_objects_stay_unless_a_rule_names_sizes() {
        let mut rules = Rules(vec![rule("a/")]);
        let first = due(CREATED, 0);
        let class =
            |rules: &Rules, size, varies, now| rules.transition(&subject(size), varies, now);
        assert_eq!(class(&rules, MINIMUM_BYTES, false, first - 1), None);
        assert_eq!(class(&rules, MINIMUM_BYTES, false, first), Some("GLACIER_IR"));
        assert_eq!(class(&rules, MINIMUM_BYTES, false, first + DAY_MILLIS), Some("GLACIER"));
        assert_eq!(class(&rules, 1, false, first + DAY_MILLIS), None);
        assert_eq!(class(&rules, 1, true, first), None);
        assert_eq!(class(&rules, 1, true, first + DAY_MILLIS), Some("GLACIER"));
        rules.0[0].filter.greater = Some(0);
        assert_eq!(class(&rules, 1, false, first), Some("GLACIER_IR"));
        assert_eq!(class(&rules, 0, false, first), None);
    }

    #[test]
    fn newer_versions_are_kept() {
        let rules = Rules(vec![rule("a/")]);
        let removes = |newer, now| {
            let noncurrent = Noncurrent { since_millis: CREATED, newer };
            rules.removes_noncurrent(&subject(1), noncurrent, now)
        };
        let day = due(CREATED, 1);
        assert!(removes(2, day) && !removes(1, day) && !removes(2, day - 1));
    }

    #[test]
    fn of_several_rules_the_earliest_expires() {
        let mut later = rule("a");
        later.expiration = Some(When::Days(2));
        let rules = Rules(vec![later, rule("a/"), rule("")]);
        assert_eq!(rules.expiry(&subject(1)), Some((due(CREATED, 1), "a/")));
    }
}
