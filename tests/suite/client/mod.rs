//! What the client promises, over both libraries, at brokers of every kind: within the process, `klamm serve`, and a real
//! Apache Kafka.
//!
//! Tests say what, [`place`] says where. A library that was not compiled in has no tests; a Kafka that is not installed is
//! told of and passed over, except in CI.

mod admin;
mod bad_input;
mod groups;
mod interop;
mod letters;
mod moving;
mod pipelines;
pub(crate) mod place;
mod publishing;
mod resilient;
mod security;
mod subscribing;

/// Runs tests, functions of a [`place::Place`], over each library at each kind of broker.
macro_rules! everywhere {
    ($($test:ident)*) => {
        $crate::client::everywhere!(@library native "native"; $($test)*);
        #[cfg(feature = "rdkafka")]
        $crate::client::everywhere!(@library rdkafka "rdkafka"; $($test)*);
    };
    (@library $module:ident $library:literal; $($test:ident)*) => {
        mod $module {
            mod embedded {
                $(#[test]
                fn $test() {
                    super::super::$test(&$crate::client::place::Place::embedded($library));
                })*
            }
            mod served {
                $(#[test]
                fn $test() {
                    super::super::$test(&$crate::client::place::Place::served($library));
                })*
            }
            mod kafka {
                $(#[test]
                fn $test() {
                    if let Some(place) = $crate::client::place::Place::kafka($library) {
                        super::super::$test(&place);
                    }
                })*
            }
        }
    };
}

/// Runs tests, functions of a library's name, over each library.
macro_rules! over_each_library {
    ($($test:ident)*) => {
        mod over_native {
            $(#[test]
            fn $test() {
                super::$test("native");
            })*
        }
        #[cfg(feature = "rdkafka")]
        mod over_rdkafka {
            $(#[test]
            fn $test() {
                super::$test("rdkafka");
            })*
        }
    };
}

pub(crate) use {everywhere, over_each_library};
