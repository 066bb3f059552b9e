//! A chain: the plugins of one place in the order in which they run, and how a consumer's plugins join a route's.

use super::{BuildContext, Entry, Flow, Phase, Place, Plugin, Problem};
use crate::exchange::Exchange;
use crate::http::Response;
use crate::observe::Record;
use crate::snapshot::PluginConfigs;
use ::http::HeaderName;
use std::cmp::Reverse;
use std::sync::Arc;

/// Plugins sorted by phase, then by priority.
#[derive(Clone, Default)]
pub struct Chain {
    steps: Box<[Step]>,
}

#[derive(Clone)]
struct Step {
    entry: &'static Entry,
    phase: Phase,
    plugin: Arc<dyn Plugin>,
}

impl Step {
    fn order(&self) -> (Phase, Reverse<i32>, &'static str) {
        (self.phase, Reverse(self.entry.priority), self.entry.name)
    }
}

impl Chain {
    /// Builds every plugin of `configs`. Each problem is told with the plugin's name.
    pub fn build(
        configs: &PluginConfigs,
        context: &BuildContext<'_>,
        problem: &mut impl FnMut(&str, Problem),
    ) -> Self {
        let mut steps = Vec::with_capacity(configs.len());
        for (name, config) in configs {
            let Some(entry) = Entry::find(name) else {
                problem(name, format!("there is no plugin {name:?}").into());
                continue;
            };
            match entry.build(config, context) {
                Ok(plugin) => steps.push(Step { entry, phase: entry.phase_at(context.place), plugin }),
                Err(why) => problem(name, why),
            }
        }
        steps.sort_by_key(Step::order);
        Self { steps: steps.into() }
    }

    /// Headers in which only plugins of the chain tell the upstream of the caller.
    pub fn told_headers(&self) -> Box<[HeaderName]> {
        self.steps.iter().flat_map(|step| step.plugin.told_headers()).cloned().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The names of the plugins.
    #[cfg(test)]
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().map(|step| step.entry.name)
    }

    /// Runs `request` of the plugins whose phase is in `phases`, until one answers.
    pub async fn run(
        &self,
        phases: std::ops::RangeInclusive<Phase>,
        exchange: &mut Exchange,
    ) -> Option<Response> {
        for step in self.steps.iter().filter(|step| phases.contains(&step.phase)) {
            match step.plugin.request(exchange) {
                Flow::Continue => {}
                Flow::Respond(response) => return Some(response),
                Flow::Wait(waiting) => {
                    if let Some(response) = waiting.await {
                        return Some(response);
                    }
                }
            }
        }
        None
    }

    /// The chains one after the other, each in its own order.
    pub fn concatenated<'a>(chains: impl IntoIterator<Item = &'a Chain>) -> Chain {
        Chain { steps: chains.into_iter().flat_map(|chain| &chain.steps).cloned().collect() }
    }

    /// This chain with the plugins of `own` put in place of those of the same name (a consumer's over a route's).
    pub fn overlaid(&self, own: &Chain) -> Chain {
        let kept = self.steps.iter().filter(|step| !own.has(step.entry.name));
        let mut steps: Vec<Step> = kept.chain(&own.steps).cloned().collect();
        steps.sort_by_key(Step::order);
        Chain { steps: steps.into() }
    }

    /// Runs `finish` of every plugin.
    pub fn finish(&self, record: &Record) {
        for step in self.steps.iter() {
            step.plugin.finish(record);
        }
    }

    /// Headers in which any plugin of the chain takes a credential.
    pub fn credential_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.steps.iter().flat_map(|step| step.plugin.credential_headers())
    }

    /// Query arguments in which any plugin of the chain takes a credential.
    pub fn credential_arguments(&self) -> impl Iterator<Item = &String> {
        self.steps.iter().flat_map(|step| step.plugin.credential_arguments())
    }

    /// The plugins that find out who calls, those among them that others try.
    pub fn guards(&self) -> impl Iterator<Item = &dyn Plugin> {
        let guards = self.steps.iter().filter(|step| step.entry.phase == Phase::Authenticate);
        guards
            .flat_map(|step| std::iter::once(&step.plugin).chain(step.plugin.alternatives()))
            .map(|plugin| &**plugin)
    }

    /// This chain without those limits that are of `counted` by name: an exchange within another is no second call.
    pub fn without_limits_of(&self, counted: &Chain) -> Chain {
        let counts = |step: &&Step| step.phase != Phase::Limit || !counted.has(step.entry.name);
        Chain { steps: self.steps.iter().filter(counts).cloned().collect() }
    }

    /// The operations whose shapes plugins of the chain hold requests against, each with the plugin's name.
    pub fn checked_operations(&self) -> impl Iterator<Item = (&'static str, (&str, &str))> {
        self.steps.iter().filter_map(|step| Some((step.entry.name, step.plugin.checked_operation()?)))
    }

    fn has(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step.entry.name == name)
    }
}

impl Place {
    /// `route:<id>`, for messages and keys.
    pub fn label(&self) -> String {
        match self {
            Place::GlobalRule(id) => format!("global_rule:{id}"),
            Place::Route(id) => format!("route:{id}"),
            Place::Consumer(id) => format!("consumer:{id}"),
        }
    }
}
