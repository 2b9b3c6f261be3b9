//! What it takes to lift holds for a window of time: asked ahead of any call, so that nothing is known
//! but who asks, where, and of which tool. Whether a call then passes is decided when it is made.

use std::collections::BTreeMap;

use cedar_policy::Effect;
use lockgate_model::{ConnectionName, Identity, Lift};

use super::{
    Policies,
    compile::Point,
    hold::{Hold, Way},
};

impl Policies {
    /// What it takes to lift the holds of a connection, or of one tool of it, for a window of time:
    /// `None` where no policy lets this caller ask in this way.
    pub fn lift(
        &self,
        identity: &Identity,
        connection: &ConnectionName,
        tool: Option<&str>,
        way: Way,
    ) -> Option<Lift> {
        let room = self.rooms.get(connection)?;
        let points: Vec<&Point> = match tool {
            Some(tool) => vec![room.tools.as_ref()?.get(tool)?],
            None => {
                room.kinds.values().chain(room.tools.iter().flat_map(|it| it.values())).collect()
            }
        };
        let mut held: BTreeMap<&str, &Hold> = BTreeMap::new();
        for point in points {
            let mine = || point.slice.iter().filter(|rule| rule.covers_caller(identity));
            // What nothing permits is not made possible by people.
            if !mine().any(|rule| rule.effect == Effect::Permit) {
                continue;
            }
            let holds = mine().filter_map(|rule| Some((rule.id.as_str(), rule.hold.as_ref()?)));
            held.extend(holds.filter(|(_, hold)| hold.gives(way, identity)));
        }
        if held.is_empty() {
            return None;
        }
        let policies = held.keys().map(|id| (*id).to_owned()).collect();
        Some(Hold::lift(held.values().copied(), policies, way))
    }
}
