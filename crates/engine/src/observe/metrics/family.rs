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
mod tests;
