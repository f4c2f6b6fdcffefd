//! `klamm completion` and `klamm man`: generated from what the commands take.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::error::Failure;

// What `klamm completion` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
To have it in every shell:
  bash: klamm completion bash > ~/.local/share/bash-completion/completions/klamm
  zsh:  klamm completion zsh > \"${fpath[1]}/_klamm\"
  fish: klamm completion fish > ~/.config/fish/completions/klamm.fish")]
pub(crate) struct Completion {
    /// For which shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completion {
    /// Writes the script to standard output.
    pub(crate) fn run(self, mut command: Command) -> Result<ExitCode, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "klamm", &mut script);
        let mut out = std::io::stdout().lock();
        out.write_all(&script)?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

// What `klamm man` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Where to write the pages: klamm.1, klamm-topics.1, klamm-topics-list.1, …
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    /// Writes a page for each command into the folder, which is made if it is not there.
    pub(crate) fn run(self, mut command: Command) -> Result<ExitCode, Failure> {
        let told = |error: std::io::Error| {
            format!(
                "cannot write manual pages into {}: {error}; name a folder that can be written",
                self.folder.display()
            )
        };
        std::fs::create_dir_all(&self.folder).map_err(told)?;
        command.build();
        let pages = write_pages(&self.folder, &command, "klamm").map_err(told)?;
        println!(
            "wrote {pages} pages to {}; read one with: man -l {}",
            self.folder.display(),
            self.folder.join("klamm.1").display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the page of a command and those of its subcommands; says how many.
fn write_pages(folder: &Path, command: &Command, name: &str) -> std::io::Result<usize> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).render(&mut page)?;
    std::fs::write(folder.join(format!("{name}.1")), page)?;
    let mut pages = 1;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        pages += write_pages(folder, subcommand, &format!("{name}-{}", subcommand.get_name()))?;
    }
    Ok(pages)
}
