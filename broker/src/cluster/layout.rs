//! Which nodes a cluster has: their ids, their racks, and which listener is whose. It stays as it is for as long as the broker runs.

use crate::server::StartError;

/// Nodes that one broker may stand for. Each has a listening socket, and every change of them looks at every partition.
pub const MAX_BROKERS: usize = 64;

/// The nodes of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// In ascending order, one after the other.
    ids: Vec<i32>,
    /// The rack of each.
    racks: Vec<Option<String>>,
    /// How many addresses each listens on.
    listeners_each: usize,
}

impl Layout {
    /// As many nodes, of which the first has the id `first`.
    ///
    /// # Errors
    /// If there are none or too many, or not a rack for each.
    pub(crate) fn new(
        first: i32,
        count: usize,
        racks: Option<&[String]>,
        rack: Option<&str>,
        listeners_each: usize,
    ) -> Result<Self, StartError> {
        let refused = |why: String| Err(StartError::Cluster { why });
        if !(1..=MAX_BROKERS).contains(&count) {
            return refused(format!("{count} nodes were asked for; give 1 to {MAX_BROKERS}"));
        }
        let mut ids = Vec::with_capacity(count);
        for place in 0..count {
            match i32::try_from(place).ok().and_then(|place| first.checked_add(place)) {
                Some(id) => ids.push(id),
                None => return refused(format!("no {count} ids follow on node.id={first}")),
            }
        }
        let racks = match racks {
            None => vec![rack.map(str::to_owned); count],
            Some(racks) if racks.len() == count => racks.iter().cloned().map(Some).collect(),
            Some(racks) => {
                let given = racks.len();
                return refused(format!(
                    "there are {count} nodes and {given} racks; give one rack for each node"
                ));
            }
        };
        Ok(Layout { ids, racks, listeners_each: listeners_each.max(1) })
    }

    /// The ids, in ascending order.
    pub(crate) fn ids(&self) -> &[i32] {
        &self.ids
    }

    pub(crate) fn is_single(&self) -> bool {
        self.ids.len() == 1
    }

    /// The first node: the only one, where there is one.
    pub(crate) fn first(&self) -> i32 {
        self.ids.first().copied().unwrap_or_default()
    }

    /// Which of the nodes `node` is, counted from 0.
    pub(crate) fn place(&self, node: i32) -> Option<usize> {
        let place = usize::try_from(i64::from(node) - i64::from(self.first())).ok()?;
        (place < self.ids.len()).then_some(place)
    }

    pub(crate) fn rack(&self, node: i32) -> Option<&str> {
        self.racks.get(self.place(node)?)?.as_deref()
    }

    /// The node that listens with `listener`.
    pub(crate) fn node_of(&self, listener: usize) -> i32 {
        let place = listener.checked_div(self.listeners_each).unwrap_or(0);
        self.ids.get(place).copied().unwrap_or(self.first())
    }

    /// The first listener of a node.
    pub(crate) fn first_listener(&self, node: i32) -> usize {
        self.place(node).unwrap_or(0).saturating_mul(self.listeners_each)
    }

    /// All listeners of a node.
    pub(crate) fn listeners(&self, node: i32) -> std::ops::Range<usize> {
        let first = self.first_listener(node);
        first..first.saturating_add(self.listeners_each)
    }

    /// The listener with which `node` listens where another does with `listener`.
    pub(crate) fn counterpart(&self, listener: usize, node: i32) -> usize {
        self.first_listener(node).saturating_add(listener.checked_rem(self.listeners_each).unwrap_or(0))
    }

    /// The nodes in an order in which neighbours are in different racks, as far as there are several.
    pub(crate) fn across_racks(&self) -> Vec<i32> {
        let mut by_rack: Vec<(Option<&str>, Vec<i32>)> = Vec::new();
        for node in &self.ids {
            let rack = self.rack(*node);
            match by_rack.iter_mut().find(|(other, _)| *other == rack) {
                Some((_, nodes)) => nodes.push(*node),
                None => by_rack.push((rack, vec![*node])),
            }
        }
        let longest = by_rack.iter().map(|(_, nodes)| nodes.len()).max().unwrap_or(0);
        let row = |index: usize| by_rack.iter().filter_map(move |(_, nodes)| nodes.get(index).copied());
        (0..longest).flat_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(count: usize, racks: Option<&[&str]>, listeners_each: usize) -> Result<Layout, StartError> {
        let racks: Option<Vec<String>> =
            racks.map(|racks| racks.iter().map(|rack| (*rack).to_owned()).collect());
        Layout::new(1, count, racks.as_deref(), Some("r"), listeners_each)
    }

    #[test]
    fn each_node_has_as_many_listeners() {
        let two = layout(2, None, 3).unwrap();
        assert_eq!((0..6).map(|listener| two.node_of(listener)).collect::<Vec<_>>(), [1, 1, 1, 2, 2, 2]);
        assert_eq!((two.listeners(2), two.counterpart(1, 2), two.counterpart(5, 1)), (3..6, 4, 2));
        assert_eq!((two.rack(1), two.rack(3), two.place(0)), (Some("r"), None, None));
    }

    #[test]
    fn neighbours_are_in_different_racks() {
        let racked = layout(4, Some(&["a", "a", "b", "b"]), 1).unwrap();
        assert_eq!(racked.across_racks(), [1, 3, 2, 4]);
        assert_eq!(layout(3, None, 1).unwrap().across_racks(), [1, 2, 3]);
    }

    #[test]
    fn what_is_no_cluster_is_refused_in_a_sentence() {
        for refused in [layout(0, None, 1), layout(65, None, 1), layout(3, Some(&["a"]), 1)] {
            assert!(refused.unwrap_err().to_string().contains("give "));
        }
        assert!(Layout::new(i32::MAX, 2, None, None, 1).is_err());
    }
}
