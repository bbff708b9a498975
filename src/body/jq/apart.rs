//! Runs a program on a thread of its own. Where it takes too much it is told
//! to end, which its guards nearly always see. One that does not is left behind,
//! since the engine cannot be interrupted; whoever is told so must see to it
//! that the process ends soon.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::compile::Compiled;
use super::{About, Failed, careful};
use crate::body::json::{self, Val};

/// The time that a program has.
const TIME: Duration = Duration::from_millis(800);

/// The memory that a program may take, in bytes.
const MEMORY: u64 = 64 << 20;

/// How long one may look away: memory fills at gigabytes a second.
const LOOK: Duration = Duration::from_millis(1);

type Outcome = Result<Vec<Vec<Val>>, Failed>;

/// How long a program has to end by its own guards, once it is told to.
const GRACE: Duration = Duration::from_millis(150);

pub async fn run(program: Arc<Compiled>, inputs: Vec<Val>, about: About) -> Outcome {
    let (done, mut outcome) = oneshot::channel();
    let before = resident();
    let leash = Leash::default();
    let stop = Arc::clone(&leash.0);
    let work = move || {
        careful::begin(stop);
        // Nobody may be waiting any more.
        drop(done.send(shallow(program.run_all(inputs, &about))));
    };
    let started = thread::Builder::new().name("jq".to_owned()).stack_size(careful::STACK).spawn(work);
    if started.is_err() {
        return Err(Failed::Erred(None));
    }
    let deadline = Instant::now() + TIME;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            outcome = &mut outcome => return outcome.unwrap_or(Err(Failed::Erred(None))),
            now = looks.tick() => {
                if deadline < now || before.saturating_add(MEMORY) < resident() {
                    drop(leash);
                    let ended = timeout(GRACE, outcome).await.is_ok();
                    return Err(if ended { Failed::Excessive } else { Failed::Endless });
                }
            }
        }
    }
}

/// Tells a program to end when nobody waits for it any more.
#[derive(Default)]
struct Leash(Arc<AtomicBool>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A value that is nested deeper than the stack of others reaches could not
/// even be dropped there. It is never dropped, and the process ends soon.
fn shallow(outcome: Outcome) -> Outcome {
    let Ok(made) = &outcome else { return outcome };
    if made.iter().flatten().all(json::is_shallow) {
        return outcome;
    }
    std::mem::forget(outcome);
    Err(Failed::Endless)
}

/// The memory that the process takes now, in bytes; 0 where nobody says (`proc_pid_statm(5)`).
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}
