//! A vector whose copies share what did not change.

use std::sync::Arc;

/// Elements per chunk: small enough to copy in a microsecond, large enough to keep the spine short.
const CHUNK: usize = 64;

/// A persistent vector in two levels: a spine of chunks, each behind an [`Arc`].
///
/// A clone copies the spine only. A write copies the one chunk it falls into, and only if a clone still shares it.
#[derive(Debug, Clone)]
pub struct ChunkedVec<T> {
    spine: Vec<Arc<[T; CHUNK]>>,
}

impl<T> Default for ChunkedVec<T> {
    fn default() -> Self {
        Self { spine: Vec::new() }
    }
}

impl<T> ChunkedVec<T> {
    /// The element at `index`; `None` beyond what was ever written (rounded up to a chunk).
    pub fn get(&self, index: usize) -> Option<&T> {
        self.spine.get(index / CHUNK)?.get(index % CHUNK)
    }

    /// All elements in order, defaults in unwritten places included.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.spine.iter().flat_map(|chunk| chunk.iter())
    }
}

impl<T: Clone + Default> ChunkedVec<T> {
    /// The element at `index` for writing; places between the old end and `index` hold the default.
    pub fn entry(&mut self, index: usize) -> Option<&mut T> {
        if self.spine.len() <= index / CHUNK {
            let empty = Arc::new(std::array::from_fn(|_| T::default()));
            self.spine.resize(index / CHUNK + 1, empty);
        }
        Arc::make_mut(self.spine.get_mut(index / CHUNK)?).get_mut(index % CHUNK)
    }

    #[cfg(test)]
    fn shared_chunks(&self, other: &Self) -> usize {
        self.spine.iter().zip(&other.spine).filter(|(a, b)| Arc::ptr_eq(a, b)).count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_write_copies_one_chunk() {
        let mut vec = ChunkedVec::default();
        for index in 0..10 * CHUNK {
            *vec.entry(index).unwrap() = index;
        }
        let before = vec.clone();
        *vec.entry(130).unwrap() = 7;
        assert_eq!(vec.shared_chunks(&before), 9);
        assert_eq!((before.get(130), vec.get(130)), (Some(&130), Some(&7)));
    }

    #[test]
    fn a_write_that_nobody_shares_copies_nothing() {
        let mut vec = ChunkedVec::default();
        *vec.entry(3).unwrap() = 1;
        let before = Arc::as_ptr(&vec.spine[0]);
        *vec.entry(4).unwrap() = 2;
        assert_eq!(before, Arc::as_ptr(&vec.spine[0]));
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_vector_and_clones_never_change(
            writes in proptest::collection::vec((0usize..400, any::<u16>()), 1..60),
        ) {
            let (mut chunked, mut plain) = (ChunkedVec::default(), vec![0u16; 448]);
            let mut history = Vec::new();
            for (index, value) in writes {
                history.push((chunked.clone(), plain.clone()));
                *chunked.entry(index).unwrap() = value;
                plain[index] = value;
            }
            history.push((chunked, plain));
            for (chunked, plain) in history {
                for (index, value) in plain.iter().enumerate() {
                    prop_assert_eq!(chunked.get(index).copied().unwrap_or(0), *value);
                }
            }
        }
    }
}
