//! Node descriptions: `{"name": …, "type": "DataSubscriberNode" | "DataPublisherNode", "config": {…}}`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::keys::Keys;
use super::names::Role;
use super::value::Config;
use super::{config_error, nearest};
use crate::error::ClientError;
use crate::factory::{create_publisher, create_subscriber};
use crate::publisher::Publisher;
use crate::subscriber::Subscriber;

/// What a node description describes.
#[derive(Debug)]
pub enum Node {
    /// A `DataPublisherNode`.
    Publisher(Publisher),
    /// A `DataSubscriberNode`, not started yet.
    Subscriber(Subscriber),
}

const TYPES: [&str; 2] = ["DataPublisherNode", "DataSubscriberNode"];

/// Makes a publisher or a subscriber of a node description: an object with `name`, `type` (`DataPublisherNode` or
/// `DataSubscriberNode`) and `config`.
///
/// ```
/// use klamm_client::{Node, create_node};
/// use serde_json::json;
///
/// let node = create_node(json!({
///     "name": "orders",
///     "type": "DataPublisherNode",
///     "config": { "destination": "kafka://topic/orders", "bootstrap_servers": "embedded://shop" },
/// }))?;
/// let Node::Publisher(publisher) = node else { panic!("it describes a publisher") };
/// # publisher.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for a description of another form, and whatever the publisher or the
/// subscriber says of its config.
pub fn create_node(description: impl Serialize) -> Result<Node, ClientError> {
    let asked = "reading a node description";
    let map: Map<String, Value> =
        Config::from_value(description).map_err(|error| error.asked(asked))?.into_map();
    let mut keys = Keys::new(map, asked, &["name", "type", "config"], Role::Both)?;
    let missing =
        |key: &str| config_error(asked, format!("{key} is missing")).remedy("give name, type and config");
    let name = keys.text("name")?.ok_or_else(|| missing("name"))?;
    let kind = keys.text("type")?.ok_or_else(|| missing("type"))?;
    let config = keys.object("config")?;
    match kind.as_str() {
        "DataPublisherNode" => Ok(Node::Publisher(create_publisher(&name, config)?)),
        "DataSubscriberNode" => Ok(Node::Subscriber(create_subscriber(&name, config)?)),
        other => {
            Err(config_error(asked, format!("the type of '{name}' is \"{other}\"{}", nearest(other, TYPES)))
                .remedy("give \"DataPublisherNode\" or \"DataSubscriberNode\""))
        }
    }
}
