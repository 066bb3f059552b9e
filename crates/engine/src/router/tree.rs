//! The patterns of one host as a search tree, and the search for those that match a path.
//!
//! Exact paths are one hash lookup. Other patterns share a tree of segments; text at the start or end of a segment is
//! looked up once per length that occurs, so the cost of a search follows the path and the shapes of the patterns,
//! not their number. A search collects the places where patterns end and then offers their values by rank, the order
//! that `pattern` defines; whether a value is taken is the caller's to say.

use super::pattern::{Order, Pattern, Segment, Template};
use smallvec::SmallVec;
use std::collections::HashMap;

/// A value and its place among all that this tree could offer; the smallest rank is offered first.
struct Entry<T> {
    rank: usize,
    value: T,
}

/// What is collected of a tree before it is built.
pub(super) struct Draft<T> {
    pub pattern: Pattern,
    pub order: Order,
    pub value: T,
}

/// The patterns of one host.
pub(super) struct Tree<T> {
    exact: HashMap<Box<[u8]>, Vec<Entry<T>>>,
    /// Longer paths need no hashing.
    longest_exact: usize,
    root: Node<T>,
}

/// The place after one segment of a pattern. All lists are in order of rank.
struct Node<T> {
    literals: HashMap<Box<[u8]>, Node<T>>,
    parameter: Option<Box<Node<T>>>,
    /// By the text before the first parameter, then by the text after the last.
    templates: ByLength<ByLength<Templates<T>>>,
    /// Patterns with a `*` in the next segment, by the text before it.
    prefixes: ByLength<Vec<Entry<T>>>,
    /// Patterns that end here.
    ends: Vec<Entry<T>>,
}

/// Templates that differ only between their parameters, with the place after each.
type Templates<T> = Vec<(Template, Node<T>)>;

/// Values by text, to be found from a longer text that starts or ends with it.
struct ByLength<V> {
    lengths: Vec<usize>,
    values: HashMap<Box<[u8]>, V>,
}

/// The lists of entries that match a path, each in order of rank.
///
/// More than the inline number of lists needs that many different patterns to match one path; only then it allocates.
struct Matches<'t, T> {
    lists: SmallVec<[&'t [Entry<T>]; 32]>,
    #[cfg(test)]
    visited: usize,
}

impl<T> Tree<T> {
    pub fn build(mut drafts: Vec<Draft<T>>) -> Self {
        drafts.sort_by(|one, other| one.order.cmp(&other.order));
        let mut tree = Self { exact: HashMap::new(), longest_exact: 0, root: Node::default() };
        for (rank, Draft { pattern, value, .. }) in drafts.into_iter().enumerate() {
            let entry = Entry { rank, value };
            if let Some(path) = pattern.exact() {
                tree.longest_exact = tree.longest_exact.max(path.len());
                tree.exact.entry(path.into_bytes().into_boxed_slice()).or_default().push(entry);
            } else {
                tree.root.place(&pattern.segments).push(entry);
            }
        }
        tree
    }

    /// The first value, in order, whose pattern matches `path` and that `accept` takes.
    pub fn find(&self, path: &str, accept: &mut impl FnMut(&T) -> bool) -> Option<&T> {
        let path = path.as_bytes();
        if path.len() <= self.longest_exact
            && let Some(entries) = self.exact.get(path)
            && let Some(entry) = entries.iter().find(|entry| accept(&entry.value))
        {
            return Some(&entry.value);
        }
        let mut matches = self.search(path);
        while let Some(value) = matches.take_first() {
            if accept(value) {
                return Some(value);
            }
        }
        None
    }

    fn search(&self, path: &[u8]) -> Matches<'_, T> {
        let mut matches = Matches {
            lists: SmallVec::new(),
            #[cfg(test)]
            visited: 0,
        };
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

impl<T> Node<T> {
    /// The list to which the entries of a pattern with these segments belong, created if need be.
    fn place(&mut self, segments: &[Segment]) -> &mut Vec<Entry<T>> {
        let Some((segment, following)) = segments.split_first() else {
            return &mut self.ends;
        };
        let next = match segment {
            Segment::Rest(text) => return self.prefixes.entry(text),
            Segment::Literal(text) => self.literals.entry(boxed(text)).or_default(),
            Segment::Parameter => self.parameter.get_or_insert_default(),
            Segment::Template(template) => {
                let alike = self.templates.entry(&template.before).entry(&template.after);
                let at = alike.iter().position(|(known, _)| known.between == template.between);
                let at = at.unwrap_or_else(|| {
                    alike.push((template.clone(), Self::default()));
                    alike.len() - 1
                });
                // The place was found or made just above.
                #[allow(clippy::indexing_slicing)]
                &mut alike[at].1
            }
        };
        next.place(following)
    }

    /// Adds what matches `rest`, the path after this node's slash; `None` when the path ends here.
    fn collect<'t>(&'t self, rest: Option<&[u8]>, matches: &mut Matches<'t, T>) {
        #[cfg(test)]
        {
            matches.visited += 1;
        }
        let Some(rest) = rest else {
            matches.add(&self.ends);
            return;
        };
        for entries in self.prefixes.starting(rest) {
            matches.add(entries);
        }
        let (segment, rest) = split_segment(rest);
        if let Some(node) = self.literals.get(segment) {
            node.collect(rest, matches);
        }
        if segment.is_empty() {
            return;
        }
        if let Some(node) = &self.parameter {
            node.collect(rest, matches);
        }
        for by_ending in self.templates.starting(segment) {
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
        Self {
            literals: HashMap::new(),
            parameter: None,
            templates: ByLength::default(),
            prefixes: ByLength::default(),
            ends: Vec::new(),
        }
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

impl<V: Default> ByLength<V> {
    fn entry(&mut self, text: &str) -> &mut V {
        if !self.lengths.contains(&text.len()) {
            self.lengths.push(text.len());
        }
        self.values.entry(boxed(text)).or_default()
    }
}

impl<V> ByLength<V> {
    /// The values whose text `longer` starts with.
    fn starting<'v>(&'v self, longer: &[u8]) -> impl Iterator<Item = &'v V> {
        self.lengths.iter().filter_map(move |length| self.values.get(longer.get(..*length)?))
    }

    /// The values whose text `longer` ends with.
    fn ending<'v>(&'v self, longer: &[u8]) -> impl Iterator<Item = &'v V> {
        let start = move |length: &usize| longer.len().checked_sub(*length);
        self.lengths.iter().filter_map(move |length| self.values.get(longer.get(start(length)?..)?))
    }
}

impl<V> Default for ByLength<V> {
    fn default() -> Self {
        Self { lengths: Vec::new(), values: HashMap::new() }
    }
}

impl<'t, T> Matches<'t, T> {
    fn add(&mut self, entries: &'t [Entry<T>]) {
        if !entries.is_empty() {
            self.lists.push(entries);
        }
    }

    /// Takes the value of the smallest rank out of all lists.
    fn take_first(&mut self) -> Option<&'t T> {
        let rank = |list: &&mut &'t [Entry<T>]| list.first().map_or(usize::MAX, |entry| entry.rank);
        let list = self.lists.iter_mut().min_by_key(rank)?;
        let (first, rest) = list.split_first()?;
        *list = rest;
        Some(&first.value)
    }
}

fn boxed(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
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
