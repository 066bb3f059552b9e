//! A family: one metric's series by their labels. Unlike prometheus-client's own, it is not locked while its text is
//! made.
//!
//! Workers take the lock for a look-up, and to enter a series that is new. A scrape takes it for a few handles at a
//! time and writes their text without it, so the longest that a worker waits is the time of copying [`AT_ONCE`]
//! pointers, however many series there are. This works because series are only ever added: a position, once taken,
//! stays.

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Handles that a scrape takes under one lock.
const AT_ONCE: usize = 256;

/// Series of the metric `M` by labels `S`. Clones are handles of the same series.
#[derive(Debug)]
pub struct Family<S, M>(Arc<RwLock<Known<S, M>>>);

#[derive(Debug)]
struct Known<S, M> {
    by_labels: HashMap<S, M>,
    /// The same in the order in which they came.
    in_order: Vec<Arc<(S, M)>>,
}

impl<S, M> Clone for Family<S, M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, M> Default for Family<S, M> {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Known { by_labels: HashMap::new(), in_order: Vec::new() })))
    }
}

impl<S, M> Family<S, M> {
    fn read(&self) -> RwLockReadGuard<'_, Known<S, M>> {
        // A series that is in one of the two and not in the other is at worst not shown.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next series from position `from` on; empty where there are no more.
    fn some(&self, from: usize) -> Vec<Arc<(S, M)>> {
        self.read().in_order.iter().skip(from).take(AT_ONCE).cloned().collect()
    }
}

impl<S: Clone + Eq + Hash, M: Clone + Default> Family<S, M> {
    /// A handle of the series with these labels, which is made where there is none.
    pub fn series(&self, labels: &S) -> M {
        if let Some(known) = self.read().by_labels.get(labels) {
            return known.clone();
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have been faster.
        if let Some(known) = known.by_labels.get(labels) {
            return known.clone();
        }
        let metric = M::default();
        known.in_order.push(Arc::new((labels.clone(), metric.clone())));
        known.by_labels.insert(labels.clone(), metric.clone());
        metric
    }

    /// Whether there is a series with these labels.
    pub fn has(&self, labels: &S) -> bool {
        self.read().by_labels.contains_key(labels)
    }
}

impl<S, M: TypedMetric> TypedMetric for Family<S, M> {
    const TYPE: MetricType = M::TYPE;
}

impl<S: EncodeLabelSet, M: EncodeMetric + TypedMetric> EncodeMetric for Family<S, M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut from = 0;
        loop {
            let some = self.some(from);
            if some.is_empty() {
                return Ok(());
            }
            from += some.len();
            for series in some {
                let (labels, metric) = &*series;
                metric.encode(encoder.encode_family(labels)?)?;
            }
        }
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }

    fn is_empty(&self) -> bool {
        self.read().in_order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::registry::Registry;
    use std::cell::RefCell;

    thread_local! {
        static UNDER_TEST: RefCell<Option<Family<[(&'static str, usize); 1], Probe>>> = const { RefCell::new(None) };
    }

    /// Fails to be encoded while its family is locked.
    #[derive(Clone, Debug, Default)]
    struct Probe;

    impl TypedMetric for Probe {
        const TYPE: MetricType = MetricType::Gauge;
    }

    impl EncodeMetric for Probe {
        fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
            UNDER_TEST.with_borrow(|family| {
                assert!(family.as_ref().unwrap().0.try_write().is_ok(), "the family is locked");
            });
            encoder.encode_gauge(&1_i64)
        }

        fn metric_type(&self) -> MetricType {
            Self::TYPE
        }
    }

    #[test]
    fn a_family_is_not_locked_while_its_text_is_made() {
        let family = Family::default();
        for number in 0..AT_ONCE * 2 + 1 {
            family.series(&[("number", number)]);
        }
        UNDER_TEST.set(Some(family.clone()));
        let mut registry = Registry::default();
        registry.register("probe", "A probe", family);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for number in 0..AT_ONCE * 2 + 1 {
            let line = format!("probe{{number=\"{number}\"}} 1\n");
            assert_eq!(text.matches(&line).count(), 1, "{line}");
        }
    }

    #[test]
    fn the_same_labels_are_one_series_for_all_workers() {
        let family = Family::<[(&str, &str); 1], Counter>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        family.series(&[("a", "b")]).inc();
                    }
                });
            }
        });
        assert_eq!(family.series(&[("a", "b")]).get(), 4000);
        assert_eq!(family.read().in_order.len(), 1);
    }
}
