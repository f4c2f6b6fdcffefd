//! The `klamm` command: one file per subcommand in `cli/`.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

/// An Apache Kafka-compatible broker in one small process.
#[derive(Debug, Parser)]
#[command(name = "klamm", version, about, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

/// A command's options are not looked at before it is called: there are hundreds, and a broker need not hold their code.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
enum Command {
    /// Start a broker and serve until Ctrl-C or SIGTERM.
    Serve(cli::serve::Serve),
    /// Run a command with a broker of its own: klamm run --topic orders -- pytest
    Run(cli::run::Run),
    /// Write records to a topic: lines of text, or JSON, from standard input or files.
    Produce(cli::produce::Produce),
    /// Write the records of topics to standard output.
    Consume(cli::consume::Consume),
    /// Copy the records of a topic to another topic, of the same cluster or of another one.
    Copy(cli::copy::Copy),
    /// Measure how fast a cluster takes records, gives them back, and passes them on.
    Bench(cli::bench::Bench),
    /// Show what is in the files of a data folder: batches, records, indexes.
    Dump(cli::dump::Dump),
    /// Check the files of a data folder: batches, checksums, offsets, indexes.
    Check(cli::check::Check),
    /// Have the run of a journal again, and show the first answer that differs.
    Replay(cli::replay::Replay),
    /// Link this program under the names of Kafka's scripts: kafka-topics.sh and others.
    InstallScripts(cli::scripts::install::Install),
    /// Control a broker that runs with --control: its time, faults and state.
    Ctl(cli::ctl::Ctl),
    /// Topics: list, create, describe, alter, delete; their partitions and records.
    Topics(cli::topics::Topics),
    /// Consumer groups: list, describe, watch, move, delete.
    Groups(cli::groups::Groups),
    /// What topics, brokers, groups and loggers are set to.
    Configs(cli::configs::Configs),
    /// Brokers of a cluster, what they serve, and where they keep what.
    Cluster(cli::cluster::Cluster),
    /// Write a script that completes commands in a shell.
    Completion(cli::generated::Completion),
    /// Write manual pages into a folder.
    Man(cli::generated::Man),
}

fn main() -> ExitCode {
    if let Some(code) = cli::scripts::run_as_called() {
        return code;
    }
    let args = Args::parse();
    let done = match args.command {
        Command::Serve(serve) => serve.run().map(|()| ExitCode::SUCCESS),
        Command::Run(run) => run.run(),
        Command::Produce(produce) => produce.run(),
        Command::Consume(consume) => consume.run(),
        Command::Copy(copy) => copy.run(),
        Command::Bench(bench) => bench.run(),
        Command::Dump(dump) => dump.run(),
        Command::Check(check) => check.run(),
        Command::Replay(replay) => replay.run(),
        Command::InstallScripts(install) => install.run(),
        Command::Ctl(ctl) => ctl.run(),
        Command::Topics(topics) => topics.run(),
        Command::Groups(groups) => groups.run(),
        Command::Configs(configs) => configs.run(),
        Command::Cluster(cluster) => cluster.run(),
        Command::Completion(completion) => completion.run(Args::command()),
        Command::Man(man) => man.run(Args::command()),
    };
    match done {
        Ok(code) => code,
        Err(error) => cli::report(&*error),
    }
}
