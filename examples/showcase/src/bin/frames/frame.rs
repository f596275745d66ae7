//! What a frame of the game is to those who read it and to those who make it, whatever it is kept in.

use atomicarena::Full;

use crate::entity::Entity;

/// A frame that is complete: what the next one is made of. An entity has the same index for as long as the frame is there.
pub(crate) trait Frame: Sync {
    fn get(&self, index: usize) -> Option<&Entity>;
    fn entities(&self) -> impl Iterator<Item = (usize, &Entity)>;
}

/// Where a system puts the entities of the next frame.
pub(crate) trait Spawn: Send {
    fn spawn(&mut self, entity: Entity) -> Result<(), Full<()>>;
}
