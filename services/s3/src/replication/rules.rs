//! What replication rules say of a version; pure.

use crate::model::{
    DeleteMarkerReplicationStatus, MetricsStatus, ReplicaModificationsStatus,
    ReplicationConfiguration, ReplicationRule, ReplicationRuleStatus, ReplicationTimeStatus,
    SseKmsEncryptedObjectsStatus,
};
use crate::rules::pairs;

use super::validation::bucket_of;

/// The rules of a bucket that are enabled, and the role that does what they say.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) role: String,
    /// Those of the highest priority first.
    rules: Vec<Rule>,
}

/// A rule, as far as it decides what is copied and how.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    /// The bucket to which it copies.
    pub(super) destination: String,
    priority: i32,
    prefix: String,
    tags: Vec<(String, String)>,
    /// Whether objects that a key of KMS encrypts are copied.
    kms: bool,
    /// Whether changes of replicas are repeated.
    pub(super) replica_modifications: bool,
    pub(super) delete_markers: bool,
    /// The class of copies, if it is not that of the object.
    pub(super) storage_class: Option<String>,
    /// Whether copies belong to who owns the destination.
    pub(super) owns_copies: bool,
    /// The account that is to own the destination, if it is told.
    pub(super) account: Option<String>,
    /// The key of KMS that encrypts copies of what one encrypts.
    pub(super) kms_key_id: Option<String>,
    /// Whether failures are told by events.
    pub(super) has_metrics: bool,
    /// Whether copies that are late are told by events.
    pub(super) has_time_control: bool,
}

/// A version as rules look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) key: &'a str,
    pub(super) tags: &'a [(String, String)],
    pub(super) is_kms: bool,
}

impl Rules {
    /// The rules of a configuration that was checked.
    pub(super) fn new(given: ReplicationConfiguration) -> Rules {
        let is_enabled = |rule: &ReplicationRule| rule.status == ReplicationRuleStatus::Enabled;
        let mut rules: Vec<Rule> =
            given.rules.into_iter().filter(is_enabled).map(Rule::new).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
        Rules { role: given.role, rules }
    }

    /// The rules that mean a version: for each destination the one with the highest priority.
    pub(super) fn of(&self, subject: &Subject<'_>) -> Vec<&Rule> {
        let mut found: Vec<&Rule> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.means(subject)) {
            if !found.iter().any(|known| known.destination == rule.destination) {
                found.push(rule);
            }
        }
        found
    }

    /// The rule with this id.
    pub(super) fn named(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

impl Rule {
    fn new(given: ReplicationRule) -> Rule {
        // Rules of the first schema copy delete markers without being told.
        let is_first = given.filter.is_none();
        let filter = given.filter.unwrap_or_default();
        let and = filter.and.unwrap_or_default();
        let prefix = given.prefix.or(filter.prefix).or(and.prefix).unwrap_or_default();
        let tags = filter.tag.into_iter().chain(and.tags.unwrap_or_default()).collect();
        let criteria = given.source_selection_criteria.unwrap_or_default();
        let markers = given.delete_marker_replication.and_then(|markers| markers.status);
        let to = given.destination;
        Rule {
            id: given.id.unwrap_or_default(),
            destination: bucket_of(&to.bucket).unwrap_or_default().to_owned(),
            priority: given.priority.unwrap_or_default(),
            prefix,
            tags: pairs(tags),
            kms: criteria
                .sse_kms_encrypted_objects
                .is_some_and(|kms| kms.status == SseKmsEncryptedObjectsStatus::Enabled),
            replica_modifications: criteria
                .replica_modifications
                .is_some_and(|changes| changes.status == ReplicaModificationsStatus::Enabled),
            delete_markers: markers
                .map_or(is_first, |status| status == DeleteMarkerReplicationStatus::Enabled),
            storage_class: to.storage_class,
            account: to.account,
            owns_copies: to.access_control_translation.is_some(),
            kms_key_id: to.encryption_configuration.and_then(|by| by.replica_kms_key_id),
            has_metrics: to.metrics.is_some_and(|by| by.status == MetricsStatus::Enabled),
            has_time_control: to
                .replication_time
                .is_some_and(|time| time.status == ReplicationTimeStatus::Enabled),
        }
    }

    fn means(&self, subject: &Subject<'_>) -> bool {
        subject.key.starts_with(&self.prefix)
            && self.tags.iter().all(|tag| subject.tags.contains(tag))
            && (self.kms || !subject.is_kms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Destination, ReplicationRuleAndOperator, ReplicationRuleFilter, SourceSelectionCriteria,
        SseKmsEncryptedObjects, Tag,
    };

    fn rule(id: &str, to: &str, priority: i32, prefix: &str) -> ReplicationRule {
        let filter = ReplicationRuleFilter { prefix: Some(prefix.into()), ..Default::default() };
        ReplicationRule {
            id: Some(id.into()),
            priority: Some(priority),
            filter: Some(filter),
            destination: Destination {
                bucket: format!("arn:aws:s3:::{to}"),
                ..Destination::default()
            },
            ..ReplicationRule::default()
        }
    }

    fn ids(rules: &[ReplicationRule], subject: Subject<'_>) -> Vec<String> {
        let rules = Rules::new(ReplicationConfiguration { role: "".into(), rules: rules.to_vec() });
        rules.of(&subject).iter().map(|rule| rule.id.clone()).collect()
    }

    fn plain(key: &str) -> Subject<'_> {
        Subject { key, tags: &[], is_kms: false }
    }

    #[test]
    fn each_destination_has_the_rule_of_the_highest_priority() {
        let mut rules = vec![
            rule("low", "a", 1, ""),
            rule("high", "a", 2, "in/"),
            rule("other", "b", 3, "in/"),
        ];
        assert_eq!(ids(&rules, plain("in/x")), ["other", "high"]);
        assert_eq!(ids(&rules, plain("out/x")), ["low"]);
        rules[1].status = ReplicationRuleStatus::Disabled;
        assert_eq!(ids(&rules, plain("in/x")), ["other", "low"]);
    }

    #[test]
    fn tags_and_encryption_narrow_what_is_meant() {
        let mut rules = vec![rule("r", "a", 1, "")];
        let tag = |key: &str| Tag { key: key.into(), value: "v".into() };
        rules[0].filter = Some(ReplicationRuleFilter {
            and: Some(ReplicationRuleAndOperator {
                prefix: Some("p".into()),
                tags: Some(vec![tag("a"), tag("b")]),
            }),
            ..ReplicationRuleFilter::default()
        });
        let tags: Vec<(String, String)> =
            [("b", "v"), ("a", "v")].map(|(key, value)| (key.into(), value.into())).into();
        assert_eq!(ids(&rules, Subject { tags: &tags, ..plain("p/x") }), ["r"]);
        assert!(ids(&rules, Subject { tags: &tags[..1], ..plain("p/x") }).is_empty());
        let mut rules = vec![rule("r", "a", 1, "")];
        assert!(ids(&rules, Subject { is_kms: true, ..plain("x") }).is_empty());
        rules[0].source_selection_criteria = Some(SourceSelectionCriteria {
            sse_kms_encrypted_objects: Some(SseKmsEncryptedObjects {
                status: SseKmsEncryptedObjectsStatus::Enabled,
            }),
            replica_modifications: None,
        });
        assert_eq!(ids(&rules, Subject { is_kms: true, ..plain("x") }), ["r"]);
    }

    #[test]
    fn delete_markers_are_copied_by_old_rules_unless_they_say_otherwise() {
        let mut given = rule("r", "a", 1, "");
        assert!(!Rule::new(given.clone()).delete_markers);
        given.filter = None;
        given.prefix = Some(String::new());
        assert!(Rule::new(given).delete_markers);
    }
}
