//! An ordered map whose clones share what neither of them has changed.
//!
//! A clone costs nothing, and a change what one page and the list of pages cost: a snapshot of a thousand topics, one of
//! which has changed, is a copy of sixty-four entries and of sixteen pointers.

use std::borrow::Borrow;
use std::sync::Arc;

/// Pages are split when they are longer.
const LONGEST_PAGE: usize = 64;

type Page<K, V> = Arc<Vec<(K, V)>>;

/// Entries in the order of their keys, on pages.
#[derive(Debug)]
pub(crate) struct SharedMap<K, V> {
    /// None of them is empty.
    pages: Arc<Vec<Page<K, V>>>,
    len: usize,
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        SharedMap { pages: Arc::clone(&self.pages), len: self.len }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        SharedMap { pages: Arc::default(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.pages.iter().flat_map(|page| page.iter().map(|(key, value)| (key, value)))
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let page = self.pages.get(self.page_of(key))?;
        let place = page.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        page.get(place).map(|(_, value)| value)
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        let index = self.page_of(&key);
        let pages = Arc::make_mut(&mut self.pages);
        let Some(page) = pages.get_mut(index) else {
            pages.push(Arc::new(vec![(key, value)]));
            self.len += 1;
            return;
        };
        let page = Arc::make_mut(page);
        match page.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(place) => {
                if let Some(entry) = page.get_mut(place) {
                    entry.1 = value;
                }
                return;
            }
            Err(place) => page.insert(place, (key, value)),
        }
        self.len += 1;
        if page.len() > LONGEST_PAGE {
            let second = page.split_off(LONGEST_PAGE / 2);
            pages.insert(index + 1, Arc::new(second));
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let index = self.page_of(key);
        let place = self.pages.get(index)?.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        let pages = Arc::make_mut(&mut self.pages);
        let page = Arc::make_mut(pages.get_mut(index)?);
        let (_, value) = page.remove(place);
        if page.is_empty() {
            pages.remove(index);
        }
        self.len -= 1;
        Some(value)
    }

    /// The page that has the key, or would have it.
    fn page_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let behind =
            self.pages.partition_point(|page| page.first().is_some_and(|(first, _)| first.borrow() <= key));
        behind.saturating_sub(1)
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = SharedMap::default();
        entries.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn listed(map: &SharedMap<u16, u32>) -> Vec<(u16, u32)> {
        map.iter().map(|(key, value)| (*key, *value)).collect()
    }

    proptest! {
        #[test]
        fn it_does_what_a_tree_does_and_its_clones_stay(
            steps in proptest::collection::vec((0..300_u16, any::<Option<u32>>(), 0..20_u8), 0..800),
        ) {
            let (mut map, mut model) = (SharedMap::default(), BTreeMap::new());
            let mut clones = Vec::new();
            for (key, value, dice) in steps {
                match value {
                    Some(value) => {
                        map.insert(key, value);
                        model.insert(key, value);
                    }
                    None => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.len(), model.len());
                if dice == 0 {
                    clones.push((map.clone(), model.clone()));
                }
            }
            clones.push((map, model));
            for (map, model) in clones {
                prop_assert_eq!(listed(&map), model.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
