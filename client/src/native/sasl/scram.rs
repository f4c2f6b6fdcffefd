//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): the password never travels, and the broker proves that it knows
//! what is derived from it too.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

/// The header of the GS2 family: no channel binding, no other identity.
const GS2_HEADER: &str = "n,,";

/// The fewest rounds that are taken for safe: RFC 7677, and Kafka's own least.
const LEAST_ITERATIONS: u32 = 4096;

/// The most that a broker may ask for: a second of work or so. Kafka's own brokers allow 16384.
const MOST_ITERATIONS: u32 = 1 << 20;

/// The longest message that a broker may send.
const MOST_MESSAGE_BYTES: usize = 4096;

/// The random bytes in a nonce.
const NONCE_BYTES: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn sign(self, key: &[u8], message: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.hmac(), key), message)
    }
}

/// A nonce that nobody can guess.
pub(super) fn nonce() -> Result<String, String> {
    let mut bytes = [0; NONCE_BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(STANDARD.encode(bytes))
}

/// The client's side before the broker has said anything.
pub(super) struct Client {
    hash: Hash,
    nonce: String,
    first_bare: String,
}

/// What the broker has to answer to the proof.
#[derive(Debug)]
pub(super) struct Expected {
    key: hmac::Key,
    signed: String,
}

impl Client {
    pub(super) fn new(hash: Hash, username: &str, nonce: &str) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        Client { hash, nonce: nonce.to_owned(), first_bare: format!("n={name},r={nonce}") }
    }

    pub(super) fn first_message(&self) -> Bytes {
        format!("{GS2_HEADER}{}", self.first_bare).into()
    }

    /// The message that proves that the password is known, and what the broker has to prove in turn.
    pub(super) fn prove(&self, password: &str, server_first: &[u8]) -> Result<(Bytes, Expected), String> {
        let server_first = text(server_first)?;
        let mut attributes = server_first.split(',');
        let mut next = |name: &str| {
            let attribute = attributes.next().and_then(|attribute| attribute.strip_prefix(name));
            attribute.ok_or_else(|| format!("the broker's first message has no '{name}' where it should be"))
        };
        let (nonce, salt, iterations) = (next("r=")?, next("s=")?, next("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker's nonce does not go on from this client's".to_owned());
        }
        let salt =
            STANDARD.decode(salt).map_err(|error| format!("the broker's salt is not base64: {error}"))?;
        let rounds: u32 =
            iterations.parse().map_err(|_| "the broker's number of rounds is no number".to_owned())?;
        if !(LEAST_ITERATIONS..=MOST_ITERATIONS).contains(&rounds) {
            return Err(format!(
                "the broker asks for {rounds} rounds; {LEAST_ITERATIONS} to {MOST_ITERATIONS} are accepted"
            ));
        }
        let rounds = NonZeroU32::new(rounds).ok_or("the broker asks for no rounds")?;
        let mut salted = vec![0; self.hash.digest().output_len()];
        pbkdf2::derive(self.hash.pbkdf2(), rounds, &salt, password.as_bytes(), &mut salted);

        let without_proof = format!("c={},r={nonce}", STANDARD.encode(GS2_HEADER));
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = self.hash.sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        let signature = self.hash.sign(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> =
            client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, bit)| key ^ bit).collect();
        let server_key = self.hash.sign(&salted, b"Server Key");
        let key = hmac::Key::new(self.hash.hmac(), server_key.as_ref());
        let message = format!("{without_proof},p={}", STANDARD.encode(proof));
        Ok((message.into(), Expected { key, signed }))
    }
}

impl Expected {
    /// Checks that the broker knows the account too. An error says why it is not to be believed.
    pub(super) fn verify(&self, server_final: &[u8]) -> Result<(), String> {
        let server_final = text(server_final)?;
        let first = server_final.split(',').next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Err(format!("the broker says {error}"));
        }
        let signature = first.strip_prefix("v=").and_then(|signature| STANDARD.decode(signature).ok());
        let signature = signature.ok_or("the broker's last message has no signature")?;
        hmac::verify(&self.key, self.signed.as_bytes(), &signature)
            .map_err(|_| "the broker does not know the password: it is not whom it claims to be".to_owned())
    }
}

fn text(message: &[u8]) -> Result<&str, String> {
    if message.len() > MOST_MESSAGE_BYTES {
        return Err(format!("the broker's message has {} bytes", message.len()));
    }
    std::str::from_utf8(message).map_err(|_| "the broker's message is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn client() -> Client {
        Client::new(Hash::Sha256, "user", NONCE)
    }

    #[test]
    fn the_exchange_is_that_of_rfc_7677() {
        assert_eq!(client().first_message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (proof, expected) = client().prove("pencil", SERVER_FIRST.as_bytes()).unwrap();
        assert_eq!(
            proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        expected.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        let forged = expected.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=").unwrap_err();
        assert!(forged.contains("claims") || forged.contains("signature"), "{forged}");
        assert!(expected.verify(b"v=AAAA").unwrap_err().contains("claims"));
        assert!(expected.verify(b"e=invalid-proof").unwrap_err().contains("invalid-proof"));
        assert!(expected.verify(b"").is_err());
    }

    #[test]
    fn sha_512_proves_and_is_proved_to() {
        // Computed with Python's hashlib from the formulas of RFC 5802.
        let client = Client::new(Hash::Sha512, "user", NONCE);
        let (proof, expected) = client.prove("pencil", SERVER_FIRST.as_bytes()).unwrap();
        assert_eq!(proof, SHA512_PROOF);
        expected.verify(SHA512_SIGNATURE.as_bytes()).unwrap();
    }

    const SHA512_PROOF: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==";
    const SHA512_SIGNATURE: &str =
        "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";

    #[test]
    fn separators_in_names_are_escaped() {
        let first = Client::new(Hash::Sha256, "a=b,c", "n").first_message();
        assert_eq!(first, "n,,n=a=3Db=2Cc,r=n");
    }

    #[test]
    fn a_bad_first_message_is_refused() {
        let refused = |message: &str| client().prove("pencil", message.as_bytes()).unwrap_err();
        assert!(refused("r=somebody else's,s=AAAA,i=4096").contains("nonce"));
        assert!(refused("r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096").contains("nonce"));
        assert!(refused("r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096").contains("base64"));
        assert!(refused("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=many").contains("number"));
        assert!(refused("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=1").contains("rounds"));
        assert!(refused("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4294967295").contains("rounds"));
        assert!(refused("s=AAAA").contains("r="));
        assert!(client().prove("pencil", &[0xff]).unwrap_err().contains("UTF-8"));
        assert!(client().prove("pencil", &[b'r'; 5000]).unwrap_err().contains("5000"));
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
