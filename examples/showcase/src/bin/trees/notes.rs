//! The second pass: reads the tree of a text, which another thread has stored, and appends to it.

use crate::tree::{BumpFull, Ground, Group, Note, Tree};

/// Appends a note to the group and to each group within it. If the tree has a word, the note shares
/// it, or has a copy.
pub(crate) fn annotate<G: Ground>(ground: &G, group: &mut Group<G>) -> Result<(), BumpFull> {
    for tree in &mut *group.trees {
        if let Tree::Group(inner) = tree {
            annotate(ground, inner)?;
        }
    }
    let (mut words, mut longest) = (0, None::<&G::Text>);
    for tree in &*group.trees {
        let (count, word) = match tree {
            Tree::Word(word) => (1, Some(word)),
            Tree::Group(inner) => match inner.trees.last() {
                Some(Tree::Note(note)) => (note.words, note.longest.as_ref()),
                _ => unreachable!("each inner group has a note"),
            },
            _ => continue,
        };
        words += count;
        if word.map_or(0, |word| word.len()) > longest.map_or(0, |longest| longest.len()) {
            longest = word;
        }
    }
    let longest = longest.map(|word| ground.share(word));
    let note = ground.note(Note { words, longest })?;
    ground.append(&mut group.trees, Tree::Note(note))
}
