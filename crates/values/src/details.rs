//! A rejection's details from any serde type.

use ordain_types::Rejection;
use serde::Serialize;

use crate::json::to_json;

/// Gives a rejection details.
pub trait WithDetails {
    /// The same rejection with `details`, which clients get as JSON.
    ///
    /// # Panics
    /// If `details` could not be read back from JSON (a NaN, a map whose keys are no strings). In a
    /// method that is a fault.
    fn with_details(self, details: &impl Serialize) -> Self;
}

impl WithDetails for Rejection {
    fn with_details(mut self, details: &impl Serialize) -> Self {
        match to_json(details) {
            Ok(json) => self.details = Some(json),
            Err(error) => panic!(
                "the details of the rejection `{}` are not JSON: {error}",
                self.code
            ),
        }
        self
    }
}
