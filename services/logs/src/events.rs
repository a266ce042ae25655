//! Log events.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::error::Error;
use crate::model::{
    FilterLogEventsInput, FilterLogEventsOutput, FilteredLogEvent, GetLogEventsInput,
    GetLogEventsOutput, OutputLogEvent, PutLogEventsInput, PutLogEventsOutput,
    RejectedLogEventsInfo,
};
use crate::rules::{self, Pattern, Position};
use crate::store::{self, EVENTS, Event, GROUPS, STREAMS, Stream};

/// How many events a page has at most.
const PAGE: i32 = 10_000;
/// How many bytes of messages a page has at most.
const PAGE_BYTES: usize = 1_048_576;

/// Appends events to a stream.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutLogEventsInput,
) -> Result<PutLogEventsOutput, Error> {
    let key = store::stream_key(tx, &input.log_group_name, &input.log_stream_name);
    let mut stream = store::stream(tx, &key)?;
    let group = store::group(tx, &store::group_key(tx, &input.log_group_name))?;
    check_batch(&input)?;
    let now = tx.now().millis();
    let kept_since = group.retention_days.map(|days| now - i64::from(days) * 24 * 3600 * 1000);
    let mut rejected = RejectedLogEventsInfo::default();
    for (index, event) in input.log_events.into_iter().enumerate() {
        let at = index as i32;
        let millis = event.timestamp;
        if millis > now + rules::NEWEST_MILLIS {
            rejected.too_new_log_event_start_index.get_or_insert(at);
        } else if millis < now - rules::OLDEST_MILLIS {
            rejected.too_old_log_event_end_index = Some(at + 1);
        } else if kept_since.is_some_and(|since| millis < since) {
            rejected.expired_log_event_end_index = Some(at + 1);
        } else {
            append(tx, &mut stream, millis, event.message, now)?;
        }
    }
    stream.last_ingestion_millis = Some(now);
    STREAMS.put(tx, &key, &stream)?;
    let any = rejected != RejectedLogEventsInfo::default();
    Ok(PutLogEventsOutput {
        next_sequence_token: Some(sequence_token(&stream)),
        rejected_log_events_info: any.then_some(rejected),
        ..PutLogEventsOutput::default()
    })
}

fn append(
    tx: &mut WriteTx<'_>,
    stream: &mut Stream,
    millis: i64,
    message: String,
    now: i64,
) -> Result<(), Error> {
    let place = stream.next_place;
    stream.next_place += 1;
    stream.stored_bytes += (message.len() + rules::EVENT_OVERHEAD) as i64;
    let first = stream.first_event_millis.unwrap_or(millis);
    stream.first_event_millis = Some(first.min(millis));
    let last = stream.last_event_millis.unwrap_or(millis);
    stream.last_event_millis = Some(last.max(millis));
    let key = (stream.id, millis.max(0).unsigned_abs(), place);
    Ok(EVENTS.put(tx, &key, &Event { message, ingestion_millis: now })?)
}

fn check_batch(input: &PutLogEventsInput) -> Result<(), Error> {
    let ordered = input.log_events.windows(2).all(|pair| pair[0].timestamp <= pair[1].timestamp);
    if !ordered {
        return Err(Error::invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let bytes: usize =
        input.log_events.iter().map(|event| event.message.len() + rules::EVENT_OVERHEAD).sum();
    if bytes > rules::BATCH_BYTES {
        return Err(Error::InvalidParameterException(format!(
            "Upload too large: {bytes} bytes exceeds limit of {}",
            rules::BATCH_BYTES
        )));
    }
    Ok(())
}

/// AWS still answers a token; it is accepted and ignored.
pub(crate) fn sequence_token(stream: &Stream) -> String {
    format!("{:056}", stream.next_place)
}

/// Reads a stream's events, the latest first unless told otherwise.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetLogEventsInput) -> Result<GetLogEventsOutput, Error> {
    let identifier = input.log_group_name.or(input.log_group_identifier);
    let identifier = identifier
        .ok_or_else(|| Error::invalid("Either logGroupName or logGroupIdentifier is required."))?;
    let group = rules::group_name(&identifier);
    let stream = store::stream(tx, &store::stream_key(tx, group, &input.log_stream_name))?;
    let token = match &input.next_token {
        Some(token) => Some(
            rules::parse_token(token)
                .ok_or_else(|| Error::invalid("The specified nextToken is invalid."))?,
        ),
        None => None,
    };
    let forward = match token {
        Some((direction, _)) => direction == 'f',
        None => input.start_from_head.unwrap_or_default(),
    };
    let start = input.start_time.unwrap_or(0).max(0).unsigned_abs();
    let end = input.end_time.map_or(u64::MAX, |end| end.max(0).unsigned_abs());
    let mut range =
        EVENTS.range(&(stream.id,)).from(&(stream.id, start, 0)).before(&(stream.id, end, 0));
    range = match token {
        Some(('f', (millis, place))) => range.after(&(stream.id, millis, place)),
        Some((_, (millis, place))) => range.before(&(stream.id, millis, place)),
        None => range,
    };
    if !forward {
        range = range.reverse();
    }
    let limit = input.limit.unwrap_or(PAGE).clamp(1, PAGE) as usize;
    let mut found: Vec<(Position, Event)> = Vec::new();
    let mut bytes = 0;
    range.visit(tx, |(_, millis, place), event| {
        bytes += event.message.len() + rules::EVENT_OVERHEAD;
        if found.len() == limit || (bytes > PAGE_BYTES && !found.is_empty()) {
            return ControlFlow::Break(());
        }
        found.push(((millis, place), event));
        ControlFlow::Continue(())
    })?;
    if !forward {
        found.reverse();
    }
    // At either end the token repeats itself: readers stop when they get back what they sent.
    let here = token.map_or((start, 0), |(_, position)| position);
    let first = found.first().map_or(here, |(position, _)| *position);
    let last = found.last().map_or(here, |(position, _)| *position);
    Ok(GetLogEventsOutput {
        events: Some(found.into_iter().map(shown).collect()),
        next_forward_token: Some(rules::token('f', last)),
        next_backward_token: Some(rules::token('b', first)),
    })
}

fn shown(((millis, _), event): (Position, Event)) -> OutputLogEvent {
    OutputLogEvent {
        timestamp: i64::try_from(millis).ok(),
        message: Some(event.message),
        ingestion_time: Some(event.ingestion_millis),
    }
}

/// An event of any stream, as it is merged: time, stream, place.
type Merged = ((u64, String, u64), Event);

/// Reads the events of a group's streams by time, those that fit a pattern.
pub(crate) fn filter(
    tx: &ReadTx<'_>,
    input: FilterLogEventsInput,
) -> Result<FilterLogEventsOutput, Error> {
    let identifier = input.log_group_name.as_ref().or(input.log_group_identifier.as_ref());
    let identifier = identifier
        .ok_or_else(|| Error::invalid("Either logGroupName or logGroupIdentifier is required."))?;
    let group = store::group_key(tx, rules::group_name(identifier));
    if !GROUPS.contains(tx, &group)? {
        return Err(Error::no_group());
    }
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(Error::invalid(
            "The logStreamNames and logStreamNamePrefix parameters are mutually exclusive.",
        ));
    }
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let after = match &input.next_token {
        Some(token) => Some(
            parse_place(token)
                .ok_or_else(|| Error::invalid("The specified nextToken is invalid."))?,
        ),
        None => None,
    };
    let limit = input.limit.unwrap_or(PAGE).clamp(1, PAGE) as usize;
    let mut merged: Vec<Merged> = Vec::new();
    for (name, stream) in chosen_streams(tx, &group, &input)? {
        let search = Search { pattern: &pattern, after: after.as_ref(), limit, input: &input };
        search.collect(tx, &name, &stream, &mut merged)?;
        // What cannot be on this page need not be kept.
        merged.sort_by(|left, right| left.0.cmp(&right.0));
        merged.truncate(limit + 1);
    }
    let more = merged.len() > limit;
    merged.truncate(limit);
    let last = merged.last().filter(|_| more);
    let next_token = last.map(|((millis, stream, place), _)| {
        page::text_token(&format!("{millis}/{place}/{stream}"))
    });
    let events = merged.into_iter().map(filtered).collect();
    Ok(FilterLogEventsOutput {
        events: Some(events),
        searched_log_streams: Some(Vec::new()),
        next_token,
    })
}

fn chosen_streams(
    tx: &ReadTx<'_>,
    group: &store::GroupKey,
    input: &FilterLogEventsInput,
) -> Result<Vec<(String, Stream)>, Error> {
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let names = input.log_stream_names.as_deref();
    let mut chosen = Vec::new();
    STREAMS.scan(tx, group, |(_, _, _, name), stream| {
        let listed = names.is_none_or(|names| names.contains(&name));
        if listed && name.starts_with(prefix) {
            chosen.push((name, stream));
        }
        ControlFlow::Continue(())
    })?;
    if names.is_some_and(|names| names.len() > chosen.len()) {
        return Err(Error::no_stream());
    }
    Ok(chosen)
}

struct Search<'a> {
    pattern: &'a Pattern,
    after: Option<&'a (u64, String, u64)>,
    limit: usize,
    input: &'a FilterLogEventsInput,
}

impl Search<'_> {
    fn collect(
        &self,
        tx: &ReadTx<'_>,
        name: &str,
        stream: &Stream,
        merged: &mut Vec<Merged>,
    ) -> Result<(), Error> {
        let start = self.input.start_time.unwrap_or(0).max(0).unsigned_abs();
        let start = self.after.map_or(start, |(millis, _, _)| start.max(*millis));
        // Unlike GetLogEvents, the end is part of the span.
        let end = self.input.end_time.map_or(u64::MAX, |end| end.max(0).unsigned_abs() + 1);
        let range =
            EVENTS.range(&(stream.id,)).from(&(stream.id, start, 0)).before(&(stream.id, end, 0));
        let mut taken = 0;
        range.visit(tx, |(_, millis, place), event| {
            let key = (millis, name.to_owned(), place);
            if self.after.is_some_and(|after| key <= *after)
                || !self.pattern.matches(&event.message)
            {
                return ControlFlow::Continue(());
            }
            merged.push((key, event));
            taken += 1;
            if taken > self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(())
    }
}

fn filtered(((millis, stream, place), event): Merged) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: Some(stream),
        timestamp: i64::try_from(millis).ok(),
        message: Some(event.message),
        ingestion_time: Some(event.ingestion_millis),
        event_id: Some(format!("{millis:036}{place:020}")),
    }
}

fn parse_place(token: &str) -> Option<(u64, String, u64)> {
    let text = page::parse_text(token)?;
    let mut parts = text.splitn(3, '/');
    let (millis, place) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((millis, parts.next()?.to_owned(), place))
}
