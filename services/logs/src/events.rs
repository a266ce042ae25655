//! Log events.

use std::ops::ControlFlow;

use fogbank_core::{Cx, ReadTx, Tx, WriteTx, page};

use crate::encryption::{Ring, Stop, StreamKeys};
use crate::error::Error;
use crate::model::{
    FilterLogEventsInput, FilterLogEventsOutput, FilteredLogEvent, GetLogEventsInput,
    GetLogEventsOutput, InputLogEvent, OutputLogEvent, PutLogEventsInput, PutLogEventsOutput,
    RejectedLogEventsInfo,
};
use crate::rules::{self, Pattern, Position};
use crate::store::{self, EVENTS, Event, Message, STREAMS, Stream};

/// How many events a page has at most.
const PAGE: i32 = 10_000;
/// How many bytes of messages a page has at most.
const PAGE_BYTES: usize = 1_048_576;

/// Appends events to a stream.
pub(crate) async fn put(cx: &Cx, input: PutLogEventsInput) -> Result<PutLogEventsOutput, Error> {
    let group = store::group_key_of(cx, &input.log_group_name);
    let mut ring = Ring::default();
    loop {
        let tried = cx.write(|tx| try_put(tx, &input, &ring)).await;
        if let Some(output) = ring.settle(cx, &group, tried).await? {
            return Ok(output);
        }
    }
}

fn try_put(
    tx: &mut WriteTx<'_>,
    input: &PutLogEventsInput,
    ring: &Ring,
) -> Result<PutLogEventsOutput, Stop> {
    let key = store::stream_key(tx, &input.log_group_name, &input.log_stream_name);
    let mut stream = store::stream(tx, &key)?;
    let group = store::group(tx, &store::group_key(tx, &input.log_group_name))?;
    check_batch(input)?;
    let now = tx.now().millis();
    let kept_since = group.retention_days.map(|days| now - i64::from(days) * 24 * 3600 * 1000);
    let mut rejected = RejectedLogEventsInfo::default();
    let mut keys = StreamKeys::new(ring, &group, stream.id);
    for (index, event) in input.log_events.iter().enumerate() {
        let at = index as i32;
        let millis = event.timestamp;
        if millis > now + rules::NEWEST_MILLIS {
            rejected.too_new_log_event_start_index.get_or_insert(at);
        } else if millis < now - rules::OLDEST_MILLIS {
            rejected.too_old_log_event_end_index = Some(at + 1);
        } else if kept_since.is_some_and(|since| millis < since) {
            rejected.expired_log_event_end_index = Some(at + 1);
        } else {
            append(tx, &mut stream, &mut keys, event)?;
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
    keys: &mut StreamKeys<'_>,
    event: &InputLogEvent,
) -> Result<(), Stop> {
    let millis = event.timestamp;
    let place = stream.next_place;
    stream.next_place += 1;
    stream.stored_bytes += (event.message.len() + rules::EVENT_OVERHEAD) as i64;
    let first = stream.first_event_millis.unwrap_or(millis);
    stream.first_event_millis = Some(first.min(millis));
    let last = stream.last_event_millis.unwrap_or(millis);
    stream.last_event_millis = Some(last.max(millis));
    let key = (stream.id, millis.max(0).unsigned_abs(), place);
    let message = keys.seal(tx, &key, &event.message)?;
    let ingestion_millis = tx.now().millis();
    Ok(EVENTS.put(tx, &key, &Event { message, ingestion_millis })?)
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
pub(crate) async fn get(cx: &Cx, input: GetLogEventsInput) -> Result<GetLogEventsOutput, Error> {
    let group = identified(&input.log_group_name, &input.log_group_identifier)?;
    let group = store::group_key_of(cx, group);
    let mut ring = Ring::default();
    loop {
        let tried = cx.read(|tx| try_get(tx, &group, &input, &ring));
        if let Some(output) = ring.settle(cx, &group, tried).await? {
            return Ok(output);
        }
    }
}

/// The group that a request names in one way or the other.
pub(crate) fn identified<'a>(
    name: &'a Option<String>,
    identifier: &'a Option<String>,
) -> Result<&'a str, Error> {
    let identifier = name.as_ref().or(identifier.as_ref());
    let identifier = identifier
        .ok_or_else(|| Error::invalid("Either logGroupName or logGroupIdentifier is required."))?;
    Ok(rules::group_name(identifier))
}

fn try_get(
    tx: &ReadTx<'_>,
    group: &store::GroupKey,
    input: &GetLogEventsInput,
    ring: &Ring,
) -> Result<GetLogEventsOutput, Stop> {
    let stream = store::stream(tx, &store::stream_key(tx, &group.2, &input.log_stream_name))?;
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
    let mut found = page(tx, input, stream.id, token, forward)?;
    if !forward {
        found.reverse();
    }
    // At either end the token repeats itself: readers stop when they get back what they sent.
    let here = token.map_or((start, 0), |(_, position)| position);
    let first = found.first().map_or(here, |(position, _)| *position);
    let last = found.last().map_or(here, |(position, _)| *position);
    Ok(GetLogEventsOutput {
        events: Some(opened(tx, group, stream.id, found, ring)?),
        next_forward_token: Some(rules::token('f', last)),
        next_backward_token: Some(rules::token('b', first)),
    })
}

/// The events of a page in the order in which they are found.
fn page(
    tx: &ReadTx<'_>,
    input: &GetLogEventsInput,
    id: u64,
    token: Option<(char, Position)>,
    forward: bool,
) -> Result<Vec<(Position, Event)>, Error> {
    let start = input.start_time.unwrap_or(0).max(0).unsigned_abs();
    let end = input.end_time.map_or(u64::MAX, |end| end.max(0).unsigned_abs());
    let mut range = EVENTS.range(&(id,)).from(&(id, start, 0)).before(&(id, end, 0));
    range = match token {
        Some(('f', (millis, place))) => range.after(&(id, millis, place)),
        Some((_, (millis, place))) => range.before(&(id, millis, place)),
        None => range,
    };
    if !forward {
        range = range.reverse();
    }
    let limit = input.limit.unwrap_or(PAGE).clamp(1, PAGE) as usize;
    let mut found = Vec::new();
    let mut bytes = 0;
    range.visit(tx, |(_, millis, place), event| {
        bytes += event.message.len() + rules::EVENT_OVERHEAD;
        if found.len() == limit || (bytes > PAGE_BYTES && !found.is_empty()) {
            return ControlFlow::Break(());
        }
        found.push(((millis, place), event));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn opened(
    tx: &ReadTx<'_>,
    group: &store::GroupKey,
    id: u64,
    found: Vec<(Position, Event)>,
    ring: &Ring,
) -> Result<Vec<OutputLogEvent>, Stop> {
    let any_sealed = found.iter().any(|(_, event)| event.message.is_sealed());
    let group = if any_sealed { Some(store::group(tx, group)?) } else { None };
    let mut keys = group.as_ref().map(|group| StreamKeys::new(ring, group, id));
    let shown = found.into_iter().map(|((millis, place), event)| {
        let ingestion_time = Some(event.ingestion_millis);
        let message = match (event.message, &mut keys) {
            (message, Some(keys)) => keys.open(&(id, millis, place), message)?,
            (Message::Plain(message), None) => message,
            (Message::Sealed { .. }, None) => unreachable!("a group with sealed events is read"),
        };
        let timestamp = i64::try_from(millis).ok();
        Ok(OutputLogEvent { timestamp, message: Some(message), ingestion_time })
    });
    shown.collect()
}

/// An event of any stream, as it is merged: time, stream, place; what it says, and when it came.
type Merged = ((u64, String, u64), (String, i64));

/// Reads the events of a group's streams by time, those that fit a pattern.
pub(crate) async fn filter(
    cx: &Cx,
    input: FilterLogEventsInput,
) -> Result<FilterLogEventsOutput, Error> {
    let group = identified(&input.log_group_name, &input.log_group_identifier)?;
    let group = store::group_key_of(cx, group);
    let mut ring = Ring::default();
    loop {
        let tried = cx.read(|tx| try_filter(tx, &group, &input, &ring));
        if let Some(output) = ring.settle(cx, &group, tried).await? {
            return Ok(output);
        }
    }
}

fn try_filter(
    tx: &ReadTx<'_>,
    group_key: &store::GroupKey,
    input: &FilterLogEventsInput,
    ring: &Ring,
) -> Result<FilterLogEventsOutput, Stop> {
    let group = store::group(tx, group_key)?;
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        let message =
            "The logStreamNames and logStreamNamePrefix parameters are mutually exclusive.";
        return Err(Error::invalid(message).into());
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
    for (name, stream) in chosen_streams(tx, group_key, input)? {
        let keys = StreamKeys::new(ring, &group, stream.id);
        let search = Search { pattern: &pattern, after: after.as_ref(), limit, input };
        search.collect(tx, &name, &stream, keys, &mut merged)?;
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
        mut keys: StreamKeys<'_>,
        merged: &mut Vec<Merged>,
    ) -> Result<(), Stop> {
        let start = self.input.start_time.unwrap_or(0).max(0).unsigned_abs();
        let start = self.after.map_or(start, |(millis, _, _)| start.max(*millis));
        // Unlike GetLogEvents, the end is part of the span.
        let end = self.input.end_time.map_or(u64::MAX, |end| end.max(0).unsigned_abs() + 1);
        let range =
            EVENTS.range(&(stream.id,)).from(&(stream.id, start, 0)).before(&(stream.id, end, 0));
        let mut taken = 0;
        let mut stopped = Ok(());
        range.visit(tx, |at @ (_, millis, place), event| {
            let key = (millis, name.to_owned(), place);
            if self.after.is_some_and(|after| key <= *after) {
                return ControlFlow::Continue(());
            }
            let message = match keys.open(&at, event.message) {
                Ok(message) => message,
                Err(stop) => {
                    stopped = Err(stop);
                    return ControlFlow::Break(());
                }
            };
            if !self.pattern.matches(&message) {
                return ControlFlow::Continue(());
            }
            merged.push((key, (message, event.ingestion_millis)));
            taken += 1;
            if taken > self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        stopped
    }
}

fn filtered(((millis, stream, place), (message, ingestion_millis)): Merged) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: Some(stream),
        timestamp: i64::try_from(millis).ok(),
        message: Some(message),
        ingestion_time: Some(ingestion_millis),
        event_id: Some(format!("{millis:036}{place:020}")),
    }
}

fn parse_place(token: &str) -> Option<(u64, String, u64)> {
    let text = page::parse_text(token)?;
    let mut parts = text.splitn(3, '/');
    let (millis, place) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((millis, parts.next()?.to_owned(), place))
}
