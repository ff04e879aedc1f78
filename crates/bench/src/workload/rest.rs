//! Reading data at rest: what sends still bring is waited for, and long lists are read page by page.

use std::time::Duration;

use ordain::{Key, Request};
use serde::de::DeserializeOwned;

use crate::door::{self, Door};

/// How often one looks until the last sends have come.
const LOOKS: usize = 200;
/// The time between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Looks until nothing is on its way any more; gives what was seen last, settled or not.
///
/// # Errors
/// If it cannot be read.
pub fn look_until<T>(
    mut look: impl FnMut() -> anyhow::Result<T>,
    settled: impl Fn(&T) -> bool,
) -> anyhow::Result<T> {
    let mut seen = look()?;
    for _ in 0..LOOKS {
        if settled(&seen) {
            break;
        }
        std::thread::sleep(LOOK_AGAIN);
        seen = look()?;
    }
    Ok(seen)
}

/// Reads the lists of all of these, page by page. `request` asks for the page after so many rows and the
/// last of them; a page of less than `page_max` is the end of its list. `take` gets each row with the
/// place of its list among `keys`, in order.
///
/// # Errors
/// If a page cannot be read.
pub fn pages<T: DeserializeOwned + Send>(
    door: &mut dyn Door,
    keys: &[Key],
    page_max: usize,
    request: impl Fn(&Key, u64, Option<&T>) -> Request<Vec<T>>,
    mut take: impl FnMut(usize, &T) + Send,
) -> anyhow::Result<()> {
    let mut open: Vec<List<T>> = (0..keys.len()).map(List::new).collect();
    while !open.is_empty() {
        let ask = |list: &List<T>| request(&keys[list.at], list.read, list.last.as_ref());
        let requests: Vec<_> = open.iter().map(ask).collect();
        door::values(door, requests, |nth, mut page: Vec<T>| {
            let list: &mut List<T> = &mut open[nth];
            page.iter().for_each(|row| take(list.at, row));
            list.read += page.len() as u64;
            list.more = page.len() >= page_max;
            list.last = page.pop();
        })?;
        open.retain(|list| list.more);
    }
    Ok(())
}

/// A list that is read.
struct List<T> {
    at: usize,
    read: u64,
    last: Option<T>,
    more: bool,
}

impl<T> List<T> {
    fn new(at: usize) -> Self {
        Self {
            at,
            read: 0,
            last: None,
            more: true,
        }
    }
}
