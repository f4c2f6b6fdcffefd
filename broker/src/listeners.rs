//! `listeners` and `advertised.listeners`, as a `server.properties` gives them.

use std::collections::BTreeMap;

use crate::config::ConfigError;

/// The addresses to listen on, each with the one that clients are told if it is another. Listeners of the controller
/// are left out: there is none.
pub(crate) fn from_properties(
    configs: &BTreeMap<String, String>,
) -> Result<Vec<(String, Option<String>)>, ConfigError> {
    let list = |name: &str| parse(name, configs.get(name).map(String::as_str).unwrap_or_default());
    let controllers: Vec<_> = configs
        .get("controller.listener.names")
        .into_iter()
        .flat_map(|names| names.split(','))
        .map(str::trim)
        .collect();
    let advertised = list("advertised.listeners")?;
    let mut listeners = Vec::new();
    for (name, address) in list("listeners")? {
        if controllers.iter().any(|controller| controller.eq_ignore_ascii_case(&name)) {
            continue;
        }
        check_protocol(&name, configs)?;
        let told = advertised.iter().find(|(other, _)| *other == name).map(|(_, address)| address.clone());
        let bind = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address };
        listeners.push((bind, told));
    }
    Ok(listeners)
}

fn parse(config: &str, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let given = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    given
        .map(|one| {
            let parts = one.split_once("://").filter(|(_, address)| address.contains(':'));
            let (name, address) = parts.ok_or_else(|| {
                ConfigError::new(format!("'{one}' in {config} is not an address; write NAME://HOST:PORT"))
            })?;
            Ok((name.to_uppercase(), address.to_owned()))
        })
        .collect()
}

/// Only plain text is spoken; a listener may have another name for it in `listener.security.protocol.map`.
fn check_protocol(name: &str, configs: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let map = configs.get("listener.security.protocol.map").map(String::as_str).unwrap_or_default();
    let mut mapped = map.split(',').filter_map(|pair| pair.trim().split_once(':'));
    // As in any properties, what is said last counts.
    let protocol =
        mapped.rfind(|(listener, _)| listener.eq_ignore_ascii_case(name)).map(|(_, protocol)| protocol);
    match protocol.unwrap_or(name) {
        protocol if protocol.eq_ignore_ascii_case("PLAINTEXT") => Ok(()),
        protocol => Err(ConfigError::new(format!(
            "the listener {name} asks for the security protocol {protocol}, but only PLAINTEXT is supported; \
             change it in listeners or in listener.security.protocol.map"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(pairs: &[(&str, &str)]) -> Result<Vec<(String, Option<String>)>, ConfigError> {
        from_properties(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn controllers_are_left_out_and_names_are_matched() {
        let found = listeners(&[
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093,EXTERNAL://127.0.0.1:9094"),
            ("advertised.listeners", "EXTERNAL://example.org:19094"),
            ("controller.listener.names", "CONTROLLER"),
            ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT"),
        ]);
        let expected = [("0.0.0.0:9092", None), ("127.0.0.1:9094", Some("example.org:19094"))];
        assert_eq!(found.unwrap(), expected.map(|(bind, told)| (bind.to_owned(), told.map(str::to_owned))));
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        assert!(listeners(&[("listeners", "9092")]).unwrap_err().to_string().contains("NAME://HOST:PORT"));
        assert!(
            listeners(&[("listeners", "SSL://:9092")]).unwrap_err().to_string().contains("only PLAINTEXT")
        );
    }
}
