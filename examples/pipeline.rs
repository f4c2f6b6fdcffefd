//! A pipeline through topics: raw readings are enriched, enriched ones are judged.
//!
//! Notice that the reading that makes no sense is in the dead letters, with the reason in its headers, and that the others
//! have gone through both steps, in their order.
//!
//! `cargo run --example pipeline [BOOTSTRAP]`

mod shared;

use klamm::{ClientError, Input, Pipeline, create_pipeline, create_publisher, create_subscriber};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{SOON, Stage};

#[derive(Serialize, Deserialize)]
struct Raw {
    sensor: u32,
    celsius: f64,
}

#[derive(Serialize, Deserialize)]
struct Enriched {
    place: String,
    celsius: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    let [raw, enriched, processed, dead] =
        ["raw", "enriched", "processed", "dead"].map(|name| stage.topic(name, 1, &[]));
    let (raw, enriched, processed, dead) = (raw?, enriched?, processed?, dead?);

    let first = step(&stage, "enrich", &raw, &enriched, &dead)?;
    let second = step(&stage, "judge", &enriched, &processed, &dead)?;
    let threads = [
        std::thread::spawn({
            let pipeline = first.clone();
            move || {
                pipeline.run(|input: Input<Raw>| {
                    let place = match input.value.sensor {
                        1 => "roof",
                        2 => "cellar",
                        other => return Err(format!("nobody knows the sensor {other}")),
                    };
                    Ok(Some(Enriched { place: place.to_owned(), celsius: input.value.celsius }))
                })
            }
        }),
        std::thread::spawn({
            let pipeline = second.clone();
            move || {
                // None writes nothing: pleasant temperatures are not worth a word.
                pipeline.run(|input: Input<Enriched>| {
                    let Enriched { place, celsius } = input.value;
                    let worth_telling = !(15.0..=25.0).contains(&celsius);
                    Ok::<_, ClientError>(worth_telling.then(|| format!("{celsius} degrees on the {place}")))
                })
            }
        }),
    ];

    let publisher = create_publisher(
        "sensors",
        json!({ "destination": format!("kafka://topic/{raw}"), "bootstrap_servers": stage.broker }),
    )?;
    for (sensor, celsius) in [(1, 31.5), (2, 18.0), (9, 20.0), (2, 4.0)] {
        publisher.publish(&Raw { sensor, celsius })?;
    }
    publisher.stop()?;

    let told = read(&stage, "news", &processed, 2)?;
    println!("told: {told:?}");
    let letters = read(&stage, "letters", &dead, 1)?;
    println!("in the dead letters: {letters:?}");
    first.stop();
    second.stop();
    for thread in threads {
        let report = thread.join().expect("a pipeline panics only on a bug")?;
        println!("read {}, wrote {}, dead letters {}", report.read, report.written, report.dead_letters);
    }
    Ok(())
}

fn step(stage: &Stage, name: &str, from: &str, to: &str, dead: &str) -> Result<Pipeline, ClientError> {
    create_pipeline(
        name,
        json!({
            "source": format!("kafka://topic/{from}"),
            "destination": format!("kafka://topic/{to}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name(name),
            "dead_letter_topic": dead,
            "consumer_config": { "auto_offset_reset": "earliest" },
        }),
    )
}

/// So many payloads of a topic, as texts; of a dead letter its reason, too.
fn read(
    stage: &Stage,
    name: &str,
    topic: &str,
    many: usize,
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let subscriber = create_subscriber(
        name,
        json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name(name),
            "consumer_config": { "auto_offset_reset": "earliest" },
        }),
    )?;
    subscriber.start()?;
    let mut texts = Vec::new();
    while texts.len() < many {
        let record = subscriber.get_record(SOON)?.ok_or("a record is missing")?;
        let mut text = subscriber.decode::<String>(&record)?;
        if let Some((_, Some(reason))) = record.headers.iter().find(|(name, _)| name == "dead_letter.error") {
            text += &format!(" ({})", String::from_utf8_lossy(reason));
        }
        texts.push(text);
    }
    subscriber.stop()?;
    Ok(texts)
}
