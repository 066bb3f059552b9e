//! Groups: places of one plugin that share what it keeps. They must agree on its settings, or the last request at one
//! place would decide what holds at the others. A generation knows who is in which group, so that a place can come or go
//! without the others being built again.

use super::Place;
use crate::table::{Table, Text};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The groups of a generation.
#[derive(Clone, Default)]
pub struct Groups {
    /// By plugin and name.
    groups: Table<Arc<Text<Group>>>,
    /// The groups that a place is in, by its label.
    places: Table<Arc<Text<Keys>>>,
}

/// What groups are found by.
type Keys = Vec<Box<[u8]>>;

#[derive(Clone, Default)]
struct Group {
    settings: Value,
    members: BTreeSet<Place>,
}

impl Groups {
    /// Takes `place` out of all its groups.
    pub fn leave(&mut self, place: &Place) {
        let Some(joined) = self.places.remove(place.label()) else {
            return;
        };
        for key in &joined.value {
            self.groups.change(key, |group| {
                group.members.remove(place);
                group.members.is_empty()
            });
        }
    }

    fn join(&mut self, plugin: &str, name: &str, place: &Place, settings: Value) -> Result<(), String> {
        // No plugin's name has a slash.
        let key = format!("{plugin}/{name}");
        let here = place.label();
        if let Some(known) = self.groups.get(&key).filter(|known| known.value.settings != settings) {
            let first = known.value.members.first().map(Place::label).unwrap_or_default();
            return Err(format!(
                "group: the settings of the group {name:?} at {here} are not those at {first}; places of one group \
                 must have the same settings"
            ));
        }
        let group = self.groups.under(key.as_bytes());
        group.settings = settings;
        group.members.insert(place.clone());
        self.places.under(here.as_bytes()).push(key.into_bytes().into());
        Ok(())
    }
}

/// The groups of a generation that is being built.
#[derive(Default)]
pub struct Joining(RefCell<Groups>);

impl Joining {
    pub fn new(groups: Groups) -> Self {
        Self(RefCell::new(groups))
    }

    pub fn into_groups(self) -> Groups {
        self.0.into_inner()
    }

    pub fn leave(&self, place: &Place) {
        self.0.borrow_mut().leave(place);
    }

    /// Enters `place` into the group `name` of `plugin`, with its settings as they hold after defaults. The error names a
    /// place that has joined with other settings.
    pub fn join(&self, plugin: &str, name: &str, place: &Place, settings: Value) -> Result<(), String> {
        self.0.borrow_mut().join(plugin, name, place, settings)
    }
}
