//! A future beside the main one of a task, polled only when it was woken itself. What a connection waits for now and then,
//! such as a timer, so costs nothing each time that bytes come.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// `future`, polled when its bell has rung.
pub struct Belled<F> {
    future: F,
    bell: Arc<Bell>,
    waker: Waker,
}

struct Bell {
    has_rung: AtomicBool,
    /// The task's, as of the last time that the future was polled: a task has one for life.
    task: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<F: Future + Unpin> Belled<F> {
    pub fn new(future: F) -> Self {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), task: Mutex::new(None) });
        Self { future, waker: bell.clone().into(), bell }
    }
}

impl<F: Future + Unpin> Future for Belled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if !self.bell.has_rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // In this order, so that a bell which rings from here on wakes the task again.
        self.bell.task.lock().unwrap_or_else(PoisonError::into_inner).replace(context.waker().clone());
        self.bell.has_rung.store(false, Ordering::Release);
        let this = &mut *self;
        Pin::new(&mut this.future).poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;

    #[derive(Default)]
    struct Counter(AtomicBool);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_polled_once_for_each_ring_and_wakes_its_task() {
        let (polls, inner) = (Cell::new(0), Cell::new(None::<Waker>));
        let mut belled = Belled::new(Box::pin(poll_fn(|context| {
            polls.set(polls.get() + 1);
            inner.set(Some(context.waker().clone()));
            if polls.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
        })));
        let woken = Arc::new(Counter::default());
        let task = Waker::from(woken.clone());
        let mut context = Context::from_waker(&task);
        let mut belled = pin!(&mut belled);
        for expected in [1, 2] {
            for _ in 0..3 {
                assert!(belled.as_mut().poll(&mut context).is_pending());
                assert_eq!(polls.get(), expected);
            }
            inner.take().unwrap().wake();
            assert!(woken.0.swap(false, Ordering::Relaxed));
        }
        assert!(belled.as_mut().poll(&mut context).is_ready());
    }
}
