//! The services and operations that are served, indexed for routing, with their counters.

use fogbank_core::wire::{self, Protocol};
use fogbank_core::{Op, ReachLookUp, Service};
use rustc_hash::FxHashMap;

use crate::metrics::Counters;

/// The name by which requests to directory buckets of S3 are signed.
pub(crate) const S3_EXPRESS: &str = "s3express";

/// All services of the cloud.
pub(crate) struct Catalogue {
    services: Vec<Entry>,
    by_target: FxHashMap<&'static str, usize>,
    by_signing_name: FxHashMap<&'static str, Vec<usize>>,
    by_name: FxHashMap<&'static str, usize>,
}

/// A service with its operations by name.
pub(crate) struct Entry {
    pub(crate) service: &'static Service,
    operations: FxHashMap<&'static str, Known>,
}

/// An implemented operation, what is derived from its model, and its counters.
pub(crate) struct Known {
    pub(crate) op: &'static Op,
    /// Whether the request's body goes to the handler as a stream.
    pub(crate) streams_in: bool,
    /// Whether the request's body may be packed by gzip.
    pub(crate) may_be_packed: bool,
    /// Whether it holds up nobody if it is run where its request came in.
    pub(crate) is_quick: bool,
    /// The action that authorises it, unless its access says otherwise.
    pub(crate) action: String,
    /// Puts what is meant in place of what stands for it in the input.
    pub(crate) reached: Option<ReachLookUp>,
    pub(crate) counters: Counters,
}

impl Catalogue {
    pub(crate) fn new(services: &[&'static Service]) -> Catalogue {
        let services: Vec<Entry> = services.iter().map(|service| Entry::new(service)).collect();
        let mut by_target = FxHashMap::default();
        let mut by_signing_name: FxHashMap<_, Vec<usize>> = FxHashMap::default();
        let mut by_name = FxHashMap::default();
        for (index, entry) in services.iter().enumerate() {
            let model = entry.service.model;
            if !model.target_prefix.is_empty() {
                by_target.insert(model.target_prefix, index);
            }
            by_signing_name.entry(model.signing_name).or_default().push(index);
            if model.name == "s3" {
                // Directory buckets have a name of their own for signatures and ARNs.
                by_signing_name.entry(S3_EXPRESS).or_default().push(index);
            }
            by_name.insert(model.name, index);
        }
        Catalogue { services, by_target, by_signing_name, by_name }
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &Entry> {
        self.services.iter()
    }

    pub(crate) fn by_target(&self, prefix: &str) -> Option<&Entry> {
        self.by_target.get(prefix).map(|index| &self.services[*index])
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|index| &self.services[*index])
    }

    pub(crate) fn by_signing_name<'c>(
        &'c self,
        name: &str,
    ) -> impl Iterator<Item = &'c Entry> + Clone + use<'c> {
        let indexes = self.by_signing_name.get(name).map(Vec::as_slice).unwrap_or_default();
        indexes.iter().map(|index| &self.services[*index])
    }
}

impl Entry {
    fn new(service: &'static Service) -> Entry {
        let known = |op: &'static Op| Known {
            op,
            streams_in: wire::streaming_member(op.model.input).is_some(),
            may_be_packed: service.packed.contains(&op.model.name),
            is_quick: service.quick.contains(&op.model.name),
            action: format!("{}:{}", service.model.name, op.model.name),
            reached: service.reached,
            counters: Counters::default(),
        };
        let operations = service.operations.iter().map(|op| (op.model.name, known(op))).collect();
        Entry { service, operations }
    }

    pub(crate) fn operation(&self, name: &str) -> Option<&Known> {
        self.operations.get(name)
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &Known> {
        self.operations.values()
    }

    pub(crate) fn speaks(&self, protocol: Protocol) -> bool {
        self.service.model.protocols.contains(&protocol)
    }

    /// The protocol of errors before the request's own is known.
    pub(crate) fn first_protocol(&self) -> Protocol {
        self.service.model.protocols.first().copied().unwrap_or(Protocol::RestXml)
    }
}
