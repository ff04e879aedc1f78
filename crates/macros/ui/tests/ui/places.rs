#![allow(unused)]

use ordain::prelude::*;

#[entity]
#[derive(Default, Clone, Serialize, Deserialize)]
struct Account;

#[entity]
impl<T> Wrapper<T> {}

#[derive(Default)]
struct Wrapper<T>(T);

#[entity]
impl Clone for Wrapper<u8> {
    fn clone(&self) -> Self {
        Wrapper(self.0)
    }
}

#[entity(name = "Big Name")]
impl Named {}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Named;

#[entity(title = "other")]
impl Titled {}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Titled;

#[entity(version = 0)]
impl Versionless {}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Versionless;

#[entity(migrate = Unversioned::from_earlier)]
impl Unversioned {}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Unversioned;

impl Unversioned {
    fn from_earlier(_: (), _: u32) -> Self {
        Unversioned
    }
}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Borrowed<'a>(&'a str);

#[entity]
impl Borrowed<'_> {
    fn set(&mut self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
