//! Masking: detectors that can be made, recognisers that can be asked, and classes that something finds.

use std::collections::BTreeSet;

use lockgate_gateway::settings::{ConnectionSettings, RecogniserSettings};
use lockgate_rules::mask::{
    Class, Detectors,
    detect::classes::{CLASSES, is_known},
};

use super::{Finding, Section, check_dialled, step};
use crate::config::{fault::suggestion, settings::Settings};

/// Everything that is wrong with it for all connections.
pub(super) fn check(settings: &Settings, found: &mut Vec<Finding>) {
    let mut at = Section { path: vec!["detection".to_owned()], found };
    if let Err(fault) = Detectors::new(&settings.detection) {
        // The first part of the place is enough to point at.
        let key = fault.place.split(['.', '[']).next().unwrap_or_default().to_owned();
        at.check(false, &key, fault.to_string(), "see docs/masking.md");
    }
    for class in &settings.detection.off {
        check_class(class, "off", settings, &mut at);
    }
    let mut names = BTreeSet::new();
    for (index, one) in settings.recognisers.iter().enumerate() {
        let path = vec!["recognisers".to_owned(), step(&one.name, index, names.insert(&one.name))];
        recogniser(one, index, settings, &mut Section { path, found });
    }
}

fn recogniser(one: &RecogniserSettings, index: usize, all: &Settings, at: &mut Section<'_>) {
    let name = &one.name;
    at.check(!name.trim().is_empty(), "name", "it has no name", "give it a name");
    let twice = all.recognisers.iter().take(index).any(|other| other.name == *name);
    at.check(!twice, "name", format!("two recognisers are named `{name}`"), "rename one of them");
    check_dialled(one.url.as_str(), "url", one.allow_private, at);
    let fits = one.score_min <= 100;
    at.check(fits, "score_min", "it is a percentage, at most 100", "leave it out for 50");
    let help = "leave it out for the default";
    for (key, limit) in [
        ("wait_max_ms", one.wait_max_ms),
        ("request_max_bytes", one.request_max_bytes),
        ("in_flight_max", one.in_flight_max.into()),
    ] {
        at.check(limit > 0, key, format!("the limit `{key}` is 0"), help);
    }
    at.check(!one.classes.is_empty(), "classes", "it is asked for nothing", help);
}

/// Everything that is wrong with it for one connection.
pub(super) fn connection(one: &ConnectionSettings, all: &Settings, at: &mut Section<'_>) {
    for class in &one.masking.mask {
        check_class(class, "masking.mask", all, at);
    }
    for class in one.masking.operators.keys() {
        check_class(class, "masking.operators", all, at);
    }
    let known: Vec<&str> = all.recognisers.iter().map(|known| known.name.as_str()).collect();
    for name in one.recognisers.iter().filter(|name| !known.contains(&name.as_str())) {
        let what = format!("there is no recogniser named `{name}`");
        let help = match known.as_slice() {
            [] => "name it under `recognisers`, beside `connections`".to_owned(),
            known => suggestion(name, known),
        };
        at.check(false, "recognisers", what, &help);
    }
}

/// A class that nothing finds would be masked by nobody, and nobody would notice.
fn check_class(class: &str, key: &str, all: &Settings, at: &mut Section<'_>) {
    let custom = all.detection.custom.iter().map(|custom| custom.class.as_str());
    let recognised = all.recognisers.iter().flat_map(|one| one.classes.values());
    let own: Vec<&str> = custom.chain(recognised.map(String::as_str)).collect();
    let is_own = own.iter().any(|one| *one == class || Class::new(one).is_in(class));
    if !is_own && !is_known(class) {
        let built_in = CLASSES.iter().map(|known| known.name).filter(|name| !name.ends_with('*'));
        let all: Vec<&str> = built_in.chain(own).collect();
        at.check(false, key, format!("nothing finds `{class}`"), &suggestion(class, &all));
    }
}
