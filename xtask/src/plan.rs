//! Decides what is generated for a service: which shapes, under which Rust names and types.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use crate::botocore::{ErrorTraits, Model, Operation, Reference, Shape};
use crate::names;
use crate::spec::{Overlay, Spec};

/// A closed enumeration with more values would make messages that nobody can read.
const MOST_VALUES: usize = 200;

/// The shape of the members that `errors` in the operation list adds.
const ERROR_TEXT: &str = "__ErrorText";

/// Types of Rust that no shape may shadow.
const TAKEN: &[&str] = &["BTreeMap", "Box", "Bytes", "Option", "Result", "String", "Vec"];

/// What is generated for a service.
pub(crate) struct Plan<'a> {
    /// The operation list.
    pub(crate) spec: &'a Spec,
    /// The model, completed from the overlay and the operation list.
    pub(crate) model: Model,
    /// The traits that botocore drops.
    pub(crate) overlay: &'a Overlay,
    /// The implemented operations, in alphabetic order.
    pub(crate) operations: Vec<String>,
    /// The shapes that implemented operations and errors use.
    pub(crate) closure: BTreeSet<String>,
    /// Rust's names of the closure's structures, unions and closed enumerations.
    pub(crate) types: BTreeMap<String, String>,
    /// Names of inputs and outputs that are shared: the name and what it stands for.
    pub(crate) aliases: BTreeMap<String, String>,
    /// All shapes of the model that a request can carry.
    inputs: BTreeSet<String>,
    /// The members that would make their structure infinite.
    boxed: BTreeSet<(String, String)>,
}

impl<'a> Plan<'a> {
    /// Plans a service.
    pub(crate) fn new(spec: &'a Spec, overlay: &'a Overlay, mut model: Model) -> Result<Plan<'a>> {
        complete(spec, overlay, &mut model)?;
        let operations: Vec<String> =
            spec.sorted_operations().into_iter().map(str::to_owned).collect();
        for name in &operations {
            ensure!(model.operations.contains_key(name), "the model has no operation {name}");
        }
        for name in spec.overrides.keys() {
            ensure!(model.shapes.contains_key(name), "the model has no shape {name}");
        }
        let mut plan = Plan {
            inputs: reachable(&model, model.operations.values().filter_map(input_shape)),
            closure: BTreeSet::new(),
            types: BTreeMap::new(),
            aliases: BTreeMap::new(),
            boxed: BTreeSet::new(),
            spec,
            overlay,
            operations,
            model,
        };
        let errors = plan.errors().map(|(name, _)| name);
        let bodies = plan
            .operations
            .iter()
            .map(|name| &plan.model.operations[name])
            .flat_map(|operation| [input_shape(operation), output_shape(operation)])
            .flatten();
        plan.closure = reachable(&plan.model, bodies.chain(errors));
        plan.boxed = plan.find_boxed();
        plan.name_types()?;
        Ok(plan)
    }

    /// The shape with this name, which the model has.
    pub(crate) fn shape(&self, name: &str) -> &Shape {
        &self.model.shapes[name]
    }

    /// An operation's input and output shapes.
    pub(crate) fn ends(&self, operation: &str) -> (&Reference, &Reference) {
        let operation = &self.model.operations[operation];
        let end = |end: &'_ Option<Reference>| end.is_some();
        debug_assert!(end(&operation.input) && end(&operation.output));
        match (&operation.input, &operation.output) {
            (Some(input), Some(output)) => (input, output),
            _ => unreachable!("the model was completed"),
        }
    }

    /// The model's exceptions.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&str, &Shape)> {
        self.model
            .shapes
            .iter()
            .filter(|(_, shape)| shape.exception)
            .map(|(name, shape)| (name.as_str(), shape))
    }

    /// Whether a request can carry the shape.
    pub(crate) fn in_requests(&self, shape: &str) -> bool {
        self.inputs.contains(shape)
    }

    /// Whether the shape is an enumeration that the server closes.
    pub(crate) fn is_closed_enum(&self, name: &str) -> bool {
        let values = &self.shape(name).values;
        !values.is_empty()
            && values.len() <= MOST_VALUES
            && self.in_requests(name)
            && !self.spec.is_open(name)
    }

    /// Whether an error has more to say than a message, and so is a structure.
    pub(crate) fn is_error_structure(&self, shape: &Shape) -> bool {
        shape.order.iter().any(|member| !member.eq_ignore_ascii_case("message"))
    }

    /// Whether a member is a body that streams.
    pub(crate) fn is_body(&self, member: &Reference) -> bool {
        let shape = self.shape(&member.shape);
        shape.eventstream || (shape.kind == "blob" && (shape.streaming || member.streaming))
    }

    /// Whether the structure holds a body that streams.
    pub(crate) fn holds_body(&self, shape: &Shape) -> bool {
        shape.members.values().any(|member| self.is_body(member))
    }

    /// The Rust type of a shape.
    pub(crate) fn rust_type(&self, name: &str) -> String {
        if let Some(path) = self.spec.overrides.get(name) {
            return path.clone();
        }
        let shape = self.shape(name);
        let element = |reference: &Option<Reference>| {
            let inner = reference.as_ref().map_or_else(String::new, |r| self.rust_type(&r.shape));
            if shape.sparse { format!("Option<{inner}>") } else { inner }
        };
        match shape.kind.as_str() {
            "integer" => "i32".to_owned(),
            "long" => "i64".to_owned(),
            "float" => "f32".to_owned(),
            "double" => "f64".to_owned(),
            "boolean" => "bool".to_owned(),
            "blob" => "bytes::Bytes".to_owned(),
            "timestamp" => "wire::Timestamp".to_owned(),
            "list" => format!("Vec<{}>", element(&shape.member)),
            "map" => format!("BTreeMap<String, {}>", element(&shape.value)),
            "structure" if shape.document => "wire::Document".to_owned(),
            "structure" => self.types[name].clone(),
            _ if self.is_closed_enum(name) => self.types[name].clone(),
            _ => "String".to_owned(),
        }
    }

    /// The Rust type of a structure's member.
    pub(crate) fn field_type(&self, owner: &str, name: &str, member: &Reference) -> String {
        if self.is_body(member) {
            return "wire::Body".to_owned();
        }
        let inner = self.rust_type(&member.shape);
        if self.is_boxed(owner, name) {
            format!("Option<Box<{inner}>>")
        } else if self.in_requests(owner) && self.shape(owner).required.iter().any(|r| r == name) {
            inner
        } else {
            format!("Option<{inner}>")
        }
    }

    /// The Rust type of a union's variant.
    pub(crate) fn variant_type(&self, owner: &str, name: &str, member: &Reference) -> String {
        let inner = self.rust_type(&member.shape);
        if self.is_boxed(owner, name) { format!("Box<{inner}>") } else { inner }
    }

    fn is_boxed(&self, owner: &str, member: &str) -> bool {
        self.boxed.contains(&(owner.to_owned(), member.to_owned()))
    }

    /// The members that lead back to their structure without a list or map between.
    fn find_boxed(&self) -> BTreeSet<(String, String)> {
        let mut boxed = BTreeSet::new();
        for owner in self.closure.iter().filter(|name| self.shape(name).is_structure()) {
            for (name, member) in self.shape(owner).members() {
                if self.contains_inline(&member.shape, owner, &mut BTreeSet::new()) {
                    boxed.insert((owner.clone(), name.to_owned()));
                }
            }
        }
        boxed
    }

    /// Whether a structure holds another, or itself, without a list or map between.
    fn contains_inline<'s>(
        &'s self,
        outer: &'s str,
        inner: &str,
        seen: &mut BTreeSet<&'s str>,
    ) -> bool {
        if !self.shape(outer).is_structure() {
            return false;
        }
        outer == inner
            || (seen.insert(outer)
                && self
                    .shape(outer)
                    .members
                    .values()
                    .any(|member| self.contains_inline(&member.shape, inner, seen)))
    }

    /// Names the types: an input or output that belongs to one operation takes its name.
    fn name_types(&mut self) -> Result<()> {
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        for operation in &self.operations {
            let (input, output) = self.ends(operation);
            *uses.entry(&input.shape).or_default() += 1;
            *uses.entry(&output.shape).or_default() += 1;
        }
        for name in &self.closure {
            for reference in references(self.shape(name)) {
                *uses.entry(&reference.shape).or_default() += 1;
            }
        }
        let mut types = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        for operation in &self.operations {
            let (input, output) = self.ends(operation);
            for (end, suffix) in [(input, "Input"), (output, "Output")] {
                let name = format!("{operation}{suffix}");
                if uses[end.shape.as_str()] == 1 {
                    types.insert(end.shape.clone(), name);
                } else if name != names::type_name(&end.shape) {
                    aliases.insert(name, names::type_name(&end.shape));
                }
            }
        }
        let plain_errors = self.errors().filter(|(_, shape)| !self.is_error_structure(shape));
        let plain_errors: BTreeSet<&str> = plain_errors.map(|(name, _)| name).collect();
        for name in &self.closure {
            let structure =
                self.shape(name).is_structure() && !plain_errors.contains(name.as_str());
            let by_hand = self.spec.overrides.contains_key(name);
            if (structure || self.is_closed_enum(name)) && !by_hand {
                types.entry(name.clone()).or_insert_with(|| names::type_name(name));
            }
        }
        self.types = types;
        self.aliases = aliases;
        self.check_names()
    }

    fn check_names(&self) -> Result<()> {
        let mut seen: BTreeSet<&str> = TAKEN.iter().copied().collect();
        for name in self.types.values().chain(self.aliases.keys()).chain(&self.operations) {
            ensure!(seen.insert(name), "two things of the model are called {name} in Rust");
        }
        Ok(())
    }
}

fn input_shape(operation: &Operation) -> Option<&str> {
    operation.input.as_ref().map(|input| input.shape.as_str())
}

fn output_shape(operation: &Operation) -> Option<&str> {
    operation.output.as_ref().map(|output| output.shape.as_str())
}

/// The shapes that a shape refers to.
fn references(shape: &Shape) -> impl Iterator<Item = &Reference> {
    shape.members.values().chain(&shape.member).chain(&shape.key).chain(&shape.value)
}

/// These shapes and all that they refer to.
fn reachable<'s>(model: &'s Model, from: impl Iterator<Item = &'s str>) -> BTreeSet<String> {
    let mut waiting: Vec<&str> = from.collect();
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if found.insert(name.to_owned()) {
            let shape = model.shapes.get(name);
            waiting.extend(shape.into_iter().flat_map(references).map(|r| r.shape.as_str()));
        }
    }
    found
}

/// Adds to the model what the overlay and the operation list know.
fn complete(spec: &Spec, overlay: &Overlay, model: &mut Model) -> Result<()> {
    for name in &overlay.unions {
        if let Some(shape) = model.shapes.get_mut(name) {
            shape.union = true;
        }
    }
    for (name, first) in &spec.order {
        let shape = model.shapes.get_mut(name).with_context(|| format!("no shape {name}"))?;
        for member in first {
            ensure!(shape.members.contains_key(member), "{name} has no member {member}");
        }
        let rest = shape.order.iter().filter(|member| !first.contains(member)).cloned();
        shape.order = first.iter().cloned().chain(rest).collect();
    }
    add_errors(spec, model);
    add_empty_ends(model)
}

/// Adds the errors of the operation list.
fn add_errors(spec: &Spec, model: &mut Model) {
    let text = Shape { kind: "string".to_owned(), ..Shape::default() };
    model.shapes.insert(ERROR_TEXT.to_owned(), text);
    for extra in &spec.errors {
        let shape = model.shapes.entry(extra.name.clone()).or_insert_with(|| Shape {
            kind: "structure".to_owned(),
            exception: true,
            ..Shape::default()
        });
        let traits = shape.error.get_or_insert_with(ErrorTraits::default);
        traits.code = extra.code.clone().or(traits.code.take());
        traits.http_status_code = extra.status.or(traits.http_status_code);
        for member in &extra.members {
            let reference = Reference { shape: ERROR_TEXT.to_owned(), ..Reference::default() };
            if shape.members.insert(member.clone(), reference).is_none() {
                shape.order.push(member.clone());
            }
        }
    }
}

/// Gives every operation an input and an output.
fn add_empty_ends(model: &mut Model) -> Result<()> {
    for (name, operation) in &mut model.operations {
        let ends = [(&mut operation.input, "Input"), (&mut operation.output, "Output")];
        for (end, suffix) in ends {
            if end.is_some() {
                continue;
            }
            let shape = format!("{name}{suffix}");
            ensure!(!model.shapes.contains_key(&shape), "{name} does not use the shape {shape}");
            *end = Some(Reference { shape: shape.clone(), ..Reference::default() });
            let empty = Shape { kind: "structure".to_owned(), ..Shape::default() };
            model.shapes.insert(shape, empty);
        }
    }
    Ok(())
}
