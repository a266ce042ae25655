//! Staging labels: which version is the current one, the one before, the one to come.

use std::collections::BTreeMap;

use crate::error::Error;

/// The label of the version that callers get.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The label of the version before it.
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";
/// The label of the version that a rotation makes.
pub(crate) const PENDING: &str = "AWSPENDING";
/// How many labels the versions of a secret have at most.
const MAX_LABELS: usize = 20;

/// Which version has which label.
pub(crate) type Stages = BTreeMap<String, String>;

/// Attaches a label to a version and takes it from any other; what loses `AWSCURRENT` becomes `AWSPREVIOUS`.
pub(crate) fn attach(stages: &mut Stages, stage: &str, version_id: &str) {
    let before = stages.insert(stage.to_owned(), version_id.to_owned());
    if stage == CURRENT
        && let Some(before) = before.filter(|before| before != version_id)
    {
        stages.insert(PREVIOUS.to_owned(), before);
    }
}

/// Attaches several labels at once. `AWSCURRENT` goes first, so that what was asked for has the last word on
/// `AWSPREVIOUS`.
pub(crate) fn attach_all(
    stages: &mut Stages,
    wanted: &[String],
    version_id: &str,
) -> Result<(), Error> {
    if wanted.iter().any(|stage| stage == CURRENT) {
        attach(stages, CURRENT, version_id);
    }
    for stage in wanted.iter().filter(|stage| *stage != CURRENT) {
        attach(stages, stage, version_id);
    }
    if stages.len() > MAX_LABELS {
        // AWS's words are not known; the number is its quota.
        return Err(Error::LimitExceededException(format!(
            "You've exceeded the maximum number of staging labels ({MAX_LABELS}) for a secret."
        )));
    }
    Ok(())
}

/// Moves a label as `UpdateSecretVersionStage` is asked to.
pub(crate) fn update(
    stages: &mut Stages,
    stage: &str,
    remove_from: Option<&str>,
    move_to: Option<&str>,
) -> Result<(), Error> {
    let holder = stages.get(stage).cloned();
    if let Some(from) = remove_from
        && holder.as_deref() != Some(from)
    {
        return Err(Error::invalid(format!(
            "Staging label {stage} isn't currently attached to version {from}."
        )));
    }
    match (move_to, holder) {
        (Some(to), Some(holder)) if holder != to && remove_from.is_none() => {
            Err(Error::invalid(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to \
                 version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )))
        }
        (Some(to), _) => attach_all(stages, &[stage.to_owned()], to),
        (None, _) if remove_from.is_none() => Err(Error::invalid(
            // AWS's words are not known.
            "You must specify RemoveFromVersionId, MoveToVersionId, or both.",
        )),
        (None, _) if stage == CURRENT => Err(Error::invalid(
            "You can only move staging label AWSCURRENT to a different secret version. It can’t be completely \
             removed.",
        )),
        (None, _) => {
            stages.remove(stage);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(labels: &[(&str, &str)]) -> Stages {
        labels.iter().map(|(stage, version)| ((*stage).into(), (*version).into())).collect()
    }

    #[test]
    fn what_was_current_becomes_previous() {
        let mut all = Stages::new();
        attach(&mut all, CURRENT, "1");
        assert_eq!(all, stages(&[(CURRENT, "1")]));
        attach(&mut all, CURRENT, "1");
        assert_eq!(all, stages(&[(CURRENT, "1")]));
        attach(&mut all, CURRENT, "2");
        attach(&mut all, CURRENT, "3");
        assert_eq!(all, stages(&[(CURRENT, "3"), (PREVIOUS, "2")]));
        attach_all(&mut all, &["blue".into(), CURRENT.into()], "2").expect("few labels");
        assert_eq!(all, stages(&[(CURRENT, "2"), (PREVIOUS, "3"), ("blue", "2")]));
    }

    #[test]
    fn labels_move_only_from_where_they_are_said_to_be() {
        let before = stages(&[(CURRENT, "1"), ("blue", "1")]);
        let outcome = |stage, from, to| {
            let mut after = before.clone();
            update(&mut after, stage, from, to).map(|()| after)
        };
        assert!(outcome("blue", None, Some("2")).is_err());
        assert!(outcome("blue", Some("2"), Some("3")).is_err());
        assert!(outcome("blue", None, None).is_err());
        assert!(outcome(CURRENT, Some("1"), None).is_err());
        assert_eq!(outcome("blue", None, Some("1")).expect("nothing to do"), before);
        let moved = outcome(CURRENT, Some("1"), Some("2")).expect("moved");
        assert_eq!(moved, stages(&[(CURRENT, "2"), (PREVIOUS, "1"), ("blue", "1")]));
        let removed = outcome("blue", Some("1"), None).expect("removed");
        assert_eq!(removed, stages(&[(CURRENT, "1")]));
        let added = outcome("green", None, Some("1")).expect("added");
        assert_eq!(added.get("green").map(String::as_str), Some("1"));
    }
}
