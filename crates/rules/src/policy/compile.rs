//! From files to decision points: every tool and kind of action of every connection gets the
//! policies whose scope can match it, and only these.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cedar_policy::{
    Authorizer, Effect, Entities, Entity, EntityUid, Policy, PolicySet, RestrictedExpression,
};
use serde_json::json;

use super::{
    Compiled, ConnectionShape, Policies, PolicyErrors, Source,
    check::check,
    fault::{File, PolicyFault, Report},
    names::Names,
    reads::{Reads, UNKNOWN_IN_LISTS},
    schema::Typed,
    shape::Field,
    source::{self, Rule},
    vocabulary::{CALL_TOOL, KINDS, Types, tool_action},
};

/// What is decided at for one connection.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) resource: EntityUid,
    /// `None` while the catalogue is not known.
    pub(super) tools: Option<HashMap<String, Point>>,
    pub(super) kinds: HashMap<&'static str, Point>,
}

/// Where one kind of question is decided.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) action: EntityUid,
    /// The connection and the action with its group; only the caller is missing.
    pub(super) entities: Entities,
    /// The declared arguments; `None` where it is no tool.
    pub(super) arguments: Option<Vec<Field>>,
    pub(super) slices: Arc<Slices>,
}

/// The policies of a point, shared between points that have the same.
#[derive(Debug)]
pub(super) struct Slices {
    pub(super) call: Slice,
    /// Deciding a list, the call is unknown. Policies that could mistake unknown for absent stand
    /// here with their scope alone if they permit, and not at all if they forbid.
    pub(super) list: Slice,
    /// As `list`, where even the target is unknown: resource templates.
    pub(super) template: Slice,
}

/// Policies, and what of a question they read.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) policies: PolicySet,
    pub(super) reads: Reads,
}

pub(super) fn compile(
    sources: &[Source],
    connections: &[ConnectionShape],
    issuers: &[String],
) -> Result<Compiled, PolicyErrors> {
    let mut report = Report::default();
    let rules = source::read(sources, &mut report);
    let typed: Vec<Typed<'_>> = connections.iter().map(Typed::new).collect();
    let distinct = report.errors.is_empty();
    let names = Names { connections, issuers };
    let named: Vec<&Rule> = rules.iter().filter(|rule| names.check(rule, &mut report)).collect();
    if distinct {
        check(&named, &typed, &mut report);
    }
    let Report { errors, warnings } = report;
    if !errors.is_empty() {
        return Err(PolicyErrors { faults: errors });
    }
    let policies = build(rules, &typed).map_err(|fault| PolicyErrors { faults: vec![*fault] })?;
    Ok(Compiled { policies, warnings })
}

fn build(rules: Vec<Rule>, connections: &[Typed<'_>]) -> Result<Policies, Box<PolicyFault>> {
    let types = Types::new().ok_or_else(|| internal("the entity types have no names"))?;
    let mut rooms = HashMap::new();
    for connection in connections {
        rooms.insert(connection.name.clone(), room(&types, &rules, connection)?);
    }
    let rules = rules.into_iter().map(|rule| (rule.id(), rule)).collect();
    Ok(Policies { types, rooms, rules, authorizer: Authorizer::new() })
}

fn room(types: &Types, rules: &[Rule], connection: &Typed<'_>) -> Result<Room, Box<PolicyFault>> {
    let mut builder = Builder::new(types, rules, connection)?;
    let mut kinds = HashMap::new();
    for (kind, _) in KINDS {
        let chosen = builder.chosen(|rule| rule.covers_kind(kind));
        kinds.insert(kind, builder.point(types.action(kind), [], None, &chosen)?);
    }
    let mut tools = connection.tools.is_some().then(HashMap::new);
    for (tool, fields) in connection.tools.iter().flatten() {
        let chosen = builder.chosen(|rule| rule.covers_tool(connection.name, tool));
        let action = types.action(&tool_action(connection.name, tool));
        let group = [types.action(CALL_TOOL)];
        let point = builder.point(action, group, Some(fields.clone()), &chosen)?;
        tools.get_or_insert_default().insert((*tool).to_owned(), point);
    }
    Ok(Room { resource: types.connection(connection.name), tools, kinds })
}

/// Builds the points of one connection.
struct Builder<'a> {
    rules: &'a [Rule],
    /// Rules whose resource scope admits the connection.
    reaching: Vec<usize>,
    resource: Entity,
    shared: BTreeMap<Vec<usize>, Arc<Slices>>,
}

impl<'a> Builder<'a> {
    fn new(
        types: &Types,
        rules: &'a [Rule],
        connection: &Typed<'_>,
    ) -> Result<Self, Box<PolicyFault>> {
        let label = |(name, value): (&String, &String)| {
            (name.clone(), RestrictedExpression::new_string(value.clone()))
        };
        let labels = RestrictedExpression::new_record(connection.labels.iter().map(label))
            .map_err(internal)?;
        let uid = types.connection(connection.name);
        let attributes = HashMap::from([("labels".to_owned(), labels)]);
        let resource = Entity::new(uid, attributes, Default::default()).map_err(internal)?;
        let admitted = |(_, rule): &(usize, &Rule)| rule.covers_connection(connection.name);
        let reaching = rules.iter().enumerate().filter(admitted).map(|(index, _)| index).collect();
        Ok(Self { rules, reaching, resource, shared: BTreeMap::new() })
    }

    fn chosen(&self, covers: impl Fn(&Rule) -> bool) -> Vec<usize> {
        let covered = |index: &&usize| self.rules.get(**index).is_some_and(&covers);
        self.reaching.iter().filter(covered).copied().collect()
    }

    fn point(
        &mut self,
        action: EntityUid,
        groups: impl IntoIterator<Item = EntityUid>,
        arguments: Option<Vec<Field>>,
        chosen: &[usize],
    ) -> Result<Point, Box<PolicyFault>> {
        let own = Entity::new_no_attrs(action.clone(), groups.into_iter().collect());
        let entities =
            Entities::from_entities([self.resource.clone(), own], None).map_err(internal)?;
        let slices = match self.shared.get(chosen) {
            Some(slices) => Arc::clone(slices),
            None => {
                let rules = chosen.iter().filter_map(|index| self.rules.get(*index)).collect();
                let slices = Arc::new(slices(rules)?);
                self.shared.insert(chosen.to_vec(), Arc::clone(&slices));
                slices
            }
        };
        Ok(Point { action, entities, arguments, slices })
    }
}

fn slices(rules: Vec<&Rule>) -> Result<Slices, Box<PolicyFault>> {
    let with_target: Vec<&str> = UNKNOWN_IN_LISTS.into_iter().chain(["target"]).collect();
    let call = rules.iter().map(|rule| (rule.policy.clone(), &rule.reads));
    Ok(Slices {
        call: slice(call)?,
        list: slice(known_parts(&rules, &UNKNOWN_IN_LISTS)?)?,
        template: slice(known_parts(&rules, &with_target)?)?,
    })
}

fn slice<'a>(
    policies: impl IntoIterator<Item = (Policy, &'a Reads)>,
) -> Result<Slice, Box<PolicyFault>> {
    let mut slice = Slice::default();
    for (policy, reads) in policies {
        slice.policies.add(policy).map_err(internal)?;
        slice.reads.add(reads);
    }
    Ok(slice)
}

/// What can be said of the rules while `absent` parts of the context are unknown.
fn known_parts<'a>(
    rules: &[&'a Rule],
    absent: &[&str],
) -> Result<Vec<(Policy, &'a Reads)>, Box<PolicyFault>> {
    let mut known = Vec::new();
    for rule in rules {
        if !rule.reads.is_opaque(absent) {
            known.push((rule.policy.clone(), &rule.reads));
        } else if rule.policy.effect() == Effect::Permit {
            known.push((scope_of(rule)?, &rule.reads));
        }
    }
    Ok(known)
}

/// The policy without its conditions.
fn scope_of(rule: &Rule) -> Result<Policy, Box<PolicyFault>> {
    let mut json = rule.policy.to_json().map_err(internal)?;
    if let Some(conditions) = json.get_mut("conditions") {
        *conditions = json!([]);
    }
    Policy::from_json(Some(rule.policy.id().clone()), json).map_err(internal)
}

/// Policies that were checked can't be put together: nothing an author can mend.
fn internal(error: impl std::fmt::Display) -> Box<PolicyFault> {
    let file = File { name: "policies".into(), text: "".into() };
    Box::new(file.fault(None, format!("the policies could not be put together: {error}")))
}
