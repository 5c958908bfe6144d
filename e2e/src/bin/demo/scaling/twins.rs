//! Two deployments that differ only in what scales them.

/// A value of each.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Twins<T> {
    /// Scaled by the load.
    pub plain: T,
    /// Scaled by load and carbon.
    pub green: T,
}

impl<T> Twins<T> {
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Twins<U> {
        Twins { plain: change(self.plain), green: change(self.green) }
    }

    pub fn as_mut(&mut self) -> [&mut T; 2] {
        [&mut self.plain, &mut self.green]
    }
}

impl<T: Copy> Twins<T> {
    pub fn both(self) -> [T; 2] {
        [self.plain, self.green]
    }
}
