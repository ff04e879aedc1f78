//! Copies of values whose type may have no `Clone`.

/// Asks whether the type of a value is `Clone`, where the macro knows the type: method lookup tries
/// [`ByClone`] first, since it needs one reference less than [`NotByClone`].
pub struct Cloned<'a, T>(pub &'a T);

/// The answer for a type that is `Clone`.
pub trait ByClone<T> {
    /// The copy.
    fn cloned(&self) -> Option<T>;
}

/// The answer for any other.
pub trait NotByClone<T> {
    /// None.
    fn cloned(&self) -> Option<T>;
}

impl<T: Clone> ByClone<T> for Cloned<'_, T> {
    fn cloned(&self) -> Option<T> {
        Some(self.0.clone())
    }
}

impl<T> NotByClone<T> for &Cloned<'_, T> {
    fn cloned(&self) -> Option<T> {
        None
    }
}
