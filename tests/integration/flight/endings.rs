//! A leader that goes away, at whatever point, and one that panics: its followers are served.

use std::task::Poll;

use super::*;

/// Polls a call this often, each time when it asked to be, and says what it came to.
async fn poll_times<T>(call: &mut Call<T>, times: usize) -> Option<T> {
    let mut left = times;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cache_result(ttl = 60, skip(body))]
async fn in_steps(body: Arc<Body>, id: u64) -> u64 {
    let run = body.run().await;
    turns().await;
    run
}

fn call(cache: &Cache, body: &Arc<Body>, id: u64) -> Call<u64> {
    Box::pin(scope(cache.clone(), in_steps(Arc::clone(body), id)))
}

/// What the world does between the last poll of a leader and its end.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    /// Only the followers have joined.
    Little,
    /// Whatever the leader asked of the server was answered.
    Answers,
}

/// A leader dropped after each number of polls from none to all that it takes. A follower takes
/// over: at most one more run, a value at the end.
#[tokio::test]
async fn a_leader_dropped_at_any_point_is_replaced() {
    on_each_store(async |cache| {
        for meanwhile in [Meanwhile::Little, Meanwhile::Answers] {
            let mut points = 0;
            for polls in 0.. {
                let (body, id) = (Body::free(), 1000 * (meanwhile as u64) + polls as u64);
                let what = format!("{meanwhile:?}, dropped after {polls} polls");
                let mut leader = call(&cache, &body, id);
                let followers = spawn_all(3, &cache, || call(&cache, &body, id));
                let first = in_time(poll_times(&mut leader, polls)).await;
                match meanwhile {
                    Meanwhile::Little => turns().await,
                    // The answer sends the leader no notice that others could await.
                    Meanwhile::Answers => tokio::time::sleep(Duration::from_millis(5)).await,
                }
                drop(leader);
                let values = all(followers).await;
                let runs = body.runs();
                assert!((1..=2).contains(&runs), "{what}: {runs} runs");
                assert!(
                    values.iter().all(|value| (1..=runs).contains(value)),
                    "{what}: {values:?}"
                );
                cache.shutdown().await;
                let stored = scope(cache.clone(), in_steps::peek(id)).await.unwrap();
                assert_eq!(stored, Some(values[2]), "{what}: {values:?}, {runs} runs");
                let later = in_time(call(&cache, &body, id)).await;
                assert_eq!((Some(later), body.runs()), (stored, runs), "{what}: a hit");
                if first.is_some() {
                    assert_eq!(runs, 1, "{what}");
                    break;
                }
                points += 1;
            }
            assert!(points > 10, "{points} points to be dropped at");
        }
        let total = cache.stats().total;
        assert_eq!((total.bypasses, total.writes_refused), (0, 0), "{total}");
    })
    .await;
}

/// Followers that go away, the one that was just handed the lead among them.
#[tokio::test]
async fn callers_that_give_up_hold_up_nobody() {
    on_each_store(async |cache| {
        let body = Body::new();
        let mut calls = spawn_all(30, &cache, || value(Arc::clone(&body), 1));
        body.a_run_has_begun().await;
        // The leader, and every second of those who wait for it.
        for call in calls.iter().step_by(2) {
            call.abort();
        }
        for gone in (0..15).rev() {
            let gone = in_time(calls.remove(2 * gone)).await;
            assert!(gone.unwrap_err().is_cancelled());
        }
        body.a_run_has_begun().await;
        // The one that took over, and those behind it but the last.
        calls[..14].iter().for_each(JoinHandle::abort);
        for call in calls.drain(..14) {
            assert!(in_time(call).await.unwrap_err().is_cancelled());
        }
        body.let_all_end();
        let last = all(calls).await;
        assert_eq!((last, body.runs()), (vec![3], 3));
        assert_settled(&cache, 1, 3).await;
    })
    .await;
}

/// The last caller of a flight goes away: nothing is left of it.
#[tokio::test]
async fn a_flight_whose_callers_all_gave_up_is_over() {
    on_each_store(async |cache| {
        let body = Body::new();
        let calls = spawn_all(10, &cache, || value(Arc::clone(&body), 1));
        body.a_run_has_begun().await;
        calls.iter().for_each(JoinHandle::abort);
        for call in calls {
            assert!(in_time(call).await.unwrap_err().is_cancelled());
        }
        body.let_all_end();
        let later = in_time(scope(cache.clone(), value(Arc::clone(&body), 1))).await;
        assert_eq!(later, body.runs());
        assert_settled(&cache, 1, later).await;
    })
    .await;
}

#[cache_result(ttl = 60, skip(body))]
async fn panics_at_first(body: Arc<Body>) -> u64 {
    let run = body.run().await;
    assert!(run > 1, "on purpose");
    run
}

#[tokio::test]
async fn a_panic_is_its_callers_own() {
    on_each_store(async |cache| {
        let body = Body::new();
        let mut calls = spawn_all(20, &cache, || panics_at_first(Arc::clone(&body)));
        body.a_run_has_begun().await;
        body.let_all_end();
        let first = in_time(calls.remove(0)).await;
        assert!(first.unwrap_err().is_panic());
        assert_eq!((all(calls).await, body.runs()), (vec![2; 19], 2));
        cache.shutdown().await;
        assert_eq!(scope(cache.clone(), panics_at_first::peek()).await.unwrap(), Some(2));
    })
    .await;
}

/// Nobody is given a value that its author does not want kept as if it were kept: those who joined
/// the run share it, whoever comes later runs the body again.
#[tokio::test]
async fn a_value_that_is_not_kept_is_shared_by_those_who_waited() {
    #[cache_result(ttl = 60, skip(body), cache_if = |_| false)]
    async fn not_kept(body: Arc<Body>) -> u64 {
        body.run().await
    }
    on_each_store(async |cache| {
        let body = Body::new();
        let calls = spawn_all(10, &cache, || not_kept(Arc::clone(&body)));
        body.a_run_has_begun().await;
        body.let_all_end();
        assert_eq!(all(calls).await, [1; 10]);
        assert_eq!(in_time(scope(cache.clone(), not_kept(Arc::clone(&body)))).await, 2);
        assert_each_counted_once(&cache.stats().total, 11);
    })
    .await;
}
