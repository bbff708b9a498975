//! Runs a program on a thread of its own, and leaves it behind when it comes
//! to no end: the engine cannot be interrupted. Whoever is told so must see
//! to it that the process ends soon.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::compile::Compiled;
use super::{About, Failed, careful};
use crate::body::json::Val;

/// The time that a program has.
const TIME: Duration = Duration::from_millis(800);

/// The memory that a program may take, in bytes.
const MEMORY: u64 = 64 << 20;

/// How long one may look away: memory fills at gigabytes a second.
const LOOK: Duration = Duration::from_millis(1);

type Outcome = Result<Vec<Val>, Failed>;

pub async fn run(program: Arc<Compiled>, input: Val, about: About) -> Outcome {
    let (done, mut outcome) = oneshot::channel();
    let before = resident();
    let work = move || {
        careful::begin();
        // Nobody may be waiting any more.
        drop(done.send(program.run(input, &about)));
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
                    return Err(Failed::Endless);
                }
            }
        }
    }
}

/// The memory that the process takes now, in bytes; 0 where nobody says (`proc_pid_statm(5)`).
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}
