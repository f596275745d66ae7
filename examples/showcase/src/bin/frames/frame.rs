//! The traits for reading and writing a frame of the game, whatever memory its entities are in.

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
