//! From files to decision points: every tool and kind of action of every connection gets the
//! policies whose scope can match it, and only these.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cedar_policy::{Entities, Entity, EntityUid, RestrictedExpression};

use super::{
    Compiled, ConnectionShape, IssuerShape, Policies, PolicyErrors, Source,
    check::check,
    fault::{File, PolicyFault, Report},
    names::Names,
    rule::Rule,
    schema::Typed,
    shape::Field,
    source,
    vocabulary::{CALL_TOOL, KINDS, Types, tool_action},
};

/// What is decided at for one connection.
#[derive(Debug)]
pub(super) struct Room {
    /// `None` while the catalogue is not known.
    pub(super) tools: Option<HashMap<String, Point>>,
    pub(super) kinds: HashMap<&'static str, Point>,
}

/// Where one kind of question is decided.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
    /// The connection and the action with its group; only the caller is missing.
    pub(super) entities: Entities,
    /// The declared arguments; `None` where it is no tool.
    pub(super) arguments: Option<Vec<Field>>,
    /// The rules whose action and resource scopes admit the question, in the order of their ids.
    pub(super) slice: Slice,
}

/// Shared between points that have the same rules.
type Slice = Arc<[Arc<Rule>]>;

pub(super) fn compile(
    sources: &[Source],
    connections: &[ConnectionShape],
    issuers: &[IssuerShape],
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

fn build(mut rules: Vec<Rule>, connections: &[Typed<'_>]) -> Result<Policies, Box<PolicyFault>> {
    let types = Types::new().ok_or_else(|| internal("the entity types have no names"))?;
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
    let mut rooms = HashMap::new();
    for connection in connections {
        rooms.insert(connection.name.clone(), room(&types, &rules, connection)?);
    }
    let budgets = rules.iter().filter_map(|rule| Some((rule.id.clone(), rule.budget.clone()?)));
    let budgets = budgets.collect();
    Ok(Policies { types, rooms, rules, budgets })
}

fn room(
    types: &Types,
    rules: &[Arc<Rule>],
    connection: &Typed<'_>,
) -> Result<Room, Box<PolicyFault>> {
    let mut builder = Builder::new(types, rules, connection)?;
    let mut kinds = HashMap::new();
    for (kind, _) in KINDS {
        let slice = builder.slice(|rule| rule.covers_kind(kind));
        kinds.insert(kind, builder.point(types.action(kind), None, None, slice)?);
    }
    let mut tools = connection.tools.is_some().then(HashMap::new);
    for (tool, fields) in connection.tools.iter().flatten() {
        let slice = builder.slice(|rule| rule.covers_tool(connection.name, tool));
        let action = types.action(&tool_action(connection.name, tool));
        let group = Some(types.action(CALL_TOOL));
        let point = builder.point(action, group, Some(fields.clone()), slice)?;
        tools.get_or_insert_default().insert((*tool).to_owned(), point);
    }
    Ok(Room { tools, kinds })
}

/// Builds the points of one connection.
struct Builder<'a> {
    /// Rules whose resource scope admits the connection, with their place among all.
    reaching: Vec<(usize, &'a Arc<Rule>)>,
    uid: EntityUid,
    resource: Entity,
    shared: BTreeMap<Vec<usize>, Slice>,
}

impl<'a> Builder<'a> {
    fn new(
        types: &Types,
        rules: &'a [Arc<Rule>],
        connection: &Typed<'_>,
    ) -> Result<Self, Box<PolicyFault>> {
        let label = |(name, value): (&String, &String)| {
            (name.clone(), RestrictedExpression::new_string(value.clone()))
        };
        let labels = RestrictedExpression::new_record(connection.labels.iter().map(label))
            .map_err(internal)?;
        let uid = types.connection(connection.name);
        let attributes = HashMap::from([("labels".to_owned(), labels)]);
        let resource =
            Entity::new(uid.clone(), attributes, Default::default()).map_err(internal)?;
        let all = rules.iter().enumerate();
        let reaching = all.filter(|(_, rule)| rule.covers_connection(connection.name)).collect();
        Ok(Self { reaching, uid, resource, shared: BTreeMap::new() })
    }

    fn slice(&mut self, covers: impl Fn(&Rule) -> bool) -> Slice {
        let chosen = self.reaching.iter().filter(|(_, rule)| covers(rule));
        let (key, rules): (Vec<_>, Vec<_>) =
            chosen.map(|(index, rule)| (*index, Arc::clone(rule))).unzip();
        Arc::clone(self.shared.entry(key).or_insert_with(|| rules.into()))
    }

    fn point(
        &self,
        action: EntityUid,
        group: Option<EntityUid>,
        arguments: Option<Vec<Field>>,
        slice: Slice,
    ) -> Result<Point, Box<PolicyFault>> {
        let own = Entity::new_no_attrs(action.clone(), group.into_iter().collect());
        let entities =
            Entities::from_entities([self.resource.clone(), own], None).map_err(internal)?;
        Ok(Point { action, resource: self.uid.clone(), entities, arguments, slice })
    }
}

/// Policies that were checked can't be put together: nothing an author can mend.
fn internal(error: impl std::fmt::Display) -> Box<PolicyFault> {
    let file = File { name: "policies".into(), text: "".into() };
    Box::new(file.fault(None, format!("the policies could not be put together: {error}")))
}
