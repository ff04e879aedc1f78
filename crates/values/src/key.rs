//! What can be given where a key is wanted.

use ordain_types::{Key, NameError};

/// What can be given where an entity's key is wanted: text or a [`Key`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key",
    note = "a key is text: `&str`, `String`, `&String`, `Key` or `&Key`; turn other values into text, \
            as in `format!(\"{{number:08}}\")`"
)]
pub trait IntoKey {
    /// The key.
    ///
    /// # Errors
    /// Why it is none.
    fn into_key(self) -> Result<Key, NameError>;
}

impl IntoKey for Key {
    fn into_key(self) -> Result<Key, NameError> {
        Ok(self)
    }
}

impl IntoKey for &Key {
    fn into_key(self) -> Result<Key, NameError> {
        Ok(self.clone())
    }
}

impl IntoKey for &str {
    fn into_key(self) -> Result<Key, NameError> {
        Key::new(self)
    }
}

impl IntoKey for &&str {
    fn into_key(self) -> Result<Key, NameError> {
        Key::new(self)
    }
}

impl IntoKey for String {
    fn into_key(self) -> Result<Key, NameError> {
        Key::new(&self)
    }
}

impl IntoKey for &String {
    fn into_key(self) -> Result<Key, NameError> {
        Key::new(self)
    }
}
