//! The options of `kafka-consumer-groups.sh`, and which of them go together.

use super::super::options::{Opt, Parsed, flag, long, text};
use super::super::{Ended, Output, complain, usage};

pub(super) const OPTIONS: &[Opt] = &[
    text("bootstrap-server"),
    text("group"),
    text("topic"),
    flag("all-topics"),
    flag("list"),
    flag("describe"),
    flag("all-groups"),
    flag("delete"),
    long("timeout").or("5000"),
    text("command-config"),
    flag("reset-offsets"),
    flag("delete-offsets"),
    flag("dry-run"),
    flag("execute"),
    flag("export"),
    long("to-offset"),
    text("from-file"),
    text("to-datetime"),
    text("by-duration"),
    flag("to-earliest"),
    flag("to-latest"),
    flag("to-current"),
    long("shift-by"),
    flag("members").with(&["describe"]),
    flag("verbose").with(&["describe"]),
    flag("offsets").with(&["describe"]),
    text("state").optional().with(&["describe", "list"]),
    text("type").optional().with(&["list"]),
    text("validate-regex"),
];

/// Where offsets can be reset to, in the order in which the original lists them.
pub(super) const SCENARIOS: &[&str] = &[
    "from-file",
    "to-datetime",
    "by-duration",
    "to-latest",
    "to-current",
    "to-earliest",
    "to-offset",
    "shift-by",
];

const ACTIONS: &[&str] = &["list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"];

const NO_EXECUTE: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command \
will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting \
this command and want to keep the current default behavior without prompting.";

pub(super) fn check(parsed: &Parsed, out: &mut Output) -> Result<(), Ended> {
    parsed.help_or_version(usage::GROUPS, out)?;
    if !parsed.has("validate-regex") {
        parsed.require(&["bootstrap-server"])?;
    }
    let refuse = |why: &str| Err(Ended::Usage(why.to_owned()));
    let names_groups = parsed.count(&["group", "all-groups"]) > 0;
    if parsed.has("describe") {
        if !names_groups {
            return refuse("Option [describe] takes one of these options: [group], [all-groups]");
        }
        if parsed.count(&["members", "offsets", "state"]) > 1 {
            return refuse(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            );
        }
        if parsed.value("state")?.is_some() {
            return refuse("Option [describe] does not take a value for [state]");
        }
    }
    if parsed.has("delete") {
        if !names_groups {
            return refuse("Option [delete] takes one of these options: [group], [all-groups]");
        }
        if parsed.has("topic") {
            return refuse(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            );
        }
    }
    if parsed.has("delete-offsets") && parsed.count(&["group", "topic"]) < 2 {
        return refuse("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    if parsed.has("reset-offsets") {
        check_reset(parsed, names_groups)?;
    }
    parsed.exclude("group", &["all-groups"])?;
    parsed.exclude("group", &["list"])?;
    parsed.exclude("topic", &["list", "describe"])?;
    if parsed.count(ACTIONS) == 1 {
        return Ok(());
    }
    let actions: Vec<_> = ACTIONS.iter().map(|action| format!("--{action}")).collect();
    refuse(&format!("Command must include exactly one action: {}", actions.join(", ")))
}

fn check_reset(parsed: &Parsed, names_groups: bool) -> Result<(), Ended> {
    let refuse = |why: &str| Err(Ended::Usage(why.to_owned()));
    match parsed.count(&["dry-run", "execute"]) {
        2 => return refuse("Option [reset-offsets] only accepts one of [execute] and [dry-run]"),
        0 => complain(NO_EXECUTE),
        _ => {}
    }
    if !names_groups {
        return refuse("Option [reset-offsets] takes one of these options: [group], [all-groups]");
    }
    // The order in which the original looks at them.
    let looked_at = [
        "to-offset",
        "to-datetime",
        "by-duration",
        "to-earliest",
        "to-latest",
        "to-current",
        "shift-by",
        "from-file",
    ];
    for used in looked_at {
        let others: Vec<_> = SCENARIOS.iter().copied().filter(|other| *other != used).collect();
        parsed.exclude(used, &others)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::super::options::assert_described(OPTIONS, usage::GROUPS);
    }
}
