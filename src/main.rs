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

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start a broker and serve until Ctrl-C or SIGTERM.
    Serve(cli::serve::Serve),
    /// Run a command with a broker of its own: klamm run --topic orders -- pytest
    Run(cli::run::Run),
    /// Check the files of a data folder: batches, checksums, offsets, indexes.
    Check(cli::check::Check),
    /// Have the run of a journal again, and show the first answer that differs.
    Replay(cli::replay::Replay),
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
    let args = Args::parse();
    let done = match args.command {
        Command::Serve(serve) => serve.run().map(|()| ExitCode::SUCCESS),
        Command::Run(run) => run.run(),
        Command::Check(check) => check.run(),
        Command::Replay(replay) => replay.run(),
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
