//! Something that is fetched from another server and used many times: once for all who wait, on all workers.
//!
//! It is renewed before its time is over, while it is still used. Where fetching fails the last good one serves for a
//! while longer, and the server is left alone for a moment. The fetch is a task of its own on the worker that began it, so
//! a client who goes away takes nothing from others. The lock is held for a look and never while something is waited for.

use super::Fault;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often somebody begins anew where the worker that fetched has ended meanwhile.
const MOST_ATTEMPTS: usize = 3;

/// What is allowed beyond the time that a value has.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How much longer the last good value is used where there is no other to be had.
    pub stale: Duration,
    /// For how long nobody asks after a failure, nor out of turn after any fetch.
    pub pause: Duration,
}

/// What a fetch gives.
pub struct Fresh<T> {
    pub value: T,
    /// For how long it may be used. Zero: by those only who wait for it.
    pub ttl: Duration,
}

pub struct Fetched<T> {
    server: Arc<str>,
    times: Times,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    good: Option<Good<T>>,
    /// The last failure, where nothing was fetched since, and until when nobody asks.
    failure: Option<(Fault, Instant)>,
    /// When the last fetch began.
    begun: Option<Instant>,
    flight: Option<Landing<T>>,
}

struct Good<T> {
    value: Arc<T>,
    renew_at: Instant,
    fresh_until: Instant,
    usable_until: Instant,
}

type Outcome<T> = Result<Arc<T>, Fault>;
/// Has the outcome when there is one; closed without, where the worker has ended.
type Landing<T> = watch::Receiver<Option<Outcome<T>>>;

/// What somebody who wants the value does.
enum Next<T> {
    Done(Outcome<T>),
    Wait(Landing<T>),
    /// Begins a fetch, and does not wait for it where there is a value.
    Begin(Flight<T>, Option<Arc<T>>),
}

/// A fetch under way. However it ends, somebody else can begin another one then.
struct Flight<T> {
    fetched: Arc<Fetched<T>>,
    landed: watch::Sender<Option<Outcome<T>>>,
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.fetched.lock().flight = None;
    }
}

impl<T> Fetched<T> {
    /// Nothing yet, of `server`, which faults name.
    pub fn new(server: &Arc<str>, times: Times) -> Self {
        let known = Known { good: None, failure: None, begun: None, flight: None };
        Self { server: server.clone(), times, known: Mutex::new(known) }
    }

    /// The value where it can be had at once and need not be renewed.
    pub fn at_hand(&self) -> Option<Arc<T>> {
        let now = Instant::now();
        let known = self.lock();
        known.good.as_ref().filter(|good| now < good.renew_at).map(|good| good.value.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known already, or has to be done. `but` is a value that did not have what is looked for.
    fn next(self: &Arc<Self>, but: Option<&Arc<T>>) -> Next<T> {
        let now = Instant::now();
        let mut known = self.lock();
        let failing = known.failure.as_ref().map(|(fault, until)| (fault.clone(), now < *until));
        let good = known.good.as_ref().filter(|good| now < good.usable_until);
        let value = good.map(|good| good.value.clone());
        let is_other = but.is_none_or(|but| value.as_ref().is_some_and(|value| !Arc::ptr_eq(value, but)));
        let is_pausing = match (&failing, but) {
            (Some((_, true)), _) => true,
            (_, Some(_)) => known.begun.is_some_and(|begun| now < begun + self.times.pause),
            (_, None) => false,
        };
        if let Some(good) = good
            && is_other
            && (now < good.fresh_until || failing.is_some())
        {
            let begins = now >= good.renew_at && known.flight.is_none() && !is_pausing;
            return match begins {
                true => Next::Begin(self.begin(&mut known, now), value),
                false => Next::Done(Ok(good.value.clone())),
            };
        }
        if let Some(flight) = &known.flight {
            return Next::Wait(flight.clone());
        }
        match (value, failing) {
            (Some(value), _) if is_pausing => Next::Done(Ok(value)),
            (None, Some((fault, _))) if is_pausing => Next::Done(Err(fault)),
            _ => Next::Begin(self.begin(&mut known, now), None),
        }
    }

    fn begin(self: &Arc<Self>, known: &mut Known<T>, now: Instant) -> Flight<T> {
        let (landed, landing) = watch::channel(None);
        (known.flight, known.begun) = (Some(landing), Some(now));
        Flight { fetched: self.clone(), landed }
    }

    /// Takes in what a fetch gave. Those who wait get the last good value where it failed.
    fn land(&self, outcome: Result<Fresh<T>, Fault>) -> Outcome<T> {
        let now = Instant::now();
        let mut known = self.lock();
        match outcome {
            Ok(Fresh { value, ttl }) => {
                let value = Arc::new(value);
                known.failure = None;
                known.good = Some(Good {
                    value: value.clone(),
                    renew_at: now + ttl.mul_f64(0.8),
                    fresh_until: now + ttl,
                    usable_until: now + ttl + self.times.stale,
                });
                Ok(value)
            }
            Err(fault) => {
                known.failure = Some((fault.clone(), now + self.times.pause));
                let good = known.good.as_ref().filter(|good| now < good.usable_until);
                good.map(|good| good.value.clone()).ok_or(fault)
            }
        }
    }
}

impl<T: Send + Sync + 'static> Fetched<T> {
    /// The value, fetched by `fetch` where that is needed. Runs on a worker.
    pub async fn get<F>(self: &Arc<Self>, fetch: impl Fn() -> F) -> Outcome<T>
    where
        F: Future<Output = Result<Fresh<T>, Fault>> + 'static,
    {
        self.other_than(None, fetch).await
    }

    /// The same, where `but` did not have what is looked for: another value, unless none was to be had or the last one
    /// was fetched just now.
    pub async fn other_than<F>(self: &Arc<Self>, but: Option<&Arc<T>>, fetch: impl Fn() -> F) -> Outcome<T>
    where
        F: Future<Output = Result<Fresh<T>, Fault>> + 'static,
    {
        for _ in 0..MOST_ATTEMPTS {
            let mut landing = match self.next(but) {
                Next::Done(outcome) => return outcome,
                Next::Wait(landing) => landing,
                Next::Begin(flight, value) => {
                    let landing = flight.landed.subscribe();
                    tokio::task::spawn_local(fly(flight, fetch()));
                    match value {
                        Some(value) => return Ok(value),
                        None => landing,
                    }
                }
            };
            if let Ok(landed) = landing.wait_for(Option::is_some).await
                && let Some(outcome) = &*landed
            {
                return outcome.clone();
            }
        }
        Err(Fault::new(&self.server, "asking it was broken off"))
    }
}

async fn fly<T>(flight: Flight<T>, fetch: impl Future<Output = Result<Fresh<T>, Fault>>) {
    let outcome = flight.fetched.land(fetch.await);
    // Nobody may be waiting.
    flight.landed.send_replace(Some(outcome));
}

#[cfg(test)]
mod tests;
