//! That a scrape holds nobody up, and that workers share series.

use super::*;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::cell::RefCell;

type Probes = Family<[(&'static str, usize); 1], Probe>;

thread_local! {
    static UNDER_TEST: RefCell<Option<Probes>> = const { RefCell::new(None) };
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
