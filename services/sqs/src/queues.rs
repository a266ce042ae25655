//! Queues: creating, finding, purging and deleting them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::store::Starting;
use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::error::Error;
use crate::model::{
    CreateQueueInput, CreateQueueOutput, DeleteQueueInput, DeleteQueueOutput, GetQueueUrlInput,
    GetQueueUrlOutput, ListDeadLetterSourceQueuesInput, ListDeadLetterSourceQueuesOutput,
    ListQueuesInput, ListQueuesOutput, PurgeQueueInput, PurgeQueueOutput,
};
use crate::rules::attributes::{Fifo, Redrive, Settings};
use crate::rules::{batch, names};
use crate::store::{self, QUEUES, Queue, QueueKey, SOURCES};
use crate::tags;

/// How long a queue rests between two purges, in milliseconds.
const PURGE_PAUSE_MILLIS: u64 = 60_000;
/// The longest page of a listing.
const PAGE: usize = 1000;

/// Creates a queue, or finds the one that is there already with the same attributes.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateQueueInput,
) -> Result<CreateQueueOutput, Error> {
    let given = input.attributes.unwrap_or_default();
    let is_fifo = given.get("FifoQueue").is_some_and(|on| on.eq_ignore_ascii_case("true"));
    if is_fifo {
        names::check_fifo_name(&input.queue_name)?;
    } else {
        names::check_name(&input.queue_name)?;
    }
    let key = (tx.account().to_owned(), tx.region().to_owned(), input.queue_name);
    match QUEUES.get(tx, &key)? {
        Some(queue) => {
            if let Some(attribute) = queue.settings.difference(&given)? {
                return Err(Error::QueueNameExists(attribute));
            }
        }
        None => create_new(tx, &key, &given, input.tags.unwrap_or_default())?,
    }
    Ok(CreateQueueOutput { queue_url: Some(store::queue_url(tx.request(), &key.0, &key.2)) })
}

fn create_new(
    tx: &mut WriteTx<'_>,
    key: &QueueKey,
    given: &BTreeMap<String, String>,
    given_tags: BTreeMap<String, String>,
) -> Result<(), Error> {
    let fifo = key.2.ends_with(".fifo").then(Fifo::default);
    let mut settings = Settings { fifo, ..Settings::default() };
    settings.change(given)?;
    let number = store::fresh_number(tx);
    let mut queue = Queue {
        id: number,
        space: number,
        secret: [0; 16],
        created_secs: tx.now().secs(),
        modified_secs: tx.now().secs(),
        purged_millis: 0,
        settings,
        tags: BTreeMap::new(),
    };
    tx.ids().fill(&mut queue.secret);
    tags::merge(&mut queue, &key.2, given_tags)?;
    point_to_dead_letters(tx, key, None, queue.settings.redrive.as_ref())?;
    QUEUES.put(tx, key, &queue)?;
    Ok(())
}

/// Checks a redrive policy against the queue that it names, and remembers who names whom.
pub(crate) fn point_to_dead_letters(
    tx: &mut WriteTx<'_>,
    key: &QueueKey,
    before: Option<&Redrive>,
    after: Option<&Redrive>,
) -> Result<(), Error> {
    if before == after {
        return Ok(());
    }
    let source_arn = store::queue_arn(key);
    if let Some(redrive) = after {
        let text = || Settings { redrive: Some(redrive.clone()), ..Settings::default() };
        let refuse = |reason: &str| {
            Error::value(text().text("RedrivePolicy").unwrap_or_default(), "RedrivePolicy", reason)
        };
        let target = names::resolve(tx.request(), &redrive.target_arn)?;
        if target.0 != key.0 {
            return Err(refuse("Dead letter target owner should be same as the source."));
        }
        // Guessed; the owner's sentence above is AWS's.
        if target.1 != key.1 {
            return Err(refuse("Dead letter target region should be same as the source."));
        }
        if target == *key {
            // Guessed: AWS's words for this are not known.
            return Err(refuse("Dead letter target should be another queue than the source."));
        }
        let Some(queue) = QUEUES.get(tx, &target)? else {
            return Err(refuse("Dead letter target does not exist."));
        };
        if key.2.ends_with(".fifo") != queue.settings.fifo.is_some() {
            return Err(refuse("Dead-letter queue must be same type of queue as the source."));
        }
        if !queue.settings.allows_source(&source_arn) {
            // Guessed: AWS's words for this are not known.
            return Err(refuse("Dead letter target does not allow redrive from this queue."));
        }
        SOURCES.put(tx, &(&target.0, &target.1, &target.2, &key.2), &())?;
    }
    if let Some(redrive) =
        before.filter(|before| after.is_none_or(|after| after.target_arn != before.target_arn))
    {
        let target = names::resolve(tx.request(), &redrive.target_arn)?;
        SOURCES.delete(tx, &(&target.0, &target.1, &target.2, &key.2))?;
    }
    Ok(())
}

/// Deletes a queue with all its messages.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteQueueInput,
) -> Result<DeleteQueueOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    remove(tx, &key, &queue)?;
    Ok(DeleteQueueOutput {})
}

/// Removes a queue; its messages go in the background.
pub(crate) fn remove(tx: &mut WriteTx<'_>, key: &QueueKey, queue: &Queue) -> Result<(), Error> {
    point_to_dead_letters(tx, key, queue.settings.redrive.as_ref(), None)?;
    QUEUES.delete(tx, key)?;
    store::abandon(tx, queue.space)?;
    tx.wake(store::topic(queue.id));
    Ok(())
}

/// Finds a queue's URL by its name.
pub(crate) fn get_url(
    tx: &ReadTx<'_>,
    input: GetQueueUrlInput,
) -> Result<GetQueueUrlOutput, Error> {
    let account = input.queue_owner_aws_account_id.as_deref().unwrap_or(tx.account()).to_owned();
    let key = (account, tx.region().to_owned(), input.queue_name);
    store::queue(tx, &key)?;
    Ok(GetQueueUrlOutput { queue_url: Some(store::queue_url(tx.request(), &key.0, &key.2)) })
}

/// Lists the queues of the account in the region.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListQueuesInput) -> Result<ListQueuesOutput, Error> {
    let page = Page::new(input.max_results, input.next_token)?;
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let (account, region) = (tx.account(), tx.region());
    let mut range = QUEUES.range(&Starting((account, region), &prefix));
    if let Some(after) = &page.after {
        range = range.after(&(account, region, after));
    }
    let mut names = Vec::new();
    range.visit_keys(tx, |key| page.take(&mut names, key.2))?;
    let (urls, next_token) = page.finish(tx, account, names);
    Ok(ListQueuesOutput { queue_urls: batch::unless_empty(urls), next_token })
}

/// Lists the queues whose dead letters come to this queue.
pub(crate) fn list_sources(
    tx: &ReadTx<'_>,
    input: ListDeadLetterSourceQueuesInput,
) -> Result<ListDeadLetterSourceQueuesOutput, Error> {
    let page = Page::new(input.max_results, input.next_token)?;
    let key = names::resolve(tx.request(), &input.queue_url)?;
    store::queue(tx, &key)?;
    let mut range = SOURCES.range(&key);
    if let Some(after) = &page.after {
        range = range.after(&(&key.0, &key.1, &key.2, after));
    }
    let mut names = Vec::new();
    range.visit_keys(tx, |key| page.take(&mut names, key.3))?;
    let (urls, next_token) = page.finish(tx, &key.0, names);
    // Observed: this list is sent though it is empty.
    Ok(ListDeadLetterSourceQueuesOutput { queue_urls: Some(urls), next_token })
}

/// Removes all messages of a queue.
pub(crate) fn purge(
    tx: &mut WriteTx<'_>,
    input: PurgeQueueInput,
) -> Result<PurgeQueueOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let mut queue = store::queue(tx, &key)?;
    let now = tx.now().millis();
    if queue.purged_millis > 0 && now.abs_diff(queue.purged_millis) < PURGE_PAUSE_MILLIS {
        return Err(Error::PurgeQueueInProgress(key.2));
    }
    store::abandon(tx, queue.space)?;
    queue.space = store::fresh_number(tx);
    queue.purged_millis = now;
    QUEUES.put(tx, &key, &queue)?;
    Ok(PurgeQueueOutput {})
}

/// One page of a listing of names.
struct Page {
    limit: usize,
    is_paged: bool,
    after: Option<String>,
}

impl Page {
    fn new(max_results: Option<i32>, token: Option<String>) -> Result<Page, Error> {
        let limit = match max_results {
            None => PAGE,
            Some(max) => usize::try_from(max)
                .ok()
                .filter(|max| (1..=PAGE).contains(max))
                .ok_or_else(|| Error::value(max, "MaxResults", "Must be between 1 and 1000."))?,
        };
        let after = match token.filter(|token| !token.is_empty()) {
            None => None,
            Some(token) => Some(
                page::parse_text(&token)
                    .ok_or_else(|| Error::parameter("Invalid or expired next token."))?,
            ),
        };
        Ok(Page { limit, is_paged: max_results.is_some(), after })
    }

    /// Keeps one name more than the page has room for, to know whether it is the last.
    fn take(&self, names: &mut Vec<String>, name: String) -> ControlFlow<()> {
        names.push(name);
        if names.len() > self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// URLs of the names, and the token of the next page; AWS gives one only to those who ask for pages.
    fn finish(
        &self,
        tx: &ReadTx<'_>,
        account: &str,
        mut names: Vec<String>,
    ) -> (Vec<String>, Option<String>) {
        let has_more = names.len() > self.limit;
        names.truncate(self.limit);
        let last = names.last().filter(|_| has_more && self.is_paged);
        let token = last.map(|name| page::text_token(name));
        let url = |name: &String| store::queue_url(tx.request(), account, name);
        (names.iter().map(url).collect(), token)
    }
}
