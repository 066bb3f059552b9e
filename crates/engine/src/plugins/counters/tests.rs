//! How hits are counted: windows and their edges, keys of any length, bounds, several workers at once.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn hit(
    counters: &Counters,
    (scope, value): (&str, &str),
    cost: u64,
    limit: u64,
    window: Duration,
    now: Instant,
) -> Hit {
    counters.hit(CounterKey { scope: &scope.into(), value }, cost, limit, window, now)
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn allows_as_many_hits_as_the_limit_and_then_none_until_the_window_ends() {
    let (counters, start) = (Counters::default(), Instant::now());
    let hit = |at| hit(&counters, ("a", "x"), 1, 2, MINUTE, at);
    assert_eq!(hit(start), Hit { allowed: true, remaining: 1, reset_after: MINUTE });
    let second = Hit { allowed: true, remaining: 0, reset_after: Duration::from_secs(50) };
    assert_eq!(hit(after(start, 10)), second);
    let third = Hit { allowed: false, remaining: 0, reset_after: Duration::from_secs(1) };
    assert_eq!(hit(after(start, 59)), third);
    assert_eq!(hit(after(start, 60)), Hit { allowed: true, remaining: 1, reset_after: MINUTE });
}

#[test]
fn a_refused_hit_costs_nothing() {
    let (counters, now) = (Counters::default(), Instant::now());
    assert!(hit(&counters, ("a", "x"), 3, 5, MINUTE, now).allowed);
    let refused = hit(&counters, ("a", "x"), 3, 5, MINUTE, now);
    assert_eq!((refused.allowed, refused.remaining), (false, 2));
    assert!(hit(&counters, ("a", "x"), 2, 5, MINUTE, now).allowed);
}

#[test]
fn scopes_and_values_are_counted_apart() {
    let (counters, now) = (Counters::default(), Instant::now());
    for one in [("a", "x"), ("a", "y"), ("b", "x"), ("ax", "")] {
        assert!(hit(&counters, one, 1, 1, MINUTE, now).allowed);
        assert!(!hit(&counters, one, 1, 1, MINUTE, now).allowed);
    }
    assert_eq!(counters.len(), 4);
}

#[test]
fn a_changed_limit_or_window_holds_from_the_next_hit_on() {
    let (counters, now) = (Counters::default(), Instant::now());
    hit(&counters, ("a", "x"), 1, 1, MINUTE * 60, now);
    assert!(!hit(&counters, ("a", "x"), 1, 1, MINUTE * 60, now).allowed);
    assert_eq!(hit(&counters, ("a", "x"), 1, 5, MINUTE * 60, now).remaining, 3);
    assert!(!hit(&counters, ("a", "x"), 1, 1, MINUTE, now).allowed);
    assert!(hit(&counters, ("a", "x"), 1, 1, MINUTE, after(now, 60)).allowed);
}

#[test]
fn ended_windows_are_dropped_as_new_keys_come() {
    let (counters, start) = (Counters::default(), Instant::now());
    for index in 0..10_000 {
        hit(&counters, ("a", &index.to_string()), 1, 1, MINUTE, start);
    }
    for index in 10_000..20_000 {
        hit(&counters, ("a", &index.to_string()), 1, 1, MINUTE, after(start, 61));
    }
    assert!(counters.len() < 11_000, "{} keys are remembered", counters.len());
}

#[test]
fn a_full_table_forgets_the_window_that_ends_soonest() {
    let (counters, start) = (Counters::with_capacity(1), Instant::now());
    let day = MINUTE * 60 * 24;
    hit(&counters, ("day", "x"), 1, 1, day, start);
    for index in 0..10_000 {
        hit(&counters, ("minute", &index.to_string()), 1, 1, MINUTE, start);
    }
    assert!(counters.len() <= SHARDS);

    let counters = Counters { capacity_of_shard: 2, ..Counters::default() };
    hit(&counters, ("day", "x"), 1, 1, day, start);
    for index in 0..10_000 {
        hit(&counters, ("minute", &index.to_string()), 1, 1, MINUTE, start);
    }
    assert!(!hit(&counters, ("day", "x"), 1, 1, day, start).allowed);
}

#[test]
fn a_renewed_window_outlives_the_end_that_it_first_had() {
    let (counters, start) = (Counters::with_capacity(SHARDS * 1000), Instant::now());
    hit(&counters, ("a", "x"), 1, 1, MINUTE, start);
    assert!(hit(&counters, ("a", "x"), 1, 1, MINUTE, after(start, 61)).allowed);
    for index in 0..10_000 {
        hit(&counters, ("other", &index.to_string()), 1, 1, MINUTE, after(start, 62));
    }
    assert!(!hit(&counters, ("a", "x"), 1, 1, MINUTE, after(start, 63)).allowed);
}

#[test]
fn a_window_longer_than_time_itself_does_no_harm() {
    let (counters, now) = (Counters::default(), Instant::now());
    assert!(hit(&counters, ("a", "x"), 1, 1, Duration::MAX, now).allowed);
    assert!(!hit(&counters, ("a", "x"), 1, 1, Duration::MAX, now).allowed);
}

#[test]
fn workers_together_are_allowed_no_more_than_the_limit() {
    let (counters, now) = (Counters::default(), Instant::now());
    let allowed: usize = std::thread::scope(|scope| {
        let worker =
            || (0..1000).filter(|_| hit(&counters, ("a", "x"), 1, 1500, MINUTE, now).allowed).count();
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(allowed, 1500);
}

#[test]
fn long_values_are_told_apart_and_take_no_room() {
    let (counters, now) = (Counters::default(), Instant::now());
    let long = "v".repeat(60_000);
    let values: Vec<String> = (0..100).map(|index| format!("{long}{index}")).collect();
    for value in &values {
        assert!(hit(&counters, ("a", value), 1, 1, MINUTE, now).allowed);
        assert!(!hit(&counters, ("a", value), 1, 1, MINUTE, now).allowed);
    }
    assert_eq!(counters.len(), values.len());
    for shard in &counters.shards {
        let shard = shard.lock().unwrap();
        assert!(shard.windows.iter().all(|window| window.value.len() <= LONGEST_VALUE));
    }
}

#[test]
fn values_of_each_length_around_the_bound_are_counted_apart() {
    let (counters, now) = (Counters::default(), Instant::now());
    for length in LONGEST_VALUE - 1..=LONGEST_VALUE + 2 {
        assert!(hit(&counters, ("a", &"x".repeat(length)), 1, 1, MINUTE, now).allowed, "{length}");
    }
}

#[test]
fn a_scope_is_kept_once_for_all_its_values() {
    let (counters, scope, now) = (Counters::default(), Arc::<str>::from("a"), Instant::now());
    for value in ["x", "y", "z"] {
        counters.hit(CounterKey { scope: &scope, value }, 1, 1, MINUTE, now);
    }
    assert_eq!(Arc::strong_count(&scope), 4);
}

#[test]
fn the_last_instant_of_a_window_belongs_to_it_and_its_end_to_the_next() {
    let (counters, start) = (Counters::default(), Instant::now());
    let end = start + MINUTE;
    assert!(hit(&counters, ("a", "x"), 1, 1, MINUTE, start).allowed);
    assert!(!hit(&counters, ("a", "x"), 1, 1, MINUTE, end - Duration::from_nanos(1)).allowed);
    assert!(hit(&counters, ("a", "x"), 1, 1, MINUTE, end).allowed);
    assert!(!hit(&counters, ("a", "x"), 1, 1, MINUTE, end).allowed);
}

#[test]
fn a_worker_whose_clock_lags_counts_in_the_window_that_has_begun() {
    let (counters, start) = (Counters::default(), Instant::now());
    hit(&counters, ("a", "x"), 1, 1, MINUTE, start);
    assert!(hit(&counters, ("a", "x"), 1, 1, MINUTE, start + MINUTE).allowed);
    let late = hit(&counters, ("a", "x"), 1, 1, MINUTE, start + MINUTE - Duration::from_secs(1));
    assert_eq!(late, Hit { allowed: false, remaining: 0, reset_after: MINUTE });
}

#[test]
fn workers_on_both_sides_of_a_windows_end_are_allowed_one_limit_each() {
    let (counters, start) = (Counters::default(), Instant::now());
    assert_eq!(hit(&counters, ("a", "x"), 1, 100, MINUTE, start).remaining, 99);
    let counters = &counters;
    let allowed: usize = std::thread::scope(|scope| {
        let worker =
            move |now| (0..1000).filter(|_| hit(counters, ("a", "x"), 1, 100, MINUTE, now).allowed).count();
        let before = start + MINUTE - Duration::from_nanos(1);
        let workers: Vec<_> = [before, start + MINUTE, before, start + MINUTE]
            .into_iter()
            .map(|now| scope.spawn(move || worker(now)))
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert!((100..=199).contains(&allowed), "{allowed}");
}
