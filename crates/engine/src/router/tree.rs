//! The patterns of one host as a search tree, and the search for those that match a path.
//!
//! Exact paths are one hash lookup. Other patterns share a tree of segments; text at the start or end of a segment is
//! looked up once per length that occurs, so the cost of a search follows the path and the shapes of the patterns,
//! not their number. A search collects the places where patterns end and then offers their values in the order that
//! `values` defines; whether a value is taken is the caller's to say. Copies share every node that is alike in both, and
//! a change copies those on the way to its place.

use super::pattern::{Pattern, Segment, Template};
use super::values::{Matches, Ranked, Turn, Values};
use crate::table::{Table, Text};
use std::sync::Arc;

/// The patterns of one host.
#[derive(Clone)]
pub(super) struct Tree<T> {
    exact: Table<Arc<Text<Values<T>>>>,
    /// Of all that ever were; longer paths need no hashing.
    longest_exact: usize,
    root: Node<T>,
}

/// The place after one segment of a pattern.
#[derive(Clone)]
struct Node<T> {
    literals: Table<Arc<Text<Node<T>>>>,
    parameter: Option<Arc<Node<T>>>,
    /// Few nodes have any.
    shapes: Option<Arc<Shapes<T>>>,
    /// Patterns that end here.
    ends: Option<Arc<Ranked<T>>>,
}

/// The patterns whose next segment is a part of the path's.
#[derive(Clone)]
struct Shapes<T> {
    /// By the text before the first parameter, then by the text after the last.
    templates: ByLength<ByLength<Templates<T>>>,
    /// Patterns with a `*` in the next segment, by the text before it.
    prefixes: ByLength<Option<Ranked<T>>>,
}

/// Templates that differ only between their parameters, with the place after each.
type Templates<T> = Vec<(Template, Arc<Node<T>>)>;

/// Values by text, to be found from a longer text that starts or ends with it.
#[derive(Clone)]
struct ByLength<V> {
    /// Each length that occurs, and how often.
    lengths: Vec<(usize, usize)>,
    values: Table<Arc<Text<V>>>,
}

impl<T: Clone> Tree<T> {
    pub fn insert(&mut self, pattern: &Pattern, turn: Turn, value: T) {
        if let Some(path) = pattern.exact() {
            self.longest_exact = self.longest_exact.max(path.len());
            self.exact.under(path.as_bytes()).insert(turn, value);
        } else {
            let place = self.root.place(&pattern.segments);
            place.get_or_insert_with(|| Ranked::of(pattern)).values.insert(turn, value);
        }
    }

    pub fn remove(&mut self, pattern: &Pattern, turn: Turn) {
        if let Some(path) = pattern.exact() {
            self.exact.change(path.as_bytes(), |values| {
                values.remove(turn);
                values.is_empty()
            });
        } else {
            self.root.remove(&pattern.segments, turn);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.root.is_empty()
    }
}

impl<T> Tree<T> {
    /// The first value, in order, whose pattern matches `path` and that `accept` takes.
    pub fn find(&self, path: &str, accept: &mut impl FnMut(&T) -> bool) -> Option<&T> {
        if path.len() <= self.longest_exact
            && let Some(exact) = self.exact.get(path)
            && let Some(value) = exact.value.iter().find(|value| accept(value))
        {
            return Some(value);
        }
        let mut matches = self.search(path.as_bytes());
        while let Some(value) = matches.take_first() {
            if accept(value) {
                return Some(value);
            }
        }
        None
    }

    fn search(&self, path: &[u8]) -> Matches<'_, T> {
        let mut matches = Matches::new();
        if let Some(rest) = path.strip_prefix(b"/") {
            self.root.collect(Some(rest), &mut matches);
        }
        matches
    }

    /// How many nodes a search for `path` visits.
    #[cfg(test)]
    pub fn visited(&self, path: &str) -> usize {
        self.search(path.as_bytes()).visited
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { exact: Table::default(), longest_exact: 0, root: Node::default() }
    }
}

/// The place of a pattern's values; a leaf that is shared is copied when it is asked for.
enum Place<'n, T> {
    End(&'n mut Option<Arc<Ranked<T>>>),
    Prefix(&'n mut Option<Ranked<T>>),
}

impl<'n, T: Clone> Place<'n, T> {
    fn get_or_insert_with(self, make: impl FnOnce() -> Ranked<T>) -> &'n mut Ranked<T> {
        match self {
            Self::End(end) => Arc::make_mut(end.get_or_insert_with(|| Arc::new(make()))),
            Self::Prefix(prefix) => prefix.get_or_insert_with(make),
        }
    }
}

impl<T: Clone> Node<T> {
    /// Where the values of a pattern with these segments belong; the way there is made.
    fn place(&mut self, segments: &[Segment]) -> Place<'_, T> {
        let Some((segment, following)) = segments.split_first() else {
            return Place::End(&mut self.ends);
        };
        let next = match segment {
            Segment::Rest(text) => return Place::Prefix(self.shapes().prefixes.under(text)),
            Segment::Literal(text) => self.literals.under(text.as_bytes()),
            Segment::Parameter => Arc::make_mut(self.parameter.get_or_insert_default()),
            Segment::Template(template) => {
                let alike = self.shapes().templates.under(&template.before).under(&template.after);
                let at = alike.iter().position(|(known, _)| known.between == template.between);
                let at = at.unwrap_or_else(|| {
                    alike.push((template.clone(), Arc::default()));
                    alike.len() - 1
                });
                // The place was found or made just above.
                #[allow(clippy::indexing_slicing)]
                Arc::make_mut(&mut alike[at].1)
            }
        };
        next.place(following)
    }

    fn shapes(&mut self) -> &mut Shapes<T> {
        Arc::make_mut(self.shapes.get_or_insert_default())
    }

    /// Takes out the value at `turn`, and with it the nodes that then lead nowhere.
    fn remove(&mut self, segments: &[Segment], turn: Turn) {
        let Some((segment, following)) = segments.split_first() else {
            if self.ends.as_mut().is_some_and(|ends| Arc::make_mut(ends).is_spent_without(turn)) {
                self.ends = None;
            }
            return;
        };
        let leads_nowhere = |node: &mut Self| {
            node.remove(following, turn);
            node.is_empty()
        };
        match segment {
            Segment::Literal(text) => self.literals.change(text.as_bytes(), leads_nowhere),
            Segment::Parameter => {
                if self.parameter.as_mut().is_some_and(|node| leads_nowhere(Arc::make_mut(node))) {
                    self.parameter = None;
                }
            }
            Segment::Rest(text) => self.change_shapes(|shapes| {
                shapes.prefixes.change(text, |prefix| {
                    prefix.as_mut().is_none_or(|ranked| ranked.is_spent_without(turn))
                });
            }),
            Segment::Template(template) => self.change_shapes(|shapes| {
                shapes.templates.change(&template.before, |endings| {
                    endings.change(&template.after, |alike| {
                        alike.retain_mut(|(known, node)| {
                            known.between != template.between || !leads_nowhere(Arc::make_mut(node))
                        });
                        alike.is_empty()
                    });
                    endings.values.is_empty()
                });
            }),
        }
    }

    fn change_shapes(&mut self, change: impl FnOnce(&mut Shapes<T>)) {
        if let Some(shapes) = &mut self.shapes {
            let shapes = Arc::make_mut(shapes);
            change(shapes);
            if shapes.templates.values.is_empty() && shapes.prefixes.values.is_empty() {
                self.shapes = None;
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.parameter.is_none() && self.shapes.is_none() && self.ends.is_none()
    }
}

impl<T: Clone> Ranked<T> {
    /// Takes out the value at `turn`; whether none is left.
    fn is_spent_without(&mut self, turn: Turn) -> bool {
        self.values.remove(turn);
        self.values.is_empty()
    }
}

impl<T> Node<T> {
    /// Adds what matches `rest`, the path after this node's slash; `None` when the path ends here.
    fn collect<'t>(&'t self, rest: Option<&[u8]>, matches: &mut Matches<'t, T>) {
        #[cfg(test)]
        {
            matches.visited += 1;
        }
        let Some(rest) = rest else {
            self.ends.iter().for_each(|ranked| matches.add(ranked));
            return;
        };
        if let Some(shapes) = &self.shapes {
            shapes.prefixes.starting(rest).flatten().for_each(|ranked| matches.add(ranked));
        }
        let (segment, rest) = split_segment(rest);
        if let Some(literal) = self.literals.get(segment) {
            literal.value.collect(rest, matches);
        }
        if segment.is_empty() {
            return;
        }
        if let Some(node) = &self.parameter {
            node.collect(rest, matches);
        }
        let Some(shapes) = &self.shapes else {
            return;
        };
        for by_ending in shapes.templates.starting(segment) {
            for (template, node) in by_ending.ending(segment).flatten() {
                if template.matches(segment) {
                    node.collect(rest, matches);
                }
            }
        }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: Table::default(), parameter: None, shapes: None, ends: None }
    }
}

impl<T> Default for Shapes<T> {
    fn default() -> Self {
        Self { templates: ByLength::default(), prefixes: ByLength::default() }
    }
}

impl Template {
    /// Whether `segment` has the literal texts in their order with at least one byte for each parameter.
    fn matches(&self, segment: &[u8]) -> bool {
        let middle = segment
            .strip_prefix(self.before.as_bytes())
            .and_then(|segment| segment.strip_suffix(self.after.as_bytes()));
        let Some(mut rest) = middle else { return false };
        // Taking each text at its first possible place leaves the most for those after it.
        for text in &self.between {
            match rest.split_first().and_then(|(_, tail)| after_first(tail, text.as_bytes())) {
                Some(tail) => rest = tail,
                None => return false,
            }
        }
        !rest.is_empty()
    }
}

impl<V: Clone + Default> ByLength<V> {
    fn under(&mut self, text: &str) -> &mut V {
        if !self.values.contains(text) {
            match self.lengths.iter_mut().find(|(length, _)| *length == text.len()) {
                Some((_, count)) => *count += 1,
                None => self.lengths.push((text.len(), 1)),
            }
        }
        self.values.under(text.as_bytes())
    }

    fn change(&mut self, text: &str, change: impl FnOnce(&mut V) -> bool) {
        let before = self.values.len();
        self.values.change(text.as_bytes(), change);
        if self.values.len() < before {
            self.lengths
                .iter_mut()
                .filter(|(length, _)| *length == text.len())
                .for_each(|(_, count)| *count -= 1);
            self.lengths.retain(|(_, count)| *count > 0);
        }
    }
}

impl<V> ByLength<V> {
    /// The values whose text `longer` starts with.
    fn starting<'v>(&'v self, longer: &[u8]) -> impl Iterator<Item = &'v V> {
        let text = move |length: usize| longer.get(..length);
        self.lengths.iter().filter_map(move |(length, _)| Some(&self.values.get(text(*length)?)?.value))
    }

    /// The values whose text `longer` ends with.
    fn ending<'v>(&'v self, longer: &[u8]) -> impl Iterator<Item = &'v V> {
        let text = move |length: usize| longer.get(longer.len().checked_sub(length)?..);
        self.lengths.iter().filter_map(move |(length, _)| Some(&self.values.get(text(*length)?)?.value))
    }
}

impl<V> Default for ByLength<V> {
    fn default() -> Self {
        Self { lengths: Vec::new(), values: Table::default() }
    }
}

/// The first segment and what follows its slash, if there is one.
fn split_segment(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = path.splitn(2, |byte| *byte == b'/');
    (parts.next().unwrap_or_default(), parts.next())
}

/// What follows the first occurrence of `text`.
fn after_first<'s>(bytes: &'s [u8], text: &[u8]) -> Option<&'s [u8]> {
    let last = bytes.len().checked_sub(text.len())?;
    (0..=last).find_map(|at| bytes.get(at..)?.strip_prefix(text))
}
