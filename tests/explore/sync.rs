//! What the flights share between threads, in types whose every step is scheduled.

use std::cell::RefCell;

pub(super) use shuttle::sync::{Mutex, MutexGuard};

use super::nesting::Waits;

shuttle::lazy_static! {
    pub(super) static ref WAITS: Mutex<Waits> = Mutex::new(Waits::new());
}

shuttle::thread_local! {
    pub(super) static LEADING: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

/// tokio's channel, with a turn of the scheduler before each use of it.
pub(super) mod oneshot {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use shuttle::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::oneshot::{self, error};

    pub(in super::super) struct Sender<T>(oneshot::Sender<T>);
    pub(in super::super) struct Receiver<T>(oneshot::Receiver<T>);

    pub(in super::super) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Sender(sender), Receiver(receiver))
    }

    fn turn() {
        AtomicBool::new(false).load(Ordering::SeqCst);
    }

    impl<T> Sender<T> {
        pub(in super::super) fn send(self, value: T) -> Result<(), T> {
            turn();
            self.0.send(value)
        }

        pub(in super::super) fn is_closed(&self) -> bool {
            turn();
            self.0.is_closed()
        }
    }

    impl<T> Receiver<T> {
        pub(in super::super) fn close(&mut self) {
            turn();
            self.0.close();
        }

        pub(in super::super) fn try_recv(&mut self) -> Result<T, error::TryRecvError> {
            turn();
            self.0.try_recv()
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Result<T, error::RecvError>;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            turn();
            Pin::new(&mut self.0).poll(context)
        }
    }
}
