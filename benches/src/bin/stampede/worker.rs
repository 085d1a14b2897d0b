//! One process of the stampede: does what lines on its standard input say.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cached_benches::fleet::{BODY, Way, since_epoch};
use cached_runtime::{Cache, cache_result};
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc;

/// The second server, which is told of each run.
static COUNTS: OnceLock<MultiplexedConnection> = OnceLock::new();

/// Who calls, for the body to say so.
struct Caller {
    task: usize,
    /// Where the task that runs the body first is to be named, in order to be aborted.
    abort: Option<mpsc::UnboundedSender<usize>>,
}

#[cache_result(ttl = 60, skip(caller))]
async fn slow(key: &str, caller: &Caller) -> String {
    let told = async {
        let mut counts = COUNTS.get().expect("connected at first").clone();
        let run = format!("{} {}", std::process::id(), since_epoch().as_nanos());
        let runs: u64 =
            redis::cmd("RPUSH").arg(key).arg(run).query_async(&mut counts).await.unwrap();
        if let (Some(abort), 1) = (&caller.abort, runs) {
            // Half-way.
            tokio::time::sleep(BODY / 2).await;
            abort.send(caller.task).unwrap();
        }
    };
    tokio::join!(tokio::time::sleep(BODY), told);
    format!("the answer for {key}")
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn work(arguments: &[String]) {
    let [url, counts, tasks, deadline, lease] = arguments else { panic!("{arguments:?}") };
    let millis = |text: &String| Duration::from_millis(text.parse().unwrap());
    let (tasks, deadline) = (tasks.parse().unwrap(), millis(deadline));
    let mut cache = Cache::builder().url(url).lease(millis(lease));
    if !deadline.is_zero() {
        cache = cache.lookup_deadline(deadline).commit_deadline(deadline);
    }
    cache.build().await.unwrap().install().unwrap();
    let client = redis::Client::open(counts.as_str()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    COUNTS.set(connection).unwrap_or_else(|_| panic!("connected once"));

    println!("ready");
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        let mut words = order.split(' ');
        let (Some(way), Some(key), Some(begin)) =
            (words.next().and_then(Way::of), words.next(), words.next())
        else {
            panic!("{order}")
        };
        let begin = Duration::from_nanos(begin.parse().unwrap());
        let (last, served) = round(tasks, way, key, begin).await;
        println!("{} {served}", last.as_nanos());
    }
}

fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    orders
}

/// How long the last of the callers took from the beginning, and how many were served.
async fn round(tasks: usize, way: Way, key: &str, begin: Duration) -> (Duration, usize) {
    let begin = Instant::now() + begin.saturating_sub(since_epoch());
    let (abort, mut to_abort) = mpsc::unbounded_channel();
    let abort = (way == Way::Abort).then_some(abort);
    let key: Arc<str> = key.into();
    let calls: Vec<_> = (0..tasks)
        .map(|task| {
            let (key, caller) = (Arc::clone(&key), Caller { task, abort: abort.clone() });
            tokio::spawn(async move {
                tokio::time::sleep_until(begin.into()).await;
                if way == Way::Sleep {
                    tokio::time::sleep(BODY).await;
                } else {
                    let answer = slow(&key, &caller).await;
                    assert!(answer.ends_with(&*key), "{answer}");
                }
                begin.elapsed()
            })
        })
        .collect();
    drop(abort);
    // Ends when no caller is left that could name itself.
    let aborting: Vec<_> = calls.iter().map(tokio::task::JoinHandle::abort_handle).collect();
    let aborting = tokio::spawn(async move {
        while let Some(task) = to_abort.recv().await {
            aborting[task].abort();
        }
    });
    let (mut last, mut served) = (Duration::ZERO, 0);
    for call in calls {
        match call.await {
            Ok(took) => {
                last = last.max(took);
                served += 1;
            }
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    aborting.await.unwrap();
    (last, served)
}
