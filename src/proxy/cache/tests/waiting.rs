//! Who asks the upstream, who waits for whom, and what becomes of a failure.

use std::cell::Cell;
use std::future::pending;

use tokio::time::{sleep, timeout};

use super::*;

/// An upstream that counts, takes a second, and then does this.
async fn slow(calls: &Cell<usize>, outcome: Result<Fetched, Problem>) -> Result<Fetched, Problem> {
    calls.set(calls.get() + 1);
    sleep(Duration::from_secs(1)).await;
    outcome
}

fn down() -> Problem {
    Problem::new(Kind::UpstreamUnreachable, "down")
}

/// Three who ask at once, and one who asks a little later.
async fn four(
    answer: impl Fn() -> Result<Fetched, Problem>,
) -> (Vec<Result<Outcome, Kind>>, usize, Duration) {
    let (cache, calls, begun) = (Cache::default(), Cell::new(0), Instant::now());
    let asked = question("/a", "", 0);
    let ask = async |wait: u64| {
        sleep(Duration::from_millis(wait)).await;
        let result = cache.answer(&asked, async |_| slow(&calls, answer()).await).await;
        result.map(|(_, outcome)| outcome).map_err(|problem| problem.kind())
    };
    let (a, b, c, d) = tokio::join!(ask(0), ask(0), ask(0), ask(500));
    (vec![a, b, c, d], calls.get(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_at_once_cost_one_call() {
    let second = Duration::from_secs(1);
    let (outcomes, calls, took) = four(|| Ok(fetched(200, "", "x"))).await;
    assert_eq!(outcomes, [Ok(Outcome::Miss), Ok(Outcome::Hit), Ok(Outcome::Hit), Ok(Outcome::Hit)]);
    assert!(calls == 1 && took < second * 2, "{calls} {took:?}");
    let (outcomes, calls, took) = four(|| Err(down())).await;
    assert_eq!(outcomes, [Err(Kind::UpstreamUnreachable); 4]);
    assert!(calls == 1 && took < second * 2, "{calls} {took:?}");
}

/// What is for the one only is asked for by each, side by side.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_kept_is_not_shared() {
    for headers in ["cache-control: private", "cache-control: no-cache"] {
        let (outcomes, calls, took) = four(|| Ok(fetched(200, headers, "x"))).await;
        assert_eq!(outcomes, [Ok(Outcome::Miss); 4], "{headers}");
        assert!(calls == 4 && took < Duration::from_secs(3), "{calls} {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_the_seat_to_the_next() {
    let (cache, calls) = (Cache::default(), Cell::new(0));
    let asked = question("/a", "", 0);
    let hangs = timeout(MINUTE / 2, cache.answer(&asked, async |_| pending().await));
    let next = cache.answer(&asked, async |_| slow(&calls, Ok(fetched(200, "", "x"))).await);
    let (gone, next) = tokio::join!(hangs, next);
    assert!(gone.is_err() && next.unwrap().1 == Outcome::Miss && calls.get() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_no_lock_behind() {
    let (cache, calls) = (Cache::default(), Cell::new(0));
    let asked = question("/a", "", 0);
    let panics = crate::proxy::caught(async {
        let fetch = async |_| {
            sleep(MINUTE / 2).await;
            panic!("a bug of ours")
        };
        cache.answer(&asked, fetch).await.map(|(response, _)| response)
    });
    let next = cache.answer(&asked, async |_| slow(&calls, Ok(fetched(200, "", "x"))).await);
    let (gone, next) = tokio::join!(panics, next);
    assert!(gone.unwrap_err().kind() == Kind::Internal && next.unwrap().1 == Outcome::Miss);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_their_own_time() {
    let (cache, begun) = (Cache::default(), Instant::now());
    let patient = question("/a", "", 0);
    let hasty = Question { deadline: begun + Duration::from_secs(2), ..question("/a", "", 0) };
    let hangs = timeout(MINUTE, cache.answer(&patient, async |_| pending().await));
    let waits = async {
        let result = cache.answer(&hasty, async |_| panic!("somebody else asks")).await;
        (result.map(|_| ()).unwrap_err().kind(), begun.elapsed())
    };
    let (_, (kind, took)) = tokio::join!(hangs, waits);
    assert!(kind == Kind::UpstreamTimeout && took < Duration::from_secs(3), "{kind:?} {took:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_send_other_headers_do_not_wait() {
    let (cache, begun) = (Cache::default(), Instant::now());
    let (one, two) = (question("/a", "accept: a", 0), question("/a", "accept: b", 0));
    let calls = Cell::new(0);
    let first = cache.answer(&one, async |_| slow(&calls, Ok(fetched(200, "vary: accept", "a"))).await);
    let second = cache.answer(&two, async |_| slow(&calls, Ok(fetched(200, "vary: accept", "b"))).await);
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().0.body().as_ref(), second.unwrap().0.body().as_ref()), (&b"a"[..], &b"b"[..]));
    assert!(calls.get() == 2 && begun.elapsed() < Duration::from_secs(2));
    let again = cache.answer(&one, async |_| panic!("it is kept")).await.unwrap();
    assert_eq!((again.0.body().as_ref(), again.1), (&b"a"[..], Outcome::Hit));
}

#[tokio::test]
async fn an_old_answer_stands_in_only_where_its_upstream_says_so() {
    let check = async |headers: &str, after: u64, now: fn() -> Result<Fetched, Problem>, expected| {
        let cache = Cache::default();
        cache.answer(&question("/a", "", 0), async |_| Ok(fetched(200, headers, "x"))).await.unwrap();
        let later = cache.answer(&question("/a", "", after), async |_| now()).await;
        let found = later.map(|(answer, outcome)| (answer.status().as_u16(), outcome)).ok();
        assert_eq!(found, expected, "{headers} after {after} s");
        if found == Some((200, Outcome::Stale)) {
            let next = question("/a", "", after + 1);
            let (_, outcome) = cache.answer(&next, async |_| panic!("not at once again")).await.unwrap();
            assert_eq!(outcome, Outcome::Hit);
        }
    };
    let (down, broken): (fn() -> _, fn() -> _) = (|| Err(down()), || Ok(fetched(503, "", "x")));
    let stale = Some((200, Outcome::Stale));
    let allowed = "cache-control: max-age=10, stale-if-error=20";
    check("", 61, down, None).await;
    check("", 61, broken, Some((503, Outcome::Miss))).await;
    check(allowed, 11, down, stale).await;
    check(allowed, 11, broken, stale).await;
    check(allowed, 27, down, stale).await;
    check(allowed, 30, down, None).await;
    check(allowed, 11, || Err(Problem::new(Kind::SecretUnavailable, "x")), None).await;
    check(allowed, 11, || Ok(fetched(404, "", "x")), Some((404, Outcome::Miss))).await;
    check("cache-control: max-age=10, stale-if-error=20, must-revalidate", 11, down, None).await;
}

#[tokio::test]
async fn an_answer_that_may_no_longer_be_kept_is_forgotten() {
    let cache = Cache::default();
    let reload = || Question { oldest: Some(Duration::ZERO), ..question("/a", "", 6) };
    cache.answer(&question("/a", "", 0), async |_| Ok(fetched(200, "", "old"))).await.unwrap();
    let broken = cache.answer(&reload(), async |_| Ok(fetched(500, "", "x"))).await.unwrap();
    assert_eq!(broken.1, Outcome::Miss);
    assert!(cache.fresh(&question("/a", "", 7)).is_some());
    cache.answer(&reload(), async |_| Ok(fetched(200, "cache-control: private", "new"))).await.unwrap();
    assert!(cache.fresh(&question("/a", "", 7)).is_none());
}
