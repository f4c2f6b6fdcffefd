//! What a person may have meant.

/// ` Did you mean 'NAME'?` where one of the names is near enough to be meant; else nothing.
pub(crate) fn did_you_mean<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let given = given.to_lowercase();
    let best =
        names.into_iter().map(|name| (strsim::damerau_levenshtein(&given, &name.to_lowercase()), name)).min();
    match best {
        // Further away than a third of the name it would be a guess.
        Some((distance, name)) if distance * 3 <= name.chars().count().max(3) => {
            format!("; did you mean '{name}'?")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_proposed_if_it_is_near() {
        assert_eq!(did_you_mean("ordres", ["orders", "payments"]), "; did you mean 'orders'?");
        assert_eq!(did_you_mean("shipments", ["orders", "payments"]), "");
        assert_eq!(did_you_mean("x", []), "");
    }
}
