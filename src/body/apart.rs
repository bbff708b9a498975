//! Runs work on a thread of its own. Where it takes too much it is told to
//! end. Work that does not heed that is left behind, since engines that are not
//! ours cannot be interrupted; whoever is told so must see to it that the
//! process ends soon.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// The stack that work has, in bytes.
pub const STACK: usize = 64 << 20;

/// The time that it has.
const TIME: Duration = Duration::from_millis(800);

/// The memory that it may take, in bytes.
const MEMORY: u64 = 64 << 20;

/// How long one may look away: memory fills at gigabytes a second.
const LOOK: Duration = Duration::from_millis(1);

/// Why work gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It could not be begun, or a bug ended it.
    Broken,
    /// It took more time or memory than it has.
    Excessive,
    /// It took more time or memory than it has, and still runs.
    Endless,
}

/// How long work has to end by itself, once it is told to.
const GRACE: Duration = Duration::from_millis(150);

/// What some work gives that ends within its time and memory. It is handed a
/// flag that is set once nobody waits for it any more.
///
/// # Errors
/// Why there is nothing.
pub async fn run<T: Send + 'static>(
    work: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static,
) -> Result<T, Lost> {
    let (done, mut outcome) = oneshot::channel();
    let before = resident();
    let leash = Leash::default();
    let stop = Arc::clone(&leash.0);
    // Nobody may be waiting any more.
    let work = move || drop(done.send(work(stop)));
    let started = thread::Builder::new().name("apart".to_owned()).stack_size(STACK).spawn(work);
    started.map_err(|_| Lost::Broken)?;
    let deadline = Instant::now() + TIME;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            outcome = &mut outcome => return outcome.map_err(|_| Lost::Broken),
            now = looks.tick() => {
                if deadline < now || before.saturating_add(MEMORY) < resident() {
                    drop(leash);
                    let ended = timeout(GRACE, outcome).await.is_ok();
                    return Err(if ended { Lost::Excessive } else { Lost::Endless });
                }
            }
        }
    }
}

/// Tells work to end when nobody waits for it any more.
#[derive(Default)]
struct Leash(Arc<AtomicBool>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The memory that the process takes now, in bytes; 0 where nobody says (`proc_pid_statm(5)`).
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}
