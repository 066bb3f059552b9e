use super::*;
use crate::outbound::testing::with_clock;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// A server whose answers are the numbers of their questions, or a fault while it is down.
struct Server {
    fetched: Arc<Fetched<u32>>,
    asked: Cell<u32>,
    is_down: Cell<bool>,
    ttl: Cell<Duration>,
    /// One for each answer that may come.
    permits: Semaphore,
    known: RefCell<Vec<Arc<u32>>>,
}

impl Server {
    fn new() -> Rc<Self> {
        let times = Times { stale: 60 * SECOND, pause: 5 * SECOND };
        Rc::new(Self {
            fetched: Arc::new(Fetched::new(&"https://idp.example/keys".into(), times)),
            asked: Cell::new(0),
            is_down: Cell::new(false),
            ttl: Cell::new(10 * SECOND),
            permits: Semaphore::new(1000),
            known: RefCell::default(),
        })
    }

    async fn answer(self: Rc<Self>) -> Result<Fresh<u32>, Fault> {
        self.asked.set(self.asked.get() + 1);
        self.permits.acquire().await.unwrap().forget();
        match self.is_down.get() {
            true => Err(Fault::new(&"https://idp.example/keys".into(), "connection refused")),
            false => Ok(Fresh { value: self.asked.get(), ttl: self.ttl.get() }),
        }
    }

    async fn get(self: &Rc<Self>) -> Result<u32, String> {
        let outcome = self.fetched.get(|| self.clone().answer()).await;
        outcome.map(|value| *value).map_err(|fault| fault.to_string())
    }

    /// Another value than the one that [`Self::get`] gives now.
    async fn other(self: &Rc<Self>) -> u32 {
        let value = self.fetched.get(|| self.clone().answer()).await.unwrap();
        self.known.borrow_mut().push(value.clone());
        *self.fetched.other_than(Some(&value), || self.clone().answer()).await.unwrap()
    }

    fn ask(self: &Rc<Self>) -> JoinHandle<Result<u32, String>> {
        let server = self.clone();
        spawn_local(async move { server.get().await })
    }
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn is_fetched_once_however_many_wait() {
    with_clock(|| async {
        let server = Server::new();
        server.permits.forget_permits(1000);
        let waiting: Vec<_> = (0..100).map(|_| server.ask()).collect();
        settle().await;
        server.permits.add_permits(1);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(1));
        }
        assert_eq!((server.asked.get(), server.get().await), (1, Ok(1)));
    });
}

#[test]
fn whoever_goes_away_takes_nothing_from_the_others() {
    with_clock(|| async {
        let server = Server::new();
        server.permits.forget_permits(1000);
        let (first, second) = (server.ask(), server.ask());
        settle().await;
        first.abort();
        settle().await;
        server.permits.add_permits(1);
        assert_eq!((second.await.unwrap(), server.asked.get()), (Ok(1), 1));
    });
}

#[test]
fn is_renewed_before_its_time_is_over_while_it_is_used() {
    with_clock(|| async {
        let server = Server::new();
        assert_eq!(server.get().await, Ok(1));
        advance(7 * SECOND).await;
        assert_eq!((server.get().await, server.asked.get()), (Ok(1), 1));
        assert!(server.fetched.at_hand().is_some());
        advance(2 * SECOND).await;
        assert!(server.fetched.at_hand().is_none());
        assert_eq!(server.get().await, Ok(1));
        settle().await;
        assert_eq!((server.get().await, server.asked.get()), (Ok(2), 2));
    });
}

#[test]
fn what_is_over_is_waited_for() {
    with_clock(|| async {
        let server = Server::new();
        assert_eq!(server.get().await, Ok(1));
        advance(11 * SECOND).await;
        assert_eq!(server.get().await, Ok(2));
    });
}

#[test]
fn the_last_good_one_serves_for_a_while_where_the_server_is_down() {
    with_clock(|| async {
        let server = Server::new();
        assert_eq!(server.get().await, Ok(1));
        server.is_down.set(true);
        advance(11 * SECOND).await;
        for _ in 0..10 {
            assert_eq!((server.get().await, server.asked.get()), (Ok(1), 2));
        }
        advance(6 * SECOND).await;
        assert_eq!(server.get().await, Ok(1));
        settle().await;
        assert_eq!(server.asked.get(), 3);
        advance(60 * SECOND).await;
        assert_eq!(server.get().await, Err("https://idp.example/keys: connection refused".into()));
        server.is_down.set(false);
        advance(6 * SECOND).await;
        assert_eq!(server.get().await, Ok(5));
    });
}

#[test]
fn a_server_that_failed_is_left_alone_for_a_moment() {
    with_clock(|| async {
        let server = Server::new();
        server.is_down.set(true);
        for _ in 0..10 {
            assert!(server.get().await.is_err());
        }
        assert_eq!(server.asked.get(), 1);
        server.is_down.set(false);
        advance(6 * SECOND).await;
        assert_eq!(server.get().await, Ok(2));
    });
}

#[test]
fn another_one_is_fetched_out_of_turn_but_not_again_and_again() {
    with_clock(|| async {
        let server = Server::new();
        assert_eq!(server.other().await, 1, "it was fetched just now");
        advance(6 * SECOND).await;
        for _ in 0..10 {
            assert_eq!((server.other().await, server.asked.get()), (2, 2));
        }
        server.is_down.set(true);
        advance(6 * SECOND).await;
        assert_eq!((server.other().await, server.asked.get()), (2, 3));
        advance(SECOND).await;
        assert_eq!((server.other().await, server.asked.get()), (2, 3));
    });
}

#[test]
fn what_may_not_be_kept_is_for_those_who_wait() {
    with_clock(|| async {
        let server = Server::new();
        server.ttl.set(Duration::ZERO);
        server.permits.forget_permits(1000);
        let waiting = [server.ask(), server.ask()];
        settle().await;
        server.permits.add_permits(1000);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(1));
        }
        assert_eq!((server.get().await, server.get().await), (Ok(2), Ok(3)));
    });
}

#[test]
fn somebody_else_fetches_where_a_worker_ends() {
    let server = Server::new().fetched.clone();
    with_clock(|| async {
        let fetched = server.clone();
        let never = spawn_local(async move { fetched.get(std::future::pending).await });
        settle().await;
        never.abort();
    });
    let again = with_clock(|| async { server.get(|| async { Ok(Fresh { value: 7, ttl: SECOND }) }).await });
    assert_eq!(*again.unwrap(), 7);
}
