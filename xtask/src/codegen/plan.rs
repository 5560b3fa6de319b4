//! What will be written for one service: the shapes that its operations reach,
//! with their Rust names.

use super::model::{Model, Reference, Shape};
use super::names::{camel, constant, snake};
use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Names that generated structures must not hide.
const TAKEN: &[&str] = &["String", "Vec", "BTreeMap", "Box", "Bytes", "Timestamp", "Option", "Result"];

/// One service, ready to be written.
pub(crate) struct Plan<'m> {
    pub(crate) id: &'m str,
    pub(crate) service: &'m str,
    pub(crate) model: &'m Model,
    pub(crate) operations: Vec<Operation>,
    pub(crate) structures: Vec<Structure>,
    pub(crate) simple: Vec<Simple<'m>>,
    pub(crate) errors: Vec<Error>,
    pub(crate) enums: BTreeMap<String, &'m [String]>,
}

pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) reply: Reply,
    pub(crate) result_wrapper: Option<String>,
}

/// What comes back.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Reply {
    /// The model knows no output.
    Empty,
    /// One value.
    Body,
    /// Events, each one value of the output's only member.
    Events,
}

pub(crate) struct Structure {
    pub(crate) rust: String,
    pub(crate) constant: String,
    pub(crate) wire: String,
    pub(crate) members: Vec<Member>,
}

pub(crate) struct Member {
    pub(crate) field: String,
    pub(crate) rust_type: String,
    pub(crate) wire: String,
    pub(crate) shape: String,
    pub(crate) required: bool,
}

/// A string, number, blob, list or map.
pub(crate) struct Simple<'m> {
    pub(crate) constant: String,
    pub(crate) name: &'m str,
    pub(crate) shape: &'m Shape,
    pub(crate) item: Option<Item>,
}

/// What a list or map holds.
pub(crate) struct Item {
    pub(crate) wire: Option<String>,
    pub(crate) constant: String,
    /// The key's wire name and shape, of a map.
    pub(crate) key: Option<(Option<String>, String)>,
}

pub(crate) struct Error {
    pub(crate) constructor: String,
    pub(crate) code: String,
    pub(crate) status: u16,
}

struct Names<'m> {
    model: &'m Model,
    /// Structures that are called after their operation.
    renamed: BTreeMap<&'m str, String>,
}

/// Plans a service; `selected` lists the operations that get types (absent: all).
pub(crate) fn plan<'m>(
    id: &'m str,
    service: &'m str,
    model: &'m Model,
    selected: Option<&[String]>,
) -> anyhow::Result<Plan<'m>> {
    for name in selected.unwrap_or_default() {
        if !model.operations.contains_key(name) {
            bail!("operation {name} is not in the model");
        }
    }
    let chosen: Vec<_> =
        model.operations.iter().filter(|(name, _)| selected.is_none_or(|names| names.contains(name))).collect();
    let mut names = Names { model, renamed: BTreeMap::new() };
    let mut reached = BTreeSet::new();
    let mut operations = Vec::new();
    let mut structures = Vec::new();
    for (name, operation) in &chosen {
        for (reference, suffix) in [(&operation.input, "Input"), (&operation.output, "Output")] {
            match reference {
                Some(reference) if event_stream(model, reference)?.is_none() => {
                    names.renamed.entry(&reference.shape).or_insert_with(|| format!("{name}{suffix}"));
                    reach(model, &reference.shape, &mut reached)?;
                }
                Some(reference) => {
                    event_stream(model, reference)?.map_or(Ok(()), |events| reach(model, events, &mut reached))?;
                }
                None => {}
            }
        }
    }
    for (name, operation) in &chosen {
        let input = names.operation_side(name, "Input", operation.input.as_ref(), &mut structures)?;
        let events = operation.output.as_ref().map_or(Ok(None), |output| event_stream(model, output))?;
        let (output, reply) = match (events, &operation.output) {
            (Some(events), _) => (names.rust_name(events), Reply::Events),
            (None, output) => {
                let reply = if output.is_some() { Reply::Body } else { Reply::Empty };
                (names.operation_side(name, "Output", output.as_ref(), &mut structures)?, reply)
            }
        };
        operations.push(Operation {
            name: (*name).clone(),
            method: snake(name),
            input,
            output,
            reply,
            result_wrapper: operation.output.as_ref().and_then(|output| output.result_wrapper.clone()),
        });
    }
    let mut simple = Vec::new();
    let mut enums = BTreeMap::new();
    for name in &reached {
        let shape = &model.shapes[*name];
        if shape.kind == "structure" {
            structures.push(names.structure(name, &names.rust_name(name))?);
        } else {
            simple.push(names.simple(name, shape)?);
            if !shape.values.is_empty() {
                enums.insert(snake(name), shape.values.as_slice());
            }
        }
    }
    structures.sort_by(|left, right| left.rust.cmp(&right.rust));
    refuse_doubles(structures.iter().map(|structure| &structure.rust))?;
    refuse_doubles(structures.iter().map(|structure| &structure.constant).chain(simple.iter().map(|s| &s.constant)))?;
    Ok(Plan { id, service, model, operations, structures, simple, errors: errors(model, &chosen)?, enums })
}

fn refuse_doubles<'a>(names: impl Iterator<Item = &'a String>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) || TAKEN.contains(&name.as_str()) {
            bail!("two shapes, or a shape and a standard type, would be called {name}");
        }
    }
    Ok(())
}

fn errors(model: &Model, operations: &[(&String, &super::model::Operation)]) -> anyhow::Result<Vec<Error>> {
    let mut names: BTreeSet<&str> =
        operations.iter().flat_map(|(_, operation)| operation.errors.iter().map(|error| &*error.shape)).collect();
    for output in operations.iter().filter_map(|(_, operation)| operation.output.as_ref()) {
        let events = event_stream(model, output)?.map(|events| &model.shapes[events]);
        names.extend(events.into_iter().flat_map(|events| members(model, events).1));
    }
    names
        .into_iter()
        .map(|name| {
            let shape = model.shapes.get(name).with_context(|| format!("no shape {name}"))?;
            let trait_ = shape.error.as_ref();
            Ok(Error {
                constructor: snake(name),
                code: trait_.and_then(|error| error.code.clone()).unwrap_or_else(|| name.to_owned()),
                status: trait_.and_then(|error| error.http_status_code).unwrap_or(if shape.fault { 500 } else { 400 }),
            })
        })
        .collect()
}

/// Collects every shape that is reachable from `name`, itself included.
fn reach<'m>(model: &'m Model, name: &'m str, reached: &mut BTreeSet<&'m str>) -> anyhow::Result<()> {
    if !reached.insert(name) {
        return Ok(());
    }
    let shape = model.shapes.get(name).with_context(|| format!("no shape {name}"))?;
    for member in members(model, shape).0 {
        reach(model, text(member.1, "shape").context("member without shape")?, reached)?;
    }
    for reference in [&shape.member, &shape.key, &shape.value].into_iter().flatten() {
        reach(model, &reference.shape, reached)?;
    }
    Ok(())
}

/// The event stream that an output consists of, if it is one.
fn event_stream<'m>(model: &'m Model, output: &Reference) -> anyhow::Result<Option<&'m str>> {
    let shape = model.shapes.get(&output.shape).with_context(|| format!("no shape {}", output.shape))?;
    let shapes: Vec<&str> = shape.members.values().filter_map(|member| text(member, "shape")).collect();
    let events = shapes.iter().copied().find(|name| model.shapes.get(*name).is_some_and(|shape| shape.eventstream));
    match events {
        Some(_) if shapes.len() > 1 => {
            bail!("{}: members beside an event stream are not known to the generator", output.shape)
        }
        events => Ok(events),
    }
}

/// The members of a shape, and the shapes of the errors among them, with which an event stream may end.
fn members<'m>(model: &'m Model, shape: &'m Shape) -> (Vec<(&'m String, &'m Value)>, Vec<&'m str>) {
    let error = |member: &'m Value| {
        text(member, "shape").filter(|name| model.shapes.get(*name).is_some_and(|shape| shape.exception))
    };
    let errors = shape.members.values().filter_map(error).collect();
    (shape.members.iter().filter(|(_, member)| error(member).is_none()).collect(), errors)
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

impl<'m> Names<'m> {
    /// The structure of an operation's input or output: the model's, renamed, a copy
    /// of it where two operations share one, or an empty one.
    fn operation_side(
        &self,
        operation: &str,
        suffix: &str,
        reference: Option<&Reference>,
        structures: &mut Vec<Structure>,
    ) -> anyhow::Result<String> {
        let rust = format!("{operation}{suffix}");
        match reference {
            Some(reference) if self.rust_name(&reference.shape) == rust => {}
            Some(reference) => structures.push(self.structure(&reference.shape, &rust)?),
            None => structures.push(Structure {
                constant: constant(&rust),
                wire: rust.clone(),
                rust: rust.clone(),
                members: Vec::new(),
            }),
        }
        Ok(rust)
    }

    fn rust_name(&self, shape: &str) -> String {
        self.renamed.get(shape).cloned().unwrap_or_else(|| camel(shape))
    }

    fn constant(&self, shape: &str) -> String {
        if self.model.shapes[shape].kind == "structure" {
            return snake(&self.rust_name(shape)).trim_end_matches('_').to_uppercase();
        }
        // `StageName` and `stageName` are two shapes of one model now and then.
        let name = snake(shape).trim_end_matches('_').to_uppercase();
        let twin = self
            .model
            .shapes
            .keys()
            .any(|other| other.as_str() > shape && snake(other).trim_end_matches('_').to_uppercase() == name);
        if twin { name + "_" } else { name }
    }

    fn structure(&self, shape: &str, rust: &str) -> anyhow::Result<Structure> {
        let model = &self.model.shapes[shape];
        let members = members(self.model, model)
            .0
            .into_iter()
            .map(|(name, member)| self.member(shape, name, member, model.required.contains(name)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Structure {
            rust: rust.to_owned(),
            constant: snake(rust).trim_end_matches('_').to_uppercase(),
            wire: shape.to_owned(),
            members,
        })
    }

    fn member(&self, owner: &str, name: &str, member: &Value, required: bool) -> anyhow::Result<Member> {
        let shape = text(member, "shape").context("member without shape")?;
        let recursive = self.model.shapes[shape].kind == "structure" && self.holds(shape, owner, &mut BTreeSet::new());
        let rust_type = self.rust_type(shape)?;
        Ok(Member {
            field: snake(name),
            rust_type: if recursive { format!("Box<{rust_type}>") } else { rust_type },
            wire: text(member, "locationName").unwrap_or(name).to_owned(),
            shape: self.constant(shape),
            required,
        })
    }

    /// Whether a value of `shape` holds, without a list or map between, one of `wanted`.
    fn holds(&self, shape: &str, wanted: &str, seen: &mut BTreeSet<String>) -> bool {
        shape == wanted
            || (seen.insert(shape.to_owned())
                && self.model.shapes[shape]
                    .members
                    .values()
                    .filter_map(|member| text(member, "shape"))
                    .any(|member| self.model.shapes[member].kind == "structure" && self.holds(member, wanted, seen)))
    }

    fn rust_type(&self, name: &str) -> anyhow::Result<String> {
        let shape = self.model.shapes.get(name).with_context(|| format!("no shape {name}"))?;
        Ok(match shape.kind.as_str() {
            "string" | "character" => "String".to_owned(),
            "boolean" => "bool".to_owned(),
            "integer" => "i32".to_owned(),
            "long" => "i64".to_owned(),
            "float" | "double" => "f64".to_owned(),
            "timestamp" => "Timestamp".to_owned(),
            "blob" => "Bytes".to_owned(),
            "structure" => self.rust_name(name),
            "list" => format!("Vec<{}>", self.rust_type(&item(shape.member.as_ref(), name)?.shape)?),
            "map" => format!("BTreeMap<String, {}>", self.rust_type(&item(shape.value.as_ref(), name)?.shape)?),
            other => bail!("shape {name}: type {other} is not known to the generator"),
        })
    }

    fn simple(&self, name: &'m str, shape: &'m Shape) -> anyhow::Result<Simple<'m>> {
        let item = match shape.kind.as_str() {
            "list" => {
                let member = item(shape.member.as_ref(), name)?;
                Some(Item { wire: member.location_name.clone(), constant: self.constant(&member.shape), key: None })
            }
            "map" => {
                let (key, value) = (item(shape.key.as_ref(), name)?, item(shape.value.as_ref(), name)?);
                Some(Item {
                    wire: value.location_name.clone(),
                    constant: self.constant(&value.shape),
                    key: Some((key.location_name.clone(), self.constant(&key.shape))),
                })
            }
            _ => None,
        };
        Ok(Simple { constant: self.constant(name), name, shape, item })
    }
}

fn item<'r>(reference: Option<&'r Reference>, name: &str) -> anyhow::Result<&'r Reference> {
    reference.with_context(|| format!("shape {name} does not say what it holds"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
