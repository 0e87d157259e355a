//! Nested lists of equal lengths: how v0 writes tensors.

use super::Invalid;
use super::json::Reader;

/// More dimensions than any tensor has; a bound for the recursion.
pub(super) const DIMENSIONS: usize = 32;

/// Takes the elements of nested lists, in order.
pub(super) trait Leaves {
    /// Reads one element.
    fn leaf(&mut self, reader: &mut Reader<'_>) -> Result<(), Invalid>;
}

/// Reads nested lists, or one element; the lengths, outermost first.
pub(super) fn read(reader: &mut Reader<'_>, leaves: &mut impl Leaves) -> Result<Vec<usize>, Invalid> {
    let mut walk = Walk { leaves, lengths: Vec::new(), leaf_depth: None };
    if reader.peek() == Some(b'[') {
        walk.list(reader, 0)?;
    } else {
        walk.leaves.leaf(reader)?;
    }
    Ok(walk.lengths.into_iter().map(Option::unwrap_or_default).collect())
}

struct Walk<'l, L> {
    leaves: &'l mut L,
    /// By depth; known once the first list there has ended.
    lengths: Vec<Option<usize>>,
    /// The depth of the lists that hold elements.
    leaf_depth: Option<usize>,
}

impl<L: Leaves> Walk<'_, L> {
    fn list(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<(), Invalid> {
        if depth == DIMENSIONS {
            return Err(Invalid::form(format!("lists are nested more than {DIMENSIONS} deep")));
        }
        if self.leaf_depth.is_some_and(|leaf| depth > leaf) {
            return Err(ragged());
        }
        if self.lengths.len() == depth {
            self.lengths.push(None);
        }
        let mut length = 0;
        let mut more = reader.open(b'[', b']')?;
        while more {
            if reader.peek() == Some(b'[') {
                self.list(reader, depth + 1)?;
            } else {
                let leaf = *self.leaf_depth.get_or_insert(depth);
                if leaf != depth || self.lengths.len() > depth + 1 {
                    return Err(ragged());
                }
                self.leaves.leaf(reader)?;
            }
            length += 1;
            more = reader.more(b']')?;
        }
        if *self.lengths[depth].get_or_insert(length) != length {
            return Err(ragged());
        }
        Ok(())
    }
}

fn ragged() -> Invalid {
    Invalid::form("the nested lists differ in length or depth")
}
