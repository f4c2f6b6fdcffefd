//! Which topics there are: those that somebody has used, and those of a snapshot that nobody has asked for yet.
//!
//! A broker made of a snapshot has its topics asleep: their logs are opened, which costs a little each, when somebody asks
//! for them. What a topic held when the last snapshot was taken is kept here, and shared with that snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use klamm_storage::{FrozenLog, LogImage, LogOptions};
use uuid::Uuid;

use super::{NewTopic, Topic, TopicError};
use crate::cluster::Placement;
use crate::limits::{MAX_PARTITIONS, MAX_TOPICS};
use crate::shared_map::SharedMap;

/// What a topic held at one moment.
#[derive(Debug, Clone)]
pub(crate) struct TopicImage {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    pub(crate) overrides: Arc<BTreeMap<String, String>>,
    pub(crate) options: Arc<LogOptions>,
    pub(crate) partitions: Arc<[Arc<LogImage>]>,
    /// Where each partition is; nothing where all are on the first node alone.
    pub(crate) placements: Arc<[Arc<Placement>]>,
}

impl TopicImage {
    /// A topic that nobody has used, without configs of its own, on the first node.
    pub(crate) fn of_new(name: &str, id: Uuid, partitions: usize, options: &Arc<LogOptions>) -> Self {
        let (overrides, options) = (Arc::default(), Arc::clone(options));
        let partitions = std::iter::repeat_with(|| Arc::clone(&NOTHING)).take(partitions).collect();
        TopicImage { name: Arc::from(name), id, overrides, options, partitions, placements: Arc::default() }
    }
}

/// What all topics held at one moment. A clone costs nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct TopicImages {
    by_name: SharedMap<Arc<str>, Arc<TopicImage>>,
    by_id: SharedMap<Uuid, Arc<str>>,
    /// Names with dots read as underscores: two topics may not differ by that alone.
    by_metric_name: SharedMap<String, Arc<str>>,
    partitions: usize,
    /// Whether any of them says where its partitions are.
    placed: bool,
}

/// What a partition holds that was never written to.
static NOTHING: LazyLock<Arc<LogImage>> = LazyLock::new(|| Arc::new(LogImage::empty()));

impl TopicImages {
    /// The images of `topics`, which come from elsewhere.
    ///
    /// # Errors
    /// If they could not be the topics of one broker.
    pub(crate) fn of(topics: impl IntoIterator<Item = TopicImage>) -> Result<Self, TopicError> {
        let mut images = TopicImages::default();
        topics.into_iter().try_for_each(|topic| images.add(topic))?;
        Ok(images)
    }

    /// Puts a topic to the others.
    ///
    /// # Errors
    /// If it could not be the topic of a broker that has them.
    pub(crate) fn add(&mut self, topic: TopicImage) -> Result<(), TopicError> {
        self.check_name_is_free(&topic.name)?;
        self.check_room(topic.partitions.len())?;
        if self.by_id.contains_key(&topic.id) {
            return Err(TopicError::InvalidName(format!("The id {} is that of two topics.", topic.id)));
        }
        self.enter(&topic.name, topic.id, topic.partitions.len());
        self.placed |= !topic.placements.is_empty();
        self.by_name.insert(Arc::clone(&topic.name), Arc::new(topic));
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name.iter().map(|(_, image)| image)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The same topics with other ids.
    pub(crate) fn with_new_ids(&self, mut draw: impl FnMut() -> Uuid) -> Self {
        let mut ids = Vec::with_capacity(self.len());
        let with = |image: &Arc<TopicImage>| {
            let id = draw();
            ids.push((id, Arc::clone(&image.name)));
            (Arc::clone(&image.name), Arc::new(TopicImage { id, ..TopicImage::clone(image) }))
        };
        let by_name = self.iter().map(with).collect();
        // One that comes behind all others is entered quickest.
        ids.sort_unstable_by_key(|(id, _)| *id);
        TopicImages { by_name, by_id: ids.into_iter().collect(), ..self.clone() }
    }

    /// The same topics with other options, where `options_of` says so of their configs.
    pub(crate) fn with_options(
        &self,
        options_of: impl Fn(&BTreeMap<String, String>) -> Arc<LogOptions>,
    ) -> Self {
        let with = |image: &Arc<TopicImage>| {
            let options = options_of(&image.overrides);
            (Arc::clone(&image.name), Arc::new(TopicImage { options, ..TopicImage::clone(image) }))
        };
        TopicImages { by_name: self.iter().map(with).collect(), ..self.clone() }
    }

    fn enter(&mut self, name: &Arc<str>, id: Uuid, partitions: usize) {
        self.by_id.insert(id, Arc::clone(name));
        self.by_metric_name.insert(metric_name(name), Arc::clone(name));
        self.partitions += partitions;
    }

    fn check_name_is_free(&self, name: &str) -> Result<(), TopicError> {
        super::check_name(name)?;
        if let Some(other) = self.by_metric_name.get(&metric_name(name)) {
            if **other == *name {
                return Err(TopicError::Exists(name.to_owned()));
            }
            return Err(TopicError::InvalidName(format!(
                "Topic '{name}' collides with existing topic: {other}"
            )));
        }
        if self.by_id.len() >= MAX_TOPICS {
            return Err(TopicError::TooMany(format!(
                "This broker holds {MAX_TOPICS} topics and takes no more."
            )));
        }
        Ok(())
    }

    fn check_room(&self, partitions: usize) -> Result<(), TopicError> {
        if self.partitions.saturating_add(partitions) <= MAX_PARTITIONS {
            return Ok(());
        }
        Err(TopicError::TooMany(format!(
            "This broker holds {} partitions and takes {MAX_PARTITIONS} at the most.",
            self.partitions
        )))
    }
}

/// All topics of a broker. Those in `by_name` are awake.
#[derive(Default)]
pub(super) struct Registry {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
    /// The ids and names of all topics, and their images as the last snapshot has them. One that is not awake has one.
    images: TopicImages,
    /// Topics that are not as the last snapshot has them, other than by what their logs hold.
    changed: BTreeSet<Arc<str>>,
}

impl Registry {
    /// A registry whose topics are all asleep.
    pub(super) fn asleep(images: TopicImages) -> Self {
        Registry { images, ..Registry::default() }
    }

    /// A topic that is awake.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    pub(super) fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// The name of a topic, awake or not.
    pub(super) fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.images.by_id.get(&id).cloned()
    }

    /// What is known of a topic that is not awake.
    pub(super) fn sleeping(&self, name: &str) -> Option<Arc<TopicImage>> {
        self.images.by_name.get(name).cloned()
    }

    /// The topics that are not awake.
    pub(super) fn all_sleeping(&self) -> Vec<Arc<TopicImage>> {
        if self.by_name.len() == self.images.by_id.len() {
            return Vec::new();
        }
        self.images.iter().filter(|image| !self.by_name.contains_key(&image.name)).cloned().collect()
    }

    /// All topics that are awake, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// Enters a topic that has been created, or opened from a folder.
    pub(super) fn add(&mut self, topic: &Arc<Topic>) {
        self.images.enter(&topic.name, topic.id, topic.partitions.read().len());
        self.changed.insert(Arc::clone(&topic.name));
        self.wake(topic);
    }

    /// Enters a topic that was asleep.
    pub(super) fn wake(&mut self, topic: &Arc<Topic>) {
        self.by_name.insert(Arc::clone(&topic.name), Arc::clone(topic));
        self.by_id.insert(topic.id, Arc::clone(topic));
    }

    /// Notes that a topic has become larger.
    pub(super) fn grow(&mut self, topic: &Topic, partitions: usize) {
        self.images.partitions += partitions;
        self.note_change(topic);
    }

    /// Notes that a topic is not as the last snapshot has it.
    pub(super) fn note_change(&mut self, topic: &Topic) {
        // One that was deleted meanwhile is of no interest.
        if self.by_id.contains_key(&topic.id) {
            self.changed.insert(Arc::clone(&topic.name));
        }
    }

    pub(super) fn remove(&mut self, topic: &Topic) {
        self.by_name.remove(&topic.name);
        self.by_id.remove(&topic.id);
        self.changed.remove(&topic.name);
        self.images.by_name.remove(&*topic.name);
        self.images.by_id.remove(&topic.id);
        self.images.by_metric_name.remove(&metric_name(&topic.name));
        self.images.partitions = self.images.partitions.saturating_sub(topic.partitions.read().len());
    }

    /// What all topics hold, given what the logs hold that have changed since this was last asked.
    pub(super) fn images(&mut self, frozen: Vec<FrozenLog>, sole: &Placement) -> TopicImages {
        let mut logs: BTreeMap<Arc<str>, Vec<FrozenLog>> = BTreeMap::new();
        for name in std::mem::take(&mut self.changed) {
            logs.entry(name).or_default();
        }
        for log in frozen {
            logs.entry(Arc::clone(&log.topic)).or_default().push(log);
        }
        for (name, logs) in logs {
            // Logs that belong to no topic are the broker's own.
            let Some(topic) = self.by_name.get(&name) else { continue };
            let image = image_of(topic, self.images.by_name.get(&name), logs, sole);
            self.images.placed |= !image.placements.is_empty();
            self.images.by_name.insert(name, Arc::new(image));
        }
        self.images.clone()
    }

    /// The topics of which a partition is where `fits` says that none can be. Those that are asleep stay so.
    pub(super) fn misplaced(&self, sole: &Placement, fits: impl Fn(&Placement) -> bool) -> Vec<Arc<str>> {
        let sole_fits = fits(sole);
        let all_fit = |placements: &[Arc<Placement>]| match placements {
            [] => sole_fits,
            placements => placements.iter().all(|placement| fits(placement)),
        };
        let awake = self.by_name.values().filter(|topic| {
            !all_fit(&topic.partitions.read().iter().map(|one| one.placement()).collect::<Vec<_>>())
        });
        let awake = awake.map(|topic| Arc::clone(&topic.name));
        // Where all are on the first node alone, and may be, nobody has to look at those that are asleep.
        let images = (!sole_fits || self.images.placed).then(|| self.images.iter());
        let asleep = images.into_iter().flatten().filter(|image| !self.by_name.contains_key(&image.name));
        let asleep = asleep.filter(|image| !all_fit(&image.placements)).map(|image| Arc::clone(&image.name));
        let mut names: Vec<_> = awake.chain(asleep).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn check_name_is_free(&self, name: &str) -> Result<(), TopicError> {
        self.images.check_name_is_free(name)
    }

    pub(super) fn check_room(&self, partitions: i32) -> Result<(), TopicError> {
        self.images.check_room(usize::try_from(partitions).unwrap_or(0))
    }
}

/// What a topic holds: of the logs that have changed what they hold now, and of the others what they held before.
fn image_of(
    topic: &Topic,
    before: Option<&Arc<TopicImage>>,
    changed: Vec<FrozenLog>,
    sole: &Placement,
) -> TopicImage {
    let partitions = topic.partitions.read();
    let mut logs = before.map_or_else(Vec::new, |before| before.partitions.to_vec());
    logs.resize_with(partitions.len(), || Arc::clone(&NOTHING));
    for log in changed {
        if let Some(place) = usize::try_from(log.partition).ok().and_then(|index| logs.get_mut(index)) {
            *place = log.image;
        }
    }
    let mut placements: Vec<_> = partitions.iter().map(|partition| partition.placement()).collect();
    if placements.iter().all(|one| **one == *sole) {
        placements.clear();
    }
    TopicImage {
        name: Arc::clone(&topic.name),
        id: topic.id,
        overrides: topic.overrides(),
        options: partitions.first().map(|first| first.log().options()).unwrap_or_default(),
        partitions: logs.into(),
        placements: placements.into(),
    }
}

impl From<&TopicImage> for NewTopic {
    fn from(image: &TopicImage) -> Self {
        NewTopic {
            name: image.name.to_string(),
            id: image.id,
            partitions: i32::try_from(image.partitions.len()).unwrap_or(i32::MAX),
            overrides: BTreeMap::clone(&image.overrides),
            options: Arc::clone(&image.options),
            placements: image.placements.to_vec(),
        }
    }
}

fn metric_name(name: &str) -> String {
    name.replace('.', "_")
}
