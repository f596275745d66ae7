//! The two ways to store the entities of a frame: in an arena of a pool, and in boxes.

use std::num::NonZeroUsize;

use atomicarena::{ArenaPool, AtomicArena, Checkout, Full, Local};
use showcase::times::Times;

use crate::entity::{self, Entity};
use crate::frame::{Frame, Spawn};
use crate::scene::Scene;
use crate::systems;

/// The number of slots that a system takes at once.
const BATCH: NonZeroUsize = NonZeroUsize::new(128).unwrap();

/// The times of the parts of a frame.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) look: Times,
    pub(crate) build: Times,
    pub(crate) free: Times,
}

impl Frame for AtomicArena<Entity> {
    fn get(&self, index: usize) -> Option<&Entity> {
        self.get(index)
    }

    fn entities(&self) -> impl Iterator<Item = (usize, &Entity)> {
        self.iter()
    }
}

impl Spawn for Local<'_, Entity> {
    fn spawn(&mut self, entity: Entity) -> Result<(), Full<()>> {
        self.publish(entity).map_err(Full::discard)?;
        Ok(())
    }
}

/// Two arenas: one is read while the other is filled.
pub(crate) fn pool(ships: u32) -> ArenaPool<Entity> {
    // The capacity includes the slots that other systems may have taken without filling them.
    let capacity = entity::most(ships as usize) + (systems::ALL - 1) * BATCH.get();
    ArenaPool::new(2, capacity)
}

pub(crate) struct InArenas<'p> {
    pool: &'p ArenaPool<Entity>,
    pub(crate) last: Checkout<'p, Entity>,
    pub(crate) parts: Parts,
}

impl<'p> InArenas<'p> {
    pub(crate) fn new(pool: &'p ArenaPool<Entity>, ships: u32) -> Result<Self, Full<()>> {
        let last = pool.checkout().expect("both arenas are free");
        systems::fleets(ships, &mut last.local())?;
        Ok(InArenas { pool, last, parts: Parts::default() })
    }

    pub(crate) fn step(&mut self, number: u32, ships: u32) -> Result<(), Full<()>> {
        let Parts { look, build, free } = &mut self.parts;
        let last: &AtomicArena<Entity> = &self.last;
        let scene = look.clock(|| Scene::of(last, ships));
        let next = self.pool.checkout().expect("one of the two arenas is free");
        // The result is the handles of the systems. Dropping them returns their unused slots.
        build.clock(|| systems::run(last, &scene, number, || next.local_with_batch(BATCH)).map(drop))?;
        // The previous frame is returned to the pool, which resets it.
        free.clock(|| self.last = next);
        Ok(())
    }
}

impl Frame for Vec<Box<Entity>> {
    fn get(&self, index: usize) -> Option<&Entity> {
        self.as_slice().get(index).map(Box::as_ref)
    }

    fn entities(&self) -> impl Iterator<Item = (usize, &Entity)> {
        self.iter().map(Box::as_ref).enumerate()
    }
}

impl Spawn for Vec<Box<Entity>> {
    fn spawn(&mut self, entity: Entity) -> Result<(), Full<()>> {
        self.push(Box::new(entity));
        Ok(())
    }
}

/// The other way: each system fills its own vector of boxes, and the vectors are merged at the end
/// of the frame.
#[derive(Default)]
pub(crate) struct InBoxes {
    #[expect(clippy::vec_box, reason = "the entities must stay where they are while the vectors grow and are merged")]
    pub(crate) last: Vec<Box<Entity>>,
    pub(crate) parts: Parts,
}

impl InBoxes {
    pub(crate) fn new(ships: u32) -> Self {
        let mut boxes = InBoxes::default();
        systems::fleets(ships, &mut boxes.last).expect("a vector is never full");
        boxes
    }

    pub(crate) fn step(&mut self, number: u32, ships: u32) {
        let Parts { look, build, free } = &mut self.parts;
        let scene = look.clock(|| Scene::of(&self.last, ships));
        let next = build.clock(|| {
            let systems = systems::run(&self.last, &scene, number, Vec::new).expect("a vector is never full");
            systems.into_iter().reduce(|mut all, mut more| {
                all.append(&mut more);
                all
            })
        });
        free.clock(|| self.last = next.unwrap_or_default());
    }
}
