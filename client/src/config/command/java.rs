//! What only Java's clients have, in the words that all clients have: where passwords are, and which files hold
//! certificates.

use std::path::Path;

use crate::config::config_error;
use crate::error::ClientError;

/// The options that are understood here.
pub(super) const NAMES: &[&str] = &[
    "sasl.jaas.config",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "ssl.truststore.password",
    "ssl.truststore.certificates",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.keystore.password",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
];

/// An option: where it stood, its name and its value.
type Pair = (String, String, String);

/// The same options without Java's own.
pub(super) fn translate(pairs: Vec<Pair>) -> Result<Vec<Pair>, ClientError> {
    let kind = |option: &str| {
        pairs.iter().find(|(_, name, _)| name == option).map(|(_, _, value)| value.to_uppercase())
    };
    let (trust, key) = (kind("ssl.truststore.type"), kind("ssl.keystore.type"));
    let mut translated = Vec::with_capacity(pairs.len());
    for (asked, name, value) in pairs {
        let mut give = |name: &str, value: String| translated.push((asked.clone(), name.to_owned(), value));
        match name.as_str() {
            "sasl.jaas.config" => {
                let (username, password) = sign_on(&asked, &value)?;
                give("sasl_plain_username", username);
                give("sasl_plain_password", password);
            }
            "ssl.truststore.location" => {
                check_pem(&asked, &name, &value, trust.as_deref())?;
                give("ssl_cafile", value);
            }
            "ssl.keystore.location" => {
                check_pem(&asked, &name, &value, key.as_deref())?;
                // Java keeps the key and its certificates in one file.
                give("ssl_certfile", value.clone());
                give("ssl_keyfile", value);
            }
            "ssl.truststore.certificates" | "ssl.keystore.key" | "ssl.keystore.certificate.chain" => {
                let why = format!("'{name}' holds certificates or a key, which are read from files only");
                return Err(config_error(asked, why)
                    .remedy("write them into a PEM file, and give it as ssl.truststore.location or ssl.keystore.location"));
            }
            // PEM files have no passwords of their own; whether a file is one is checked with its name.
            "ssl.truststore.type"
            | "ssl.keystore.type"
            | "ssl.truststore.password"
            | "ssl.keystore.password" => {}
            _ => translated.push((asked, name, value)),
        }
    }
    Ok(translated)
}

/// A store is a PEM file where its type says so, or else its name.
fn check_pem(asked: &str, name: &str, value: &str, kind: Option<&str>) -> Result<(), ClientError> {
    let extension = Path::new(value).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let kind = match kind {
        Some(kind) => kind.to_owned(),
        None if ["pem", "crt", "cer"].contains(&extension.to_lowercase().as_str()) => "PEM".to_owned(),
        None if ["p12", "pfx"].contains(&extension.to_lowercase().as_str()) => "PKCS12".to_owned(),
        None => "JKS".to_owned(),
    };
    if kind == "PEM" {
        return Ok(());
    }
    let convert = match name {
        "ssl.truststore.location" => {
            format!("keytool -exportcert -rfc -keystore {value} -alias NAME -file ca.pem")
        }
        _ => format!("openssl pkcs12 -in {value} -nodes -out client.pem"),
    };
    Err(config_error(asked, format!("'{name}' is a store of the type {kind}, which only Java reads")).remedy(
        format!("make a PEM file of it ({convert}), and set {}=PEM", name.replace("location", "type")),
    ))
}

/// User name and password of a line as `org…ScramLoginModule required username="alice" password="wonderland";`. What it says
/// is not repeated in errors: it holds a password.
fn sign_on(asked: &str, value: &str) -> Result<(String, String), ClientError> {
    const FORM: &str = "write CLASS required username=\"NAME\" password=\"PASSWORD\"; as one line";
    let wrong = |why: &str| config_error(asked, format!("sasl.jaas.config {why}")).remedy(FORM);
    let (module, options) =
        value.trim().split_once(char::is_whitespace).ok_or_else(|| wrong("names no user"))?;
    let class = module.rsplit('.').next().unwrap_or(module);
    if !["PlainLoginModule", "ScramLoginModule"].contains(&class) {
        return Err(config_error(asked, format!("sasl.jaas.config asks for {class}, which only Java has"))
            .remedy("use PLAIN or SCRAM, with PlainLoginModule or ScramLoginModule"));
    }
    let options = options.trim().strip_suffix(';').ok_or_else(|| wrong("does not end with ';'"))?;
    let (mut username, mut password) = (None, None);
    for (name, value) in pairs(options).ok_or_else(|| wrong("has a quote that does not end"))? {
        match name.as_str() {
            "username" => username = Some(value),
            "password" => password = Some(value),
            _ => {}
        }
    }
    username.zip(password).ok_or_else(|| wrong("names no user, or no password"))
}

/// The options `NAME=VALUE` or `NAME="VALUE"`; none if a quote does not end. Words without `=`, as `required`, are passed over.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let mut name = String::new();
        while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace() && *letter != '=') {
            name.push(letter);
        }
        if letters.next_if_eq(&'=').is_none() {
            if name.is_empty() && letters.peek().is_none() {
                return Some(found);
            }
            continue;
        }
        let mut value = String::new();
        match letters.next_if(|letter| ['"', '\''].contains(letter)) {
            Some(quote) => loop {
                match letters.next()? {
                    '\\' => value.push(letters.next()?),
                    letter if letter == quote => break,
                    letter => value.push(letter),
                }
            },
            None => {
                while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace()) {
                    value.push(letter);
                }
            }
        }
        found.push((name, value));
    }
}
