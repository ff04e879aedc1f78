//! The host of modules in any language this program was built for: it knows which language a module is
//! in, and nothing of the languages.

use std::path::Path;

use ordain_engine::{Modules, TypeDef};
use ordain_types::module::{Language, ModuleHash, Package, Place, Source, SourceError};
use ordain_types::{EntityType, Json, Method};

#[cfg(feature = "javascript")]
use crate::javascript::JavaScript;
#[cfg(feature = "wasm")]
use crate::wasm::WasmHost;

/// All hosts of modules there are in this program.
pub struct Hosts {
    #[cfg(feature = "javascript")]
    javascript: JavaScript,
    #[cfg(feature = "wasm")]
    wasm: WasmHost,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            #[cfg(feature = "javascript")]
            javascript: JavaScript::new(),
            #[cfg(feature = "wasm")]
            wasm: WasmHost::new(None),
        }
    }
}

impl Hosts {
    fn of(&self, language: Language) -> Result<&dyn Modules, String> {
        match language {
            #[cfg(feature = "javascript")]
            Language::JavaScript => Ok(&self.javascript),
            #[cfg(feature = "wasm")]
            Language::Wasm => Ok(&self.wasm),
            #[allow(
                unreachable_patterns,
                reason = "there are languages it was not built for"
            )]
            language => Err(format!(
                "this program was built without modules in {}",
                language.name()
            )),
        }
    }
}

impl Modules for Hosts {
    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        let main = &source.main;
        let ending = main.rsplit_once('.').map_or("", |(_, ending)| ending);
        let language = match ending {
            "ts" | "mts" | "js" | "mjs" => Language::JavaScript,
            "wasm" => Language::Wasm,
            _ => {
                return Err(SourceError::new(format!(
                    "`{main}` is in no language that is known here: give a .ts, .js or .wasm file"
                )));
            }
        };
        self.of(language).map_err(SourceError::new)?.compile(source)
    }

    fn load(&self, hash: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String> {
        self.of(package.manifest.language)?.load(hash, package)
    }

    fn place(&self, hash: ModuleHash, ty: &EntityType, method: Option<&Method>) -> Option<Place> {
        let javascript = self.of(Language::JavaScript).ok()?; // a component is not for people to read
        javascript.place(hash, ty, method)
    }

    fn shown(&self, stored: Json) -> Json {
        crate::versioned::shown(stored)
    }

    fn cache_in(&self, _dir: &Path) {
        #[cfg(feature = "wasm")]
        self.wasm.cache_in(_dir);
    }
}

#[cfg(test)]
mod tests {
    use ordain_types::module::File;

    use super::*;

    #[test]
    fn an_unknown_language_is_said() {
        let path = "bank.py".to_owned();
        let files = vec![File {
            path: path.clone(),
            bytes: "".into(),
        }];
        let source = Source { main: path, files };
        let error = Hosts::default().compile(&source).expect_err("no host");
        assert!(error.message.contains("bank.py"), "{error}");
    }
}
