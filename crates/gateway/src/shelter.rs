//! Work that outlives the request that began it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};

/// A future that, when its waiter drops it unfinished, is finished by a task of its own, within a
/// bound. While the waiter stays, there is no extra task.
pub(crate) struct Shelter<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    wait_max: Duration,
}

impl<T: Send + 'static> Shelter<T> {
    /// Shelters `work`, for `wait_max_ms` after its waiter has gone.
    pub(crate) fn new(wait_max_ms: u32, work: impl Future<Output = T> + Send + 'static) -> Self {
        let wait_max = Duration::from_millis(wait_max_ms.into());
        Self { work: Some(Box::pin(work)), wait_max }
    }
}

impl<T: Send + 'static> Future for Shelter<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Shelter<T> {
    fn drop(&mut self) {
        // Outside a runtime there is nothing left to finish it.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            runtime.spawn(timeout(self.wait_max, work));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        sync::oneshot,
        time::{sleep, timeout},
    };

    use super::Shelter;

    #[tokio::test]
    async fn work_goes_on_when_its_waiter_leaves() {
        let (done, seen) = oneshot::channel();
        let work = async move {
            sleep(Duration::from_millis(20)).await;
            done.send(()).unwrap();
        };
        assert!(timeout(Duration::from_millis(1), Shelter::new(1_000, work)).await.is_err());
        seen.await.unwrap();
    }

    #[tokio::test]
    async fn work_ends_at_its_bound() {
        let (done, seen) = oneshot::channel::<()>();
        let work = async move {
            sleep(Duration::from_secs(60)).await;
            drop(done);
        };
        drop(Shelter::new(5, work));
        assert!(timeout(Duration::from_secs(5), seen).await.unwrap().is_err());
    }
}
