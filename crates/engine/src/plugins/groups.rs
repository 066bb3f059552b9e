//! Groups: places of one plugin that share what it keeps. They must agree on its settings, or the last request at one
//! place would decide what holds at the others. Known for one generation only, while it is built.

use super::Place;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;

/// Plugin and group.
type Name = (&'static str, String);

/// The groups of a generation, by plugin and name.
#[derive(Default)]
pub struct Groups {
    joined: RefCell<HashMap<Name, (Place, Value)>>,
}

impl Groups {
    /// Enters `place` into the group, with its settings as they hold after defaults. The error names the place that
    /// joined first with other settings.
    pub fn join(
        &self,
        plugin: &'static str,
        group: &str,
        place: &Place,
        settings: Value,
    ) -> Result<(), String> {
        let mut joined = self.joined.borrow_mut();
        let (first, known) =
            joined.entry((plugin, group.to_owned())).or_insert_with(|| (place.clone(), settings.clone()));
        if *known == settings {
            return Ok(());
        }
        let (here, first) = (place.label(), first.label());
        Err(format!(
            "group: the settings of the group {group:?} at {here} are not those at {first}; places of one group must \
             have the same settings"
        ))
    }
}
