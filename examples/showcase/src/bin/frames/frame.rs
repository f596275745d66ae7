//! A frame of the game for its readers and its writers, independent of the memory of its entities.

use atomicarena::Full;

use crate::entity::Entity;

/// A complete frame, from which the next one is made. An entity keeps its index as long as the
/// frame exists.
pub(crate) trait Frame: Sync {
    fn get(&self, index: usize) -> Option<&Entity>;
    fn entities(&self) -> impl Iterator<Item = (usize, &Entity)>;
}

/// Stores the entities that a system creates for the next frame.
pub(crate) trait Spawn: Send {
    fn spawn(&mut self, entity: Entity) -> Result<(), Full<()>>;
}
