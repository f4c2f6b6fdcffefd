//! Taking things out of lists, and putting what is answered for them back at the places that they had.
//!
//! Knows nothing of what the things are.

/// What is answered for things that were taken out of a list, each with the place that it had there.
pub(super) type Taken<R> = Vec<(usize, R)>;

/// Takes out of `items` those for which `refuse` has an answer.
pub(super) fn take<T, R>(items: &mut Vec<T>, mut refuse: impl FnMut(&T) -> Option<R>) -> Taken<R> {
    let (mut taken, mut place) = (Vec::new(), 0);
    items.retain(|item| {
        let answer = refuse(item);
        let stays = answer.is_none();
        taken.extend(answer.map(|answer| (place, answer)));
        place += 1;
        stays
    });
    taken
}

/// Puts answers between those of the rest, at the places that their items had in the request.
pub(super) fn put_back<R>(answers: &mut Vec<R>, taken: Taken<R>) {
    let mut rest = std::mem::take(answers).into_iter();
    for (place, answer) in taken {
        while answers.len() < place {
            match rest.next() {
                Some(one) => answers.push(one),
                None => break,
            }
        }
        answers.push(answer);
    }
    answers.extend(rest);
}

/// What was taken out of lists within a list: whole topics, and partitions of others.
pub(super) struct Nested<R, Q> {
    /// Topics of which nothing is left in the request.
    whole: Taken<R>,
    /// Of topics that are still there: the place of the topic, its key, and its partitions.
    parts: Vec<(usize, String, Taken<Q>)>,
}

impl<R, Q> Nested<R, Q> {
    /// Takes the partitions out of `topics` for which `refuse` has an answer; `whole` makes the answer of a topic that has
    /// none left.
    pub(super) fn take<T, P>(
        topics: &mut Vec<T>,
        key: impl Fn(&T) -> String,
        partitions: impl Fn(&mut T) -> &mut Vec<P>,
        refuse: impl Fn(&str, &P) -> Option<Q>,
        whole: impl Fn(&T, Vec<Q>) -> R,
    ) -> Self {
        let mut nested = Nested { whole: Vec::new(), parts: Vec::new() };
        let mut place = 0;
        topics.retain_mut(|topic| {
            let key = key(topic);
            let taken = take(partitions(topic), |partition| refuse(&key, partition));
            let stays = taken.is_empty() || !partitions(topic).is_empty();
            if !stays {
                nested
                    .whole
                    .push((place, whole(topic, taken.into_iter().map(|(_, answer)| answer).collect())));
            } else if !taken.is_empty() {
                nested.parts.push((place, key, taken));
            }
            place += 1;
            stays
        });
        nested
    }

    /// Whether nothing was taken out.
    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.parts.is_empty()
    }

    /// Puts everything back. A handler that answers in another order than it is asked in is found out by `key`.
    pub(super) fn put_back(
        self,
        topics: &mut Vec<R>,
        key: impl Fn(&R) -> String,
        partitions: impl Fn(&mut R) -> &mut Vec<Q>,
    ) {
        put_back(topics, self.whole);
        for (place, wanted, taken) in self.parts {
            let is_there = topics.get(place).is_some_and(|topic| key(topic) == wanted);
            let found =
                if is_there { Some(place) } else { topics.iter().position(|topic| key(topic) == wanted) };
            if let Some(topic) = found.and_then(|place| topics.get_mut(place)) {
                put_back(partitions(topic), taken);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_comes_back_to_its_place() {
        for refused in [vec![], vec![0], vec![2, 3], vec![4], vec![0, 1, 2, 3, 4], vec![1, 4]] {
            let mut items: Vec<usize> = (0..5).collect();
            let taken = take(&mut items, |item| refused.contains(item).then_some(*item));
            assert_eq!(items.len() + taken.len(), 5);
            put_back(&mut items, taken);
            assert_eq!(items, [0, 1, 2, 3, 4], "{refused:?}");
        }
    }

    type Topic = (String, Vec<i32>);

    #[test]
    fn partitions_come_back_into_their_topics() {
        let all: Vec<Topic> =
            ["a", "b", "c"].into_iter().map(|name| (name.to_owned(), vec![0, 1, 2])).collect();
        for refuse in [
            (|_: &str, _: i32| true) as fn(&str, i32) -> bool,
            |_, _| false,
            |name, _| name == "b",
            |name, index| name == "a" && index == 1,
            |_, index| index == 2,
            |name, index| name == "c" || index == 0,
        ] {
            let mut topics = all.clone();
            let nested = Nested::take(
                &mut topics,
                |topic: &Topic| topic.0.clone(),
                |topic| &mut topic.1,
                |name, index| refuse(name, *index).then_some(*index),
                |topic, indexes| (topic.0.clone(), indexes),
            );
            nested.put_back(&mut topics, |topic| topic.0.clone(), |topic| &mut topic.1);
            assert_eq!(topics, all);
        }
    }
}
