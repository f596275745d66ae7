//! The values in the tested arenas. Each value carries a tag. A ledger counts the live values of
//! the type with drop glue.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;

use atomicarena::{Full, Storage};

use super::source::{Source, Stored};

/// The tag of a default value.
pub(crate) const DEFAULT: u32 = 1 << 31;

/// The result of a method that exists only for some types of values. It is `None` for the others.
pub(crate) type Copied<'a, T> = Option<Result<Stored<'a, T>, Full<()>>>;

/// A method that copies a slice into an arena, directly or through a `Local`. The last argument is
/// whether to publish the copies.
pub(crate) type Store<'s, 'a, T, S> = fn(Source<'s, 'a, T, S>, &[T], bool) -> Copied<'a, T>;

/// A value that can be distinguished from others.
pub(crate) trait Value: Clone + Debug + Default + Sync {
    /// Whether the ledger counts the values of this type and can make their clones and drops panic.
    const COUNTED: bool;

    fn new(tag: u32) -> Self;

    /// Returns whether the value has this tag and, if the ledger counts it, is alive.
    fn shows(&self, tag: u32) -> bool;

    fn set(&mut self, tag: u32);

    fn slice_copy<'a, S: Storage<Self>>(_: Source<'_, 'a, Self, S>, _: &[Self], _: bool) -> Copied<'a, Self> {
        None
    }

    fn str<'a, S: Storage<Self>>(_: Source<'_, 'a, Self, S>, _: &[Self], _: bool) -> Copied<'a, Self> {
        None
    }
}

/// A value with drop glue. The ledger counts its drops.
#[derive(Debug)]
pub(crate) struct Counted {
    tag: u32,
    id: u32,
}

impl Value for Counted {
    const COUNTED: bool = true;

    fn new(tag: u32) -> Self {
        Counted { tag, id: with(Ledger::born) }
    }

    fn shows(&self, tag: u32) -> bool {
        self.tag == tag && with(|ledger| ledger.drops.get(self.id as usize) == Some(&0))
    }

    fn set(&mut self, tag: u32) {
        self.tag = tag;
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        if with(|ledger| burns(&mut ledger.clone_fuse)) {
            panic_as_planned();
        }
        Counted::new(self.tag)
    }
}

impl Default for Counted {
    fn default() -> Self {
        Counted::new(DEFAULT)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if with(|ledger| ledger.died(self.id)) {
            panic_as_planned();
        }
    }
}

/// A value that is copied and never dropped. Because of its odd size, most slots do not begin at a
/// word boundary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    tag: [u8; 4],
    check: u8,
}

impl Plain {
    fn check(tag: u32) -> u8 {
        tag.to_le_bytes().into_iter().fold(0x5a, |sum, byte| sum.rotate_left(3) ^ byte)
    }
}

impl Value for Plain {
    const COUNTED: bool = false;

    fn new(tag: u32) -> Self {
        Plain { tag: tag.to_le_bytes(), check: Plain::check(tag) }
    }

    fn shows(&self, tag: u32) -> bool {
        self.tag == tag.to_le_bytes() && self.check == Plain::check(tag)
    }

    fn set(&mut self, tag: u32) {
        *self = Plain::new(tag);
    }

    fn slice_copy<'a, S: Storage<Self>>(
        source: Source<'_, 'a, Self, S>,
        src: &[Self],
        publish: bool,
    ) -> Copied<'a, Self> {
        Some(source.slice_copy(src, publish))
    }
}

impl Default for Plain {
    fn default() -> Self {
        Plain::new(DEFAULT)
    }
}

/// A byte of a string.
impl Value for u8 {
    const COUNTED: bool = false;

    fn new(tag: u32) -> Self {
        (tag & 0x7f) as u8
    }

    fn shows(&self, tag: u32) -> bool {
        *self == u8::new(tag)
    }

    fn set(&mut self, tag: u32) {
        *self = u8::new(tag);
    }

    fn slice_copy<'a, S: Storage<Self>>(
        source: Source<'_, 'a, Self, S>,
        src: &[Self],
        publish: bool,
    ) -> Copied<'a, Self> {
        Some(source.slice_copy(src, publish))
    }

    fn str<'a, S: Storage<Self>>(source: Source<'_, 'a, Self, S>, src: &[Self], publish: bool) -> Copied<'a, Self> {
        Some(source.str(std::str::from_utf8(src).unwrap(), publish))
    }
}

/// Records which values are alive, and which operations must panic. A `Program` (see `op.rs`) runs
/// on one thread, so a ledger per thread keeps the counts of parallel tests apart.
#[derive(Default)]
struct Ledger {
    /// For each value, in the order of creation: 1 if it was dropped, otherwise 0.
    drops: Vec<u8>,
    live: usize,
    /// Drops of values that were already dropped or were never created.
    faults: usize,
    clone_fuse: Option<usize>,
    drop_fuse: Option<usize>,
}

impl Ledger {
    fn born(&mut self) -> u32 {
        self.drops.push(0);
        self.live += 1;
        self.drops.len() as u32 - 1
    }

    /// Records a drop, and returns whether it must panic. A faulty drop does not panic here,
    /// because a panic during unwinding would abort. The function `live` panics for it later.
    fn died(&mut self, id: u32) -> bool {
        match self.drops.get_mut(id as usize) {
            Some(drops @ 0) => {
                *drops = 1;
                self.live -= 1;
            }
            _ => self.faults += 1,
        }
        burns(&mut self.drop_fuse)
    }
}

/// Counts one operation, and returns whether the fuse was set for it. The fuse is then used up.
fn burns(fuse: &mut Option<usize>) -> bool {
    match fuse {
        Some(0) => fuse.take().is_some(),
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

fn with<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    LEDGER.with_borrow_mut(f)
}

/// Starts a new ledger.
pub(crate) fn begin() {
    with(|ledger| *ledger = Ledger::default());
}

/// Returns the number of counted values that are alive. Panics if a value was dropped that was not
/// alive.
pub(crate) fn live() -> usize {
    with(|ledger| {
        assert_eq!(ledger.faults, 0, "a value was dropped that was not alive");
        ledger.live
    })
}

/// Runs `f`. The clone with number `fuse` panics, and the result is then `None`.
pub(crate) fn with_clone_fuse<R>(fuse: Option<usize>, f: impl FnOnce() -> R) -> Option<R> {
    with(|ledger| ledger.clone_fuse = fuse);
    let done = catch(f);
    with(|ledger| ledger.clone_fuse = None);
    done
}

/// Runs `f`. The drop with number `fuse` panics, and the result is then `None`.
pub(crate) fn with_drop_fuse<R>(fuse: Option<usize>, f: impl FnOnce() -> R) -> Option<R> {
    with(|ledger| ledger.drop_fuse = fuse);
    let done = catch(f);
    with(|ledger| ledger.drop_fuse = None);
    done
}

struct Planned;

/// Panics without calling the panic hook. The hook of a fuzzer would abort, and the default hook
/// would print.
pub(crate) fn panic_as_planned() -> ! {
    resume_unwind(Box::new(Planned))
}

/// Runs `f`, and returns `None` if it ended in a planned panic. Any other panic is resumed.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(done) => Some(done),
        Err(panic) if panic.is::<Planned>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`, and returns the message of its panic as an error. The panic hook prints nothing.
pub(crate) fn message_of<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info);
            }
        }));
    });
    QUIET.set(true);
    let done = catch_unwind(AssertUnwindSafe(f));
    QUIET.set(false);
    done.map_err(|panic| *panic.downcast().expect("the message is a `String`"))
}
