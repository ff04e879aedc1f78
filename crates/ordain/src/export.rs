//! The one line that makes a module of a crate.

/// Makes these entity types a module where the crate is built for WebAssembly: a component of the
/// world `ordain:runtime`. In every other build it does nothing.
///
/// ```
/// use ordain::prelude::*;
///
/// #[derive(Default, Clone, Serialize, Deserialize)]
/// struct Counter(u64);
///
/// #[entity]
/// impl Counter {
///     fn add(&mut self, count: u64) -> Result<u64> {
///         self.0 += count;
///         Ok(self.0)
///     }
/// }
///
/// ordain::export!(entities![Counter]);
/// # fn main() {}
/// ```
///
/// `export!(entities![Counter], reuse = true)` lets one instance serve many transactions, which is
/// faster. The entities must then keep nothing in statics: what one transaction leaves there another
/// would see.
#[macro_export]
macro_rules! export {
    ($entities:expr) => {
        $crate::__export!($entities, false);
    };
    ($entities:expr, reuse = $reuse:expr) => {
        $crate::__export!($entities, $reuse);
    };
}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($entities:expr, $reuse:expr) => {
        const _: () = {
            struct Module;

            impl $crate::__private::Module for Module {
                const REUSE: bool = $reuse;

                fn entities() -> $crate::Entities {
                    $entities
                }
            }

            $crate::__private::world::__export_world!(Module with_types_in $crate::__private::world);
        };
    };
}

#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($entities:expr, $reuse:expr) => {
        const _: (fn() -> $crate::Entities, bool) = (|| $entities, $reuse);
    };
}
